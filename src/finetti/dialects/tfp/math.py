"""Offer what programs take from `tfp.math`: values with gradients, and a few functions."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy import special
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import settled
from finetti.dialects.tfp import mappings
from finetti.dialects.tfp.minimizing import MinimizeTraceableQuantities, minimize
from finetti.types import AnyArray, Array, Tree


def value_and_gradient(
    f: Callable[..., ArrayLike], *args: Tree, name: str = ""
) -> tuple[AnyArray, Tree]:
    """Return a function's value, and the gradient of its sum by each argument.

    A single list of arguments is handed on one by one; gradients have its structure.

    >>> value, gradient = value_and_gradient(lambda x: x**2, 3.0)
    >>> float(value), float(gradient)
    (9.0, 6.0)
    """
    listed = len(args) == 1 and isinstance(args[0], list | tuple)
    given = args[0] if listed else args

    def summed(*values: Array) -> tuple[Array, Array]:
        value = jnp.asarray(f(*values))
        return value.sum(), value

    with jax.enable_x64(True):
        values = [_real(v) for v in given]
        places = tuple(range(len(values)))
        (_, value), found = jax.value_and_grad(summed, places, has_aux=True)(*values)
        gradients = [settled(g) for g in found]
    if listed:
        return settled(value), type(args[0])(gradients)
    return settled(value), gradients[0] if len(args) == 1 else tuple(gradients)


def _real(value: ArrayLike) -> jax.Array:
    array = jnp.asarray(tf.convert_to_tensor(value))
    return array if array.dtype.kind == "f" else array.astype(float)


def fill_triangular(x: ArrayLike, upper: bool = False, name: str = "") -> AnyArray:
    """Return n (n + 1) / 2 numbers as a lower triangle, in TensorFlow Probability's order."""
    if upper:
        raise ValueError("fill_triangular makes lower triangles here: turn one round")
    return settled(mappings.fill_triangular()(jnp.asarray(tf.convert_to_tensor(x))))


def softplus_inverse(x: ArrayLike, name: str = "") -> AnyArray:
    """Return log(exp(x) - 1)."""
    with jax.enable_x64(True):
        x = _real(x)
        return settled(x + jnp.log(-jnp.expm1(-x)))


def lbeta(x: ArrayLike, y: ArrayLike, name: str = "") -> AnyArray:
    """Return the logarithm of the beta function."""
    with jax.enable_x64(True):
        return settled(special.betaln(_real(x), _real(y)))


__all__ = [
    "MinimizeTraceableQuantities",
    "fill_triangular",
    "lbeta",
    "minimize",
    "softplus_inverse",
    "value_and_gradient",
]

__getattr__ = lacking("tfp.math")
