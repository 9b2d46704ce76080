"""Solve with many small matrices at once, and multiply them, in ways that compile to fast loops.

On a CPU a triangular system with as many right-hand sides as rows, 100 of them, takes XLA 5 to 10
ms, where the product with the factor's inverse takes a seventieth; the derivative of a Cholesky
factor is two such systems. Up to `UNROLLED` rows everything is written out entry by entry, which
becomes one plain loop over the batch; larger systems are solved by multiplying with the factor's
inverse, which is put together from the inverses of its diagonal blocks, all of one size at once.
From `LARGE` rows on a few right-hand sides are left to XLA: those it solves by LAPACK.

A model's own equations of this kind are evaluated so too (see `evaluated`).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from finetti.types import Array, Float

UNROLLED = 4
LARGE = 256  # rows from which a solution takes less than an inverse
NARROW = 8  # right-hand sides up to which it does


def cholesky(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """Return the lower Cholesky factor of each matrix."""
    n = matrix.shape[-1]
    if n == 0:  # a call of LAPACK for nothing would keep a loop from becoming one function
        return matrix
    if n > UNROLLED:
        return _factor(matrix)
    rows: list[list[Array]] = []
    for i in range(n):
        rows.append([])
        for j in range(i + 1):
            left = entry(matrix, i, j) - sum(rows[i][k] * rows[j][k] for k in range(j))
            rows[i].append(jnp.sqrt(left) if i == j else left / rows[j][j])
        rows[i] += [jnp.zeros_like(entry(matrix, 0, 0))] * (n - i - 1)
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


@jax.custom_jvp
def _factor(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    return jnp.linalg.cholesky(matrix, symmetrize_input=False)


@_factor.defjvp
def _factor_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """Return L and L Phi(L^-1 dS L^-T), Phi taking the lower half (Murray 2016, section 3.1)."""
    factor, (change,) = _factor(*primals), tangents
    change = jnp.tril(change) + turned(jnp.tril(change, -1))  # the lower half is all that is read
    inverse = lower_inverse(factor)
    white = product(inverse, product(change, turned(inverse)))
    half = 1 - 0.5 * jnp.eye(factor.shape[-1], dtype=factor.dtype)
    return factor, product(factor, jnp.tril(white) * half)


def lower_solve(
    factor: Float[Array, "*batch n n"], right: Float[Array, "*batch n r"], transposed: bool = False
) -> Float[Array, "*batch n r"]:
    """Solve with each lower triangular factor, or with its transpose."""
    n, r = right.shape[-2:]
    if n == 0 or r == 0:
        return right
    if n > LARGE and r <= NARROW:
        return jax.lax.linalg.triangular_solve(
            factor, right, left_side=True, lower=True, transpose_a=transposed
        )
    if n > UNROLLED:
        inverse = lower_inverse(factor)
        return product(turned(inverse) if transposed else inverse, right)
    found: dict[int, Array] = {}
    for i in reversed(range(n)) if transposed else range(n):
        rows = {k: entry(factor, k, i) if transposed else entry(factor, i, k) for k in found}
        known = sum(rows[k][..., None] * x for k, x in found.items())
        row = jax.lax.index_in_dim(right, i, -2, keepdims=False)
        found[i] = (row - known) / entry(factor, i, i)[..., None]
    return jnp.stack([found[i] for i in range(n)], -2)


def lower_inverse(factor: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """Return the inverse of each lower triangular factor.

    Two neighbouring blocks A and D with B between them have the inverse block -D^-1 B A^-1 there.
    """
    n = factor.shape[-1]
    if n == 0:
        return factor
    if n <= UNROLLED:
        return lower_solve(factor, jnp.broadcast_to(jnp.eye(n, dtype=factor.dtype), factor.shape))
    # Padded to a power of two times UNROLLED, so that blocks join in pairs until one is left.
    size = UNROLLED
    while size < n:
        size *= 2
    whole = _padded(factor, size)
    step = UNROLLED
    found = lower_inverse(_blocks(whole, step, 0))
    while step < size:
        first, second = found[..., ::2, :, :], found[..., 1::2, :, :]
        between = _blocks(whole, step, 1)[..., ::2, :, :]
        corner = -product(second, product(between, first))
        top = jnp.concatenate([first, jnp.zeros_like(first)], -1)
        found = jnp.concatenate([top, jnp.concatenate([corner, second], -1)], -2)
        step *= 2
    return found[..., 0, :n, :n]


def _padded(factor: Array, size: int) -> Array:
    """Return each factor with rows of the identity below it, up to a size."""
    n = factor.shape[-1]
    room = [(0, 0)] * (factor.ndim - 2)
    more = jnp.diag(jnp.where(jnp.arange(size) < n, 0.0, 1.0).astype(factor.dtype))
    return jnp.pad(factor, [*room, (0, size - n), (0, size - n)]) + more


def _blocks(matrix: Array, step: int, below: int) -> Array:
    """Return the blocks of some size on the diagonal, or so many places below it."""
    count = matrix.shape[-1] // step
    apart = matrix.reshape(*matrix.shape[:-2], count, step, count, step)
    rows = [apart[..., i + below, :, i, :] for i in range(count - below)]
    return jnp.stack(rows, -3)


def product(
    left: Float[Array, "*#batch i j"], right: Float[Array, "*#batch j k"]
) -> Float[Array, "*#batch i k"]:
    """Return the products of matrices; small ones as plain loops."""
    if max(left.shape[-2], right.shape[-1]) > UNROLLED and left.shape[-1] > 1:
        return left @ right
    return jnp.sum(left[..., :, :, None] * right[..., None, :, :], -2)


def entry(matrix: Float[Array, "*batch i j"], row: int, column: int) -> Float[Array, " *batch"]:
    """Return one entry of each matrix: a slice, where an index would be transposed to a scatter."""
    found = jax.lax.index_in_dim(matrix, row, -2, keepdims=False)
    return jax.lax.index_in_dim(found, column, -1, keepdims=False)


def diagonal(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n"]:
    """Return the diagonal of each matrix."""
    # No index: it would be transposed to a scatter.
    return jnp.sum(matrix * jnp.eye(matrix.shape[-1], dtype=matrix.dtype), -1)


def turned(matrix: Float[Array, "*batch i j"]) -> Float[Array, "*batch j i"]:
    """Return the transpose of each matrix."""
    return jnp.swapaxes(matrix, -1, -2)


def solve_equation(  # noqa: PLR0913 - as JAX's equation has them
    factor: Array,
    right: Array,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Array:
    """Return what JAX's equation `triangular_solve` yields."""
    if not left_side:
        found = solve_equation(
            factor, turned(right), left_side=True, lower=lower, transpose_a=not transpose_a,
            conjugate_a=conjugate_a, unit_diagonal=unit_diagonal,
        )  # fmt: skip
        return turned(found)
    if unit_diagonal:
        eye = jnp.eye(factor.shape[-1], dtype=factor.dtype)
        factor = jnp.where(eye == 1, eye, factor)
    if conjugate_a:
        factor = jnp.conj(factor)
    if not lower:
        factor, transpose_a = turned(factor), not transpose_a
    return lower_solve(factor, right, transpose_a)
