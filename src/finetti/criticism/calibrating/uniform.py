"""Test whether numbers in the unit interval are uniform, by how far their ECDF strays.

The test is that of the simultaneous confidence bands of Säilynoja, Bürkner & Vehtari 2022: at each
of the points i / n the count of numbers below is binomial, and the least of its tail probabilities
over all points tells. Its distribution is computed exactly, so that bands that allow for many tests
need no simulation far out in the tails.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from finetti.types import Float

STEPS = 50  # of the bisection for a band


class Tails(NamedTuple):
    """Hold the probabilities of at most, and of at least, each count at each point (point, n + 1).

    `points` are i / n for i = 1, ..., n - 1.
    """

    points: Float[np.ndarray, " point"]
    below: Float[np.ndarray, "point count"]
    above: Float[np.ndarray, "point count"]

    def least(self, counts: np.ndarray) -> float:
        """Return the least tail probability of counts, one a point."""
        rows = np.arange(len(self.points))
        return float(min(self.below[rows, counts].min(), self.above[rows, counts].min()))


@lru_cache(maxsize=4)
def tails(n: int) -> Tails:
    """Return the tails of the binomial counts of n uniform numbers."""
    from scipy.special import bdtr, bdtrc

    points = np.arange(1, n) / n
    counts = np.arange(n + 1)[None].astype(float)
    below, above = bdtr(counts, n, points[:, None]), bdtrc(counts - 1, n, points[:, None])
    above[:, 0] = 1.0
    return Tails(points, below, above)


def p_value(values: Float[np.ndarray, " n"]) -> float:
    """Return the probability that n uniform numbers stray as far from uniform as these do.

    >>> p_value(np.linspace(0.01, 0.99, 50))
    1.0
    >>> p_value(np.linspace(0.3, 0.7, 50)) < 1e-4
    True
    """
    n, known = len(values), tails(len(values))
    counts = np.searchsorted(np.sort(values), known.points, side="right")
    return float(np.clip(1 - _inside(n, known.least(counts)), 0, 1))


def _inside(n: int, tail: float) -> float:
    """Return the probability that every count's tail probabilities exceed `tail`.

    Uniform numbers are a Poisson process given that n fall into the unit interval, and the counts
    of a Poisson process between points 1 / n apart are independent, with mean 1.
    """
    from scipy.special import gammaln

    known = tails(n)
    allowed = (known.below > tail) & (known.above > tail)
    jumps = np.exp(-1 - gammaln(np.arange(min(n, 60) + 1) + 1.0))
    chances = np.zeros(n + 1)
    chances[0] = 1.0
    for row in allowed:
        chances = np.where(row, np.convolve(chances, jumps)[: n + 1], 0.0)
    last = float(np.convolve(chances, jumps)[n])
    return last / np.exp(n * np.log(n) - n - gammaln(n + 1.0))


class Band(NamedTuple):
    """Hold points in the unit interval, and the ends that the ECDF stays between there."""

    points: Float[np.ndarray, " point"]
    lower: Float[np.ndarray, " point"]
    upper: Float[np.ndarray, " point"]


@lru_cache(maxsize=16)
def band(n: int, probability: float) -> Band:
    """Return the band that holds the whole ECDF of n uniform numbers with at least a probability.

    Its pointwise ends are those of `arviz_stats`.
    """
    from arviz_stats.ecdf_utils import get_pointwise_confidence_band

    low, high = -40.0, 0.0  # the logarithm of the tail probability at each point
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _inside(n, np.exp(middle)) >= probability else (low, middle)
    points = tails(n).points
    lower, upper = get_pointwise_confidence_band(1 - 2 * np.exp(low), n, points)
    return Band(points, np.asarray(lower), np.asarray(upper))
