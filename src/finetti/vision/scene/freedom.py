"""Tell what an image can never decide about a scene, before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.scene.grid import Size, steps
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.shapes import Shape, Surface, bends, slopes, twists

MOST = 8  # pixels a side: what is free is so at any size
SMALL = 1e-9  # of the largest: an eigenvalue that counts as none


@dataclass(frozen=True)
class Freedom:
    """Hold how many directions of a scene's shape and paint an image leaves free.

    All is counted on an image of `size` pixels with the same priors, flat ground, no abrupt change
    and all scales known. `shape` and `paint` are the numbers of directions in which the log shading
    and the log reflectance can change at all, the common scale left out. Of the changes that leave
    the image as it is (the paint makes up for the shading), `undecided` is the number of those that
    no prior speaks against: the posterior has no total there. `hidden` is the number of directions
    of the shape that change no shading, so that only the prior speaks of them. `told_of_shape` and
    `told_of_paint` are the numbers of directions of shading and of reflectance on which the image
    adds something to the prior.

    >>> from finetti.vision import Scene
    >>> Scene(np.arange(1.0, 17).reshape(4, 4)).freedom().undecided
    0
    """

    size: Size
    shape: int
    paint: int
    undecided: int
    hidden: int
    told_of_shape: int
    told_of_paint: int

    @property
    def ill_posed(self) -> bool:
        """Tell whether the image cannot part shading from reflectance under these priors."""
        return self.undecided > 0 or self.told_of_shape == 0 or self.told_of_paint == 0

    def __str__(self) -> str:
        """Say what is free, and how to mend it."""
        where = f"on {self.size[0]} by {self.size[1]} pixels, the common scale left out"
        if self.undecided:
            return (
                f"the image does not decide: {self.undecided} of {self.shape} directions of "
                f"shading can be painted ({where}): the reflectance makes up for them, the image "
                "stays as it is, and no prior speaks against it. State a prior on at least the "
                "shape and the paint: shape=Shading() or Surface(light=...), paint=Patches()"
            )
        if not self.told_of_shape:
            return (
                f"the image says nothing of the shading: with no prior on reflectance any shading "
                f"can be painted, in all {self.shape} directions ({where}), so that the shading "
                "would be drawn from its prior. State one: paint=Patches()"
            )
        if not self.told_of_paint:
            return (
                f"the image says nothing of the reflectance: with no prior on shape any image can "
                f"be the shading of one paint, in all {self.paint} directions ({where}), so that "
                "the reflectance would be drawn from its prior. State one: shape=Shading() or "
                "Surface(light=...)"
            )
        words = "priors on shape and paint decide what the image alone does not"
        if self.hidden:
            words += (
                f"; {self.hidden} of {self.hidden + self.shape} directions of the shape change no "
                f"shading of flat ground ({where}), and are known from the prior alone"
            )
        return words


def slope(
    quantity: Callable[[AnyArray], AnyArray], waves: int
) -> Float[np.ndarray, "quantity wave"]:
    """Return the derivatives of a quantity by the waves of flat ground."""
    with jax.enable_x64(True):
        return np.asarray(jax.jit(jax.jacfwd(quantity))(jnp.zeros(waves, float)))


def freedom(size: Size, shape: Shape | None, paint: Patches | None) -> Freedom:
    """Count what an image leaves free under priors on shape and paint, None for no prior.

    With J the derivative of the log shading by the shape's waves, P the prior precision of the
    waves and Q that of the log reflectance, a change w of the waves and -J w of the reflectance
    leaves the image as it is, and the priors weigh it by P + J' Q J. Where this is singular the
    posterior is improper. Of the shading the image tells J' Q J, which is 0 without a prior on
    reflectance; of the reflectance nothing without a prior on shape.
    """
    size = min(size[0], MOST), min(size[1], MOST)
    pixels = size[0] * size[1]
    lean, held = _shape(size, shape)
    with jax.enable_x64(True):
        stepping = np.asarray(jax.jacfwd(lambda r: steps(r.reshape(size)))(np.zeros(pixels)))
    smooth = stepping.T @ stepping * (0.0 if paint is None else 1.0)
    told = lean.T @ smooth @ lean
    seen = np.linalg.matrix_rank(lean, tol=SMALL * np.linalg.norm(lean, 2))
    visible = np.linalg.svd(lean)[2][:seen]  # directions of the waves that change the shading
    weighed = visible @ (held + told) @ visible.T
    return Freedom(
        size=size,
        shape=int(seen),
        paint=pixels - 1,
        undecided=int(seen) - _rank(weighed),
        hidden=len(held) - int(seen) if shape is not None else 0,
        told_of_shape=_rank(visible @ told @ visible.T),
        told_of_paint=pixels - 1 if shape is not None else 0,
    )


def _shape(
    size: Size, shape: Shape | None
) -> tuple[Float[np.ndarray, "pixel wave"], Float[np.ndarray, "wave wave"]]:
    """Return how waves change the shading of flat ground, and the prior precision of the waves."""
    if shape is None:  # every pixel is shaded by itself
        pixels = size[0] * size[1]
        return np.eye(pixels) - 1 / pixels, np.zeros((pixels, pixels))
    waves = shape.waves(size)

    def shading(white: AnyArray) -> AnyArray:
        return shape.log_shading(shape.field(white, size)).ravel()

    if not (isinstance(shape, Surface) and shape.creased):
        return slope(shading, waves), np.eye(waves)

    def weighed(white: AnyArray) -> AnyArray:
        heights = shape.field(white, size)
        tilt = [s.mean()[None] / shape.slant for s in slopes(heights)]
        parts = (bends(heights), twists(heights), *tilt)
        return jnp.concatenate([part.ravel() for part in parts])

    priors = slope(weighed, waves)
    return slope(shading, waves), priors.T @ priors


def _rank(matrix: Float[np.ndarray, "a a"]) -> int:
    """Return the rank of a matrix with no negative eigenvalue."""
    values = np.linalg.eigvalsh(matrix)
    return int((values > SMALL * max(values.max(initial=0), SMALL)).sum())
