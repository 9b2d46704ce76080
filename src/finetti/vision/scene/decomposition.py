"""Read a fitted scene: reflectance, shading, height, edges, and how sure each is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

import finetti as ft
from finetti.types import AnyArray, Float
from finetti.vision.scene.colour import hue_odds, in_each
from finetti.vision.scene.doubting import Doubt
from finetti.vision.scene.drawing import picture
from finetti.vision.scene.edges import Evidence, Label
from finetti.vision.scene.grid import Size, edge_count, parted, size_of
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.readings import Reading, mixed, undecided
from finetti.vision.scene.shapes import Shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTICED = 2.0  # posterior deviations: less shading is none to doubt
APART = 1.1  # R-hat above which chains tell different stories
Pixel = tuple[int, int]


@dataclass(frozen=True)
class Decomposition:
    """Hold an image with the posterior of what made it; `posterior` has the draws.

    `labels` are those that the priors let an edge have, `shape` is what was assumed of it, and
    `doubt` the probability that the image is to be read otherwise than the priors do, where it
    cannot tell (`doubts`): the standard deviations count it, and nothing else does. `readings` are
    the ways to take the image apart that were found, under the priors, compared by their evidence:
    draws and means are of the first, which is the likeliest, and deviations of all.
    Shading has the geometric mean 1 over the image, and reflectance is in the image's unit. Arrays
    are (row, col), those of reflectance (row, col, channel) in colour, but for `height`.

    >>> found = Scene(image, paint=Patches(edges=0)).fit()  # doctest: +SKIP
    >>> found.reflectance.shape == image.shape  # doctest: +SKIP
    True
    """

    image: Float[AnyArray, "row col *channel"]
    labels: tuple[Label, ...]
    posterior: ft.Posterior
    shape: Shape
    doubt: float = 0.5
    evidence: Evidence | None = None
    paint: Patches = field(default_factory=Patches)
    readings: tuple[Reading, ...] = ()

    @property
    def trusting(self) -> Decomposition:
        """Return the same if the priors hold: its standard deviations count no doubt."""
        return replace(self, doubt=0.0)

    def __repr__(self) -> str:
        rows, columns = self._size
        return f"<decomposition of an image of {rows} x {columns} pixels>"

    @property
    def reflectance(self) -> Float[np.ndarray, "row col *channel"]:
        """Return the posterior's geometric mean of the reflectance, in the image's unit."""
        return np.exp(self._draws("log_reflectance").mean((0, 1)))

    @property
    def shading(self) -> Float[np.ndarray, "row col"]:
        """Return the posterior's geometric mean of the shading."""
        return np.exp(self._draws("log_shading").mean((0, 1)))

    @property
    def log_reflectance_sd(self) -> Float[np.ndarray, "row col *channel"]:
        """Return how far the log reflectance may be from its mean, doubt counted.

        It is the root mean square over the posterior under all readings; `trusting` has it under
        the priors alone.
        """
        paint, moved = self._flat("log_reflectance"), self._flat("log_shading") - self._other
        return _around(paint + in_each(moved, paint), paint)

    @property
    def log_shading_sd(self) -> Float[np.ndarray, "row col"]:
        """Return how far the log shading may be from its mean, doubt counted."""
        return _around(self._other, self._flat("log_shading"))

    @property
    def height(self) -> Float[np.ndarray, "y x"]:
        """Return the mean height of the surface at the pixels' corners, in pixels, of mean 0.

        Raises `UnknownSite` where the shape was no `Surface`.
        """
        return self._draws("height").mean((0, 1))

    @property
    def height_sd(self) -> Float[np.ndarray, "y x"]:
        """Return the posterior standard deviation of the heights."""
        return self._draws("height").std((0, 1))

    def edges(self, *labels: Label) -> tuple[AnyArray, AnyArray]:
        """Return the probability that an edge has one of the labels: to the right, and down.

        The arrays are (row, col - 1) for steps to the pixel on the right and (row - 1, col) for
        steps to the one below. A label that the priors rule out has probability 0.
        """
        total = np.zeros(self._edges)
        names = self.labels
        if len(names) > 1:
            found = self.posterior.probabilities("label").to_numpy()
            for label in labels:
                if label in names:
                    total = total + found[:, names.index(label)]
        elif Label.NONE in labels:
            total += 1
        return parted(total, self._size)

    def brighter(self, one: Pixel, other: Pixel) -> float:
        """Return the probability that `one` pixel, (row, col), has more reflectance than `other`.

        In colour it is the geometric mean of the channels that is compared. It is the share of the
        draws, so 1 means that no draw said otherwise, if the priors hold.
        """
        draws = self._brightness
        for place in (one, other):
            if not all(0 <= i < n for i, n in zip(place, self._size, strict=True)):
                raise ft.DataError(f"pixel {place} is outside the image, of shape {self._size}")
        return float((draws[:, *one] > draws[:, *other]).mean())

    @property
    def rhat(self) -> float:
        """Return the largest R-hat of the log shading: above 1.1 chains tell different stories.

        It is between-chain over within-chain spread (Gelman & Rubin 1992), each chain split in two.
        All chains begin at one reading of the image, so that 1 does not tell that it is the only
        one: `readings` has the others that were found.
        """
        draws = self._draws("log_shading")
        half = draws.shape[1] // 2
        halves = np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
        within = halves.var(1, ddof=1).mean(0)
        between = halves.mean(1).var(0, ddof=1)
        return float(np.sqrt((half - 1) / half + between / within).max())

    @property
    def doubts(self) -> tuple[str, ...]:
        """Say what the image cannot decide and the priors alone have decided, with its size.

        What is smooth can be paint that fades, and what is abrupt the edge of a hard shadow: the
        image would be the same. The standard deviations count each at its probability, `doubt`.
        """
        found, unsure = [], self._unsure
        if unsure.smooth:
            smooth = self._smooth.std()
            found.append(
                f"Cannot decide whether what is smooth is shading ({smooth:.2f}) or paint that "
                "fades: the prior on paint alone says that it comes in patches."
            )
        if unsure.abrupt:
            which = f"the {self._shadowy.sum():.0f} abrupt edges"
            if self._hued is not None:
                which += " at which the hue stays"
            found.append(
                f"Cannot decide whether {which} are of paint or of a hard shadow: the prior on "
                "the shape alone says that shading is smooth."
            )
        return tuple(found)

    @cached_property
    def _unsure(self) -> Doubt:
        """Tell what there is to doubt."""
        sd = self._draws("log_shading").std((0, 1)).mean()
        smooth = bool(self._smooth.std() > NOTICED * sd)
        paint = Label.REFLECTANCE in self.labels and Label.SHAPE not in self.labels
        return Doubt(self.doubt, smooth, bool(paint and self._shadowy.sum() >= 1))

    @property
    def _smooth(self) -> Float[np.ndarray, "row col"]:
        """Return the mean log shading but for hard shadows."""
        found = self._draws("log_shading").mean((0, 1))
        return (
            found - self._draws("log_cast").mean((0, 1)) if Label.SHADOW in self.labels else found
        )

    @cached_property
    def _hued(self) -> Float[np.ndarray, " edge"] | None:
        """Return the log likelihood ratios for paint that hue tells at each edge; None in grey."""
        if self.image.ndim == 2:
            return None
        texture = self.paint.texture
        if texture is None:
            texture = float(self._draws("texture").mean())
        wide = np.array([1.0, self.paint.contrast * self.paint.hue])
        plain, painted = hue_odds(np.log(self.image), texture, wide).T
        return painted - plain

    @cached_property
    def _shadowy(self) -> Float[np.ndarray, " edge"]:
        """Return the probability of each edge that it is abrupt and that nothing tells of what."""
        which = [Label.REFLECTANCE]
        if self._hued is None:  # what is called a shadow may then be paint as well
            which += [Label.SHADOW, Label.SHADOWED_PAINT]
        share = np.concatenate([part.ravel() for part in self.edges(*which)])
        return share if self._hued is None else share / (1 + np.exp(np.minimum(self._hued, 30)))

    def __str__(self) -> str:
        """Say in a few sentences what made the image, and how sure that is."""
        shares = np.var(np.log(self.reflectance)), np.var(np.log(self.shading))
        known = f"{self.trusting.log_reflectance_sd.mean():.2f} on average, if the priors hold"
        if self.doubts and self.doubt:
            known += f", and to {self.log_reflectance_sd.mean():.2f} with the doubt below"
        lines = [
            f"Reflectance differs by {np.sqrt(shares[0]):.2f} and shading by "
            f"{np.sqrt(shares[1]):.2f} (standard deviations of logs over the image); each pixel's "
            f"is known to {known}."
        ]
        counts = {}
        for label in self.labels:
            if label is not Label.NONE:
                counts[label] = sum(part.sum() for part in self.edges(label))
        if counts:
            said = ", ".join(f"{count:.0f} of {label.value}" for label, count in counts.items())
            lines.append(f"Of {self._edges} edges between pixels, expect {said}.")
        if self.readings and (said := undecided(self.readings)):
            lines.append(said)
        lines += self.doubts
        lines.append("The common scale is a convention: shading has the geometric mean 1.")
        if self.rhat > APART:
            lines.append(
                f"The chains tell different stories (R-hat {self.rhat:.2f}): more than one reading "
                "of the image is likely, and the averages mix them. Look at each chain, give "
                "evidence at edges, or more warm-up draws."
            )
        return "\n".join(lines)

    def picture(self, figure: Figure | None = None) -> Figure:
        """Draw the image, its reflectance, its shading, and its edges by their probabilities."""
        shown = {label: self.edges(label) for label in self.labels if label is not Label.NONE}
        return picture(self.image, self.reflectance, self.shading, shown, figure)

    @property
    def _size(self) -> Size:
        return size_of(self.image)

    @property
    def _edges(self) -> int:
        return edge_count(self._size)

    @cached_property
    def _other(self) -> Float[np.ndarray, "draw row col"]:
        """Return log shadings under all readings."""
        shading, paint = self._flat("log_shading"), self._brightness
        if len(self.readings) > 1:
            paint = paint + shading
            shading = mixed(shading, self.readings)
            paint = paint - shading
        if not self.doubt:
            return shading
        rough = np.full(len(shading), self.shape.usual_scale)
        if isinstance(self.shape.roughness, ft.Distribution):
            rough = self.posterior["roughness"].to_numpy().ravel()
        told = (self.evidence or {}).get(Label.REFLECTANCE)
        painted = None if told is None else np.concatenate([np.ravel(part) for part in told])
        hueless = None if self._hued is None else self._shadowy
        cast = self._flat("log_cast") if Label.SHADOW in self.labels else np.zeros_like(shading)
        found = self._unsure.widened(shading - cast, paint, self.shape, rough, painted, hueless)
        return found + cast

    @property
    def _brightness(self) -> Float[np.ndarray, "draw row col"]:
        """Return draws of the log reflectance, of its mean over the channels in colour."""
        found = self._flat("log_reflectance")
        return found if found.ndim == 3 else found.mean(-1)

    def _flat(self, name: str) -> Float[np.ndarray, "draw row col *channel"]:
        found = self._draws(name)
        return found.reshape(-1, *found.shape[2:])

    def _draws(self, name: str) -> Float[np.ndarray, "chain draw *shape"]:
        return self.posterior[name].to_numpy()


def _around(
    draws: Float[AnyArray, "draw *shape"], reading: Float[AnyArray, "draw *shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return the root mean square of draws about the mean of a reading's."""
    return np.sqrt(((draws - reading.mean(0)) ** 2).mean(0))
