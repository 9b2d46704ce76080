"""Know a term's precision but for its scale: formed once, it needs no products with its columns.

The precision of normal observations is a matrix C, which the data alone determine, over their
variance; written non-centred, a site's rows and columns are multiplied by its scale as well. So it
is D C D with a number for each class of sites in the diagonal D, which the curvature along one
direction a class tells, however many columns C has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.rewrites.arrow.arrange import multiply
from finetti.structure.rewrites.arrow.arrow import Arrow, Vector
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.types import Array, Constants, Scalar

APART = -1  # the class of rows in which a matrix is zero
CLOSE = 1e-9
COUPLED = 1e-3  # correlation: what is less tells no sign


@dataclass(frozen=True)
class Curvature:
    """Say which rows of a term's precision share a number of D.

    `columns` has the class of each column of a group's block, `border` that of each border row.
    The numbers' signs are told beside the class `first`. Constants: `matrix`, the arrow C;
    `along`, a direction a class; `lengths`, shape (class, class), C between these directions.
    """

    term: str
    columns: tuple[int, ...]
    border: tuple[int, ...]
    first: int = 0

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return max((*self.columns, *self.border)) + 1

    def read(self, term: Callable[[Vector], Scalar], centre: Vector, constants: Constants) -> Arrow:
        """Return the precision of a term, a function that is quadratic."""
        along, lengths = Vector(*constants["along"]), constants["lengths"]

        def moved(steps: Array) -> Scalar:
            shift = jax.tree.map(lambda e: jnp.tensordot(steps, e, 1), along)
            return term(centre.plus(shift))

        origin = jnp.zeros(self.classes, centre.groups.dtype)
        found = -jax.jacfwd(jax.jacfwd(moved))(origin)
        matrix = Arrow(*constants["matrix"])
        if self.classes == 1:
            # One number is only met squared.
            scale = found[0, 0] / lengths[0, 0]
            return Arrow(*(scale * part for part in matrix))
        # Along one class's direction the curvature is its number squared times C's: the sign is
        # lost, but the entries beside another class have it. With all signs turned D C D is the
        # same.
        sizes = jnp.sqrt(jnp.diagonal(found) / jnp.diagonal(lengths))
        return self._scaled(matrix, sizes * jnp.sign(found[self.first] * lengths[self.first]))

    def _scaled(self, matrix: Arrow, numbers: Array) -> Arrow:
        """Return D C D."""
        padded = jnp.append(numbers, 0.0)  # the rows apart take the last
        groups, border = padded[np.array(self.columns, int)], padded[np.array(self.border, int)]
        return Arrow(
            matrix.blocks * groups[:, None] * groups,
            matrix.couplings * groups[:, None] * border,
            matrix.corner * border[:, None] * border,
        )


def recognise(term: str, frame: Frame, seen: list[Arrow]) -> tuple[Curvature, Constants] | None:
    """Return how a term's precision is D C D, C being the first of those seen at several points."""
    matrix, *others = (jax.tree.map(np.asarray, arrow) for arrow in seen)
    if not all(np.isfinite(part).all() for arrow in (matrix, *others) for part in arrow):
        return None
    base = _diagonal(matrix)
    ratios = [_ratios(frame, base, _diagonal(other)) for other in others]
    if any(r is None for r in ratios):
        return None
    numbers: list[tuple[float, ...]] = []
    classes: dict[str, int] = {}
    for name, _ in (*frame.groups, *frame.border):
        own = tuple(r[name] for r in ratios if r is not None)
        # A term that is flat along a site has zeros there at every point.
        if not any(own):
            classes[name] = APART
            continue
        same = [i for i, other in enumerate(numbers) if np.allclose(own, other, rtol=CLOSE, atol=0)]
        classes[name] = same[0] if same else len(numbers)
        if not same:
            numbers.append(own)
    if not numbers:
        return None
    return _directed(Curvature(term, *frame.rows(classes)), frame, matrix)


def _directed(
    curvature: Curvature, frame: Frame, matrix: Arrow
) -> tuple[Curvature, Constants] | None:
    """Add directions to a curvature; None where the signs of its numbers are not told."""
    # Generic directions, so that no sum over a class's rows vanishes by chance.
    generic = np.random.default_rng(1923)
    groups = generic.uniform(0.5, 1.5, (frame.count, frame.width))
    border = generic.uniform(0.5, 1.5, frame.breadth)
    classes = range(curvature.classes)
    columns, ends = np.array(curvature.columns, int), np.array(curvature.border, int)
    along: list[Any] = [(groups * (columns == c), border * (ends == c)) for c in classes]
    along = [Vector(*e) for e in along]
    products = [multiply(matrix, e) for e in along]
    lengths = np.array([[e.dot(p) for p in products] for e in along], float)
    sizes = np.sqrt(np.diagonal(lengths))
    coupled = np.abs(lengths) > COUPLED * sizes[:, None] * sizes
    # One class must be seen beside every other, for the signs are told along its row.
    first = next((int(i) for i in classes if coupled[i].all()), None)
    if first is None:
        return None
    stacked = tuple(np.stack(parts) for parts in zip(*along, strict=True))
    constants = {"matrix": tuple(matrix), "along": stacked, "lengths": lengths}
    return Curvature(curvature.term, curvature.columns, curvature.border, first), constants


def _diagonal(arrow: Any) -> Vector:
    found: Any = (np.diagonal(arrow.blocks, axis1=1, axis2=2), np.diagonal(arrow.corner))
    return Vector(*found)


def _ratios(
    frame: Frame,
    base: Vector,
    other: Vector,
) -> dict[str, float] | None:
    """Return for each site by how much its diagonal has grown; None where members differ.

    It is zero where the diagonal is.
    """
    found: dict[str, float] = {}
    before, after = frame.split(base), frame.split(other)
    for name in before:
        a, b = np.ravel(before[name]), np.ravel(after[name])
        if not ((a > 0) == (b > 0)).all():
            return None
        grown = (b[a > 0] / a[a > 0]) if (a > 0).any() else np.zeros(1)
        if not np.allclose(grown, grown[0], rtol=CLOSE, atol=0):
            return None
        found[name] = float(grown[0])
    return found
