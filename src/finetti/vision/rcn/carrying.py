"""Carry places along with features that shift, by a thin plate through them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import RBFInterpolator

from finetti.types import AnyArray, Float

SMOOTH = 4.0  # how little a plate follows single features
FEWEST = 4  # features by which places can be bent rather than moved
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
