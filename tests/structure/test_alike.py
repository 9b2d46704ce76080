"""Check that groups counted together give what all groups give, and where they are not."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.compiling import ONCE, compiled
from finetti.structure.plan import Plan
from finetti.structure.rewrites.tally import find as counting
from finetti.structure.rewrites.tally.tally import Tally
from finetti.targets.layout import Layout
from zoo.groups import intercepts, noncentred_intercepts

GROUPS = 300
QUICK = ("intercepts", "noncentred_intercepts", "sampled_coefficient", "slopes")


@ft.model
def covariates(group, x):
    mu = ft.sample("mu", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 1).expand([2]))
    tau = ft.sample("tau", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group] + x @ beta, sigma))


@ft.model
def sampled_coefficient(group, x):
    beta = ft.sample("beta", ft.Laplace(0, 1))
    tau = ft.sample("tau", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(0, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group] + beta * x[:, 0], sigma))


@ft.model
def slopes(group, treated):
    mu = ft.sample("mu", ft.Normal(0, 10))
    nu = ft.sample("nu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau[0]))
        slope = ft.sample("slope", ft.Normal(nu, tau[1]))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group] + slope[group] * treated, sigma))


@ft.model
def correlated(group, treated):
    mu = ft.sample("mu", ft.Normal(0, 10).expand([2]).to_event(1))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    root = ft.sample("root", ft.LKJCholesky(2, 2.0))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        effect = ft.sample("effect", ft.MultivariateNormal(mu, scale_tril=tau[:, None] * root))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(effect[group, 0] + effect[group, 1] * treated, sigma))


@ft.model
def own_location(group, level):
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu + level, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


@ft.model
def own_scale(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        tau = ft.sample("tau", ft.HalfNormal(1))
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


@ft.model
def neighbours(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, 1.0))
    ft.factor("smooth", -jnp.sum((theta[1:] - theta[:-1]) ** 2))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


def data() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the groups of 0 to 30 rows or so, and columns of the rows."""
    rng = np.random.default_rng(1931)
    codes = np.repeat(np.arange(GROUPS), 3 * rng.poisson(4, GROUPS))
    place = np.arange(len(codes)) - np.searchsorted(codes, codes)
    columns = {
        "x": rng.normal(50, 3, (len(codes), 2)),
        "treated": (place % 3 == 0).astype(float),
        "level": rng.normal(size=GROUPS),
        "y": rng.normal(rng.normal(3, 1, GROUPS)[codes], 0.7),
    }
    return codes, columns


def bound(form: ft.Model) -> ft.Model:
    codes, columns = data()
    group = ft.groups(codes, range(GROUPS))
    names = form.function.__code__.co_varnames[1 : form.function.__code__.co_argcount]
    return form(group, *(columns[name] for name in names)).condition(y=columns["y"])


ALIKE = {
    m.name: m
    for m in (
        intercepts,
        noncentred_intercepts,
        covariates,
        sampled_coefficient,
        slopes,
        correlated,
    )
}
UNLIKE = {m.name: m for m in (own_location, own_scale, neighbours)}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Count few groups together as well."""
    monkeypatch.setattr(counting, "LEAST", 2)


@cache
def plan(name: str) -> Plan:
    counting.LEAST = 2
    found = bound({**ALIKE, **UNLIKE}[name]).plan()
    _ = found.rewrites
    return found


def tally(plan: Plan) -> Tally | None:
    return next((r for r in plan.rewrites if isinstance(r, Tally)), None)


@pytest.mark.parametrize("name", zoo.shortened(ALIKE, *QUICK))
def test_representatives_give_the_density_and_gradient_of_all_groups(name):
    together, layout = plan(name), Layout.of(plan(name).latent)
    rewrite = tally(together)
    assert rewrite is not None
    assert rewrite.standing.frame.count < rewrite.whole.frame.count
    apart = together.without(rewrite.name)
    assert tally(apart) is None
    assert [v.name for v in apart.latent] == list(layout.names)
    points = np.random.default_rng(1812).normal(0, 0.5, (4, layout.dim))

    def evaluate(plan):
        def density(given, phi):
            return plan.form.log_density(given, layout.split(phi))

        both = compiled(ONCE)(jax.vmap(jax.value_and_grad(density, 1), (None, 0)))
        return map(np.asarray, both(plan.given, points))

    with jax.enable_x64(True):
        (values, slopes), (exact, exact_slopes) = evaluate(together), evaluate(apart)
    np.testing.assert_allclose(values, exact, rtol=1e-9)
    scale = np.abs(exact_slopes).max()
    np.testing.assert_allclose(slopes, exact_slopes, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("name", UNLIKE)
def test_groups_that_differ_in_more_are_not_counted_together(name):
    assert tally(plan(name)) is None


def test_the_plan_says_how_many_stand_for_how_many_and_can_be_told_not_to():
    together = plan("intercepts")
    rewrite = tally(together)
    assert rewrite is not None
    said = dict(together.costs())["tally theta"]
    assert said.startswith(f"300 groups in {rewrite.kinds} kinds")
    assert tally(together.without("tally")) is None
    assert "tally" not in str(together.without("tally theta"))
