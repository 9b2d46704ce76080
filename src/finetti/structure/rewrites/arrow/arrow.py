"""Solve with precision matrices in arrow form: a block a group, bordered by a few shared rows.

With blocks D_j of size k, couplings C_j of shape (k, m) and a corner E of shape (m, m), elimination
of the groups costs O(groups): S = E - sum_j C_j' D_j^-1 C_j is the corner that is left.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from finetti.types import Array, Float, Key, Scalar

UNROLLED = 4  # blocks up to this size are factorised entry by entry, which compiles to plain loops


class Vector(NamedTuple):
    """Hold one number a row of an arrow: of the groups' blocks, and of the border."""

    groups: Float[Array, "group k"]
    border: Float[Array, " m"]

    def dot(self, other: Vector) -> Scalar:
        """Return the inner product."""
        return jnp.sum(self.groups * other.groups) + jnp.sum(self.border * other.border)

    def plus(self, other: Vector) -> Vector:
        """Return the sum."""
        return Vector(self.groups + other.groups, self.border + other.border)


class Arrow(NamedTuple):
    """Hold a symmetric matrix in arrow form."""

    blocks: Float[Array, "group k k"]
    couplings: Float[Array, "group k m"]
    corner: Float[Array, "m m"]


class Factor(NamedTuple):
    """Hold the Cholesky factor of a positive definite arrow; NaN where it is not."""

    blocks: Float[Array, "group k k"]
    couplings: Float[Array, "group k m"]
    corner: Float[Array, "m m"]

    def log_determinant(self) -> Scalar:
        """Return the log determinant of the matrix."""
        return 2 * (_log_diagonal(self.blocks) + _log_diagonal(self.corner))

    def pivot(self, matrix: Arrow) -> Scalar:
        """Return the least share of a diagonal entry that is left once all before are eliminated.

        Where it is no more than rounding, the matrix cannot be told from a singular one.
        """
        pairs = ((self.blocks, matrix.blocks), (self.corner, matrix.corner))
        shares = [(_diagonal(factor) ** 2 / _diagonal(whole)).ravel() for factor, whole in pairs]
        return jnp.concatenate(shares).min()

    def solve(self, right: Vector) -> Vector:
        """Return the matrix's inverse times a vector."""
        return self.back(self.forward(right))

    def forward(self, right: Vector) -> Vector:
        """Return the factor's inverse times a vector."""
        groups = lower_solve(self.blocks, right.groups[..., None])[..., 0]
        left = right.border - jnp.sum(self.couplings * groups[..., None], (0, 1))
        return Vector(groups, lower_solve(self.corner, left[:, None])[:, 0])

    def back(self, right: Vector) -> Vector:
        """Return the transposed factor's inverse times a vector."""
        border = lower_solve(self.corner, right.border[:, None], transposed=True)[:, 0]
        left = right.groups - jnp.sum(self.couplings * border, -1)
        return Vector(lower_solve(self.blocks, left[..., None], transposed=True)[..., 0], border)

    def variances(self) -> Vector:
        """Return the diagonal of the matrix's inverse."""
        count, k, m = self.couplings.shape
        inverse = lower_solve(self.corner, jnp.eye(m, dtype=self.corner.dtype))
        units = jnp.broadcast_to(jnp.eye(k, dtype=self.blocks.dtype), self.blocks.shape)
        groups = jnp.sum(lower_solve(self.blocks, units) ** 2, -2)
        ties = lower_solve(self.corner, self.couplings.reshape(count * k, m).T).T
        shared = lower_solve(self.blocks, ties.reshape(count, k, m), transposed=True)
        return Vector(groups + jnp.sum(shared**2, -1), jnp.sum(inverse**2, 0))

    def noise(self, key: Key) -> Vector:
        """Draw from the normal distribution of mean zero whose precision is the matrix."""
        return self.back(self.white(key))

    def white(self, key: Key) -> Vector:
        """Draw white noise; `back` gives it the matrix as precision."""
        first, second = jax.random.split(key)
        dtype, shape = self.blocks.dtype, self.blocks.shape[:2]
        groups = jax.random.normal(first, shape, dtype)
        return Vector(groups, jax.random.normal(second, self.corner.shape[:1], dtype))


def factorise(arrow: Arrow) -> Factor:
    """Return the Cholesky factor."""
    blocks = cholesky(arrow.blocks)
    couplings = lower_solve(blocks, arrow.couplings)
    return Factor(blocks, couplings, cholesky(arrow.corner - _gram(couplings)))


def _gram(couplings: Float[Array, "group k m"]) -> Float[Array, "m m"]:
    if couplings.shape[-1] > UNROLLED:
        return jnp.einsum("jkm,jkn->mn", couplings, couplings)
    return jnp.sum(couplings[..., :, None] * couplings[..., None, :], (0, 1))


def cholesky(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """Return the lower Cholesky factor of each matrix."""
    n = matrix.shape[-1]
    if n > UNROLLED or n == 0:
        return jnp.linalg.cholesky(matrix, symmetrize_input=False)
    rows: list[list[Array]] = []
    for i in range(n):
        rows.append([])
        for j in range(i + 1):
            left = matrix[..., i, j] - sum(rows[i][k] * rows[j][k] for k in range(j))
            rows[i].append(jnp.sqrt(left) if i == j else left / rows[j][j])
        rows[i] += [jnp.zeros_like(matrix[..., 0, 0])] * (n - i - 1)
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def lower_solve(
    factor: Float[Array, "*batch n n"], right: Float[Array, "*batch n r"], transposed: bool = False
) -> Float[Array, "*batch n r"]:
    """Solve with each lower triangular factor, or with its transpose."""
    n = factor.shape[-1]
    if n == 0 or right.shape[-1] == 0:
        return right
    if n > UNROLLED:
        return solve_triangular(factor, right, lower=True, trans=int(transposed))
    found: dict[int, Array] = {}
    for i in reversed(range(n)) if transposed else range(n):
        rows = {k: factor[..., k, i] if transposed else factor[..., i, k] for k in found}
        known = sum(rows[k][..., None] * x for k, x in found.items())
        found[i] = (right[..., i, :] - known) / factor[..., i, i, None]
    return jnp.stack([found[i] for i in range(n)], -2)


def _log_diagonal(factor: Array) -> Scalar:
    return jnp.sum(jnp.log(_diagonal(factor)))


def _diagonal(matrix: Array) -> Array:
    return jnp.diagonal(matrix, axis1=-2, axis2=-1)
