"""Check that data far from zero get the plan, and the density, that they get near zero."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import finetti as ft
from finetti.targets.density import density

RANDOM = np.random.default_rng(8)
# on a grid that the sum with a power of two keeps, so that shifting loses nothing
ERRORS = np.round(RANDOM.normal(size=40) * 1024) / 1024
X = np.round(RANDOM.normal(size=40) * 1024) / 1024
GROUP = np.arange(40) % 8


@ft.model
def mean(y, shift):
    mu = ft.sample("mu", ft.Normal(shift, 8.0))
    ft.sample("y", ft.Normal(mu, ft.sample("sigma", ft.HalfNormal(5.0))), obs=y)


@ft.model
def free(y, shift):
    mu = ft.sample("mu", ft.Flat())
    ft.sample("y", ft.Normal(mu, ft.sample("sigma", ft.HalfNormal(5.0))), obs=y)


@ft.model
def line(y, shift):
    a = ft.sample("a", ft.Normal(shift, 8.0))
    b = ft.sample("b", ft.Normal(0.0, 8.0))
    ft.sample("y", ft.Normal(a + b * X, ft.sample("sigma", ft.HalfNormal(5.0))), obs=y)


@ft.model
def grouped(y, shift):
    mu = ft.sample("mu", ft.Normal(shift, 8.0))
    tau = ft.sample("tau", ft.HalfNormal(5.0))
    with ft.plate("group", 8):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    ft.sample("y", ft.Normal(theta[GROUP], ft.sample("sigma", ft.HalfNormal(5.0))), obs=y)


@ft.model
def known_offset(y, shift):
    mu = ft.sample("mu", ft.Normal(0.0, 8.0))
    sigma = ft.sample("sigma", ft.HalfNormal(5.0))
    ft.sample("y", ft.Normal(shift + mu, sigma), obs=y)


@ft.model
def few_rows(y, shift):
    """Have too few rows for their sums to be formed ahead."""
    mu = ft.sample("mu", ft.Normal(shift, 8.0))
    ft.sample("y", ft.Normal(mu, ft.sample("sigma", ft.HalfNormal(5.0))), obs=y[:20])


MODELS = {m.name: m for m in (mean, free, line, grouped, known_offset, few_rows)}
SHIFTS = (2.0**27, -(2.0**30))
QUICK = ("mean", "grouped")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
)
def test_shifted_data_have_the_same_plan_and_density(name):
    """The density of what is left is that of the data near zero, to what rounding leaves of y."""
    near = MODELS[name](ERRORS, 0.0)
    expected = [r.name for r in near.plan().rewrites]
    assert any(r.startswith("integrate out") for r in expected)
    points = np.random.default_rng(1).uniform(-1, 1, (5, density(near, near.plan()).dim))

    def heights(model: ft.Model) -> np.ndarray:
        target, constants = density(model, model.plan()).target("float64")
        return np.asarray(jax.jit(jax.vmap(target.log_density, (None, 0)))(constants, points))

    with jax.enable_x64(True):
        right = heights(near)
        for shift in SHIFTS:
            far = MODELS[name](ERRORS + shift, shift)
            assert [r.name for r in far.plan().rewrites] == expected
            np.testing.assert_allclose(heights(far), right, rtol=1e-16 * abs(shift) * 1e3)


@pytest.mark.slow
def test_a_fit_near_a_hundred_million_is_the_fit_near_zero():
    method, shift = ft.NUTS(warmup=200, draws=200), 2.0**27
    near = ft.fit(mean(ERRORS, 0.0), method, progress=False)["mu"].values
    far = ft.fit(mean(ERRORS + shift, shift), method, progress=False)["mu"].values - shift
    assert far.mean() == pytest.approx(near.mean(), abs=5 * near.std() / np.sqrt(200))
    assert far.std() == pytest.approx(near.std(), rel=0.2)
