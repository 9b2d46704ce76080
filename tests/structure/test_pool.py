"""Check that pooled counts give the density of all of them, and which are not pooled."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.program import Reader
from finetti.structure.rewrites.pool.pool import Pool

GROUPS = 12


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the groups of 150 rows, one of them without any, a covariate and counts."""
    rng = np.random.default_rng(1837)
    codes = rng.integers(0, GROUPS - 1, 150)
    return codes, rng.normal(size=150), rng.poisson(2, 150)


def model(observe) -> ft.Model:
    """Return a model of groups' effects, observed as told."""
    codes, x, y = data()

    @ft.model
    def grouped(group):
        mu = ft.sample("mu", ft.Normal(0, 2))
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", group):
            theta = ft.sample("theta", ft.Normal(mu, tau))
        with ft.plate("row", len(group)):
            observe(mu, theta, group, x, y)

    return grouped(ft.groups(codes, range(GROUPS)))


POOLED = {
    "poisson": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Poisson(jnp.exp(theta[group])), obs=y
    ),
    "poisson_rates": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Poisson(jnp.exp(theta)[group] + 0.1), obs=y
    ),
    "shifted": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Poisson(jnp.exp(0.3 * theta[group] - mu)), obs=y
    ),
    "bernoulli": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Bernoulli(logits=theta[group] + mu), obs=(y > 1) * 1
    ),
}
APART = {
    "covariate": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Poisson(jnp.exp(theta[group] + mu * x)), obs=y
    ),
    "crossed": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Poisson(jnp.exp(theta[group] + theta[np.asarray(group)[::-1]])), obs=y
    ),
    "rows without a group": lambda mu, theta, group, x, y: ft.sample(
        "y",
        ft.Poisson(jnp.exp(theta.at[np.asarray(group) + 2].get(mode="fill", fill_value=0.0))),
        obs=y,
    ),
    "neighbours": lambda mu, theta, group, x, y: ft.sample(
        "y", ft.Poisson(jnp.exp(jnp.cumsum(theta[group]) / 100)), obs=y
    ),
}


def pools(found: ft.Model) -> list[Pool]:
    return [r for r in found.plan().rewrites if isinstance(r, Pool)]


@pytest.mark.parametrize("name", POOLED)
def test_pooled_counts_give_the_density_and_gradient_of_all(name):
    plan = model(POOLED[name]).plan()
    (rewrite,) = (r for r in plan.rewrites if isinstance(r, Pool))
    program, rng = plan.program, np.random.default_rng(1)

    def own(free, given):
        return Reader(program, given.data, free, {}).read(program.outputs.log_terms["y"]).sum()

    def ours(free, given):
        reader = Reader(program, given.data, free, {})
        return rewrite.total(reader, given.rewrites[rewrite.name])

    with jax.enable_x64(True):
        both = compiled(ONCE)(lambda f, g: [jax.value_and_grad(h)(f, g) for h in (ours, own)])
        for _ in range(3):
            free = {n: rng.normal(0, 0.7, v.aval.shape) for n, v in program.inputs.items()}
            (value, slope), (exact, exact_slope) = both(free, plan.given)
            np.testing.assert_allclose(value, exact, rtol=1e-9)
            for site, expected in exact_slope.items():
                np.testing.assert_allclose(slope[site], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", APART)
def test_counts_that_differ_within_a_group_are_not_pooled(name):
    assert not pools(model(APART[name]))


def test_the_plan_says_so_and_can_be_told_not_to():
    plan = model(POOLED["poisson"]).plan()
    said = dict(plan.costs())["pool y"]
    assert said.startswith("150 observations enter through 24 sums")
    assert "pool" not in str(plan.without("pool y"))
