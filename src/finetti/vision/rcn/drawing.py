"""Draw a learned glyph where its features came to lie, by the smooth warp that fits their shifts.

A place (row, col) of the line comes from the glyph's place + [1, r, c, r c] W, with r and c the
place's distances from the drawing's centre: enough to turn, lean, squeeze and taper. W is first
fitted to the features' shifts by least squares, and then to the pixels by Gauss-Newton steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from finetti.types import AnyArray, Bool, Float

SPAN = 40.0  # pixels: the unit of r and c
LOOSE = 0.01  # of a feature: what a squared pixel of warp costs beside the features' shifts
STIFF = 20.0  # pixels of ink: what a squared pixel of warp costs beside the pixels
ABSENT = 0.1  # of a feature: how much one that the image lacks says of the warp
AROUND = 4  # pixels beyond its features that a glyph may reach
STEPS = 8  # at most


@dataclass(frozen=True)
class Warp:
    """Hold where each place around `centre` comes from: `weights` are W above."""

    centre: Float[AnyArray, " 2"]
    weights: Float[AnyArray, "4 2"]

    @staticmethod
    def through(
        places: Float[AnyArray, "feature 2"],
        homes: Float[AnyArray, "feature 2"],
        present: Bool[AnyArray, " feature"],
    ) -> Warp:
        """Fit the warp that takes features from where they lie to where they were learned."""
        centre = places.mean(0)
        terms, weight = _terms(places, centre), np.where(present, 1.0, ABSENT)[:, None] ** 2
        bent = LOOSE * len(places) * np.diag([0, 1, 1, 3])
        normal = terms.T @ (weight * terms) + bent
        return Warp(centre, np.linalg.solve(normal, terms.T @ (weight * (homes - places))))


@dataclass(frozen=True)
class Drawing:
    """Hold a glyph as drawn on a line: `ink` from 0 to 1, (row, col), the first pixel at `corner`.

    `warp` says where the pixels came from.
    """

    ink: Float[AnyArray, "row col"]
    corner: tuple[int, int]
    warp: Warp

    @property
    def window(self) -> tuple[slice, slice]:
        """Return the rows and columns of the line that it may fill."""
        row, col = (slice(c, c + n) for c, n in zip(self.corner, self.ink.shape, strict=True))
        return row, col

    @property
    def extent(self) -> tuple[float, float]:
        """Return the first and the last column with ink, in pixels of the line."""
        columns = np.flatnonzero(self.ink.max(0, initial=0) > 0.5)
        if not len(columns):
            return float(self.corner[1]), float(self.corner[1])
        return float(self.corner[1] + columns[0]), float(self.corner[1] + columns[-1])

    @property
    def middle(self) -> float:
        """Return the column of its centre of mass."""
        column = self.ink.sum(0)
        away = (column * np.arange(len(column))).sum() / max(column.sum(), 1e-9)
        return float(self.corner[1] + away)

    def gain(self, line: Float[AnyArray, "row col"]) -> float:
        """Return how much less of the line it leaves unexplained, in pixels of ink."""
        return explained(line[self.window], self.ink)


def explained(line: Float[AnyArray, "row col"], drawn: Float[AnyArray, "row col"]) -> float:
    """Return by how much what is drawn lessens the squared difference from the line."""
    return float((drawn * (2 * line - drawn)).sum())


def window_of(
    places: Float[AnyArray, "feature 2"], shape: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Return the part of a line around features, or None where it is empty."""
    first = np.maximum(np.floor(places.min(0)).astype(int) - AROUND, 0)
    last = np.minimum(np.ceil(places.max(0)).astype(int) + AROUND + 1, shape)
    if (last - first < 1).any():
        return None
    return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))


def draw(glyph: Float[AnyArray, "tall wide"], warp: Warp, window: tuple[slice, slice]) -> Drawing:
    """Draw a glyph, 0 to 1, in a window of the line."""
    points = _points(window)
    source = points + _terms(points, warp.centre) @ warp.weights
    ink = map_coordinates(glyph, source.T, order=1, mode="constant")
    return Drawing(ink.reshape(_size(window)), (window[0].start, window[1].start), warp)


def improve(
    line: Float[AnyArray, "row col"],
    glyph: Float[AnyArray, "tall wide"],
    start: Warp,
    window: tuple[slice, slice],
    others: Float[AnyArray, "high long"] | None = None,
) -> Drawing:
    """Fit the warp to the pixels of the line that `others` do not explain, from `start`.

    Values are from 0 to 1; `others` is what the line's other characters draw in the window. A
    pixel shows the strongest ink drawn there, so that the glyph need not explain it again.
    """
    points, target = _points(window), line[window].reshape(-1)
    covered = np.zeros(target.shape) if others is None else others.reshape(-1)
    terms = _terms(points, start.centre)
    slopes = np.gradient(glyph)
    prior = STIFF * np.kron(np.eye(2), np.diag([1e-4, 1, 1, 1]))
    weights, best, least = start.weights, start.weights, np.inf
    drawn = np.zeros(target.shape)
    for step in range(STEPS + 1):
        source = (points + terms @ weights).T
        ink = map_coordinates(glyph, source, order=1, mode="constant")
        error = target - np.maximum(ink, covered)
        away = (weights - start.weights).T.reshape(-1)
        cost = float(error @ error + away @ prior @ away)
        if cost < least:
            best, least, drawn = weights, cost, ink
        elif step > 2:
            break
        free = (ink > covered)[:, None]
        row, col = np.rint(source).astype(int)
        at = row.clip(0, glyph.shape[0] - 1), col.clip(0, glyph.shape[1] - 1)
        slope = np.concatenate([s[at][:, None] * terms * free for s in slopes], 1)
        change = np.linalg.solve(slope.T @ slope + prior, slope.T @ error - prior @ away)
        weights = weights + change.reshape(2, -1).T
    warp = Warp(start.centre, best)
    return Drawing(drawn.reshape(_size(window)), (window[0].start, window[1].start), warp)


def _terms(places: Float[AnyArray, "place 2"], centre: AnyArray) -> Float[AnyArray, "place 4"]:
    row, col = (places - centre).T / SPAN
    return np.stack([np.ones_like(row), row, col, row * col], 1)


def _points(window: tuple[slice, slice]) -> Float[AnyArray, "place 2"]:
    grid = np.mgrid[window]
    return grid.reshape(2, -1).T.astype(float)


def _size(window: tuple[slice, slice]) -> tuple[int, int]:
    rows, cols = (s.stop - s.start for s in window)
    return rows, cols
