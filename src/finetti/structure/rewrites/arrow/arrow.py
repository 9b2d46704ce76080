"""Solve with precision matrices in arrow form: a block a group, bordered by a few shared rows.

With blocks D_j of size k, couplings C_j of shape (k, m) and a corner E of shape (m, m), elimination
of the groups costs O(groups): S = E - sum_j C_j' D_j^-1 C_j is the corner that is left.

XLA solves a batch of triangular systems with many right-hand sides by a loop that is a hundred
times slower than products of matrices, and the derivative of a Cholesky factor is made of them. So
such systems are solved by products here (`triangular`), and determinants and solutions state their
own derivatives, which need no factor's.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from finetti.structure.triangular import (
    cholesky,
    diagonal,
    lower_inverse,
    lower_solve,
    product,
    turned,
)
from finetti.types import Array, Float, Int, Key, Scalar

ROUNDING = 200  # times a float's precision: less of a pivot is rounding


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

    def pivot(self, matrix: Arrow) -> Scalar:
        """Return the least share of a diagonal entry that is left once all before are eliminated.

        Where it is no more than rounding, the matrix cannot be told from a singular one. It has no
        slope.
        """
        matrix, own = jax.lax.stop_gradient((matrix, self))
        pairs = ((own.blocks, matrix.blocks), (own.corner, matrix.corner))
        shares = [(diagonal(factor) ** 2 / diagonal(whole)).ravel() for factor, whole in pairs]
        return jnp.concatenate(shares).min()

    def told(self, matrix: Arrow) -> Array:
        """Tell whether the matrix can be told from a singular one, and what is left of it read."""
        return self.pivot(matrix) > ROUNDING * jnp.finfo(self.blocks.dtype).eps

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
        found = self.inverse()
        return Vector(diagonal(found.blocks), diagonal(found.corner))

    def inverse(self, weights: Array | float = 1.0) -> Arrow:
        """Return the matrix's inverse, where the matrix itself is not zero.

        Each group's own part, D_j^-1, counts as often as `weights` say.
        """
        root, corner = lower_inverse(self.blocks), lower_inverse(self.corner)
        # The inverse of [[D, C], [C', E]] by the corner that is left, S: S^-1 below, -D^-1 C S^-1
        # beside, D^-1 + D^-1 C S^-1 C' D^-1 above. `ways` is D^-1 C, since `couplings` are L^-1 C.
        shared = product(turned(corner), corner)
        ways = product(turned(root), self.couplings)
        ties = product(ways, shared)
        own = product(turned(root), root) * jnp.asarray(weights)[..., None, None]
        return Arrow(own + product(ties, turned(ways)), -ties, shared)

    def noise(self, key: Key) -> Vector:
        """Draw from the normal distribution of mean zero whose precision is the matrix."""
        return self.back(self.white(key))

    def white(self, key: Key) -> Vector:
        """Draw white noise; `back` gives it the matrix as precision."""
        first, second = jax.random.split(key)
        dtype, shape = self.blocks.dtype, self.blocks.shape[:2]
        groups = jax.random.normal(first, shape, dtype)
        return Vector(groups, jax.random.normal(second, self.corner.shape[:1], dtype))


class Pairs(NamedTuple):
    """Say which couplings meet in the border, where few do: a pair for every two of one group.

    `groups` and `columns` say where each coupling that is not zero stands; `first` and `second`
    number the two of a pair, and `place` says where their product belongs in the corner's lower
    half, row by row, in ascending order.
    """

    groups: Int[Array, " coupling"]
    columns: Int[Array, " coupling"]
    first: Int[Array, " pair"]
    second: Int[Array, " pair"]
    place: Int[Array, " pair"]


def factorise(arrow: Arrow, pairs: Pairs | None = None) -> Factor:
    """Return the Cholesky factor; `pairs` are those of the couplings where they are sparse."""
    # `_sparse_gram` fills the lower half alone: `cholesky` reads no other.
    blocks = cholesky(arrow.blocks)
    couplings = lower_solve(blocks, arrow.couplings)
    gram = _gram(couplings) if pairs is None else _sparse_gram(couplings, pairs)
    return Factor(blocks, couplings, cholesky(arrow.corner - gram))


@jax.custom_jvp
def log_determinant(
    matrix: Arrow, factor: Factor, weights: Float[Array, " *group"] | float = 1.0
) -> Scalar:
    """Return the log determinant, each group's part of it, log|D_j|, as often as `weights` say.

    `factor` is that of the matrix. A first derivative is by the matrix and does not go through it.
    """
    own = jnp.log(diagonal(factor.blocks)).sum(-1)
    return 2 * (jnp.sum(weights * own) + jnp.log(diagonal(factor.corner)).sum())


@log_determinant.defjvp
def _log_determinant_jvp(primals: tuple, tangents: tuple) -> tuple[Scalar, Scalar]:
    """Return the value, and the product of the inverse and the matrix's change."""
    # The change of log|A| is tr(A^-1 dA), for which A^-1 is needed only where A is not zero.
    _, factor, weights = primals
    inverse, change = factor.inverse(weights), tangents[0]
    found = jnp.sum(inverse.blocks * change.blocks)
    found += 2 * jnp.sum(inverse.couplings * change.couplings)
    return log_determinant(*primals), found + jnp.sum(inverse.corner * change.corner)


@jax.custom_jvp
def solve(matrix: Arrow, factor: Factor, right: Vector) -> Vector:
    """Return the matrix's inverse times a vector, by the factor of the matrix.

    A first derivative is by the matrix and does not go through the factor.
    """
    return factor.solve(right)


@solve.defjvp
def _solve_jvp(primals: tuple, tangents: tuple) -> tuple[Vector, Vector]:
    """Return the solution and its change, itself the solution of a system with the same matrix."""
    # A x = r gives A dx = dr - dA x.
    change, _, right = tangents
    found = solve(*primals)
    moved = _times(change, found)
    left = Vector(right.groups - moved.groups, right.border - moved.border)
    return found, primals[1].solve(left)


def _times(matrix: Arrow, vector: Vector) -> Vector:
    """Return the matrix times a vector."""
    groups = jnp.sum(matrix.blocks * vector.groups[:, None], -1)
    groups = groups + jnp.sum(matrix.couplings * vector.border, -1)
    border = jnp.sum(matrix.couplings * vector.groups[..., None], (0, 1))
    return Vector(groups, border + jnp.sum(matrix.corner * vector.border, -1))


def _sparse_gram(couplings: Float[Array, "group k m"], pairs: Pairs) -> Float[Array, "m m"]:
    """Return the lower half of the sum over groups of C_j' C_j."""
    m = couplings.shape[-1]
    known = couplings[pairs.groups, :, pairs.columns]
    products = jnp.sum(known[pairs.first] * known[pairs.second], -1)
    sums = jax.ops.segment_sum(products, pairs.place, m * m, indices_are_sorted=True)
    return sums.reshape(m, m)


def _gram(couplings: Float[Array, "group k m"]) -> Float[Array, "m m"]:
    """Return the sum over groups of C_j' C_j."""
    count, k, m = couplings.shape
    flat = couplings.reshape(count * k, m)
    return product(flat.T, flat)
