"""Offer TensorFlow's functions of numbers and their sums, on numpy's arrays or traced ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special
from numpy.typing import ArrayLike

from finetti.dialects.tf.tensors import home, settled, values_of
from finetti.types import AnyArray

Function = Callable[..., AnyArray]
Axis = int | Sequence[int] | np.ndarray | None
NAMES = ("condition", "x", "y")  # of arguments, in their order


def _given(
    name: str, args: tuple[ArrayLike, ...], named: dict[str, ArrayLike | None]
) -> list[ArrayLike]:
    """Return the values of the arguments of a function of numbers, in their order."""
    named.pop("name", None)
    if unknown := named.keys() - set(NAMES):
        raise TypeError(f"tf.{name} takes no {', '.join(sorted(unknown))}")
    return values_of([*args, *(named[n] for n in NAMES if n in named)])


def _elementwise(name: str, theirs: str = "") -> Function:
    """Return numpy's function, or jax's where a value is traced."""

    def function(*args: ArrayLike, **named: ArrayLike | None) -> AnyArray:
        given = _given(name, args, named)
        return settled(getattr(home(given), theirs or name)(*given))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return {theirs or name} of values, traced or not."
    return function


def _by_jax(name: str, compute: Function) -> Function:
    """Return a function of jax's for traced values and others; what is whole becomes real."""

    def function(*args: ArrayLike, **named: ArrayLike | None) -> AnyArray:
        given = _given(name, args, named)
        with jax.enable_x64(True):
            return settled(compute(*map(jnp.asarray, given)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return {name} of values, traced or not."
    return function


def _reduction(name: str, theirs: str) -> Function:
    """Return numpy's function over axes, or jax's where a value is traced."""

    def function(
        input_tensor: ArrayLike, axis: Axis = None, keepdims: bool = False, name: str | None = None
    ) -> AnyArray:
        value = values_of(input_tensor)
        if isinstance(value, list | tuple):
            value = home(value).stack(value)
        axis = tuple(np.ravel(axis).tolist()) if isinstance(axis, list | np.ndarray) else axis
        return settled(getattr(home(value), theirs)(value, axis=axis, keepdims=keepdims))

    function.__name__ = function.__qualname__ = f"reduce_{name}"
    function.__doc__ = f"Return the {name} of a value over some axes, or over all."
    return function


exp, log, sqrt, square, abs, sign, floor = map(
    _elementwise, ("exp", "log", "sqrt", "square", "abs", "sign", "floor")
)
sin, cos, tan, tanh, sinh, cosh, log1p, expm1 = map(
    _elementwise, ("sin", "cos", "tan", "tanh", "sinh", "cosh", "log1p", "expm1")
)
add, subtract, multiply, divide, pow, maximum, minimum, where, dot = (
    _elementwise(n, theirs)
    for n, theirs in (
        ("add", ""), ("subtract", ""), ("multiply", ""), ("divide", ""), ("pow", "power"),
        ("maximum", ""), ("minimum", ""), ("where", ""), ("dot", ""),
    )
)  # fmt: skip
equal, not_equal, greater, greater_equal, less, less_equal = map(
    _elementwise, ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
)
logical_and, logical_or, logical_not, is_finite, is_nan = (
    _elementwise(n, theirs)
    for n, theirs in (
        ("logical_and", ""), ("logical_or", ""), ("logical_not", ""), ("is_finite", "isfinite"),
        ("is_nan", "isnan"),
    )
)  # fmt: skip
reduce_sum, reduce_mean, reduce_max, reduce_min, reduce_prod, reduce_std, reduce_variance = (
    _reduction(n, theirs)
    for n, theirs in (
        ("sum", "sum"), ("mean", "mean"), ("max", "max"), ("min", "min"), ("prod", "prod"),
        ("std", "std"), ("variance", "var"),
    )
)  # fmt: skip
reduce_any, reduce_all = _reduction("any", "any"), _reduction("all", "all")
sigmoid, softplus, log_sigmoid, lgamma, digamma, erf, ndtr = (
    _by_jax(name, compute)
    for name, compute in (
        ("sigmoid", jax.nn.sigmoid), ("softplus", jax.nn.softplus),
        ("log_sigmoid", jax.nn.log_sigmoid), ("lgamma", special.gammaln),
        ("digamma", special.digamma), ("erf", special.erf), ("ndtr", special.ndtr),
    )
)  # fmt: skip


def rsqrt(x: ArrayLike, name: str | None = None) -> AnyArray:
    """Return one over the square root."""
    return 1 / sqrt(x)


def reduce_logsumexp(
    input_tensor: ArrayLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    name: str | None = None,
) -> AnyArray:
    """Return the logarithm of the sum of exponentials over some axes, or over all."""
    with jax.enable_x64(True):
        value = jnp.asarray(values_of(input_tensor))
        return settled(special.logsumexp(value, axis=axis, keepdims=keepdims))


def softmax(logits: ArrayLike, axis: int = -1, name: str | None = None) -> AnyArray:
    """Return exponentials divided by their sum."""
    with jax.enable_x64(True):
        return settled(jax.nn.softmax(jnp.asarray(values_of(logits)), axis=axis))


def log_softmax(logits: ArrayLike, axis: int = -1, name: str | None = None) -> AnyArray:
    """Return logits less the logarithm of the sum of their exponentials."""
    with jax.enable_x64(True):
        return settled(jax.nn.log_softmax(jnp.asarray(values_of(logits)), axis=axis))


def cumsum(x: ArrayLike, axis: int = 0, name: str | None = None) -> AnyArray:
    """Return the sums up to each element."""
    x = values_of(x)
    return settled(home(x).cumsum(x, axis))


def clip_by_value(
    t: ArrayLike, clip_value_min: ArrayLike, clip_value_max: ArrayLike, name: str | None = None
) -> AnyArray:
    """Return a value held between two bounds."""
    return minimum(maximum(t, clip_value_min), clip_value_max)


def argmax(input: ArrayLike, axis: int = 0, name: str | None = None) -> AnyArray:
    """Return where the greatest elements are."""
    value = values_of(input)
    return settled(home(value).argmax(value, axis))


def argmin(input: ArrayLike, axis: int = 0, name: str | None = None) -> AnyArray:
    """Return where the least elements are."""
    value = values_of(input)
    return settled(home(value).argmin(value, axis))
