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

from finetti.types import DType, Value

float16, float32, float64 = np.float16, np.float32, np.float64
int32, int64, bool_ = np.int32, np.int64, np.bool_
newaxis = None


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


def value_of(thing: Any) -> Value:
    """Return the value of a random variable, or the thing itself."""
    return thing.value if hasattr(thing, "is_random_variable") else thing


def to_numpy(thing: Any) -> Any:
    """Return nested random variables and arrays as numpy arrays, in the same structure."""
    leaves = lambda x: hasattr(x, "is_random_variable")  # noqa: E731
    return jax.tree.map(lambda x: np.asarray(value_of(x)), thing, is_leaf=leaves)


def precise(values: dict[str, Value]) -> dict[str, Any]:
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
        axis = tuple(axis) if isinstance(axis, list) else axis
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
reduce_sum, reduce_mean, reduce_max, reduce_min, reduce_prod, reduce_std, reduce_variance = (
    _either(f"reduce_{n}", theirs)
    for n, theirs in (
        ("sum", "sum"), ("mean", "mean"), ("max", "max"), ("min", "min"), ("prod", "prod"),
        ("std", "std"), ("variance", "var"),
    )
)  # fmt: skip
equal, not_equal, greater, greater_equal, less, less_equal, logical_and, logical_or, floor, sign = (
    _either(n)
    for n in (
        "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "logical_and",
        "logical_or", "floor", "sign",
    )
)  # fmt: skip


def rsqrt(x: Value, name: str | None = None) -> Value:
    """Return one over the square root."""
    return 1 / sqrt(x)


def shape(input: Value, name: str | None = None) -> np.ndarray:
    """Return a value's shape as an array."""
    return np.array(np.shape(value_of(input)), np.int32)


def rank(input: Value, name: str | None = None) -> int:
    """Return how many axes a value has."""
    return np.ndim(value_of(input))


def tensordot(a: Value, b: Value, axes: Any, name: str | None = None) -> Value:
    """Return a product summed over some axes of each."""
    a, b = value_of(a), value_of(b)
    return (jnp if _traced(a, b) else np).tensordot(a, b, axes)


def transpose(a: Value, perm: Sequence[int] | None = None, name: str | None = None) -> Value:
    """Return a value with its axes in another order, or turned round."""
    a = value_of(a)
    return (jnp if _traced(a) else np).transpose(a, perm)


def squeeze(input: Value, axis: Any = None, name: str | None = None) -> Value:
    """Return a value without axes of length one."""
    value = value_of(input)
    return (jnp if _traced(value) else np).squeeze(value, axis)


def tile(input: Value, multiples: Sequence[int], name: str | None = None) -> Value:
    """Return a value repeated along its axes."""
    value = value_of(input)
    return (jnp if _traced(value) else np).tile(value, tuple(multiples))


def one_hot(
    indices: Value, depth: int, dtype: DType = np.float32, name: str | None = None
) -> Value:
    """Return vectors of length `depth` with a one at each index."""
    value = value_of(indices)
    return (jnp.asarray(value)[..., None] if _traced(value) else np.asarray(value)[..., None]) == (
        np.arange(depth)
    ) * np.ones((), dtype)


def matvec(a: Value, b: Value, name: str | None = None) -> Value:
    """Return matrices times vectors."""
    return matmul(value_of(a), value_of(b)[..., None])[..., 0]


def _traced(*values: Any) -> bool:
    return builtins.any(isinstance(v, Tracer) for v in jax.tree.leaves(values))


def random_normal(
    shape: Sequence[int] | int = (), mean: Value = 0.0, stddev: Value = 1.0,
    dtype: DType = np.float32, seed: int | None = None, name: str | None = None,
) -> np.ndarray:  # fmt: skip
    """Return normal random numbers."""
    size = tuple(np.atleast_1d(np.asarray(shape, int)).tolist())
    return np.asarray(mean + stddev * jax.random.normal(RANDOMNESS.key(seed), size), dtype)


def random_uniform(
    shape: Sequence[int] | int = (), minval: Value = 0.0, maxval: Value = 1.0,
    dtype: DType = np.float32, seed: int | None = None, name: str | None = None,
) -> np.ndarray:  # fmt: skip
    """Return uniform random numbers."""
    size = tuple(np.atleast_1d(np.asarray(shape, int)).tolist())
    u = jax.random.uniform(RANDOMNESS.key(seed), size)
    return np.asarray(minval + (maxval - minval) * u, dtype)


def sigmoid(x: Value) -> Value:
    """Return the logistic function."""
    return 1 / (1 + exp(-value_of(x)))


def zeros(
    shape: Sequence[int] | int, dtype: DType = float64, name: str | None = None
) -> np.ndarray:
    """Return zeros."""
    return np.zeros(shape, dtype)


def ones(shape: Sequence[int] | int, dtype: DType = float64, name: str | None = None) -> np.ndarray:
    """Return ones."""
    return np.ones(shape, dtype)


def fill(dims: Sequence[int], value: Value, name: str | None = None) -> np.ndarray:
    """Return an array filled with one value."""
    return np.full(dims, value)


def zeros_like(x: Value, dtype: DType = None, name: str | None = None) -> np.ndarray:
    """Return zeros of a value's shape and type."""
    return np.zeros(np.shape(value_of(x)), dtype or value_of(x).dtype)


def ones_like(x: Value, dtype: DType = None, name: str | None = None) -> np.ndarray:
    """Return ones of a value's shape and type."""
    return np.ones(np.shape(value_of(x)), dtype or value_of(x).dtype)


def convert_to_tensor(value: Value, dtype: DType = None, name: str | None = None) -> Value:
    """Return a value as an array, of a type if one is given."""
    value = value_of(value)
    if isinstance(value, Tracer):
        return value if dtype is None else value.astype(dtype)
    return np.asarray(value, dtype)


constant = identity = convert_to_tensor


def cast(x: Value, dtype: DType, name: str | None = None) -> Value:
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


def reshape(tensor: Value, shape: Sequence[int], name: str | None = None) -> Value:
    """Return a value in another shape."""
    return value_of(tensor).reshape(shape)


def stack(values: Sequence[Value], axis: int = 0, name: str | None = None) -> Value:
    """Return values joined along a new axis."""
    values = [value_of(v) for v in values]
    traced = builtins.any(isinstance(v, Tracer) for v in values)
    return (jnp if traced else np).stack(values, axis)


def concat(values: Sequence[Value], axis: int, name: str | None = None) -> Value:
    """Return values joined along an axis they have."""
    values = [value_of(v) for v in values]
    traced = builtins.any(isinstance(v, Tracer) for v in values)
    return (jnp if traced else np).concatenate(values, axis)


def gather(params: Value, indices: Value, axis: int = 0, name: str | None = None) -> Value:
    """Return the rows of the indices along an axis."""
    params, indices = value_of(params), value_of(indices)
    return (jnp if _traced(params, indices) else np).take(params, indices, axis)


def expand_dims(input: Value, axis: int, name: str | None = None) -> Value:
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
    reduce_std, reduce_variance, rsqrt = map(staticmethod, (reduce_std, reduce_variance, rsqrt))
    reduce_max, reduce_min, pow, abs = map(staticmethod, (reduce_max, reduce_min, pow, abs))
    sin, cos, tanh, maximum, minimum = map(staticmethod, (sin, cos, tanh, maximum, minimum))


class linalg:
    """Hold the functions that programs take from `tf.linalg`."""

    matmul = staticmethod(matmul)
    matvec = staticmethod(matvec)
    tensordot = staticmethod(tensordot)


class random:
    """Hold TensorFlow's newer names for random numbers."""

    set_seed = staticmethod(set_random_seed)
    normal = staticmethod(random_normal)
    uniform = staticmethod(random_uniform)


class nn:
    """Hold the functions that programs take from `tf.nn`."""

    sigmoid = staticmethod(sigmoid)

    @staticmethod
    def softplus(x: Value) -> Value:
        """Return log(1 + exp(x))."""
        value = value_of(x)
        return (jnp if isinstance(value, Tracer) else np).logaddexp(0, value)
