"""Fit and check models whose outcomes are censored, truncated, rounded or at their ends."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import finetti as ft

ROWS, ERRORS = 200, 4.0  # posterior sds from the truth
LIGHT = ft.Automatic(draws=500, warmup=300, chains=2, thin=1)
CUTS = np.array([0.8, 1.6, 2.4, 3.6])


def right_censored(scale, k):
    limit = np.where(np.arange(ROWS) % 2, 2.0, 3.0)
    return ft.Censored(ft.Weibull(scale, k), high=limit)


FAMILIES = {  # a law of two positive parameters, and its outcomes from a generator at the truth
    "right-censored": right_censored,
    "two limits": lambda scale, k: ft.Censored(ft.Normal(scale * np.ones(ROWS), k), 0.0, 4.0),
    "interval-censored": lambda scale, k: ft.IntervalCensored(
        ft.Weibull(scale * np.ones(ROWS), k), CUTS
    ),
    "truncated": lambda scale, k: ft.Truncated(ft.Normal(scale * np.ones(ROWS), k), low=1.5),
    "zero-truncated": lambda scale, k: ft.Truncated(
        ft.NegativeBinomial2(scale * np.ones(ROWS), k), low=1
    ),
    "ordered": lambda scale, k: ft.OrderedProbit(
        scale * np.linspace(-1, 1, ROWS), jnp.stack([-k, 0.0, k])
    ),
    "ends": lambda scale, k: ft.ZeroOneInflatedBeta(0.3, 0.4, scale * np.ones(ROWS), k),
}
TRUTH = {"scale": 2.0, "k": 1.5}


def outcomes(name):
    """Draw data of a family at the truth by scipy, apart from finetti's own draws."""
    random = np.random.default_rng(12)
    scale, k = TRUTH.values()
    weibull = stats.weibull_min(k, scale=scale).rvs(ROWS, random)
    normal = stats.norm(scale, k).rvs(20 * ROWS, random)
    match name:
        case "right-censored":
            return np.minimum(weibull, np.where(np.arange(ROWS) % 2, 2.0, 3.0))
        case "two limits":
            return np.clip(normal[:ROWS], 0.0, 4.0)
        case "interval-censored":
            return np.searchsorted(CUTS, weibull, side="left")
        case "truncated":
            return normal[normal >= 1.5][:ROWS]
        case "zero-truncated":
            counts = stats.nbinom(k, k / (k + scale)).rvs(20 * ROWS, random)
            return counts[counts > 0][:ROWS]
        case "ordered":
            latent = scale * np.linspace(-1, 1, ROWS) + random.normal(size=ROWS)
            return np.searchsorted([-k, 0.0, k], latent)
        case _:
            beta = stats.beta(scale, k).rvs(ROWS, random)
            ends = (random.random(ROWS) < 0.4).astype(float)
            return np.where(random.random(ROWS) < 0.3, ends, beta)


@ft.model
def limited(name, y):
    """See rows of a law of two positive parameters."""
    scale = ft.sample("scale", ft.LogNormal(0.5, 1.0))
    k = ft.sample("k", ft.LogNormal(0.0, 1.0))
    with ft.plate("row", ROWS):
        ft.sample("y", FAMILIES[name](scale, k), obs=y)


FAST = {"right-censored"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in FAST else [pytest.mark.slow]) for n in FAMILIES]
)
def test_a_right_model_of_limited_outcomes_is_recovered_and_passes(name):
    y = outcomes(name)
    posterior = ft.fit(limited(name, y), LIGHT, seed=3, progress=False)
    for parameter, truth in TRUTH.items():
        found = posterior[parameter]
        assert abs(float(found.mean()) - truth) < ERRORS * float(found.std())
    checked = ft.check(posterior, seed=1)
    assert checked.passed, str(checked)
    assert "heavier tails" not in str(checked)
    again = ft.predict(posterior, seed=2)["posterior_predictive"]["y"].to_numpy()
    before = ft.prior(posterior.model, draws=50, seed=2)["prior_predictive"]["y"].to_numpy()
    law = FAMILIES[name](*TRUTH.values())
    assert np.asarray(law.support(again)).all()
    assert np.asarray(law.support(before)).all()
    assert np.isfinite(ft.loo(posterior).elpd)


@pytest.mark.slow
def test_a_censored_likelihood_of_another_law_fails():
    y = outcomes("right-censored")
    y = np.where(np.arange(ROWS) < 40, 0.01, y)
    checked = ft.check(ft.fit(limited("right-censored", y), LIGHT, seed=3, progress=False))
    assert not checked.passed
