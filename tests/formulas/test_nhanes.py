"""brms' example of missing values, nhanes: by densities, and by another sampler."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import norm

import finetti as ft

TABLE = Path(__file__).parents[1] / "data" / "nhanes" / "nhanes.csv"
NHANES = pd.read_csv(TABLE)
VIGNETTE = ["bmi | mi() ~ age * mi(chl)", "chl | mi() ~ age"]
NAMES = ("chl_Intercept", "chl_age", "chl_sigma", "bmi_Intercept", "bmi_age", "bmi_chl",
         "bmi_age:chl", "bmi_sigma")  # fmt: skip
PRIORS = dict(
    zip(
        NAMES,
        (norm(150, 100), norm(0, 50), norm(0, 60), norm(20, 20), norm(0, 10), norm(0, 0.3),
         norm(0, 0.1), norm(0, 8)),
        strict=True,
    )
)  # fmt: skip


def imputed():
    laws = {
        n: ft.HalfNormal(p.std()) if "sigma" in n else ft.Normal(p.mean(), p.std())
        for n, p in PRIORS.items()
    }
    return ft.formula(VIGNETTE, TABLE, missing="impute", priors=laws)


def log_posterior(at):
    """The log density at points, shape (..., 8), what is missing integrated out by hand."""
    a, b, t, *slopes, s = np.moveaxis(np.asarray(at, float)[..., None], -2, 0)
    c, d, e, f = slopes
    age, bmi, chl = (NHANES[n].to_numpy(float) for n in ("age", "bmi", "chl"))
    known = ~np.isnan(chl)
    with np.errstate(all="ignore"):
        each = np.where(known, norm.logpdf(chl, a + b * age, t), 0.0)
        slope = e + f * age
        mean = c + d * age + slope * np.where(known, chl, a + b * age)
        spread = np.sqrt(s**2 + np.where(known, 0.0, (slope * t) ** 2))
        each += np.where(np.isnan(bmi), 0.0, norm.logpdf(bmi, mean, spread))
    prior = sum(p.logpdf(np.asarray(at)[..., i]) for i, p in enumerate(PRIORS.values()))
    total = each.sum(-1) + prior + 2 * np.log(2)  # of the two halves of a normal
    return np.where((np.asarray(at)[..., 2] > 0) & (np.asarray(at)[..., 7] > 0), total, -np.inf)


POINT = np.array([150.0, 25.0, 40.0, 18.0, -2.0, 0.06, -0.004, 3.5])


def evidence(model):
    with jax.enable_x64(True):
        found = ft.density(model, model.plan())
        assert found.dim == 0
        return float(found.log_density(jnp.zeros(0)))


@pytest.mark.parametrize("step", [0.0, 0.1, -0.2])
def test_the_density_is_that_of_what_is_known(step):
    at = POINT * (1 + step)
    model = imputed().substitute(**dict(zip(NAMES, at, strict=True)))
    assert evidence(model) == pytest.approx(float(log_posterior(at)), rel=1e-10)


def test_a_yes_or_no_that_is_missing_is_summed_out():
    """Hypertension as a predictor of its own family, summed over by hand."""
    table = NHANES.assign(hyp=NHANES.hyp - 1)
    model = ft.formula(
        ["bmi ~ age + mi(hyp)", "hyp ~ age"],
        table,
        missing="impute",
        family={"hyp": "bernoulli"},
    )
    a, b, c, d, e, s = at = np.array([-2.0, 0.7, 24.0, -1.0, 1.5, 4.0])
    names = ("hyp_Intercept", "hyp_age", "bmi_Intercept", "bmi_age", "bmi_hyp", "bmi_sigma")
    values = dict(zip(names, at, strict=True))
    age, bmi, hyp = (table[n].to_numpy(float) for n in ("age", "bmi", "hyp"))
    chance = expit(a + b * age)
    states = np.array([[0.0], [1.0]])
    each = np.log(np.where(states, chance, 1 - chance))
    rest = norm.logpdf(bmi, c + d * age + e * states, s)
    each += np.where(np.isnan(bmi), 0.0, rest)
    each = np.where(np.isnan(hyp) | (hyp == states), each, -np.inf)
    sites = model.trace(1)
    with jax.enable_x64(True):
        prior = sum(
            float(sites[n].distribution.log_prob(jnp.asarray(v))) for n, v in values.items()
        )
    expected = logsumexp(each, 0).sum() + prior
    assert evidence(model.substitute(**values)) == pytest.approx(expected, rel=1e-7)


def metropolis(chains=64, steps=12_000, seed=1):
    """Draw from `log_posterior` by differential evolution (ter Braak 2006), half of it warm-up."""
    rng = np.random.default_rng(seed)
    x = POINT * (1 + 0.1 * rng.standard_normal((chains, POINT.size)))
    now, kept = log_posterior(x), []
    for step in range(steps):
        one, two = (rng.integers(1, chains, chains) + np.arange(chains) for _ in "ab")
        factor = 1.0 if step % 10 == 0 else 2.38 / np.sqrt(2 * POINT.size)
        apart = x[one % chains] - x[two % chains]
        new = x + factor * apart + 1e-5 * POINT * rng.standard_normal(x.shape)
        density = log_posterior(new)
        moves = np.log(rng.uniform(size=chains)) < density - now
        x, now = np.where(moves[:, None], new, x), np.where(moves, density, now)
        if step >= steps // 2:
            kept.append(x)
    return np.stack(kept)


@pytest.mark.slow
def test_the_posterior_is_that_of_another_sampler():
    """Means agree within 4 standard errors, theirs by batches of all chains' steps."""
    theirs = metropolis()
    batches = theirs.reshape(20, -1, POINT.size).mean(1)
    errors = batches.std(0, ddof=1) / np.sqrt(20)
    posterior = ft.fit(imputed(), ft.NUTS(draws=2000), seed=1, progress=False)
    found = posterior.summary().loc[list(NAMES)]
    away = found["mean"].to_numpy() - theirs.mean((0, 1))
    assert (np.abs(away) < 4 * np.hypot(errors, found["mcse_mean"].to_numpy())).all(), away
    spreads = found["sd"].to_numpy() / theirs.std((0, 1))
    np.testing.assert_allclose(spreads, 1.0, atol=0.1)
    missing = ft.predict(posterior, seed=2)["missing"]
    assert missing["chl_missing"].sizes["chl_hole"] == 10
    assert missing["bmi_missing"].sizes["bmi_hole"] == 9
