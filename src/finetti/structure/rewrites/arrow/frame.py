"""Say where each site lies in an arrow: among the groups' blocks or in the border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.lax import slice_in_dim  # an index would be transposed into a scatter

from finetti.structure.rewrites.arrow.arrow import Arrow, Vector
from finetti.structure.words import listed
from finetti.types import Array, Constants


@dataclass(frozen=True)
class Frame:
    """Say where each site lies in an arrow: among the groups' blocks or in the border.

    `groups` has the sites with an equal number of members, `count`; the others make the border.
    """

    count: int
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    border: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def width(self) -> int:
        """Return the size k of a group's block."""
        return sum(self._each(shape) for _, shape in self.groups)

    @property
    def breadth(self) -> int:
        """Return the size m of the border."""
        return sum(prod(shape) for _, shape in self.border)

    @property
    def dim(self) -> int:
        """Return the number of dimensions in all."""
        return self.count * self.width + self.breadth

    @property
    def entries(self) -> int:
        """Return how many entries an arrow of this frame has."""
        return self.count * self.width * (self.width + self.breadth) + self.breadth**2

    def describe(self, plate: str) -> str:
        """Say in words how the precision is arranged, its blocks along a plate."""
        if not self.count:
            return f"one dense block of {self.breadth}"
        names = [name for name, _ in self.border]
        size = f" ({self.breadth} numbers)" if self.breadth > 1 else ""
        bordered = f", bordered by {listed(names)}{size}" if names else ""
        return f"{self.count:,} blocks of {self.width} along {plate}{bordered}"

    def split(self, vector: Vector) -> dict[str, Array]:
        """Take a vector apart into the sites' values."""
        found, start = {}, 0
        for name, shape in self.groups:
            size = self._each(shape)
            found[name] = slice_in_dim(vector.groups, start, start + size, axis=1).reshape(shape)
            start += size
        start = 0
        for name, shape in self.border:
            found[name] = slice_in_dim(vector.border, start, start + prod(shape)).reshape(shape)
            start += prod(shape)
        return found

    def rows(self, numbers: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return each site's number for every column of a block, and every row of the border."""
        inside = [n for name, shape in self.groups for n in [numbers[name]] * self._each(shape)]
        return tuple(inside), tuple(numbers[n] for n, s in self.border for _ in range(prod(s)))

    def _each(self, shape: tuple[int, ...]) -> int:
        """Return how many columns of a group's block a site of the groups has."""
        return prod(shape) // self.count

    def zeros(self, dtype: np.dtype) -> Vector:
        """Return the vector of zeros."""
        none: Any = (np.zeros((self.count, self.width), dtype), np.zeros(self.breadth, dtype))
        return Vector(*none)

    def seeds(self, colours: tuple[int, ...], dtype: np.dtype) -> Vector:
        """Return the vectors to multiply with: one a block column, then one a colour."""
        columns, classes = self.width, max(colours, default=-1) + 1
        # All groups at once: their blocks share no row, so that a block column is one colour.
        units = np.zeros((columns + classes, 1, self.width))
        units[:columns, 0] = np.eye(columns)
        border = np.zeros((columns + classes, self.breadth))
        for column, colour in enumerate(colours):
            border[columns + colour, column] = 1
        shape = (columns + classes, self.count, self.width)
        return Vector(
            jnp.broadcast_to(jnp.asarray(units, dtype), shape), jnp.asarray(border, dtype)
        )

    def arrow(self, colours: tuple[int, ...], products: Vector, patterns: Constants) -> Arrow:
        """Read a matrix off its products with the seeds.

        `patterns` say, where columns share a colour, which entries of theirs are not zero.
        """
        k = self.width
        own, groups = split_at(products.groups, k)
        _, border = split_at(products.border, k)
        if colours != tuple(range(self.breadth)):
            picks = np.eye(max(colours) + 1)[list(colours)]  # a product's transpose is a product
            groups, border = (jnp.tensordot(picks, rows, 1) for rows in (groups, border))
        blocks, couplings, corner = (jnp.moveaxis(rows, 0, -1) for rows in (own, groups, border))
        if "couplings" in patterns:  # some columns share a colour
            couplings = jnp.where(patterns["couplings"], couplings, 0.0)
            corner = jnp.where(patterns["corner"], corner, 0.0)
        return Arrow(blocks, couplings, corner)

    def added(self, arrow: Arrow, products: Vector) -> Arrow:
        """Return an arrow and, added, a matrix that has blocks and a diagonal alone.

        Of that the products are given: with the columns of a block, and with all the border.
        """
        own, _ = split_at(products.groups, self.width)
        _, border = split_at(products.border, self.width)
        blocks = arrow.blocks + jnp.moveaxis(own, 0, -1)
        return Arrow(blocks, arrow.couplings, arrow.corner + jnp.diag(border[0]))


def split_at(rows: Array, place: int) -> tuple[Array, Array]:
    """Return the rows before a place, and the others."""
    return slice_in_dim(rows, 0, place), slice_in_dim(rows, place, len(rows))
