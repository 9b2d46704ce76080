"""Carry places along with features that shift, by a thin plate through them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates

from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.drawing import window_of

SMOOTH = 4.0  # how little a plate follows single features
FEWEST = 4  # features by which places can be bent rather than moved
SEEN = 6  # features that must be present to carry the pixels without the others
Carry = Callable[[AnyArray], AnyArray]


def plate(start: Float[AnyArray, "feature 2"], end: Float[AnyArray, "feature 2"]) -> Carry:
    """Return the map of places that takes features from where they start nearly to their end.

    It bends as little as it can (Duchon 1977), and only moves where the features lie on one line or
    are fewer than four.

    >>> corners = np.array([[0.0, 0], [0, 8], [8, 0], [8, 8]])
    >>> plate(corners, corners + (2, 1))(np.array([[4.0, 4.0]])).round(6).tolist()
    [[6.0, 5.0]]
    """
    away = end - start
    wide = np.linalg.svd(start - start.mean(0), compute_uv=False) if len(start) else np.zeros(2)
    if len(start) < FEWEST or wide[-1] < 1e-6 * wide[0]:
        by = away.mean(0) if len(start) else np.zeros(2)
        return lambda places: places + by
    bent = RBFInterpolator(start, away, kernel="thin_plate_spline", smoothing=SMOOTH, degree=1)
    return lambda places: places + bent(places)


def inked(
    pixels: Float[AnyArray, "tall wide"],
    homes: Float[AnyArray, "feature 2"],
    places: Float[AnyArray, "feature 2"],
    present: Bool[AnyArray, " feature"],
    shape: tuple[int, ...],
) -> tuple[Float[AnyArray, "row col"], tuple[int, int]]:
    """Draw a shape where its present features carry it, and tell where the drawing begins."""
    window = window_of(places, (shape[0], shape[1]))
    if window is None:
        return np.zeros((0, 0)), (0, 0)
    used = present if present.sum() >= SEEN else np.ones(len(present), bool)
    grid = np.mgrid[window].reshape(2, -1).T.astype(float)
    source = plate(places[used], homes[used])(grid)
    ink = map_coordinates(pixels, source.T, order=1, mode="constant")
    rows, cols = (s.stop - s.start for s in window)
    return ink.reshape(rows, cols), (window[0].start, window[1].start)
