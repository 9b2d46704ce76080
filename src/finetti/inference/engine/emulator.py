"""Fit a polynomial to some values of a log density, and try it on others.

Where an evaluation takes a second, most of a fit's time goes into telling for each proposal what
is nearly known already: the density of a few hyperparameters, of which many groups have spoken, is
close to normal. A polynomial of the second degree on says the rest, and what it misses is measured
on points that it has not seen (a response surface, Box & Wilson 1951; an emulator, Kennedy &
O'Hagan 2001). What it moves a mean by is at most as many standard deviations as its error has nats,
by Cauchy and Schwarz.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb, sqrt

import numpy as np
from scipy.special import chdtri

from finetti.inference.engine.climb import Look, Mode
from finetti.inference.engine.mixture import Fitted, beginning, fitted
from finetti.kernels.polynomial import DEGREE, Polynomial, powers, products
from finetti.types import Float

CLOSE = 0.4  # of the standard error that so many independent draws leave of a mean
SPREAD = 1.3  # of the points fitted to, beside the curvature's
OUTER = 4  # every so-manieth is put where the polynomial ends
BEYOND = 1e-5  # of a normal density's mass, past that
EACH = 2  # points for a coefficient
FEWEST = 32  # points
MOST = 400  # points, beyond which the mixture's own are as few
FRESH = 16  # points that try what was fitted
EDGE = 7.0  # nats that the density has fallen by where the polynomial ends
AROUND = 1000  # directions in which that is asked
ROUND, EVEN = 1024, 0.9  # points of the mixture's rounds, which cost nothing here


def emulated(
    look: Look, mode: Mode, generator: np.random.Generator, draws: int
) -> tuple[Polynomial, Fitted] | None:
    """Return a polynomial that stands for a log density, and a mixture that fits it.

    It is close enough for so many independent `draws`: `CLOSE`. None where none of degree 4 or
    less, from `MOST` points or fewer, is known to be so.
    """
    close = CLOSE / sqrt(draws)
    for found in _candidates(look, mode, generator, close):
        if not _falls_off(found, mode, generator):
            return None
        mixture = fitted(found, beginning([mode]), generator, ROUND, EVEN)
        if not mixture.useful:
            return None
        fresh, said = mixture.resample(generator, FRESH)
        off = look(fresh) - said
        off = off - off.mean()
        error = max(found.error, float(np.sqrt(np.mean(off**2) * FRESH / (FRESH - 1))))
        if error <= close:  # not NaN, as it is where a value is not finite
            return found._replace(error=error), mixture
    return None


def _candidates(
    look: Look, mode: Mode, generator: np.random.Generator, close: float
) -> Iterator[Polynomial]:
    """Yield polynomials that their own points, each left out in turn, find close."""
    dim = len(mode.position)
    factor = np.linalg.cholesky(mode.covariance)
    points, heights, reach = np.empty((0, dim)), np.empty(0), float(np.sqrt(chdtri(dim, BEYOND)))
    for degree in range(2, DEGREE + 1):
        terms = comb(dim + degree, degree)
        count = max(EACH * terms, FEWEST)
        if count > MOST:
            return
        if count > len(points):
            more = _design(generator, count - len(points), reach, dim)
            points = np.concatenate([points, more])
            heights = np.concatenate([heights, look(mode.position + more @ factor.T)])
        if not np.isfinite(heights).all():
            return
        told, error = _least_squares(points, heights, degree)
        if error <= close:
            whole = np.zeros(len(powers(dim, DEGREE)))
            whole[: len(told)] = told
            yield Polynomial(mode.position, np.linalg.inv(factor), whole, reach, error)


def _design(generator: np.random.Generator, count: int, reach: float, dim: int) -> np.ndarray:
    """Return points to fit to, some of them at the edge.

    Beside each is the one across, so that odd terms and even ones are told apart.
    """
    half = SPREAD * generator.normal(size=(-(-count // 2), dim))
    half[::OUTER] *= reach / np.linalg.norm(half[::OUTER], axis=1, keepdims=True)
    return np.concatenate([half, -half])


def _least_squares(
    points: Float[np.ndarray, "point dim"], heights: Float[np.ndarray, " point"], degree: int
) -> tuple[np.ndarray, float]:
    """Return the coefficients, and how far each height is from what the others tell of it.

    Far out, where next to nothing of the density lies, it may be further: points count by the root
    of their importance weight in the fit, and by the weight in the error.
    """
    log_weight = heights + 0.5 * np.sum(points**2, 1) / SPREAD**2
    weight = np.exp(log_weight - log_weight.max())
    root = weight**0.25  # of the fit's weights, themselves a root
    left, right = np.linalg.qr(root[:, None] * products(points, degree))
    told = np.linalg.solve(right, left.T @ (root * heights))
    off = (heights - products(points, degree) @ told) / (1 - np.sum(left**2, 1))
    return told, float(np.sqrt(np.sum(weight * off**2) / weight.sum()))


def _falls_off(found: Polynomial, mode: Mode, generator: np.random.Generator) -> bool:
    """Tell whether next to nothing can lie beyond a polynomial's reach."""
    ways = generator.normal(size=(AROUND, len(found.centre)))
    ways = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    edge = found.centre + (1 - 1e-9) * found.reach * np.linalg.solve(found.inverse, ways.T).T
    return bool(np.max(found(edge)) <= mode.value - EDGE)
