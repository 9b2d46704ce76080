"""Take an image apart into shading and reflectance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

import finetti as ft
from finetti.types import AnyArray, Float
from finetti.vision.pictures import as_numbers, refuse_channels_first
from finetti.vision.scene import freedom as free
from finetti.vision.scene.colour import ALIKE, hue_steps
from finetti.vision.scene.decomposition import Decomposition
from finetti.vision.scene.edges import Label, Labelling, labelling
from finetti.vision.scene.grid import Size, size_of
from finetti.vision.scene.model import Beside, Known, Pace, label_shares, scene
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.readings import Reading, readings
from finetti.vision.scene.shadows import Shadows
from finetti.vision.scene.shapes import Shading, Shape
from finetti.vision.scene.start import Start, likely_starts

SMALLEST, LARGEST = 3, 4096  # pixels: a side at least, and all together at most
MANY = 1600  # pixels: above it fewer draws are made
MOST_CHANNELS = 16


@dataclass(frozen=True)
class Scene:
    """Hold an image with what is assumed of the shape and the paint that made it.

    `image` is (row, col), or (row, col, channel) in colour, linear in light (undo a photograph's
    gamma first), above 0, in any unit; one channel is a grey image, (row, col).
    `shape` is `Shading()`, a smooth field, or `Surface(light=...)`, heights under a known light;
    `paint` is `Patches()`; `noise` is the standard deviation of the log image's noise, 0 if noise
    counts as the paint's texture. `evidence` maps labels to what else is known of single edges, as
    log likelihood ratios against no edge: two arrays, (row, col - 1) for steps to the right and
    (row - 1, col) for steps down; for example, a change of hue speaks for `Label.REFLECTANCE`.
    `doubt` is the probability, beforehand, that what is smooth is not all shading, and that what is
    abrupt is a hard shadow's edge: no image tells, and standard deviations count it; 0 trusts the
    priors. `shadows` are hard shadows as a cause of their own, `Shadows()`; hue tells them from
    paint, and in grey nothing does but what is stated beforehand.

    log image = log reflectance + log shading + noise, and only the sum is seen, so that the common
    scale is free: shading has the geometric mean 1, and reflectance is in the image's unit. Shading
    is common to the channels; the colour of the light, if it is one, is in the reflectance.

    Raises `DataError` for an image or evidence that cannot be used, with what is wrong and where.

    >>> image = np.exp(np.add.outer(np.linspace(0, 1, 6), np.repeat([0.0, 1.0], 3)))
    >>> print(Scene(image).freedom())
    priors on shape and paint decide what the image alone does not
    >>> Scene(image, paint=None).freedom().ill_posed
    True
    """

    image: AnyArray
    shape: Shape | None = field(default_factory=Shading)
    paint: Patches | None = field(default_factory=Patches)
    noise: float = 0.0
    evidence: Mapping[Label, tuple[AnyArray, AnyArray]] | None = None
    doubt: float = 0.5
    shadows: Shadows | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", checked(self.image))
        if not (np.isscalar(self.noise) and 0 <= self.noise < np.inf):  # type: ignore[operator]
            raise ft.ModelError(f"noise is {self.noise!r}; give a standard deviation, 0 or more")
        if not (np.isscalar(self.doubt) and 0 <= self.doubt < 1):  # type: ignore[operator]
            raise ft.ModelError(f"doubt is {self.doubt!r}; give a probability from 0 to below 1")
        if self.shape is not None and self.paint is not None:
            self._labelling(self.shape, self.paint)

    @property
    def size(self) -> Size:
        """Return the numbers of rows and columns."""
        return size_of(self.image)

    def freedom(self) -> free.Freedom:
        """Tell what the image can never decide under these priors, before anything is fitted."""
        return free.freedom(self.size, self.shape, self.paint)

    def readings(self) -> tuple[Reading, ...]:
        """Return the ways to take the image apart that are found before any draw, likeliest first.

        They are modes of the posterior, climbed to from several places and compared by Laplace's
        approximation of their evidence. Raises `ModelError` where the problem is ill-posed.
        """
        return readings(self.image, self._starts)

    def model(self) -> ft.Model:
        """Return the joint model of image, shading and reflectance, in finetti's language.

        Raises `ModelError` where the problem is ill-posed, with what is free and what to do.
        """
        shape, paint = self._stated()
        beside = Beside(self.shadows)
        return scene(np.log(self.image), shape, paint, self.noise, self.evidence, beside)

    def start(self) -> dict[str, AnyArray]:
        """Return starting values of the model's variables, near a mode of the posterior."""
        return self._begun(self._starts[0])

    @cached_property
    def _starts(self) -> list[Start]:
        """Return the readings of the image that are found, the likeliest first."""
        shape, paint = self._stated()
        known = self._labelling(shape, paint)
        return likely_starts(np.log(self.image), shape, paint, known, self.shadows)

    def _begun(self, start: Start) -> dict[str, AnyArray]:
        """Return a reading as values of the model's variables."""
        shape, paint = self._stated()
        own = shape.waves(self.size)
        values: dict[str, AnyArray] = {"waves": start.waves[:own]}
        if self.shadows is not None:
            values["cast_waves"] = start.waves[own:]
        if isinstance(paint.scale, ft.Distribution):
            values["texture"] = np.asarray(start.texture)
        if isinstance(shape.roughness, ft.Distribution):
            values["roughness"] = np.asarray(start.roughness)
        if self.noise:
            values["noise"] = np.zeros(np.shape(self.image))
        return values

    def fit(
        self, method: ft.NUTS | None = None, *, seed: int = 0, progress: bool = True
    ) -> Decomposition:
        """Draw shadings and reflectances from the posterior, P(shape, paint | image).

        `method` is `ft.NUTS(draws=150, warmup=250, thin=1)` unless you choose another, and above
        1,600 pixels `ft.NUTS(draws=50, warmup=90, thin=1)`, which takes minutes. Raises
        `ModelError` where the problem is ill-posed, with what is free and what to do.
        """
        draws, warmup = (150, 250) if np.prod(self.size) <= MANY else (50, 90)
        method = method or ft.NUTS(draws=draws, warmup=warmup, thin=1)
        start, (shape, paint) = self._starts[0], self._stated()
        pace = paced(start, shape, self.image, shape.waves(self.size))
        logs, own = np.log(self.image), shape.waves(self.size)
        beside = Beside(self.shadows, pace)
        model = scene(logs, shape, paint, self.noise, self.evidence, beside)
        begun = {"waves": start.waves[:own] / pace.waves}
        if self.shadows is not None:
            begun["cast_waves"] = start.waves[own:] / pace.cast
        if self.noise:
            begun["noise"] = np.zeros(np.shape(self.image))
        for name, scale in (("texture", paint.scale), ("roughness", shape.roughness)):
            if isinstance(scale, ft.Distribution):
                begun[f"log_{name}"] = np.zeros(())
        # readings lie far apart: coordinates that change in warm-up can throw a chain to another
        plan = model.plan().without("straighten")
        posterior = ft.fit(model, method, seed=seed, plan=plan, init=begun, progress=progress)
        return Decomposition(
            self.image,
            self.labels,
            posterior,
            shape,
            float(self.doubt),
            self.evidence,
            paint,
            self.readings(),
        )

    @property
    def labels(self) -> tuple[Label, ...]:
        """Return the labels that the priors let an edge have; none without priors."""
        if self.shape is None or self.paint is None:
            return ()
        return self._labelling(self.shape, self.paint).labels

    def _stated(self) -> tuple[Shape, Patches]:
        """Return the shape and the paint, or say what is free where no prior is stated."""
        if self.shape is None or self.paint is None:
            raise ft.ModelError(str(self.freedom()))
        return self.shape, self.paint

    def _labelling(self, shape: Shape, paint: Patches) -> Labelling:
        return labelling(self.size, label_shares(shape, paint, self.shadows), self.evidence)


def paced(start: Start, shape: Shape, image: AnyArray, own: int) -> Pace:
    """Return the coordinates in which all is known about equally well at a start."""
    waves, cast = start.pace[:own], start.pace[own:]
    told = np.ones(own) if shape.creased else np.clip(1 - waves**2, 0, 1)
    return Pace(
        waves,
        told,
        Known(start.texture, float((2 * (image.size - 1)) ** -0.5)),
        Known(start.roughness, float((2 * told.sum() + 1) ** -0.5)),
        cast if len(cast) else None,
    )


def checked(image: AnyArray) -> Float[np.ndarray, "row col *channel"]:
    """Return an image as an array of numbers above 0, or say what is wrong with it, and where."""
    found = as_numbers(image, "the image").copy()  # a scene keeps its own
    if found.ndim not in (2, 3) or 0 in found.shape:
        raise ft.DataError(
            f"the image has shape {found.shape}; give (row, col), or (row, col, channel) in colour"
        )
    if found.ndim == 3:
        refuse_channels_first(found.shape, "the image")
    if min(found.shape[:2]) < SMALLEST:
        hint = "; channels come last" if found.ndim == 3 else ""
        raise ft.DataError(
            f"the image has shape {found.shape}; give {SMALLEST} pixels a side at least{hint}"
        )
    if found.ndim == 3 and found.shape[2] > MOST_CHANNELS:
        raise ft.DataError(
            f"the image has shape {found.shape}, of {found.shape[2]} channels, and {MOST_CHANNELS} "
            "are the most taken; give (row, col, channel), and one image at a time"
        )
    if found.ndim == 3 and found.shape[2] == 1:
        found = found[..., 0]
    rows, cols = found.shape[:2]
    if rows * cols > LARGEST:
        by = int(np.ceil(np.sqrt(rows * cols / LARGEST)))
        raise ft.DataError(
            f"the image has {rows} by {cols} pixels, and {LARGEST} are the most taken, since all "
            f"draws are kept and their time was not measured beyond; shrink it by {by} a side "
            "(means of blocks) or cut a part out"
        )
    for wrong, what in ((~np.isfinite(found), "not a finite number"), (found <= 0, "not above 0")):
        if wrong.any():
            row, col, *channel = np.argwhere(wrong)[0]
            where = f"row {row}, column {col}" + "".join(f", channel {c}" for c in channel)
            kind = "values" if channel else "pixels"
            raise ft.DataError(
                f"the image is {found[(row, col, *channel)]:g}, {what}, at {where}, and at "
                f"{wrong.sum()} of {wrong.size} {kind} in all: its log is taken; put the darkest "
                "level that the camera tells from black there, or cut the place out"
            )
    if np.ptp(found) == 0:
        raise ft.DataError("the image has one value everywhere: there is nothing to take apart")
    if found.shape[2:] in ((2,), (4,)) and np.ptp(found[..., -1]) == 0:
        raise ft.DataError(
            f"the last of the image's {found.shape[2]} channels has one value everywhere: it looks "
            "like an alpha channel, which is no light; leave it out, image[..., :-1]"
        )
    if found.ndim == 3 and np.abs(hue_steps(np.log(found))).max() < ALIKE:
        raise ft.DataError(
            "the image's channels are multiples of one another: it has one hue, and no change of "
            "hue would be taken to say that no paint changes; give one channel, image[..., 0]"
        )
    return found
