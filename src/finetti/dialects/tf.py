"""Stand in for as much of TensorFlow as programs for Edward2 use; TensorFlow is not needed.

Values are numpy arrays, or traced ones inside a sampler. Unless told otherwise they are of double
precision. `set_random_seed` sets where random numbers start; without it they start from 0.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

float16, float32, float64 = np.float16, np.float32, np.float64
int32, int64, bool_ = np.int32, np.int64, np.bool_


class Randomness:
    """Count off keys from a seed, as TensorFlow's global generator does."""

    def __init__(self) -> None:
        """Start from 0."""
        self.start(0)

    def start(self, seed: int) -> None:
        """Start from a seed."""
        self.root, self.numbers = int(seed), count()

    def key(self, seed: int | None = None) -> jax.Array:
        """Return the key of an operation's own seed, or the next key."""
        if seed is not None:
            return jax.random.key(seed)
        return jax.random.fold_in(jax.random.key(self.root), next(self.numbers))


RANDOMNESS = Randomness()


def set_random_seed(seed: int) -> None:
    """Start random numbers from a seed."""
    RANDOMNESS.start(seed)


def value_of(thing: Any) -> Any:
    """Return the value of a random variable, or the thing itself."""
    return thing.value if hasattr(thing, "is_random_variable") else thing


def to_numpy(thing: Any) -> Any:
    """Return nested random variables and arrays as numpy arrays, in the same structure."""
    leaves = lambda x: hasattr(x, "is_random_variable")  # noqa: E731
    return jax.tree.map(lambda x: np.asarray(value_of(x)), thing, is_leaf=leaves)


def precise(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as arrays, real ones in the widest precision in force."""
    arrays = {k: jnp.asarray(v) for k, v in values.items()}
    wide = jnp.result_type(float)
    return {k: a.astype(wide) if a.dtype.kind == "f" else a for k, a in arrays.items()}


class Session:
    """Run nothing: everything has its value already. For `with tf.Session() as sess:`."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def run(self, fetches: Any, feed_dict: None = None) -> Any:
        """Return the values of what is asked for, as numpy arrays in the same structure."""
        return to_numpy(fetches)


def _either(name: str, theirs: str = "") -> Callable[..., Any]:
    """Return numpy's function, or jax's where a value is traced."""

    def function(*args: Any, axis: Any = None, keepdims: bool = False) -> Any:
        args = tuple(map(value_of, args))
        traced = any(isinstance(x, Tracer) for x in jax.tree.leaves(args))
        home: Any = jnp if traced else np
        settings = {"axis": axis, "keepdims": keepdims} if theirs else {}
        return getattr(home, theirs or name)(*args, **settings)

    function.__name__ = name
    function.__doc__ = f"Return {theirs or name} of values, traced or not."
    return function


exp, log, sqrt, square, abs = (_either(n) for n in ("exp", "log", "sqrt", "square", "abs"))
sin, cos, tanh, log1p, expm1 = (_either(n) for n in ("sin", "cos", "tanh", "log1p", "expm1"))
add, subtract, multiply, divide, pow, maximum, minimum, where, matmul, dot = (
    _either(n)
    for n in (
        "add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "where", "matmul",
        "dot",
    )
)  # fmt: skip
reduce_sum, reduce_mean, reduce_max, reduce_min, reduce_prod = (
    _either(f"reduce_{n}", n) for n in ("sum", "mean", "max", "min", "prod")
)


def sigmoid(x: Any) -> Any:
    """Return the logistic function."""
    return 1 / (1 + exp(-value_of(x)))


def zeros(shape: Sequence[int] | int, dtype: Any = float64, name: str | None = None) -> np.ndarray:
    """Return zeros."""
    return np.zeros(shape, dtype)


def ones(shape: Sequence[int] | int, dtype: Any = float64, name: str | None = None) -> np.ndarray:
    """Return ones."""
    return np.ones(shape, dtype)


def fill(dims: Sequence[int], value: Any, name: str | None = None) -> np.ndarray:
    """Return an array filled with one value."""
    return np.full(dims, value)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> np.ndarray:
    """Return zeros of a value's shape and type."""
    return np.zeros(np.shape(value_of(x)), dtype or value_of(x).dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> np.ndarray:
    """Return ones of a value's shape and type."""
    return np.ones(np.shape(value_of(x)), dtype or value_of(x).dtype)


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return a value as an array, of a type if one is given."""
    value = value_of(value)
    if isinstance(value, Tracer):
        return value if dtype is None else value.astype(dtype)
    return np.asarray(value, dtype)


constant = identity = convert_to_tensor


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """Return a value as another type."""
    return convert_to_tensor(x, dtype)


to_float = convert_to_tensor


def range(*limits: int, name: str | None = None) -> np.ndarray:
    """Return whole numbers from a start, or 0, up to a limit."""
    return np.arange(*limits)


def global_variables_initializer() -> None:
    """Do nothing: everything has its value already."""


def reset_default_graph() -> None:
    """Do nothing: there is no graph."""


def reshape(tensor: Any, shape: Sequence[int], name: str | None = None) -> Any:
    """Return a value in another shape."""
    return value_of(tensor).reshape(shape)


def stack(values: Sequence[Any], axis: int = 0, name: str | None = None) -> Any:
    """Return values joined along a new axis."""
    values = [value_of(v) for v in values]
    traced = builtins.any(isinstance(v, Tracer) for v in values)
    return (jnp if traced else np).stack(values, axis)


def concat(values: Sequence[Any], axis: int, name: str | None = None) -> Any:
    """Return values joined along an axis they have."""
    values = [value_of(v) for v in values]
    traced = builtins.any(isinstance(v, Tracer) for v in values)
    return (jnp if traced else np).concatenate(values, axis)


def gather(params: Any, indices: Any, name: str | None = None) -> Any:
    """Return the rows of the indices."""
    return value_of(params)[np.asarray(indices) if not isinstance(indices, Tracer) else indices]


def expand_dims(input: Any, axis: int, name: str | None = None) -> Any:
    """Return a value with another axis, of length one."""
    value = value_of(input)
    return (jnp if isinstance(value, Tracer) else np).expand_dims(value, axis)


def function(f: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Return a function as it is: there is no graph to make of it."""
    return (lambda g: g) if f is None else f


class math:
    """Hold TensorFlow's newer names of the same functions."""

    exp, log, sqrt, square, log1p, expm1 = map(staticmethod, (exp, log, sqrt, square, log1p, expm1))
    sigmoid, reduce_sum, reduce_mean = map(staticmethod, (sigmoid, reduce_sum, reduce_mean))


class random:
    """Hold TensorFlow's newer name for setting the seed."""

    set_seed = staticmethod(set_random_seed)


class nn:
    """Hold the functions that programs take from `tf.nn`."""

    sigmoid = staticmethod(sigmoid)

    @staticmethod
    def softplus(x: Any) -> Any:
        """Return log(1 + exp(x))."""
        value = value_of(x)
        return (jnp if isinstance(value, Tracer) else np).logaddexp(0, value)
