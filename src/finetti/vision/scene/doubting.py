"""Widen a scene's posterior by readings that give the same image, and that its priors rule out.

What is smooth is shading by the priors, but paint may fade as well; what is abrupt is paint, but a
shadow may have a hard edge. The image would be the same, so that it tells nothing of which holds,
and the posterior has as much doubt as was stated beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.scene.grid import nearest, size_of, steps
from finetti.vision.scene.shapes import Shading, Shape

LARGEST = 30.0  # log ratio of evidence: more makes no difference
LEAST = 1e-2  # of log light: a step below it is no shadow's edge


@dataclass(frozen=True)
class Doubt:
    """State how probable it is, beforehand, that a scene is read otherwise than its priors do.

    `share` is the probability that smooth changes are not all shading: half of it says that all of
    them are painted, half that any share of them is. It is also the probability that abrupt changes
    of paint are the edge of a hard shadow on whatever is darker than some level. `smooth` and
    `abrupt` tell which of the two there is to doubt.
    """

    share: float
    smooth: bool
    abrupt: bool

    def widened(
        self,
        shading: Float[AnyArray, "draw row col"],
        reflectance: Float[AnyArray, "draw row col"],
        shape: Shape,
        roughness: Float[AnyArray, " draw"],
        painted: Float[AnyArray, " edge"] | None = None,
        hueless: Float[AnyArray, " edge"] | None = None,
    ) -> Float[np.ndarray, "draw row col"]:
        """Return log shadings under all readings, of draws under the priors: of mean 0 each.

        Where a Gaussian field is the sum of two alike, of shares λ and 1 - λ of its variance, the
        first given the sum s is normal with mean λ s and λ (1 - λ) of the variance: the draws are
        exact. `painted` are log likelihood ratios for a change of paint at each edge. In colour
        `hueless` are the probabilities of an abrupt edge at which the hue stays: its steps are the
        shadow's, and the level of paint is not asked.
        """
        rng = np.random.default_rng(0)
        found = np.array(shading, float)
        if self.smooth:
            kept = np.ones(len(found))
            doubted = rng.random(len(found)) < self.share
            kept[doubted] = np.where(rng.random(doubted.sum()) < 0.5, 0, rng.random(doubted.sum()))
            found *= kept[:, None, None]
            if isinstance(shape, Shading):
                size = size_of(found[0])
                for i in np.flatnonzero((kept > 0) & (kept < 1)):
                    white = rng.standard_normal(shape.waves(size))
                    other = np.asarray(shape.log_shading(shape.field(white, size)))
                    found[i] += np.sqrt(kept[i] * (1 - kept[i])) * roughness[i] * other
        if self.abrupt and self.share:
            for i, paint in enumerate(reflectance):
                if hueless is None:
                    cast = _shadow(paint, rng.uniform())
                else:
                    stays = hueless > rng.uniform()
                    cast = nearest(np.where(stays, steps(paint), 0.0), paint.shape)
                if rng.random() < self._cast(cast, painted):
                    found[i] += cast
        return found - found.mean((1, 2), keepdims=True)

    def _cast(
        self, shadow: Float[AnyArray, "row col"], painted: Float[AnyArray, " edge"] | None
    ) -> float:
        """Return the probability of a shadow, given what speaks for paint along its edge."""
        against = 0.0
        if painted is not None:
            against = float(painted[np.abs(steps(shadow)) > LEAST].sum())
        odds = self.share / (1 - self.share) * np.exp(-np.clip(against, -LARGEST, LARGEST))
        return float(odds / (1 + odds))


def _shadow(paint: Float[AnyArray, "row col"], at: float) -> Float[np.ndarray, "row col"]:
    """Return the log shading of a shadow on all paint below a level, as deep as paints then agree.

    `at`, from 0 to 1, places the level between the darkest paint and the lightest. The paint is
    then the same on both sides of the shadow's edge on average.
    """
    level = paint.min() + at * np.ptp(paint)
    dark = paint <= level
    if dark.all():
        return np.zeros(paint.shape)
    return np.where(dark, paint[dark].mean() - paint[~dark].mean(), 0.0)
