"""Check that sites summed out by messages are exact in trees, near in grids, and said not to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.rewrites.sum_out import find as sum_out

EDGE = 4


@ft.model
def grid(y, coupling=0.2):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("row", y.shape[0]), ft.plate("col", y.shape[1]):
        on = ft.sample("on", ft.Bernoulli(0.4))
        ft.sample("y", ft.Normal(mu * on, 1.0), obs=y)
    ft.factor("down", coupling * (on[1:] == on[:-1]))
    ft.factor("across", coupling * (on[:, 1:] == on[:, :-1]))


def seen(rows, cols):
    return np.random.default_rng(1).normal(0.5, 1, (rows, cols))


def value_and_slope(density):
    """Return the function from a position to the log density and its gradient, compiled."""
    target, given = density.target(jnp.float64)
    function = compiled(ONCE)(jax.value_and_grad(lambda x, given: target.log_density(given, x)))
    return lambda at: function(jnp.array([at]), given)


def both(model, monkeypatch):
    """Return the density summed exactly, and by messages, as if no exact sum fitted."""
    exact = ft.density(model, model.plan())
    monkeypatch.setattr(sum_out, "schedule", lambda *given: None)
    return exact, ft.density(model, model.plan().propagate())


@pytest.mark.parametrize(("rows", "atol"), [(1, 1e-6), (EDGE, 2e-2)])
def test_the_density_is_exact_in_a_chain_and_near_in_a_grid(rows, atol, monkeypatch, float64):
    model = grid(seen(rows, EDGE))
    exact, near = both(model, monkeypatch)
    values = [value_and_slope(d)(0.7) for d in (exact, near)]
    np.testing.assert_allclose(values[1][0], values[0][0], atol=atol)
    np.testing.assert_allclose(values[1][1], values[0][1], atol=atol)
    assert "NOT exact" not in exact.plan().dimensions()
    assert "NOT exact" in near.plan().dimensions()


def test_the_plan_says_what_it_approximates_and_only_when_asked():
    model = grid(seen(30, 30))
    plan = model.plan()
    assert [r.name for r in plan.rewrites if "on" in r.sites] == []
    assert "model.plan().propagate()" in str(plan)
    wide = str(plan.propagate())
    assert "sum by messages" in wide
    assert "NOT exact, by belief propagation" in wide


def test_a_grid_too_wide_to_sum_has_a_density_and_draws(float64):
    truth = np.zeros((30, 30))
    truth[8:20, 8:20] = 1
    y = 3 * truth + np.random.default_rng(2).normal(size=truth.shape)
    model = grid(y, coupling=0.8)
    density = ft.density(model, model.plan().propagate())
    function = value_and_slope(density)
    value, slope = function(3.0)
    low, high = (function(3.0 + s)[0] for s in (-1e-4, 1e-4))
    np.testing.assert_allclose(slope[0], (high - low) / 2e-4, rtol=1e-4)
    assert np.isfinite(value)
    target, given = density.target(jnp.float64)
    draw = compiled(ONCE)(
        lambda key, given: target.outcome(key, given, jnp.array([3.0])).values["on"]
    )
    assert (draw(jax.random.key(0), given) != truth).mean() < 0.05
