"""Hold the root of a block's precision: members apart, less what they have in common."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from finetti.structure.evaluated import larger, smaller
from finetti.structure.triangular import lower_solve
from finetti.types import Array, Float, Scalar

MOST = 1 - 1e-6  # of a direction's precision that is taken away: what is left stays positive

Rows = Float[Array, "member k"]


class Downdate(NamedTuple):
    """Hold a vector c and the root of 1 - c'c, of the symmetric root F of 1 - c c'."""

    vector: Rows
    left: Scalar

    def times(self, rows: Rows) -> Rows:
        """Return F times a vector."""
        # F = 1 - c c' / (1 + l) with l l = 1 - c'c, and F F = 1 - c c'.
        return rows - self._along(rows) / (1 + self.left)

    def solve(self, rows: Rows) -> Rows:
        """Return F's inverse times a vector."""
        # Sherman & Morrison's formula.
        return rows + self._along(rows) / (self.left * (1 + self.left))

    def _along(self, rows: Rows) -> Rows:
        return self.vector * jnp.sum(self.vector * rows)


class Root(NamedTuple):
    """Hold A = L F1 F2 ..., the root of a precision A A', L a block a member."""

    blocks: Float[Array, "member k k"]
    downdates: tuple[Downdate, ...]

    def less(self, rows: Rows) -> Root:
        """Return the root of the precision less b b', of which so much is taken as there is."""
        # A A' - b b' = A (1 - c c') A' with c = A^-1 b.
        vector = self.forward(rows)
        share = jnp.sum(vector**2)
        vector = vector * jnp.sqrt(MOST / larger(share, MOST))
        left = jnp.sqrt(1 - smaller(share, MOST))
        return Root(self.blocks, (*self.downdates, Downdate(vector, left)))

    def forward(self, rows: Rows) -> Rows:
        """Return A's inverse times a vector."""
        rows = lower_solve(self.blocks, rows[..., None])[..., 0]
        for downdate in self.downdates:
            rows = downdate.solve(rows)
        return rows

    def back(self, rows: Rows) -> Rows:
        """Return the transposed A's inverse times a vector."""
        for downdate in reversed(self.downdates):
            rows = downdate.solve(rows)
        return lower_solve(self.blocks, rows[..., None], transposed=True)[..., 0]

    def times(self, rows: Rows) -> Rows:
        """Return the transposed A times a vector."""
        rows = jnp.sum(jnp.swapaxes(self.blocks, -1, -2) * rows[..., None, :], -1)
        for downdate in self.downdates:
            rows = downdate.times(rows)
        return rows

    def log_determinant(self) -> Scalar:
        """Return the log determinant of A."""
        apart = jnp.sum(log_diagonal(self.blocks))
        return apart + sum(jnp.log(downdate.left) for downdate in self.downdates)


def log_diagonal(matrix: Array) -> Array:
    """Return the logs of the diagonals of matrices, signs left aside."""
    return jnp.log(jnp.abs(jnp.diagonal(matrix, axis1=-2, axis2=-1)))
