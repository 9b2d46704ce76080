"""Check that a posterior keeps the draws asked for, and moments of the rest, within its memory."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.inference import begin
from finetti.structure.rewrites.tally.tally import Tally
from zoo.groups import counts, intercepts

GROUPS, ROWS = 20_000, 200_000
TAU, SIGMA = 0.5, 1.5


@ft.model
def known_scales(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, TAU))
    tau = ft.sample("tau", ft.HalfNormal(1))  # no data bear on it: there is one thing to sample
    ft.deterministic("twice", 2 * tau)
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], SIGMA))


@cache
def rows(groups: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's group, of unequal sizes, and its value."""
    rng = np.random.default_rng(1931)
    codes = np.sort(rng.integers(0, groups, count))
    return codes, rng.normal(rng.normal(1, TAU, groups)[codes], SIGMA)


def bound(form: ft.Model, groups: int, count: int) -> ft.Model:
    codes, y = rows(groups, count)
    return form(ft.groups(codes, range(groups))).condition(y=y)


@cache
def large() -> ft.Posterior:
    method = ft.NUTS(draws=500, warmup=500)
    model = bound(intercepts, GROUPS, ROWS)
    return ft.fit(model, method, seed=1, keep=["mu", "tau", "sigma"], progress=False)


def log_posterior(points: np.ndarray) -> np.ndarray:
    """Return the log posterior density of mu, tau and sigma, a row each, up to a constant."""
    codes, y = rows(GROUPS, ROWS)
    n, sums = np.bincount(codes, minlength=GROUPS), np.bincount(codes, y, GROUPS)
    seen = n > 0
    mean = sums / np.maximum(n, 1)
    within = np.sum((y - mean[codes]) ** 2)
    found = []
    for mu, tau, sigma in points:
        variance = tau**2 + sigma**2 / n[seen]
        between = np.sum((mean[seen] - mu) ** 2 / variance + np.log(variance))
        rest = within / sigma**2 + 2 * (ROWS - seen.sum()) * np.log(sigma)
        found.append(-0.5 * (mu**2 / 100 + tau**2 + sigma**2 + rest + between))
    return np.array(found)


def test_20000_groups_have_the_posterior_computed_by_hand():
    posterior = large()
    names = ("mu", "tau", "sigma")
    draws = np.stack([posterior[name].to_numpy().ravel() for name in names], 1)
    middle, spread = draws.mean(0), draws.std(0)
    # the exact posterior on a grid of 13 x 13 x 13 points, 5 standard deviations to each side
    steps = np.linspace(-5, 5, 13)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    points = middle + spread * grid
    log_density = log_posterior(points)
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    exact = weights @ points
    sd = np.sqrt(weights @ (points - exact) ** 2)
    table = posterior.summary()
    for i, name in enumerate(names):
        assert abs(table.loc[name, "mean"] - exact[i]) < 4 * table.loc[name, "mcse_mean"]
        assert abs(table.loc[name, "sd"] - sd[i]) < 4 * table.loc[name, "mcse_sd"]


def test_20000_groups_are_evaluated_at_few_and_nothing_has_their_square():
    model = bound(intercepts, GROUPS, ROWS)
    plan = model.plan()
    (tally,) = (r for r in plan.rewrites if isinstance(r, Tally))
    assert tally.standing.frame.count < 200
    target, given = ft.density(model, plan).target()
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(jax.grad(lambda x, g: target.log_density(g, x)))(
            jnp.zeros(2), given
        )
    sizes = [v.aval.size for e in closed.jaxpr.eqns for v in e.outvars]
    assert max(sizes) <= 2 * GROUPS


def test_moments_of_what_was_not_kept_are_the_exact_conditional_ones():
    posterior = large()
    codes, y = rows(GROUPS, ROWS)
    n, sums = np.bincount(codes, minlength=GROUPS), np.bincount(codes, y, GROUPS)
    mu, tau, sigma = (posterior[x].to_numpy().ravel()[:, None] for x in ("mu", "tau", "sigma"))
    some = slice(0, GROUPS, 100)
    variance = 1 / (1 / tau**2 + n[some] / sigma**2)
    mean = variance * (mu / tau**2 + sums[some] / sigma**2)
    # mu is drawn here and integrated over there: it adds noise of its own to each mean
    assert posterior.moments.sizes["group"] == GROUPS
    found = posterior.moments["theta"].to_numpy()[:, some]
    error = mean.std(0) / np.sqrt(len(mean))
    assert (np.abs(found[0] - mean.mean(0)) < 4 * error + 1e-9).all()
    exact = np.sqrt(mean.var(0) + variance.mean(0))
    np.testing.assert_allclose(found[1], exact, rtol=2e-3)


def test_moments_of_integrated_sites_are_exact_where_the_scales_are_known():
    groups, count = 30, 200
    codes, y = rows(groups, count)
    method = ft.Automatic(draws=50, warmup=50, chains=2)
    posterior = ft.fit(bound(known_scales, groups, count), method, keep=["twice"], progress=False)
    assert posterior.names == ("twice",)
    dense = np.zeros((count, groups))
    dense[np.arange(count), codes] = 1
    prior = TAU**2 * np.eye(groups) + 100.0
    precision = np.linalg.inv(prior) + dense.T @ dense / SIGMA**2
    covariance = np.linalg.inv(precision)
    mean = covariance @ dense.T @ y / SIGMA**2
    found = posterior.moments["theta"]
    assert found.dims == ("moment", "group")
    np.testing.assert_allclose(found.sel(moment="mean"), mean, rtol=1e-7)
    np.testing.assert_allclose(found.sel(moment="sd"), np.sqrt(np.diag(covariance)), rtol=1e-7)
    assert set(posterior.moments.data_vars) == {"mu", "theta", "tau"}


def test_keeping_fewer_sites_changes_no_draw():
    groups, count = 30, 300
    codes, _ = rows(groups, count)
    y = np.random.default_rng(1931).poisson(3, count)
    model, method = counts(ft.groups(codes)).condition(y=y), ft.NUTS(draws=60, warmup=60)
    plan = model.plan().as_written()
    whole = ft.fit(model, method, seed=3, plan=plan, progress=False)
    part = ft.fit(model, method, seed=3, plan=plan, keep=["rate"], progress=False)
    np.testing.assert_array_equal(part["rate"], whole["rate"])
    theta = whole["theta"].to_numpy().reshape(-1, groups)
    np.testing.assert_allclose(part.moments["theta"].sel(moment="mean"), theta.mean(0))
    np.testing.assert_allclose(part.moments["theta"].sel(moment="sd"), theta.std(0, ddof=1))
    assert not whole.moments.data_vars
    with pytest.raises(ft.UnknownSite, match="were not kept"):
        part["theta"]


def test_a_posterior_beyond_the_memory_is_refused_before_sampling(monkeypatch):
    def sampled(*_):
        raise AssertionError("sampling began")

    monkeypatch.setattr(begin, "one_start", sampled)
    model = bound(intercepts, GROUPS, ROWS)
    with pytest.raises(ft.SamplingError, match=r"`theta` \(20,000 numbers.*keep=\['mu', 'tau'"):
        ft.fit(model, ft.NUTS(draws=10_000), progress=False)


def test_a_name_that_no_site_has_cannot_be_kept():
    with pytest.raises(ft.UnknownSite, match=r"keep `thet`.*did you mean `theta`"):
        ft.fit(bound(intercepts, 30, 300), keep=["thet"], progress=False)


@pytest.mark.parametrize("none", [3, 2.5, True])
def test_what_is_no_name_cannot_be_kept(none):
    with pytest.raises(ft.SamplingError, match=f"{none!r} is no name"):
        ft.fit(bound(known_scales, 5, 20), keep=none, progress=False)
