"""Hold values as TensorFlow's programs do: numpy arrays with `.numpy()`, or traced ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from finetti.types import AnyArray, Array, DType, Tree


class Tensor(np.ndarray):
    """Be a numpy array that programs may ask for `.numpy()`; a single element is one as well.

    >>> Tensor.of([1.0, 2.0]).numpy()
    array([1., 2.])
    """

    @classmethod
    def of(cls, value: ArrayLike) -> Tensor:
        """Return a value as a tensor."""
        return np.asarray(value).view(cls)

    def numpy(self) -> np.ndarray | np.generic:
        """Return the array of numpy, or the number where there are no axes."""
        return self.view(np.ndarray)[()]

    eval = numpy

    def __getitem__(self, key: object) -> Tensor:
        found = super().__getitem__(value_of(key))
        return found if isinstance(found, Tensor) else Tensor.of(found)


def value_of(thing: Any) -> Any:
    """Return the value of a random variable or of a variable, or the thing itself."""
    if hasattr(type(thing), "is_random_variable"):
        return thing.value
    return thing.read_value() if hasattr(type(thing), "is_variable") else thing


def values_of(things: Tree) -> Tree:
    """Return nested things with the values of random variables in their places."""
    leaves = lambda x: value_of(x) is not x  # noqa: E731
    return jax.tree.map(value_of, things, is_leaf=leaves)


def traced(*values: Tree) -> bool:
    """Tell whether any of some values, nested or not, is traced."""
    return any(isinstance(v, Tracer) for v in jax.tree.leaves(values))


def home(*values: Tree) -> ModuleType:
    """Return the module to compute some values with: jax's numpy where one is traced."""
    return jnp if traced(*values) else np


def settled(value: ArrayLike) -> AnyArray:
    """Return an array as a tensor unless it is traced."""
    return value if isinstance(value, Tracer) else Tensor.of(value)


def to_numpy(thing: Tree) -> Tree:
    """Return nested random variables and arrays as numpy arrays, in the same structure."""
    return jax.tree.map(np.asarray, values_of(thing))


def precise(values: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Return values as arrays, real ones in the widest precision in force."""
    arrays = {k: jnp.asarray(v) for k, v in values.items()}
    wide = jnp.result_type(float)
    return {k: a.astype(wide) if a.dtype.kind == "f" else a for k, a in arrays.items()}


def convert_to_tensor(value: object, dtype: DType = None, name: str | None = None) -> AnyArray:
    """Return a value as an array, of a type if one is given; of a list of values, stacked."""
    value = values_of(value)
    if traced(value):
        value = jnp.asarray(value)
        return value if dtype is None else value.astype(dtype)
    found = np.asarray(value, dtype)
    if found.dtype.kind not in "fiubc":
        raise TypeError(f"expected numbers, not {value!r}")
    return Tensor.of(found)


def cast(x: ArrayLike, dtype: DType, name: str | None = None) -> AnyArray:
    """Return a value as another type."""
    return convert_to_tensor(x, dtype)


def to_float(x: ArrayLike, name: str | None = None) -> AnyArray:
    """Return a value in single precision."""
    return cast(x, np.float32)


def to_int32(x: ArrayLike, name: str | None = None) -> AnyArray:
    """Return a value as whole numbers."""
    return cast(x, np.int32)


def extents(shape: ArrayLike) -> tuple[int, ...]:
    """Return a shape that is a number, a list or an array as a tuple.

    >>> extents(3), extents([2, 3]), extents(())
    ((3,), (2, 3), ())
    """
    return tuple(np.atleast_1d(np.asarray(shape, int)).tolist())
