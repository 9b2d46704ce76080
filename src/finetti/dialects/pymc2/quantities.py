"""Offer what PyMC2 programs take from `pymc.utils`: intervals, quantiles, autocorrelations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from finetti.dialects.pymc2 import traces
from finetti.dialects.pymc2.decorators import invlogit, logit
from finetti.dialects.pymc2.nodes import Variable
from finetti.types import AnyArray, Tree


def hpd(x: ArrayLike, alpha: float) -> np.ndarray:
    """Return the shortest interval that holds 1 - alpha of draws, the first axis being the draws.

    >>> hpd(np.arange(101.0), 0.1).tolist()
    [0.0, 90.0]
    """
    return traces.hpd(np.asarray(x, float), alpha)


def calc_min_interval(x: ArrayLike, alpha: float) -> list[float]:
    """Return the ends of the shortest interval of a sorted chain that holds 1 - alpha of it."""
    return hpd(x, alpha).tolist()


def quantiles(
    x: ArrayLike, qlist: Sequence[float | int] = traces.QUANTILES
) -> dict[float, np.ndarray]:
    """Return percentiles of draws by their percentages."""
    return {q: np.percentile(np.asarray(x, float), q, axis=0) for q in qlist}


def autocov(x: ArrayLike, lag: int = 1) -> np.ndarray:
    """Return the covariance matrix of a chain with itself some steps later."""
    x = np.asarray(x, float)
    return np.cov(x[lag:], x[: len(x) - lag], bias=True)


def autocorr(x: ArrayLike, lag: int = 1) -> float:
    """Return the correlation of a chain with itself some steps later."""
    x = np.asarray(x, float)
    if not lag:
        return 1.0
    return float(autocov(x, lag)[0, 1] / x.var())


def value(a: object) -> Tree:
    """Return the value of a node, or the thing itself."""
    return a.value if isinstance(a, Variable) else a


def round_array(array_in: ArrayLike) -> np.ndarray:
    """Return numbers rounded to whole ones."""
    return np.rint(np.asarray(array_in)).astype(int)


def normcdf(x: ArrayLike, log: bool = False) -> AnyArray:
    """Return the normal distribution function, or its logarithm."""
    return special.log_ndtr(x) if log else special.ndtr(x)


def invcdf(x: ArrayLike) -> AnyArray:
    """Return the normal quantile function."""
    return stats.norm.ppf(x)


def log_difference(lx: ArrayLike, ly: ArrayLike) -> AnyArray:
    """Return log(exp(lx) - exp(ly)), exactly where they are close."""
    return lx + np.log1p(-np.exp(np.asarray(ly) - lx))


__all__ = [
    "autocorr",
    "autocov",
    "calc_min_interval",
    "hpd",
    "invcdf",
    "invlogit",
    "log_difference",
    "logit",
    "normcdf",
    "quantiles",
    "round_array",
    "value",
]
