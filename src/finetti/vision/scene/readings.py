"""Compare the readings of an image by their evidence, and draw from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.scene.colour import in_each
from finetti.vision.scene.start import Start

SURE = 0.95  # below it no reading is said to be the only one


@dataclass(frozen=True)
class Reading:
    """Hold one way to take an image apart, of those found, with its probability among them.

    Each is a mode of the posterior. The mass about it is Laplace's approximation, at scales from a
    grid and with shape and paint as at the mode; modes that were not found have no share.

    >>> Reading(1.0, np.ones((3, 3)), np.ones((3, 3))).probability
    1.0
    """

    probability: float
    reflectance: Float[np.ndarray, "row col *channel"]
    shading: Float[np.ndarray, "row col"]


def readings(
    image: Float[AnyArray, "row col *channel"], starts: Sequence[Start]
) -> tuple[Reading, ...]:
    """Return the readings of an image that starts are near to, with probabilities, in their order.

    With noise stated the reflectance is still what the shading leaves of the image.
    """
    evidence = np.array([start.evidence for start in starts])
    masses = np.exp(evidence - evidence.max())
    found = []
    for mass, start in zip(masses, starts, strict=True):
        paint = np.exp(np.log(image) - in_each(start.log_shading, image))
        found.append(Reading(float(mass / masses.sum()), paint, np.exp(start.log_shading)))
    return tuple(found)


def mixed(
    log_shading: Float[AnyArray, "draw row col"], found: Sequence[Reading]
) -> Float[np.ndarray, "draw row col"]:
    """Return draws of which each reading but the first has its share, about its own mean."""
    rng = np.random.default_rng(1)
    shares = np.array([reading.probability for reading in found])
    which = rng.choice(len(found), len(log_shading), p=shares / shares.sum())
    moved = np.stack([np.log(reading.shading) for reading in found]) - log_shading.mean(0)
    moved[0] = 0.0
    return np.asarray(log_shading) + moved[which]


def undecided(found: Sequence[Reading]) -> str | None:
    """Say which readings explain an image about as well, or nothing where one is the only one."""
    if found[0].probability >= SURE:
        return None
    likely = [reading for reading in found if reading.probability >= 1 - SURE]
    said = ", or ".join(
        f"{np.log(reading.reflectance).std():.2f} and {np.log(reading.shading).std():.2f} "
        f"(probability {reading.probability:.2f})"
        for reading in likely
    )
    return (
        "Cannot decide between readings of the image that explain it about as well, whose "
        f"reflectance and shading differ by {said}: the draws are of the first, standard "
        "deviations count all; see `readings`."
    )
