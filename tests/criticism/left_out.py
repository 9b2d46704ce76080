"""Keep models whose predictions of what is left out are known exactly, or by quadrature."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from scipy import stats
from scipy.special import expit, logsumexp

import finetti as ft

# Normal groups: everything is jointly normal

SIZES, SCALE, BETWEEN, WITHIN = (1, 1, 2, 4, 4, 6), 3.0, 1.5, 1.0
TREE = np.repeat(np.arange(len(SIZES)), SIZES)


@ft.model
def apples(tree):
    mu = ft.sample("mu", ft.Normal(0, SCALE))
    with ft.plate("tree", tree):
        theta = ft.sample("theta", ft.Normal(mu, BETWEEN))
    with ft.plate("apple", len(tree)):
        ft.sample("y", ft.Normal(theta[tree], WITHIN))


def weighed() -> np.ndarray:
    """Return the apples' weights, from Bayes' year."""
    rng = np.random.default_rng(1763)
    return rng.normal(rng.normal(0, BETWEEN, len(SIZES))[TREE], WITHIN)


def grown() -> ft.Model:
    """Return the apples of six trees, two of which bore one."""
    return apples(ft.groups([f"tree {t}" for t in TREE])).condition(y=weighed())


def exact_normal(y: np.ndarray, places: np.ndarray, given: np.ndarray) -> float:
    """Return the log density of some apples given others."""
    covariance = SCALE**2 + BETWEEN**2 * (TREE[:, None] == TREE) + WITHIN**2 * np.eye(len(TREE))
    gain = covariance[np.ix_(places, given)] @ np.linalg.inv(covariance[np.ix_(given, given)])
    left = covariance[np.ix_(places, places)] - gain @ covariance[np.ix_(given, places)]
    return float(stats.multivariate_normal(gain @ y[given], left).logpdf(y[places]))


# Binomial hospitals: two parameters shared, the rest by quadrature

DEATHS, OPERATIONS = np.array([0, 18, 8, 46, 8, 13]), np.array([47, 148, 119, 810, 211, 196])


@ft.model
def hospitals(operations):
    mu = ft.sample("mu", ft.Normal(-2.5, 1))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("hospital", list("ABCDEF")):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("deaths", ft.Binomial(operations, logits=theta))


def exact_hospitals() -> np.ndarray:
    """Return the log probability of each hospital's deaths given the others'.

    Effects are summed over by Gauss and Hermite's rule where they are near their mean, and on a
    fine grid, on which all probabilities are found once, where they are not.
    """
    mu, tau = np.linspace(-6, 1, 71), np.linspace(0.02, 5, 125)
    z, weight = np.polynomial.hermite_e.hermegauss(40)
    fine = np.arange(-9, 4, 0.04)
    near = tau < 0.3
    theta = mu[:, None, None] + tau[near][:, None] * z
    wide = stats.norm(mu[:, None, None], tau[~near][:, None]).pdf(fine) * 0.04
    each = []
    for y, n in zip(DEATHS, OPERATIONS, strict=True):
        narrow = stats.binom.pmf(y, n, expit(theta)) @ weight / np.sqrt(2 * np.pi)
        both = np.hstack([narrow, wide @ stats.binom.pmf(y, n, expit(fine))])
        each.append(np.log(np.maximum(both, 1e-300)))
    prior = stats.norm(-2.5, 1).logpdf(mu)[:, None] + stats.halfnorm.logpdf(tau)
    return _each_given_the_others(prior, np.stack(each))


def _each_given_the_others(prior: np.ndarray, each: np.ndarray) -> np.ndarray:
    """Return log p(y_i | others) from log densities on a grid, shape (observation, ...)."""
    axes = tuple(range(1, each.ndim))
    whole = logsumexp(prior + each.sum(0))
    return whole - logsumexp(prior + each.sum(0) - each, axes)


# Poisson: two parameters

HOURS, CALLS = np.linspace(-1, 1, 12), np.array([1, 0, 2, 3, 1, 2, 4, 3, 6, 4, 9, 30])


@ft.model
def calls(hours):
    level = ft.sample("level", ft.Normal(1, 1))
    slope = ft.sample("slope", ft.Normal(0, 1))
    with ft.plate("hour", len(hours)):
        ft.sample("calls", ft.Poisson(jnp.exp(level + slope * hours)))


def exact_calls() -> np.ndarray:
    """Return the log probability of each hour's calls given the others'."""
    level, slope = np.meshgrid(np.linspace(-2, 4, 301), np.linspace(-3, 5, 301), indexing="ij")
    prior = stats.norm(1, 1).logpdf(level) + stats.norm(0, 1).logpdf(slope)
    each = np.stack(
        [
            stats.poisson.logpmf(y, np.exp(level + slope * x))
            for x, y in zip(HOURS, CALLS, strict=True)
        ]
    )
    return _each_given_the_others(prior, each)


def exact_apples() -> np.ndarray:
    """Return the log density of each apple given all others."""
    y, every = weighed(), np.arange(len(TREE))
    return np.array([exact_normal(y, every[[i]], np.delete(every, i)) for i in every])


Known = tuple[Callable[[], ft.Model], Callable[[], np.ndarray]]
EXACT: dict[str, Known] = {
    "apples": (grown, exact_apples),
    "hospitals": (lambda: hospitals(OPERATIONS).condition(deaths=DEATHS), exact_hospitals),
    "calls": (lambda: calls(HOURS).condition(calls=CALLS), exact_calls),
}
