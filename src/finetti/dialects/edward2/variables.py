"""Hold random variables: a distribution and a value, drawn once or given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.edward2.interceptors import interceptable
from finetti.dialects.tf.variables import with_arithmetic
from finetti.dialects.tfp import distributions as tfd
from finetti.types import AnyArray, DType


@with_arithmetic
class RandomVariable:
    """Hold a distribution and one value of it; arithmetic is with the value.

    The value is drawn when first asked for, and kept, unless one is given; a given value becomes
    the distribution's dtype, unless it had to be rounded for that. Raises `ValueError` for a value
    of another shape.
    """

    is_random_variable = True

    def __init__(
        self,
        distribution: tfd.Distribution,
        sample_shape: ArrayLike = (),
        value: ArrayLike | None = None,
    ) -> None:
        """Take a distribution and perhaps a value."""
        self.distribution = distribution
        self.sample_shape = tuple(np.atleast_1d(np.asarray(sample_shape, int)).tolist())
        self._value = None if value is None else self._given(value)

    def _given(self, value: ArrayLike) -> AnyArray:
        value = tf.convert_to_tensor(value)
        if not isinstance(value, Tracer):
            typed = value.astype(self.distribution.dtype)
            rounded = typed.dtype.kind in "iub" and not np.array_equal(typed, value)
            value = value if rounded else typed
        expected = self.sample_shape + self.distribution.batch_shape + self.distribution.event_shape
        if np.shape(value) != expected:
            raise ValueError(
                f"random variable `{self.name}` is given a value of shape {np.shape(value)}; "
                f"expected {expected}"
            )
        return value

    @property
    def name(self) -> str | None:
        """Return the name it was made with."""
        return self.distribution.name

    @property
    def value(self) -> AnyArray:
        """Return the value, drawn now if it has none yet."""
        if self._value is None:
            self._value = self.distribution.sample(self.sample_shape)
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the value."""
        return self.sample_shape + self.distribution.batch_shape + self.distribution.event_shape

    @property
    def dtype(self) -> DType:
        """Return the type of the value."""
        return self.distribution.dtype

    def numpy(self) -> np.ndarray:
        """Return the value as a numpy array."""
        return np.asarray(self.value)

    eval = numpy

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value, dtype)

    def __jax_array__(self) -> AnyArray:
        return self.value

    def __getitem__(self, key: Any) -> AnyArray:
        return self.value[key]

    def __iter__(self) -> Iterator[AnyArray]:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    __array_priority__ = 1000

    def __repr__(self) -> str:
        return f"<RandomVariable {self.name!r} shape={self.shape} dtype={self.dtype}>"


def constructor(kind: type[tfd.Distribution]) -> Callable[..., RandomVariable]:
    """Return the function that makes random variables of a distribution, interceptors allowing."""

    def make(*args: Any, **kwargs: Any) -> RandomVariable:
        sample_shape, value = kwargs.pop("sample_shape", ()), kwargs.pop("value", None)
        return RandomVariable(kind(*args, **kwargs), sample_shape, value)

    make.__name__ = make.__qualname__ = kind.__name__
    make.__doc__ = f"Make a random variable: {kind.__doc__}"
    return interceptable(make)


def as_random_variable(
    distribution: tfd.Distribution, sample_shape: ArrayLike = (), value: ArrayLike | None = None
) -> RandomVariable:
    """Make a random variable of a distribution that exists already."""

    def make(
        name: str | None = None, sample_shape: ArrayLike = (), value: ArrayLike | None = None
    ) -> RandomVariable:
        return RandomVariable(distribution, sample_shape, value)

    named = interceptable(make)
    return named(name=distribution.name, sample_shape=sample_shape, value=value)


CONSTRUCTORS = {name: constructor(kind) for name, kind in tfd.CLASSES.items()}
