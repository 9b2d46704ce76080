"""Solve with many small matrices at once, and multiply them, in ways that compile to fast loops.

XLA calls LAPACK for a single triangular system, but solves a batch of them (and many chains make a
batch) by a loop over rows, or by calls that hang where two wait for one pool of threads (jaxlib
0.10, on two cores). Up to `UNROLLED` rows everything is written out entry by entry, which becomes
one plain loop over the batch; larger systems are solved by multiplying with the factor's inverse,
which is put together from the inverses of its diagonal blocks, all of one size at once. From
`LARGE` rows on a few right-hand sides are left to XLA: a loop over rows is then the least of it.
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
    if n > UNROLLED or n == 0:
        return jnp.linalg.cholesky(matrix, symmetrize_input=False)
    rows: list[list[Array]] = []
    for i in range(n):
        rows.append([])
        for j in range(i + 1):
            left = entry(matrix, i, j) - sum(rows[i][k] * rows[j][k] for k in range(j))
            rows[i].append(jnp.sqrt(left) if i == j else left / rows[j][j])
        rows[i] += [jnp.zeros_like(entry(matrix, 0, 0))] * (n - i - 1)
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


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
