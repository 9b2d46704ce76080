"""Look far out, where a mixture proposes next to nothing, for what a density has there.

Weights tell how well a mixture fits where its points are. Of a posterior with a Cauchy's tail, or
of one that falls off nowhere, the part far out is proposed so seldom that no weight shows it, and
draws would end where the mixture does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.inference.engine.climb import Look
from finetti.inference.engine.mixture import HEAVIEST, Fitted, log_density, moments
from finetti.types import Float

FAR = np.array([8.0, 15.0, 30.0, 100.0, 300.0])  # standard deviations
MASS = 2e-4  # of a probability that is not to be lost
NEAR = 15.0  # standard deviations, as far as a mixture can be stretched
NOTHING = -1e6  # the log of a height that counts for nothing
LEAST = 1.2  # the power with which a tail is taken to fall off at least


class Lacking(NamedTuple):
    """Hold places far out where a mixture lacks mass, and whether some are beyond any's reach."""

    places: Float[np.ndarray, "place dim"]
    endless: bool


def lacking(look: Look, found: Fitted) -> Lacking:
    """Return where, far from all points, the density has much more than the mixture.

    Each coordinate is followed both ways from the mean, alone, and the others going along as they
    do by the weighted points. A density p at a distance of s standard deviations that falls off
    from there as the power -a has the mass p s / (a - 1) beyond; a normal one of height 1 has 2.5.

    >>> from finetti.inference.engine.mixture import Sample, beginning, draw
    >>> from finetti.inference.engine.climb import Mode
    >>> mixture = beginning([Mode(np.zeros(1), 0.0, np.eye(1))])
    >>> points = draw(mixture, np.random.default_rng(0), 500)
    >>> for log_p in (lambda x: -0.5 * x[:, 0] ** 2, lambda x: -np.log1p(x[:, 0] ** 2)):
    ...     weights = log_p(points) - log_density(mixture, points)
    ...     sample = Sample(points, log_p(points), weights)
    ...     print(lacking(log_p, Fitted(mixture, sample, 1.0, 0.0)).endless)
    False
    True
    """
    points, heights, log_weight = found.sample
    weights = np.exp(log_weight - log_weight.max())
    level = np.log(weights.mean()) + log_weight.max()
    centre, spread = moments(points, weights / weights.sum())
    wide = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    ways = np.concatenate([spread / wide[:, None], np.diag(wide)])
    ways = np.concatenate([ways, -ways])
    places = (centre + FAR[:, None, None] * ways).reshape(-1, points.shape[1])
    there, proposed = look(places), log_density(found.mixture, places)
    dense = (there - proposed - level).reshape(len(FAR), -1)[:-1]
    height = np.maximum(there - heights.max(), NOTHING).reshape(len(FAR), -1)
    reach = np.log(FAR)[:, None]
    power = np.maximum(-np.diff(height, axis=0) / np.diff(reach, axis=0), LEAST)
    beyond = height[:-1] + reach[:-1] - np.log(power - 1) - 0.5 * np.log(2 * np.pi)
    lost = (beyond > np.log(MASS)) & (dense > np.log(HEAVIEST))
    endless = bool(lost[FAR[:-1] > NEAR].any())
    return Lacking(places[: lost.size][lost.ravel()], endless)
