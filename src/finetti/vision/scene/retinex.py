"""Take an image apart by Retinex: steps above a threshold are paint, the others light."""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn, idctn

from finetti.types import AnyArray, Float


def retinex(
    image: Float[AnyArray, "row col"], threshold: float
) -> tuple[Float[np.ndarray, "row col"], Float[np.ndarray, "row col"]]:
    """Return the reflectance and the shading of a grey image, of geometric mean 1.

    Steps of the log image of at least `threshold` in size are taken for steps of reflectance, the
    others for shading; reflectance is the field whose steps are nearest to those in square. Land &
    McCann (1971), Journal of the Optical Society of America 61, 1-11, in Horn's form (1974),
    Computer Graphics and Image Processing 3, 277-299.

    >>> image = np.exp(np.add.outer(0.1 * np.arange(4), np.repeat([0.0, 2.0], 2)))
    >>> reflectance, shading = retinex(image, 0.5)
    >>> np.log(reflectance[0] / reflectance[0, 0]).round(6).tolist()
    [0.0, 0.0, 2.0, 2.0]
    """
    log = np.log(np.asarray(image, float))
    rows, cols = log.shape
    divergence = np.zeros_like(log)
    for axis in (0, 1):
        step = np.diff(log, axis=axis)
        step = np.where(np.abs(step) >= threshold, step, 0.0)
        ends = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
        divergence += np.diff(np.pad(step, ends), axis=axis)
    waves = dctn(divergence, norm="ortho")
    laplacian = 2 * np.cos(np.pi * np.arange(rows) / rows)[:, None] - 2
    laplacian = laplacian + 2 * np.cos(np.pi * np.arange(cols) / cols) - 2
    laplacian[0, 0] = 1.0
    waves /= laplacian
    waves[0, 0] = 0.0
    reflectance = np.asarray(idctn(waves, norm="ortho"))
    reflectance += log.mean()
    return np.exp(reflectance), np.exp(log - reflectance)
