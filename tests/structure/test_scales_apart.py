"""Check that integrals are right or refused, never NaN, however far apart the scales are."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats

import finetti as ft
import zoo
from finetti.compiling import ONCE, compiled
from finetti.structure import recovery
from finetti.structure.plan import Plan
from finetti.structure.rewrites.integrate.integrate import CLIFF
from finetti.targets.layout import Layout
from zoo.sick import gamma_scale

HIGHEST = 1e100  # of a density's size, above which parts of its slopes pass the largest float
AWAY = np.array([0.0, 8, 12, 14, 15, 16, 17, 18, 19, 20, 25, 40, 100, 180, 360, 700])
ERRORS = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 0.7])
SEEN = np.array([0.2, 0.9, -0.1, 0.4, 1.1, 0.3, 0.8, 0.5])


@ft.model
def apart(error):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.Gamma(0.1, 0.1))
    with ft.plate("study", len(error)):
        z = ft.sample("z", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu + tau * z, error))


@ft.model
def counts(n):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.Gamma(0.1, 0.1))
    with ft.plate("study", n):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Poisson(jax.numpy.exp(theta)))


def far(dim: int) -> np.ndarray:
    """Return points with one coordinate, or all of them, far out to either side."""
    ways = np.concatenate([np.eye(dim), np.ones((1, dim))]) if dim > 1 else np.ones((1, 1))
    ways = np.concatenate([ways, -ways])
    return (AWAY[:, None, None] * ways).reshape(-1, dim) + 0.1


def looked_at(plan: Plan, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the log density at points, whether its slopes are finite, and the sites drawn back."""
    form, given, layout = plan.form, plan.given, Layout.of(plan.latent)

    def density(phi, given):
        return form.log_density(given, layout.split(phi))

    def one(phi, key, given):
        value, slope = jax.value_and_grad(density)(phi, given)
        drawn = recovery.recover(form, key, given, layout.split(phi)).values
        sound = [jax.numpy.isfinite(drawn[s]).all() for m in form.marginals for s in m.sites]
        return value, jax.numpy.isfinite(slope).all(), jax.numpy.array(sound).all()

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(1), len(points))
        found = compiled(ONCE)(jax.vmap(one, (0, 0, None)))(points, keys, given)
    return tuple(map(np.asarray, found))  # pyright: ignore[reportReturnType]


MODELS = {
    "studies": lambda: gamma_scale(ERRORS).condition(y=SEEN).plan(),
    "apart": lambda: apart(ERRORS).condition(y=SEEN).plan(),
    "counts": lambda: counts(8).condition(y=np.arange(8)).plan().approximate("theta"),
    **{
        name: lambda name=name: zoo.MODELS[name]().plan()
        for name in ("schools", "crossed", "radon_correlated", "nested", "radon_mn", "horseshoe")
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_no_density_is_nan_and_what_has_one_is_drawn_back(name):
    plan = MODELS[name]()
    assert plan.form.marginals
    values, slopes, drawn = looked_at(plan, far(Layout.of(plan.latent).dim))
    assert not np.isnan(values).any()
    assert np.isfinite(values).any()
    has = np.isfinite(values)
    assert drawn[has].all()
    assert slopes[np.abs(values) < HIGHEST].all()


@pytest.mark.parametrize("form", [gamma_scale, apart])
def test_the_density_is_right_wherever_there_is_one(form):
    """Sites moved are log tau, since nothing is learned yet; y is normal given tau."""
    log_tau = np.concatenate([-AWAY, AWAY[AWAY < 30]])  # at tau of e^40 the log density is -e^39
    values, _, _ = looked_at(form(ERRORS).condition(y=SEEN).plan(), log_tau[:, None])
    with np.errstate(under="ignore"):
        weight = 1 / (np.exp(2 * log_tau[:, None]) + ERRORS**2)
    whole, slope = weight.sum(1) + 1 / 25, (weight * SEEN).sum(1)
    exact = stats.gamma.logpdf(1, 0.1, scale=10) + 0.1 * (log_tau + 1 - np.exp(log_tau))
    exact += 0.5 * np.log(weight / (2 * np.pi)).sum(1) - 0.5 * np.log(25 * whole)
    exact += 0.5 * (slope**2 / whole - (weight * SEEN**2).sum(1))
    has = np.isfinite(values) & ~(values < exact - CLIFF / 2)
    assert has[np.abs(log_tau) < 14].all()
    assert (values[~has] < exact[~has] - CLIFF + 100).all()
    # A pivot of 200 roundings or more has an error of half a hundredth at most.
    np.testing.assert_allclose(values[has], exact[has], rtol=1e-9, atol=0.005)


def test_where_rounding_begins_to_tell_a_trajectory_does_not_diverge():
    """A scale of eight schools at 1e-5 of their errors, and less: at most 1,000 nats below."""
    values, slopes, _ = looked_at(MODELS["schools"](), -np.arange(10.0, 15.5, 0.25)[:, None])
    assert values[-1] < values[0] - CLIFF / 2
    assert (np.abs(values - values[0]) < 1000).all()
    assert slopes.all()
