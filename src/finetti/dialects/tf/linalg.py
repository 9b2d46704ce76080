"""Offer TensorFlow's linear algebra, `tf.linalg`: axes before the last two are of a batch."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.arrays import einsum, eye, matmul, matvec, tensordot
from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import settled, value_of
from finetti.types import AnyArray, Array


def _by_jax(name: str, compute: Callable[..., Array], doc: str) -> Callable[..., AnyArray]:
    """Return a function of jax's for traced values and others."""

    def function(*args: ArrayLike, name: str | None = None, **settings: object) -> AnyArray:
        with jax.enable_x64(True):
            return settled(compute(*(jnp.asarray(value_of(a)) for a in args), **settings))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _diag(diagonal: Array) -> Array:
    return diagonal[..., None] * jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)


def _set_diag(input: Array, diagonal: Array) -> Array:
    places = np.arange(min(input.shape[-2:]))
    return input.at[..., places, places].set(diagonal)


def _cholesky_solve(chol: Array, rhs: Array) -> Array:
    half = _triangular_solve(chol, rhs)
    return _triangular_solve(chol, half, adjoint=True)


def _triangular_solve(
    matrix: Array, rhs: Array, lower: bool = True, adjoint: bool = False
) -> Array:
    batch = jnp.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    matrix = jnp.broadcast_to(matrix, batch + matrix.shape[-2:])
    rhs = jnp.broadcast_to(rhs, batch + rhs.shape[-2:])
    solve = jax.scipy.linalg.solve_triangular
    return solve(matrix, rhs, lower=lower, trans=1 if adjoint else 0)


def _norm(
    tensor: Array,
    ord: float | str = "euclidean",
    axis: int | tuple[int, int] | None = None,
    keepdims: bool = False,
) -> Array:
    ord = 2 if ord == "euclidean" else ord
    if axis is None:
        tensor, axis = tensor.ravel(), 0
    return jnp.linalg.norm(tensor, ord, axis, keepdims)


cholesky = _by_jax("cholesky", jnp.linalg.cholesky, "Return lower Cholesky factors.")
inv = _by_jax("inv", jnp.linalg.inv, "Return inverses.")
det = _by_jax("det", jnp.linalg.det, "Return determinants.")
logdet = _by_jax(
    "logdet",
    lambda m: 2 * jnp.log(jnp.diagonal(jnp.linalg.cholesky(m), axis1=-2, axis2=-1)).sum(-1),
    "Return the logarithms of the determinants of positive definite matrices.",
)
solve = _by_jax("solve", jnp.linalg.solve, "Solve linear systems, (..., n, n) and (..., n, k).")
diag = _by_jax("diag", _diag, "Return matrices with vectors on their diagonals.")
diag_part = _by_jax(
    "diag_part",
    lambda input: jnp.diagonal(input, axis1=-2, axis2=-1),
    "Return the diagonals of matrices.",
)
set_diag = _by_jax("set_diag", _set_diag, "Return matrices with other diagonals.")
trace = _by_jax("trace", lambda x: jnp.trace(x, axis1=-2, axis2=-1), "Return traces.")
matrix_transpose = _by_jax(
    "matrix_transpose", lambda a: jnp.swapaxes(a, -1, -2), "Turn matrices round."
)
cholesky_solve = _by_jax(
    "cholesky_solve", _cholesky_solve, "Solve systems whose lower Cholesky factor is known."
)
triangular_solve = _by_jax("triangular_solve", _triangular_solve, "Solve triangular systems.")
norm = _by_jax("norm", _norm, "Return norms, of all elements or along an axis.")

__all__ = [
    "cholesky", "cholesky_solve", "det", "diag", "diag_part", "einsum", "eye", "inv", "logdet",
    "matmul", "matrix_transpose", "matvec", "norm", "set_diag", "solve", "tensordot",
    "trace", "triangular_solve",
]  # fmt: skip

__getattr__ = lacking("tf.linalg")
