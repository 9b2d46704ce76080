"""Infer which part of an image is covered, from where features that a shape needs are missing.

A cover is a square of unknown place and side. For each of the best shapes, the square is found
that holds the most features the image lacks, less those it has: its features are hidden there
rather than absent. All shapes are then matched again with each square as the mask, and the square
has to raise the best agreement by more than its price, so that what is not covered stays seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.agreeing import Shape
from finetti.vision.rcn.evidence import Evidence, in_pixels
from finetti.vision.rcn.matching import Bank, trace

LARGE = 0.02  # features: what a pixel of a square's side costs, to choose among equals


@dataclass(frozen=True)
class Covered:
    """State that a part of the image may be covered, without saying which.

    `sides` are those of the squares tried, in pixels. `price` is by how much, of an agreement of 2
    at best, a square has to raise it. `tried` is how many labels' best shapes propose a square.

    >>> Covered().price
    0.1
    """

    price: float = 0.1
    sides: tuple[int, ...] = (7, 9, 11)
    tried: int = 4

    def __post_init__(self):
        if not self.sides or min(self.sides) < 1:
            raise DataError(f"sides are {self.sides}; give at least one, 1 pixel or more")
        if self.price < 0 or self.tried < 1:
            raise DataError(
                f"price is {self.price} and tried {self.tried}; give at least 0 and at least 1"
            )

    def square(
        self,
        places: Float[AnyArray, "feature 2"],
        present: Bool[AnyArray, " feature"],
        shape: tuple[int, int],
    ) -> Bool[AnyArray, "row col"] | None:
        """Return the square that best tells where the absent of the features may hide.

        Places are (row, col) in pixels. None, where no square holds more absent than present ones.
        """
        best, mask = 0.0, None
        for side, row, col in self._squares(shape):
            away = np.rint(places) - (row, col)
            inside = ((away >= 0) & (away < side)).all(1)
            gain = (inside & ~present).sum() - (inside & present).sum() - LARGE * side
            if gain > best:
                best, mask = float(gain), np.zeros(shape, bool)
                mask[row : row + side, col : col + side] = True
        return mask

    def _squares(self, shape: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
        for side in self.sides:
            for row in range(shape[0] - side + 1):
                for col in range(shape[1] - side + 1):
                    yield side, row, col


def covers(
    covered: Covered,
    evidence: Evidence,
    shapes: Sequence[Shape],
    agreement: Float[AnyArray, " shape"],
    pool: int,
    upsampling: int,
) -> list[Bool[AnyArray, "row col"]]:
    """Return the squares in which the best shapes of the best labels would hide."""
    field, best = evidence.field(), {}
    for i in np.argsort(-agreement, kind="stable").tolist():
        best.setdefault(shapes[i].label, shapes[i])
    found = []
    for shape in list(best.values())[: covered.tried]:
        size = shape.pixels.shape
        places, present = trace(Bank.of([shape.template], pool), field)
        places = in_pixels(places, upsampling, (evidence.shape[0] - upsampling * size[0]) // 2)
        mask = covered.square(places, present, (size[0], size[1]))
        if mask is not None:
            found.append(mask)
    return found


def believed(
    covered: Covered,
    agreement: Float[AnyArray, " shape"],
    tried: Iterable[tuple[Bool[AnyArray, "row col"], Float[AnyArray, " shape"]]],
) -> tuple[Bool[AnyArray, "row col"] | None, Float[AnyArray, " shape"]]:
    """Return the mask that is worth its price, if any is, and the agreement with it."""
    best: tuple[AnyArray | None, AnyArray] = None, agreement
    value = agreement.max()
    for mask, again in tried:
        if again.max() - covered.price > value:
            best, value = (mask, again), again.max() - covered.price
    return best
