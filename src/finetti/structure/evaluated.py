"""Evaluate some of a model's equations in other ways than JAX's: sooner, or with safe derivatives.

JAX differentiates the larger of two numbers by which of them is equal to it, and the largest of
many likewise. Compiled, an operand may be computed twice, once with a rounding less than the other
time, and is then equal to nothing: the slope is silently lost. So it went with the log of the beta
function, in programs that the compiler takes little care of (jaxlib 0.10): gradients of
beta-binomial outcomes were wrong by a tenth. Here the operands are compared with one another, which
rounding changes at ties alone.

Densities by log odds add the larger of x and 0 to a function of x's size: where both slopes at 0
are the mean of those beside it, so is the sum's. Samplers and searches begin at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from finetti.structure.triangular import UNROLLED, cholesky, solve_equation
from finetti.types import Array

MIDDLE = 24  # rows up to which LAPACK is as fast, derivatives too, and compiles in half the time


def larger(x: Array, y: ArrayLike) -> Array:
    """Return the larger of two numbers; at a tie both slopes count half."""
    return _larger(*jnp.broadcast_arrays(x, jnp.asarray(y, x.dtype)))


@jax.custom_jvp
def _larger(x: Array, y: Array) -> Array:
    return jax.lax.max(x, y)


@_larger.defjvp
def _larger_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (of_x, of_y) = primals, tangents
    either = jnp.where(y > x, of_y, (of_x + of_y) / 2)
    return _larger(x, y), jnp.where(x > y, of_x, either)


def smaller(x: Array, y: ArrayLike) -> Array:
    """Return the smaller of two numbers; at a tie both slopes count half."""
    return -larger(-x, -jnp.asarray(y))


@jax.custom_jvp
def size(x: Array) -> Array:
    """Return how large a number is, whatever its sign; the slope at 0 is 0, where JAX's is 1."""
    return jax.lax.abs(x)


size.defjvps(lambda change, _, x: change * jnp.sign(x))


def largest(x: Array, axes: Sequence[int]) -> Array:
    """Return the largest number along some axes; of several at a tie the first has the slope."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    turned = jnp.transpose(x, (*kept, *axes)).reshape(*(x.shape[axis] for axis in kept), -1)
    return _largest(turned)


@jax.custom_jvp
def _largest(x: Array) -> Array:
    return jnp.max(x, -1)


@_largest.defjvp
def _largest_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (change,) = primals, tangents
    chosen = jnp.arange(x.shape[-1]) == jnp.argmax(x, -1)[..., None]
    return _largest(x), jnp.sum(jnp.where(chosen, change, 0), -1)


def _solve(factor: Array, right: Array, **how: bool) -> Array:
    if UNROLLED < factor.shape[-1] <= MIDDLE:
        return jax.lax.linalg.triangular_solve(factor, right, **how)
    return solve_equation(factor, right, **how)


def _factor(matrix: Array, **_: object) -> Array:
    if UNROLLED < matrix.shape[-1] <= MIDDLE:
        return jnp.linalg.cholesky(matrix, symmetrize_input=False)
    return cholesky(matrix)


# By the names of JAX's equations, for real numbers.
EVALUATED: Mapping[str, Callable[..., Array]] = {
    "triangular_solve": _solve,
    "cholesky": _factor,
    "abs": lambda x, **_: size(x),
    "max": lambda x, y, **_: larger(x, y),
    "min": lambda x, y, **_: smaller(x, y),
    "reduce_max": lambda x, axes, **_: largest(x, axes),
    "reduce_min": lambda x, axes, **_: -largest(-x, axes),
}
