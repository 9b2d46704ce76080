"""Find an image's oriented contour features, as the first level of the network.

An edge has one of `ORIENTATIONS` signed directions: that in which it grows brighter. Its filter is
a Gaussian blob on one side less one on the other, so that all filters together are one blur of the
image and differences between shifted copies of it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.signal import fftconvolve

from finetti.types import AnyArray, Float, Int

ORIENTATIONS = 16
REACH = 4.0  # pixels from an edge's centre to each of its blobs
BLUR = 6  # pixels the Gaussian reaches to each side
SIZE = 2 * 10 + 1  # pixels, the side of a filter
WEAKEST = 40.0  # of the 127.5 with which a full step of brightness responds
NEIGHBOURS = 6  # pixels that a response must not be exceeded within, across the edge
MARGIN = 44  # empty pixels around an image, so that pools and filters never leave it
UPSAMPLING = 4


def upsample(image: Float[AnyArray, "row col"], factor: int) -> Float[AnyArray, "tall wide"]:
    """Enlarge an image by a whole factor, with Keys' cubic interpolation (a = -1/2).

    Values are kept within 0 and 255, which a cubic may overshoot at sharp edges.
    """
    if factor == 1:
        return np.asarray(image, float)
    down, across = (_cubic(n, factor) for n in image.shape)
    return np.clip(down @ image @ across.T, 0, 255)


@lru_cache(maxsize=32)
def _cubic(n: int, factor: int) -> Float[AnyArray, "big small"]:
    """Return the matrix that interpolates `n` samples at `factor` times as many points."""
    points = (np.arange(n * factor) + 0.5) / factor - 0.5
    apart = np.abs(points[:, None] - np.arange(n))
    near = 1.5 * apart**3 - 2.5 * apart**2 + 1
    far = -0.5 * apart**3 + 2.5 * apart**2 - 4 * apart + 2
    weights = np.where(apart < 1, near, np.where(apart < 2, far, 0))
    return weights / weights.sum(1, keepdims=True)


@lru_cache(maxsize=1)
def blob() -> Float[AnyArray, "13 13"]:
    """Return the Gaussian that edges are seen through, without its faint outskirts."""
    across = np.exp(-(np.arange(-BLUR, BLUR + 1) ** 2) / (2 * (REACH**2 / 2)))
    gaussian = np.outer(across, across)
    gaussian[gaussian < 0.05 * gaussian.max()] = 0
    return gaussian


@lru_cache(maxsize=1)
def ends() -> Int[AnyArray, "orientation end 2"]:
    """Return where the bright and the dark blob of each filter lie from its centre (row, col)."""
    angle = 2 * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
    along = REACH * np.stack([np.sin(angle), np.cos(angle)], -1)
    along = np.where(np.abs(along) < 1e-9, 0, along)
    bright = np.floor(SIZE / 2 + along).astype(int) - SIZE // 2
    return np.stack([bright, -bright], 1)


@lru_cache(maxsize=1)
def filters() -> Float[AnyArray, "orientation 21 21"]:
    """Return a blob less its mirror image for each orientation, as they overlap."""
    found = np.zeros((ORIENTATIONS, SIZE, SIZE))
    middle = SIZE // 2
    for kernel, pair in zip(found, ends(), strict=True):
        for sign, (row, col) in zip((1, -1), middle + pair, strict=True):
            kernel[row - BLUR : row + BLUR + 1, col - BLUR : col + BLUR + 1] += sign * blob()
    return found


@lru_cache(maxsize=1)
def sizes() -> Float[AnyArray, " orientation"]:
    """Return the absolute sums of the filters, by which their responses are divided."""
    return np.abs(filters()).sum((1, 2))


def responses(image: Float[AnyArray, "row col"]) -> Float[AnyArray, "orientation row col"]:
    """Return how strongly each pixel looks like an edge of each orientation, 127.5 at most."""
    room = int(REACH) + 1
    blurred = fftconvolve(np.pad(image, room), blob(), mode="same")
    rows, cols = image.shape
    views = np.lib.stride_tricks.sliding_window_view(blurred, (rows, cols))
    bright, dark = (ends() + room).transpose(1, 2, 0)
    return (views[tuple(bright)] - views[tuple(dark)]) / sizes()[:, None, None]


@lru_cache(maxsize=1)
def _rivals() -> list[AnyArray]:
    """Return for half the orientations the pixels that lie across the edge on either side."""
    found = []
    middle = NEIGHBOURS
    for angle in np.pi * np.arange(ORIENTATIONS // 2) / (ORIENTATIONS // 2):
        mask = np.zeros((2 * middle + 1, 2 * middle + 1), bool)
        for r in range(1, 9):
            row, col = round(r * np.sin(angle)), round(r * np.cos(angle))
            if max(abs(row), abs(col)) <= middle:
                mask[middle + row, middle + col] = mask[middle - row, middle - col] = True
        found.append(mask)
    return found


def features(image: Float[AnyArray, "row col"]) -> Int[AnyArray, "orientation row col"]:
    """Mark with 1 where the image has a feature, and with -1 where it has none.

    A feature is a response of at least `WEAKEST` that is the largest of all orientations there and
    is exceeded by no neighbour across the edge. `image` runs from 0 to 255.
    """
    strength = responses(image)
    best = strength.max(0)
    found = np.full(strength.shape, -1, np.int8)
    for i, layer in enumerate(strength):
        rows, cols = np.nonzero((layer >= WEAKEST) & (layer >= best))
        offsets = np.argwhere(_rivals()[i % (ORIENTATIONS // 2)]) - NEIGHBOURS
        padded = np.pad(layer, NEIGHBOURS, mode="edge")
        around = padded[
            rows[:, None] + offsets[:, 0] + NEIGHBOURS, cols[:, None] + offsets[:, 1] + NEIGHBOURS
        ]
        keep = np.maximum(around.max(1, initial=0), 0) <= layer[rows, cols]
        found[i, rows[keep], cols[keep]] = 1
    return found


def tolerant(found: Int[AnyArray, "orientation row col"]) -> Int[AnyArray, "orientation row col"]:
    """Let a feature count for the orientations next to its own as well."""
    return np.maximum(found, np.maximum(np.roll(found, 1, 0), np.roll(found, -1, 0)))
