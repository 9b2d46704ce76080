"""Turn a picture of text into bright ink on a dark ground, without hairlines and specks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, grey_opening, label, sum_labels

from finetti import DataError
from finetti.types import AnyArray, Float

FAINTEST = 0.3  # of the strongest contrast: weaker pixels say nothing of how strong ink is
FULL = 80  # percentile of ink's contrast that counts as full
SPECK = 40  # pixels of the least thing that can be a character
HAIRLINE = 2  # pixels of thickness below which a stroke is none


def ink(picture: AnyArray) -> Float[AnyArray, "row col"]:
    """Return how much ink each pixel of a picture has, 0 to 255.

    `picture` is (row, col, channel) or (row, col), from 0 to 255, its ground of nearly one colour.
    """
    colours = np.asarray(picture, float)
    if colours.ndim not in (2, 3):
        raise DataError(f"the picture has shape {colours.shape}; give (row, col, channel)")
    colours = colours.reshape(*colours.shape[:2], -1)
    ground = np.median(colours, axis=(0, 1))
    contrast = np.linalg.norm(colours - ground, axis=-1)
    if not contrast.any():
        return contrast
    full = np.percentile(contrast[contrast > FAINTEST * contrast.max()], FULL)
    strokes = grey_opening(255 * np.clip(contrast / full, 0, 1), (HAIRLINE, HAIRLINE))
    labelled: Any = label(strokes > 100)
    parts, n = labelled
    area = sum_labels(np.ones_like(strokes), parts, np.arange(1, n + 1))
    large = np.isin(parts, 1 + np.flatnonzero(np.asarray(area) >= SPECK))
    return np.where(binary_dilation(large, iterations=2), strokes, 0)
