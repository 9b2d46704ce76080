"""Tell which of two overlapping shapes lies in front: the one whose contours run on in the other.

Where an opaque shape lies in front, its contour is seen all along, across the other's ink; that of
the other ends there. Where strokes of one brightness merge, neither contour is seen in the other's
ink, and nothing tells which is in front.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finetti.types import AnyArray, Int
from finetti.vision.rcn.features import ORIENTATIONS
from finetti.vision.rcn.seeking import SEEN, Canvas, Hypothesis, Seeker

NEAR = 4.0  # pixels of the enlarged image from a contour within which it is seen
DECIDED = 8  # points of contour by which one shape has to be seen more than the other


def run_on(
    seeker: Seeker, canvas: Canvas, shape: Hypothesis, other: Hypothesis
) -> Int[AnyArray, " 2"]:
    """Return how many points of a shape's contour in another's ink are seen, and are not.

    An edge is seen whichever side of it is the brighter: a shape may be darker than what it hides.
    """
    outside = ~other.hides(canvas.in_pixels(shape.features[:, 1:]))
    told = outside & shape.present
    told = told if told.sum() >= SEEN else outside if outside.sum() >= SEEN else outside | True
    contour = seeker.contour(shape, canvas, told)
    contour = contour[other.hides(canvas.in_pixels(contour[:, 1:]), other.body)]
    points, half = canvas.evidence.points, ORIENTATIONS // 2
    off = np.abs(contour[:, None, 0] - points[:, 0]) % half
    apart = ((contour[:, None, 1:] - points[:, 1:]) ** 2).sum(-1)
    seen = ((np.minimum(off, half - off) <= 1) & (apart <= NEAR**2)).any(1)
    return np.array([seen.sum(), (~seen).sum()])


def ordered(
    seeker: Seeker, canvas: Canvas, shapes: Sequence[Hypothesis]
) -> dict[tuple[int, int], bool | None]:
    """Return for each two shapes that overlap whether the first is in front; None if it is open."""
    found: dict[tuple[int, int], bool | None] = {}
    for i, first in enumerate(shapes):
        for j in range(i + 1, len(shapes)):
            one, other = (
                run_on(seeker, canvas, a, b) for a, b in ((first, shapes[j]), (shapes[j], first))
            )
            if one.any() or other.any():
                found[i, j] = _first(one, other)
    return found


def _first(one: Int[AnyArray, " 2"], other: Int[AnyArray, " 2"]) -> bool | None:
    """Tell whether the first is in front, by how much of each is seen, and is not, in the other."""
    seen, unseen = one - other
    if abs(seen - unseen) < DECIDED:
        return None
    front = one if seen > unseen else other
    return bool(seen > unseen) if front[0] > front[1] else None
