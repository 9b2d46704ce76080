"""Turn a picture of text into bright ink on a dark ground, without hairlines and specks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, grey_opening, label, sum_labels

from finetti import DataError
from finetti.types import AnyArray, Float

FAINTEST = 0.25  # of the strongest contrast: weaker pixels say nothing of how strong ink is
BINS = 24  # in which contrasts are counted
NO_INK, FULL_INK = 0.5, 0.85  # of a stroke's contrast: what counts as none, and as full
SPECK = 40  # pixels of the least thing that can be a character
STROKE, HAIRLINE = 3, 2  # pixels of thickness: a stroke's inside, and below which it is none


def ink(picture: AnyArray) -> Float[AnyArray, "row col"]:
    """Return how much ink each pixel of a picture has, 0 to 255.

    `picture` is (row, col, channel) or (row, col), from 0 to 255, its ground of nearly one colour.
    Ink is measured by the contrast that most strokes have inside, so that lines drawn fainter than
    the text vanish, and those drawn stronger count no more than it. Raises DataError for a picture
    of another shape.

    >>> picture = np.full((20, 20), 255)  # white paper
    >>> picture[5:15, 8:12] = 0
    >>> bool(ink(picture)[10, 10] > 200), float(ink(picture)[0, 0])
    (True, 0.0)
    """
    colours = np.asarray(picture, float)
    if colours.ndim not in (2, 3) or not colours.size:
        raise DataError(f"the picture has shape {colours.shape}; give (row, col, channel)")
    colours = colours.reshape(*colours.shape[:2], -1)
    ground = np.median(colours, axis=(0, 1))
    contrast = np.linalg.norm(colours - ground, axis=-1)
    thick = grey_opening(contrast, (STROKE, STROKE))
    if not thick.any():
        return np.zeros(contrast.shape)
    count, edges = np.histogram(
        thick[thick > FAINTEST * thick.max()], BINS, range=(0.0, float(thick.max()))
    )
    most = int(np.convolve(count, np.ones(3), "same").argmax())
    stroke = (edges[most] + edges[most + 1]) / 2
    share = np.clip((contrast / stroke - NO_INK) / (FULL_INK - NO_INK), 0, 1)
    strokes = 255 * grey_opening(share, (HAIRLINE, HAIRLINE))
    labelled: Any = label(strokes > 128)
    parts, n = labelled
    area = sum_labels(np.ones_like(strokes), parts, np.arange(1, n + 1))
    large = np.isin(parts, 1 + np.flatnonzero(np.asarray(area) >= SPECK))
    return np.where(binary_dilation(large, iterations=2), strokes, 0)
