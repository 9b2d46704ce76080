"""Bring shapes and lines to the size and upright stand of what was learned.

A shape, or a line of text, is turned back by each turn that is tried, and enlarged or shrunk along
a pyramid of sizes, of which its ink's extent leaves one or a few. What explains the most wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from finetti import DataError
from finetti.types import AnyArray, Float

INK = 64.0  # of 255: weaker ink has no extent
STEP = 2**0.25  # from one level of the pyramid to the next
STRAY = 0.01  # of the ink: how much may lie outside a line's extent, on each side
BLUR = 0.45  # pixels of blur for each time that an image is shrunk, so that nothing flickers


@dataclass(frozen=True)
class Poses:
    """State how large, in sizes of what was learned, and how turned shapes may be.

    `turn` is the most degrees to either side, of which `turns` are tried where a shape stands
    alone; a line of text tells its own.

    >>> Poses().turned
    [-20.0, -10.0, 0.0, 10.0, 20.0]
    """

    smallest: float = 0.5
    largest: float = 2.0
    turn: float = 20.0
    turns: int = 5

    def __post_init__(self) -> None:
        if not 0.2 <= self.smallest <= self.largest <= 5:
            raise DataError(
                f"sizes run from {self.smallest} to {self.largest}; give two from 0.2 to 5, the "
                "smaller first"
            )
        if not 0 <= self.turn <= 45 or self.turns < 1:
            raise DataError(
                f"turn is {self.turn} and turns {self.turns}; give 0 to 45 degrees, and 1 or more"
            )

    @property
    def turned(self) -> list[float]:
        """Return the turns that are tried, in degrees."""
        return np.linspace(-self.turn, self.turn, self.turns).tolist() if self.turn else [0.0]

    def levels(self, least: float, most: float) -> list[float]:
        """Return the sizes of the pyramid from `least` to `most`, at least the nearest one."""
        first, last = (round(np.log(x) / np.log(STEP)) for x in (least, most))
        sizes = [STEP**k for k in range(first, last + 1)]
        return sorted({round(min(max(s, self.smallest), self.largest), 4) for s in sizes})


@dataclass(frozen=True)
class Pose:
    """Hold the size, in those of what was learned, and the turn, in degrees, of a shape."""

    size: float = 1.0
    turn: float = 0.0


def slope(line: Float[AnyArray, "row col"]) -> float:
    """Return by how many degrees a line of text is turned, by the middle of its ink in each column.

    Positive turns are clockwise.
    """
    rows, cols = np.nonzero(line > INK)
    if not len(rows) or np.ptp(cols) < np.ptp(rows):  # taller than wide: no line to speak of
        return 0.0
    return float(np.degrees(np.arctan(np.polyfit(cols, rows, 1)[0])))


def line_poses(
    line: Float[AnyArray, "row col"], heights: Float[AnyArray, " glyph"], poses: Poses
) -> list[Pose]:
    """Return the poses of a line that its ink leaves open, `heights` being those of glyphs' ink."""
    turn = float(np.clip(slope(line), -poses.turn, poses.turn))
    found = []
    for tried in sorted({0.0, turn}) if abs(turn) > 3 else [turn]:
        tall = extent(posed(line, Pose(1.0, tried)))
        found += [Pose(size, tried) for size in poses.levels(*(tall / _ends(heights)))]
    return found


def extent(image: Float[AnyArray, "row col"]) -> float:
    """Return how many rows hold an image's ink, but for strays."""
    ink = np.where(image > INK, image, 0).sum(1).cumsum()
    if not ink[-1]:
        return 1.0
    first, last = np.searchsorted(ink / ink[-1], (STRAY, 1 - STRAY))
    return float(last - first + 1)


def posed(image: Float[AnyArray, "row col"], pose: Pose) -> Float[AnyArray, "tall wide"]:
    """Return an image turned back and brought to size 1, large enough to hold all of it."""
    angle, shape = np.radians(pose.turn), np.array(image.shape)
    turning = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    size = np.ceil((np.abs(turning) @ shape) / pose.size).astype(int) + 2
    if pose.size > 1:
        image = gaussian_filter(np.asarray(image, float), BLUR * pose.size)
    matrix = pose.size * turning
    offset: Any = (shape - 1) / 2 - matrix @ ((size - 1) / 2)
    order, tall, wide = 1 if pose.size == 1 else 3, int(size[0]), int(size[1])
    found = affine_transform(image, matrix, offset, (tall, wide), order=order)
    return found.clip(0, 255)


def trimmed(
    line: Float[AnyArray, "row col"], height: int, edge: int = 8
) -> Float[AnyArray, "tall wide"]:
    """Return a line cut to its ink, in the middle of `height` rows or more, with an edge around."""
    rows, cols = (np.flatnonzero((line > INK).any(axis)) for axis in (1, 0))
    if not len(rows):
        return line
    cut = line[rows[0] : rows[-1] + 1, max(cols[0] - 1, 0) : cols[-1] + 2]
    room = max(height - len(cut), 2 * edge)
    return np.pad(cut, ((room // 2, room - room // 2), (edge, edge)))


def longer_side(image: Float[AnyArray, "row col"]) -> float:
    """Return the longer side of the box that holds an image's ink, in pixels; 0 without ink."""
    sides = (np.flatnonzero((image > INK).any(axis)) for axis in (1, 0))
    return float(max(np.ptp(side) + 1 if len(side) else 0 for side in sides))


def framed(
    image: Float[AnyArray, "row col"],
    turn: float,
    side: float,
    shape: tuple[int, int],
    poses: Poses,
) -> Float[AnyArray, "tall wide"] | None:
    """Return a shape turned back, with its longer side `side` pixels, in the middle of a frame.

    None, where it would then be larger or smaller than poses allow.
    """
    size = longer_side(posed(image, Pose(1.0, turn))) / side
    if not poses.smallest / STEP <= size <= poses.largest * STEP:
        return None
    found = posed(image, Pose(size, turn))
    middle = [
        round(float((found.sum(1 - axis) * np.arange(n)).sum() / found.sum()))
        for axis, n in enumerate(found.shape)
    ]
    room = [(n // 2 + 1, n // 2 + 1) for n in shape]
    large = np.pad(found, room)
    corner = [m + r[0] - n // 2 for m, r, n in zip(middle, room, shape, strict=True)]
    return large[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]]


def _ends(heights: Float[AnyArray, " glyph"]) -> Float[AnyArray, "2"]:
    """Return the greatest height of glyphs, and the least that may be a whole line's."""
    return np.array([heights.max(), np.median(heights)])
