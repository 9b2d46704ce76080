"""Fit a mixture of Student-t distributions to a density by adaptive importance sampling.

Points are drawn from the mixture, weighed by the density over all mixtures that points were drawn
from so far, and the mixture is fitted to them by expectation and maximisation, until the weights
are nearly even (Cappe, Douc, Guillin, Marin & Robert 2008; Cornuet, Marin, Mira & Robert 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetti.inference.engine.climb import Look, Mode
from finetti.kernels.independence import FREEDOM, Component
from finetti.types import Float

ROUNDS = 8
GAIN = 0.02  # of a share, without which two rounds on end are the last
LEAST = 0.25, 0.7  # below which the mixture is of no use: in few dimensions, and in more
FEW = 5  # dimensions; in more of them rounds see less of the tails
HEAVIEST = 20.0  # times an even share of all weight, on one point
FITTED = 10  # steps of expectation and maximisation a round
WIDER = 4.0  # of the second component of a mode, its covariance beside the first's
GUARD = 0.05  # the weight of a component as wide as all, twice
OUTER = 0.1  # the weight of components far out, before the rounds tell
RARE = 0.01  # of a mode's evidence: it is given no component


class Sample(NamedTuple):
    """Hold points of a density, how high it is there, and their log weights."""

    points: Float[np.ndarray, "point dim"]
    height: Float[np.ndarray, " point"]
    log_weight: Float[np.ndarray, " point"]


@dataclass(frozen=True)
class Fitted:
    """Hold a mixture, and the last points drawn from it.

    `share` is the effective sample size of their weights beside their number, `heaviest` the
    largest weight beside the sum.
    """

    mixture: Component
    sample: Sample
    share: float
    heaviest: float

    @property
    def useful(self) -> bool:
        """Tell whether to draw by it."""
        count, dim = self.sample.points.shape
        return self.share >= LEAST[dim > FEW] and self.heaviest * count <= HEAVIEST

    def resample(
        self, generator: np.random.Generator, count: int
    ) -> tuple[Float[np.ndarray, "count dim"], Float[np.ndarray, " count"]]:
        """Return points of the density, drawn by their weights, and how high it is there."""
        weights = _normal(self.sample.log_weight)
        places = generator.choice(len(weights), count, p=weights)
        return self.sample.points[places], self.sample.height[places]


def fitted(
    look: Look, mixture: Component, generator: np.random.Generator, size: int, even: float
) -> Fitted:
    """Return the mixture that `size` points a round teach, beginning at one.

    The rounds end once a round's points are worth the share `even` of their number.
    """
    mixtures, points, values = [], [], []
    best: Fitted | None = None
    idle = 0
    for _ in range(ROUNDS):
        drawn = draw(mixture, generator, size)
        height = look(drawn)
        mixtures.append(mixture)
        points.append(drawn)
        values.append(np.where(np.isfinite(height), height, -np.inf))
        own = values[-1] - log_density(mixture, drawn)
        weights = _normal(own)
        share = float(1 / np.sum(weights**2) / size)
        now = Fitted(mixture, Sample(drawn, values[-1], own), share, float(weights.max()))
        idle = 0 if best is None or share > best.share + GAIN else idle + 1
        if best is None or share > best.share:
            best = now
        if share >= even or idle == 2:
            break
        every, heights = np.concatenate(points), np.concatenate(values)
        among = np.logaddexp.reduce([log_density(m, every) for m in mixtures], 0)
        try:
            mixture = improved(mixture, every, _normal(heights - among))
        except np.linalg.LinAlgError:  # all weight lies on few points, which span no volume
            break
    assert best is not None
    return best


def beginning(found: list[Mode]) -> Component:
    """Return the mixture that modes tell: two components each, one wider, and a guard."""
    heights = np.array([mode.evidence for mode in found])
    shares = np.exp(heights - heights.max())
    kept = [i for i, share in enumerate(shares) if share >= RARE]
    means = np.repeat([found[i].position for i in kept], 2, 0)
    spreads = np.concatenate([[found[i].covariance, WIDER * found[i].covariance] for i in kept])
    weights = np.repeat(shares[kept], 2) * np.tile([0.7, 0.3], len(kept))
    return _guarded(means, spreads, weights / weights.sum(), found[0].position, found[0].covariance)


def reaching(found: Fitted, places: Float[np.ndarray, "place dim"]) -> Component:
    """Return its mixture with a component more on the way to each place far out."""
    centre, spread = moments(found.sample.points, _normal(found.sample.log_weight))
    means, factors, _, logs = map(np.asarray, found.mixture)
    ways = (places - centre) / 2
    along = spread + ways[:, :, None] * ways[:, None]
    spreads, shares = factors @ np.swapaxes(factors, 1, 2), (1 - OUTER) * np.exp(logs)
    more = np.full(len(places), OUTER / len(places))
    # The last is the guard, and stays so.
    new = (means, centre + ways), (spreads, along), (shares, more)
    return _component(*(np.insert(these, -1, those, 0) for these, those in new))


def improved(
    mixture: Component, points: np.ndarray, weights: Float[np.ndarray, " point"]
) -> Component:
    """Return a mixture fitted to weighed points; of its components the last is the guard."""
    dim, worth = points.shape[1], 1 / np.sum(weights**2)
    whole, spread = moments(points, weights)
    means, factors = np.array(mixture.mean[:-1]), np.asarray(mixture.factor[:-1])
    spreads = factors @ np.swapaxes(factors, 1, 2)
    shares = np.exp(mixture.log_weight[:-1])
    for _ in range(FITTED):
        terms, far = _component(means, spreads, shares).terms(points, np)
        owned = weights[:, None] * np.exp(terms - np.logaddexp.reduce(terms, 1)[:, None])
        # What is far out pulls less (Peel & McLachlan 2000).
        pull = owned * (FREEDOM + dim) / (FREEDOM + far)
        shares = np.maximum(owned.sum(0), 1e-6)
        for k in np.flatnonzero(shares * worth > 2 * dim + 2):  # fewer tell no covariance
            means[k] = pull[:, k] @ points / pull[:, k].sum()
            # A little of the whole's spread, so that no component collapses on a few points.
            gap = points - means[k]
            spreads[k] = (gap * pull[:, k, None]).T @ gap / shares[k] + 1e-6 * spread
    return _guarded(means, spreads, shares / shares.sum(), whole, spread)


def _guarded(
    means: np.ndarray,
    spreads: np.ndarray,
    shares: np.ndarray,
    whole: np.ndarray,
    spread: np.ndarray,
) -> Component:
    """Return a mixture with a component as wide as all, twice."""
    means, wide = np.concatenate([means, whole[None]]), WIDER * spread[None]
    shares = np.append((1 - GUARD) * shares, GUARD)
    return _component(means, np.concatenate([spreads, wide]), shares)


def _component(means: np.ndarray, spreads: np.ndarray, shares: np.ndarray) -> Component:
    tiny = 1e-12 * np.einsum("kii->ki", spreads)[:, :, None] * np.eye(spreads.shape[-1])
    factors = np.linalg.cholesky(spreads + tiny)
    return Component(means, factors, np.linalg.inv(factors), np.log(shares))


def log_density(mixture: Component, points: np.ndarray) -> np.ndarray:
    """Return the log density of a mixture at points, (point, dim)."""
    return np.logaddexp.reduce(mixture.terms(points, np)[0], 1)


def draw(mixture: Component, generator: np.random.Generator, size: int) -> np.ndarray:
    """Return points drawn from a mixture, (point, dim)."""
    shares = np.exp(mixture.log_weight)
    places = generator.choice(len(shares), size, p=shares / shares.sum())
    white = generator.normal(size=(size, mixture.mean.shape[1]))
    reach = np.sqrt(FREEDOM / generator.chisquare(FREEDOM, size))
    moved = np.einsum("pij,pj->pi", mixture.factor[places], white)
    return mixture.mean[places] + reach[:, None] * moved


def moments(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the covariance of weighed points."""
    centre = weights @ points
    return centre, ((points - centre) * weights[:, None]).T @ (points - centre)


def _normal(log_weights: np.ndarray) -> np.ndarray:
    """Return weights that sum to 1."""
    most = log_weights.max()
    weights = np.exp(log_weights - (most if np.isfinite(most) else 0.0))
    return weights / max(weights.sum(), 1e-300)
