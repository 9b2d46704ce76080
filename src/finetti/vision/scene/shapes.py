"""State what shapes are likely, and how light falls on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from finetti import Distribution, LogNormal, ModelError
from finetti.types import AnyArray, Array, Float
from finetti.vision.scene.grid import Size, field, wave_count

SPREAD = 1.5  # sd of the log of an unknown scale, about what is usual
DARKEST = 1e-3  # the least shading whose log is taken
TAIL = 2.0  # degrees of freedom of a facet's twist, where creases may run across it


class Shape(ABC):
    """Say how the shading of an image comes about, from a field made of waves.

    `scale` is that of the field; None infers it, about `usual`.
    """

    scale: float | None
    usual: float

    @property
    def roughness(self) -> float | Distribution:
        """Return the scale of the field, or the prior on it."""
        return known_or_likely(self.scale, self.usual)

    @property
    def usual_scale(self) -> float:
        """Return the scale of the field, known or usual."""
        return self.scale or self.usual

    @property
    @abstractmethod
    def shares(self) -> tuple[float, float]:
        """Return which share of edges are creases, and which boundaries, beforehand."""

    @property
    @abstractmethod
    def bend_width(self) -> float:
        """Return how many times as much as elsewhere a slope changes at a crease."""

    @property
    def creased(self) -> bool:
        """Tell whether the shape may bend abruptly."""
        return sum(self.shares) > 0

    @abstractmethod
    def waves(self, size: Size) -> int:
        """Return how many waves make the field of an image of this size."""

    @abstractmethod
    def field(self, waves: Float[AnyArray, " wave"], size: Size) -> Array:
        """Return the field of scale 1 that waves make, white noise if the shape is smooth."""

    @abstractmethod
    def log_shading(self, field: Float[Array, "y x"]) -> Float[Array, "row col"]:
        """Return the log shading of a field, of mean 0 over the image."""


@dataclass(frozen=True)
class Shading(Shape):
    """Take the shading as a smooth field, whatever surface and light it comes from.

    For images where shadows and lights count as much as shape. `order` says how smooth: 2, a thin
    plate, has no abrupt change of slope; 1, a membrane, is rough. The Laplacian of the log shading,
    to the power order / 2, is white noise of standard deviation `scale` a pixel; None infers it,
    about `usual`.

    >>> Shading().log_shading(jnp.array([[0.0, 1.0], [2.0, 3.0]])).tolist()
    [[-1.5, -0.5], [0.5, 1.5]]
    """

    order: float = 2.0
    scale: float | None = None
    usual: float = 0.02

    def __post_init__(self) -> None:
        positive(self, "order", "usual", *(["scale"] if self.scale is not None else []))

    @property
    def shares(self) -> tuple[float, float]:
        """Return that a smooth field has neither creases nor boundaries."""
        return 0.0, 0.0

    @property
    def bend_width(self) -> float:
        """Return 1: a smooth field has no crease."""
        return 1.0

    def waves(self, size: Size) -> int:
        """Return how many waves make the field: one less than pixels."""
        return wave_count(size)

    def field(self, waves: Float[AnyArray, " wave"], size: Size) -> Array:
        """Return the log shading of scale 1, up to a constant."""
        return field(waves, size, self.order, margin(size))

    def log_shading(self, field: Float[Array, "row col"]) -> Float[Array, "row col"]:
        """Return the field less its mean."""
        return field - jnp.mean(field)


@dataclass(frozen=True)
class Surface(Shape):
    """Take the shading as that of a matt surface, z(row, col), under one distant light.

    `light` points from the surface to the light: (right, down, towards the viewer), of any length.
    With the slopes p = dz/dcol and q = dz/drow, heights in pixels, the shading is Lambert's,
    ambient + (1 - ambient) max(n · light, 0) with the normal n in proportion to (-p, -q, 1).
    `weak` takes slopes as small, so that the log shading is linear in them (Pentland 1990).

    A smooth surface (`creases` and `boundaries` 0) has Gaussian heights whose Laplacian, to the
    power 3/2, is white noise of standard deviation `scale` a pixel. Otherwise the slope across an
    edge changes by `scale`, and `bend` times as much at the shares of edges that are creases or
    boundaries: the surface is made of nearly flat facets. It is in one piece, so that a boundary
    is where both slope and reflectance change, and a jump in depth is not told from a fold. `slant`
    is the standard deviation of its mean slopes. A `scale` of None is inferred, about `usual`.

    Raises `ModelError` where a setting makes no sense.

    >>> Surface(light=(-1.0, -1.0, 1.0), creases=0.05).creases
    0.05
    """

    light: tuple[float, float, float] = (-1.0, -1.0, 1.0)
    creases: float = 0.0
    boundaries: float = 0.0
    scale: float | None = None
    usual: float = 0.02
    bend: float = 40.0
    slant: float = 0.3
    ambient: float = 0.1
    weak: bool = False

    def __post_init__(self) -> None:
        """Refuse settings out of range, and a light by which slopes do not show."""
        positive(self, "usual", "bend", "slant", *(["scale"] if self.scale is not None else []))
        shares(self, "creases", "boundaries", "ambient")
        light = np.asarray(self.light, float)
        if light.shape != (3,) or not np.isfinite(light).all() or not light[2] > 0:
            raise ModelError(
                f"light is {self.light!r}; give three numbers (right, down, towards the viewer), "
                "the last above 0"
            )
        if not light[:2].any():
            raise ModelError(
                "light is straight from the viewer: a slope then darkens the image alike whichever "
                "way it leans, and small slopes do not show; give a light from a side, such as "
                "(-1, -1, 1), or take Shading()"
            )

    @property
    def shares(self) -> tuple[float, float]:
        """Return which share of edges are creases, and which boundaries, beforehand."""
        return self.creases, self.boundaries

    @property
    def bend_width(self) -> float:
        """Return how many times as much as elsewhere a slope changes at a crease."""
        return self.bend

    def waves(self, size: Size) -> int:
        """Return how many waves make the heights: one less than corners of pixels."""
        return wave_count(corners(size))

    def field(self, waves: Float[AnyArray, " wave"], size: Size) -> Array:
        """Return the heights at the corners of the pixels, (row + 1, col + 1), of scale 1."""
        order, around = (2.0, 0) if self.creased else (3.0, margin(size))
        return field(waves, corners(size), order, around)

    def log_shading(self, field: Float[Array, "y x"]) -> Float[Array, "row col"]:
        """Return Lambert's shading of the heights, its log less the mean."""
        p, q = slopes(field)
        right, down, front = np.asarray(self.light, float) / np.linalg.norm(self.light)
        if self.weak:
            log = -(1 - self.ambient) * (right * p + down * q) / self._facing
        else:
            towards = (front - right * p - down * q) / jnp.sqrt(1 + p**2 + q**2)
            lit = self.ambient + (1 - self.ambient) * jnp.maximum(towards, 0)
            log = jnp.log(jnp.maximum(lit, DARKEST))
        return log - jnp.mean(log)

    @property
    def _facing(self) -> float:
        """Return the shading of a surface that faces the viewer."""
        front = self.light[2] / np.linalg.norm(self.light)
        return self.ambient + (1 - self.ambient) * float(front)


def corners(size: Size) -> Size:
    """Return the size of the lattice of the pixels' corners."""
    return size[0] + 1, size[1] + 1


def margin(size: Size) -> int:
    """Return by how many pixels waves go on beyond the image on each side."""
    return max(2, max(size) // 4)


def slopes(heights: Float[AnyArray, "y x"]) -> tuple[Array, Array]:
    """Return p = dz/dcol and q = dz/drow at the pixels between four heights each."""
    heights = jnp.asarray(heights)
    right, down = jnp.diff(heights, axis=1), jnp.diff(heights, axis=0)
    return (right[1:] + right[:-1]) / 2, (down[:, 1:] + down[:, :-1]) / 2


def bends(heights: Float[AnyArray, "y x"]) -> Float[Array, " edge"]:
    """Return by how much the slope across each edge differs between the two pixels.

    It is the slope p for neighbours side by side and q for one above the other. The slope along an
    edge changes where facets are twisted.
    """
    p, q = slopes(heights)
    return jnp.concatenate([jnp.diff(p, axis=1).ravel(), jnp.diff(q, axis=0).ravel()])


def twists(heights: Float[AnyArray, "y x"]) -> Array:
    """Return by how much each pixel's facet is twisted: the mixed difference of its corners."""
    return jnp.diff(jnp.diff(jnp.asarray(heights), axis=0), axis=1)


def known_or_likely(scale: float | None, usual: float) -> float | Distribution:
    """Return a scale that is known, or the prior on one that is not, about what is usual."""
    return scale or LogNormal(np.log(usual), SPREAD)


def positive(settings: object, *names: str) -> None:
    """Refuse settings that are not positive numbers."""
    for name in names:
        value = getattr(settings, name)
        if not (np.isscalar(value) and np.isfinite(value) and value > 0):  # type: ignore[operator]
            raise ModelError(f"{type(settings).__name__}'s {name} is {value!r}; give one above 0")


def shares(settings: object, *names: str) -> None:
    """Refuse settings that are not shares, from 0 to below 1, one together."""
    for name in names:
        value = getattr(settings, name)
        if not (np.isscalar(value) and 0 <= value < 0.5):  # type: ignore[operator]
            raise ModelError(
                f"{type(settings).__name__}'s {name} is {value!r}; give a share from 0 to below 0.5"
            )
