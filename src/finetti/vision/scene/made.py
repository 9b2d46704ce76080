"""Make scenes whose shading and reflectance are known, to try an account of seeing on."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.scene.colour import hue_axes, in_each
from finetti.vision.scene.grid import Size
from finetti.vision.scene.shapes import Surface

NOISE = 0.01  # standard deviation of the log image, about one grey level in a hundred
LIGHT = (-1.0, -1.0, 1.2)
Pixel = tuple[int, int]


@dataclass(frozen=True)
class Made:
    """Hold an image with the reflectance and the shading that made it, each (row, col).

    In colour image and reflectance are (row, col, channel). Shading has the geometric mean 1, as in
    a `Decomposition`.
    """

    image: Float[AnyArray, "row col *channel"]
    reflectance: Float[AnyArray, "row col *channel"]
    shading: Float[AnyArray, "row col"]

    @classmethod
    def of(cls, log_reflectance: AnyArray, log_shading: AnyArray, rng: np.random.Generator) -> Made:
        """Make an image of a reflectance and a shading, with a little noise."""
        log_reflectance = log_reflectance + log_shading.mean()
        log_shading = log_shading - log_shading.mean()
        noise = NOISE * rng.standard_normal(log_reflectance.shape)
        image = np.exp(log_reflectance + in_each(log_shading, log_reflectance) + noise)
        return cls(image, np.exp(log_reflectance), np.exp(log_shading))


def hills(size: Size = (24, 24), seed: int = 0, hue: float = 0.0) -> Made:
    """Paint patches on three hills and hollows, lit from the upper left.

    >>> scene = hills((12, 16))
    >>> scene.image.shape, bool(abs(np.log(scene.shading).mean()) < 1e-12)
    ((12, 16), True)
    """
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[: size[0] + 1, : size[1] + 1]
    heights = np.zeros(down.shape)
    scale = min(size)
    for _ in range(3):
        row, col = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        wide, tall = rng.uniform(0.25, 0.4) * scale, rng.choice([-1, 1]) * 0.16 * scale
        heights += tall * np.exp(-((down - row) ** 2 + (right - col) ** 2) / (2 * wide**2))
    shading = np.asarray(Surface(LIGHT).log_shading(jnp.asarray(heights)), float)
    return Made.of(patches(size, rng, hue), shading, rng)


def shadow(size: Size = (24, 24), seed: int = 0, hue: float = 0.0) -> Made:
    """Paint patches on flat ground, half of it in a soft shadow that lets 40% of the light in."""
    rng = np.random.default_rng(seed)
    shading = np.log(0.4) / (1 + np.exp(-_along(size, rng) / (0.08 * min(size))))
    return Made.of(patches(size, rng, hue), shading, rng)


def folds(size: Size = (16, 24), seed: int = 0, hue: float = 0.0) -> Made:
    """Paint patches on a sheet folded along three columns, lit from the upper left."""
    rng = np.random.default_rng(seed)
    slopes = rng.permutation([0.45, -0.35, 0.25, -0.45])
    slope = np.repeat(slopes, -(-size[1] // 4))[: size[1]]
    heights = np.concatenate([[0.0], np.cumsum(slope)]) * np.ones((size[0] + 1, 1))
    shading = np.asarray(Surface(LIGHT).log_shading(jnp.asarray(heights)), float)
    return Made.of(patches(size, rng, hue), shading, rng)


def hard_shadow(size: Size = (24, 24), seed: int = 0, hue: float = 0.0) -> Made:
    """Paint patches on flat ground, a part of it in a shadow with a hard edge that lets in 40%."""
    rng = np.random.default_rng(seed)
    dark = _along(size, rng) > rng.uniform(-0.15, 0.15) * min(size)
    return Made.of(patches(size, rng, hue), np.where(dark, np.log(0.4), 0.0), rng)


def _along(size: Size, rng: np.random.Generator) -> Float[np.ndarray, "row col"]:
    """Return how far pixels are from the middle, in a direction at random."""
    down, right = np.mgrid[: size[0], : size[1]]
    angle = rng.uniform(0, 2 * np.pi)
    return np.cos(angle) * (down - size[0] / 2) + np.sin(angle) * (right - size[1] / 2)


def patches(
    size: Size, rng: np.random.Generator, hue: float = 0.0
) -> Float[np.ndarray, "row col *channel"]:
    """Return the log reflectance of patches of paint: the nearest of eight points says which.

    Paints are uniform on the log scale, from 5 to 90 percent. With a `hue` above 0 they have three
    channels, of which that is the mean, and each direction of hue is uniform from -hue to hue.
    """
    down, right = np.mgrid[: size[0], : size[1]]
    places = rng.uniform(0, size, (8, 2))
    paints = rng.uniform(np.log(0.05), np.log(0.9), 8)
    far = (down[..., None] - places[:, 0]) ** 2 + (right[..., None] - places[:, 1]) ** 2
    if hue:
        paints = paints[:, None] + rng.uniform(-hue, hue, (8, 2)) @ hue_axes(3).T
    return paints[far.argmin(-1)]


def checker_shadow(check: int = 4, seed: int = 0) -> tuple[Made, Pixel, Pixel]:
    """Draw a board of six by six checks with a soft shadow across, after Adelson (1995).

    Returns the scene, a pixel of a dark check in the light and one of a light check in the shadow:
    their values in the image are equal, and their paints are not.

    >>> scene, lit, shaded = checker_shadow()
    >>> bool(scene.image[lit] == scene.image[shaded])
    True
    >>> round(float(scene.reflectance[shaded] / scene.reflectance[lit]), 6)
    2.0
    """
    rng = np.random.default_rng(seed)
    side = 6 * check
    down, right = np.mgrid[:side, :side]
    light = (down // check + right // check) % 2 == 0
    across = (right - down + side / 4) / np.sqrt(2)  # from the shadow's middle, in pixels
    depth = np.exp(-((across / (1.6 * check)) ** 4) / 2)
    middle = check // 2
    lit = (check + middle, 4 * check + middle)
    shaded = (3 * check + middle, check + middle)
    strength = np.log(2) / (depth[shaded] - depth[lit])
    made = Made.of(np.log(np.where(light, 0.6, 0.3)), -strength * depth, rng)
    image = made.image.copy()
    image[shaded] = image[lit]
    return Made(image, made.reflectance, made.shading), lit, shaded
