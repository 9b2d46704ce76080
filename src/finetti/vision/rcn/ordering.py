"""Tell which of two overlapping shapes lies in front, by whose surface runs on where they meet.

Where opaque shapes differ in brightness, that of the front one is seen where both have ink. Where
the front one has an outline, its own strokes run on and the other's stop short of it. Where strokes
of one brightness merge, both run on, and nothing tells which is in front.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt

from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.seeking import BODY, Canvas, Hypothesis

RIM = 3.0  # pixels around a shape's ink in which another's may stop short
FULL = 0.8  # of ink: what is drawn stronger has a shape's own brightness
SHADES = 40.0  # of 255, by which two brightnesses have to differ to tell surfaces apart
CLEAR = 0.25  # of the way between two brightnesses: how far off what is taken for one may be
GAP = 0.4  # of a shape's brightness: what is darker shows no ink of it
SHORT = 0.25  # of the ink near another shape by which one has to stop short more than the other
PIXELS = 4  # by which anything is told, at least


def ordered(canvas: Canvas, shapes: Sequence[Hypothesis]) -> dict[tuple[int, int], bool | None]:
    """Return for each two shapes that meet whether the first is in front; None if it is open."""
    found: dict[tuple[int, int], bool | None] = {}
    inks = [_whole(canvas, shape) for shape in shapes]
    near = [_around(ink) for ink in inks]
    for i, first in enumerate(inks):
        for j in range(i + 1, len(inks)):
            if ((first > BODY) & near[j]).any():
                told = by_surface(canvas.image, first, inks[j])
                found[i, j] = by_gaps(canvas.image, first, inks[j]) if told is None else told
    return found


def by_surface(
    image: Float[AnyArray, "row col"],
    first: Float[AnyArray, "row col"],
    second: Float[AnyArray, "row col"],
) -> bool | None:
    """Tell whether the first ink is in front, by whose brightness is seen where both are."""
    full, bare = (np.stack([first, second]) > FULL), np.stack([second, first]) < 1 - FULL
    seen = [image[where] for where in (full[0] & full[1], *(full & bare))]
    if min(map(len, seen)) < PIXELS:
        return None
    both, one, other = (float(np.median(values)) for values in seen)
    if abs(one - other) < SHADES:
        return None
    share = (both - other) / (one - other)
    return True if abs(share - 1) < CLEAR else False if abs(share) < CLEAR else None


def by_gaps(
    image: Float[AnyArray, "row col"],
    first: Float[AnyArray, "row col"],
    second: Float[AnyArray, "row col"],
) -> bool | None:
    """Tell whether the first ink is in front, by how much of each stops short of the other."""
    one, other = _gaps(image, first, second), _gaps(image, second, first)
    short = other.mean() - one.mean() if len(one) and len(other) else 0.0
    gaps = (other if short > 0 else one).sum()
    return None if abs(short) < SHORT or gaps < PIXELS else bool(short > 0)


def _gaps(image: AnyArray, ink: AnyArray, other: AnyArray) -> Bool[AnyArray, " pixel"]:
    """Return which pixels of an ink beside another's show the ground instead."""
    if not (ink > FULL).any():
        return np.zeros(0, bool)
    level = np.median(image[ink > FULL])
    beside = (ink > BODY) & (other <= BODY) & _around(other)
    return image[beside] < GAP * level


def _around(ink: Float[AnyArray, "row col"]) -> Bool[AnyArray, "row col"]:
    """Return where ink is, or a rim around it."""
    if not (ink > BODY).any():
        return np.zeros(ink.shape, bool)
    return np.asarray(distance_transform_edt(ink <= BODY)) <= RIM


def _whole(canvas: Canvas, shape: Hypothesis) -> Float[AnyArray, "row col"]:
    """Return a shape's ink in the whole image."""
    ink = np.zeros(canvas.image.shape)
    ink[tuple(slice(a, a + n) for a, n in zip(shape.at, shape.ink.shape, strict=True))] = shape.ink
    return ink
