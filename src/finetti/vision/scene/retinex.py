"""Take an image apart by Retinex: steps above a threshold are paint, the others light."""

from __future__ import annotations

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.scene.colour import brightness, hue_steps, in_each
from finetti.vision.scene.grid import nearest, size_of, steps


def retinex(
    image: Float[AnyArray, "row col *channel"], threshold: float, hue: float = np.inf
) -> tuple[Float[np.ndarray, "row col *channel"], Float[np.ndarray, "row col"]]:
    """Return the reflectance and the shading of an image; shading has the geometric mean 1.

    Steps of the log image of at least `threshold` in size are taken for steps of reflectance, the
    others for shading; reflectance is the field whose steps are nearest to those in square. Land &
    McCann (1971), Journal of the Optical Society of America 61, 1-11, in Horn's form (1974),
    Computer Graphics and Image Processing 3, 277-299. In colour `threshold` is that of the mean of
    the log channels, and a step is of reflectance as well where the hue's is at least `hue`, in
    length (Grosse et al. 2009, ICCV).

    >>> image = np.exp(np.add.outer(0.1 * np.arange(4), np.repeat([0.0, 2.0], 2)))
    >>> reflectance, shading = retinex(image, 0.5)
    >>> np.log(reflectance[0] / reflectance[0, 0]).round(6).astype(int).tolist()
    [0, 0, 2, 2]
    """
    log = np.log(np.asarray(image, float))
    grey = brightness(log)
    step, hued = steps(grey), np.linalg.norm(hue_steps(log), axis=0)
    step = np.where((np.abs(step) >= threshold) | (hued >= hue), step, 0.0)
    shading = grey - grey.mean() - nearest(step, size_of(grey))
    return np.exp(log - in_each(shading, log)), np.exp(shading)
