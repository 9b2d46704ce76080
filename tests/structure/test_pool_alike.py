"""Check that counts whose rows are alike in all their predictors are pooled, and no others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.structure.rewrites.pool import find

ROWS = 400
RANDOM = np.random.default_rng(1964)
ARM, WARD, SITE = (RANDOM.integers(0, k, ROWS) for k in (2, 5, 4))
DOSE = RANDOM.choice([0.0, -0.0, 0.5, 2.0], ROWS)  # a zero is a zero
FINE = RANDOM.normal(size=ROWS)
COUNTS, WEIGHTS = RANDOM.poisson(1.5, ROWS), RANDOM.uniform(0.5, 3, ROWS)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(find, "REPEATED", 100)


@ft.model
def wards(arm, dose, ward, site, observe, y):
    b, mu = (
        ft.sample("b", ft.Normal(0, 1).expand([2]).to_event(1)),
        ft.sample("mu", ft.Normal(0, 1)),
    )
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("ward", 5):
        u = ft.sample("u", ft.Normal(0, tau).to_event(0))
    with ft.plate("site", 4):
        v = ft.sample("v", ft.Normal(0, 1))
    with ft.plate("row", len(arm)):
        eta = mu + jnp.stack([arm, dose], 1) @ b + u[ward] * jnp.exp(0.1 * dose) + v[site]
        observe(eta, y)


OBSERVED = {
    "counts": (lambda eta, y: ft.sample("y", ft.Poisson(jnp.exp(eta)), obs=y), COUNTS),
    "yes or no": (lambda eta, y: ft.sample("y", ft.Bernoulli(logits=eta), obs=y), COUNTS > 1),
    "weighted": (
        lambda eta, y: ft.sample("y", ft.Weighted(ft.Poisson(jnp.exp(eta)), WEIGHTS), obs=y),
        COUNTS,
    ),
}


def pooled(plan):
    return [r for r in plan.rewrites if r.verb == "pool"]


@pytest.mark.parametrize("kind", OBSERVED)
def test_the_density_is_that_of_all_rows(float64, kind):
    observe, y = OBSERVED[kind]
    bound = wards(ARM, DOSE, WARD, SITE, observe, 1 * y)
    (found,) = pooled(bound.plan())
    rows = {(a, d + 0.0, w, s) for a, d, w, s in zip(ARM, DOSE, WARD, SITE, strict=True)}
    assert found.members == len(rows)
    assert "alike in their predictors" in found.reason("y")
    plan = bound.plan().unmoved()
    assert pooled(plan)
    ours, plain = ft.density(bound, plan), ft.density(bound, plan.as_written())
    for seed in range(3):
        z = jnp.asarray(np.random.default_rng(seed).normal(size=plain.dim))
        np.testing.assert_allclose(ours.log_density(z), plain.log_density(z), rtol=1e-12)
        slopes = jax.grad(ours.log_density)(z), jax.grad(plain.log_density)(z)
        np.testing.assert_allclose(*slopes, rtol=1e-9, atol=1e-9)


def test_rows_that_differ_are_not_pooled():
    observe, y = OBSERVED["counts"]
    assert not pooled(wards(ARM, FINE, WARD, SITE, observe, y).plan())


def test_a_number_of_each_row_that_is_not_known_is_not_pooled():
    @ft.model
    def spread(arm, y):
        b, s = ft.sample("b", ft.Normal(0, 1)), ft.sample("s", ft.HalfNormal(1))
        with ft.plate("row", len(arm)):
            e = ft.sample("e", ft.Normal(0, s))
            ft.sample("y", ft.Poisson(jnp.exp(b * arm + e)), obs=y)

    assert not pooled(spread(ARM, COUNTS).plan())


def test_what_looks_across_rows_is_not_pooled():
    @ft.model
    def ranked(arm, y):
        b = ft.sample("b", ft.Normal(0, 1))
        with ft.plate("row", len(arm)):
            ft.sample("y", ft.Poisson(jnp.exp(jnp.cumsum(b * arm) / len(arm))), obs=y)

    assert not pooled(ranked(ARM, COUNTS).plan())


def test_a_formula_with_factors_is_pooled_and_draws_what_it_drew():
    table = {"y": 1 * (COUNTS > 1), "arm": ARM.astype(str), "ward": WARD}
    bound = ft.formula("y ~ arm + (1 | ward)", table, family="bernoulli")
    (found,) = pooled(bound.plan())
    assert found.members == 10
    apart = ft.fit(bound, plan=bound.plan().without("pool"), seed=1, progress=False).summary()
    ours = ft.fit(bound, seed=2, progress=False).summary()
    error = np.hypot(ours["mcse_mean"], apart["mcse_mean"])
    assert (abs(ours["mean"] - apart["mean"]) < 4.5 * error).all()
