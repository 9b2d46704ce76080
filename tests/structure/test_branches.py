"""Check that what a site chooses is not taken for what it chose at one point."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exactly import Exactly

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.degrees import NONLINEAR, degrees
from finetti.structure.rewrites.integrate.integrate import Integrate

ROWS, POINTS = 24, 40
X = np.linspace(-3, 3, ROWS)
YEAR = 2000 + np.arange(ROWS)
Y = np.random.default_rng(1837).normal(size=ROWS)
CODES = np.arange(ROWS) % 4


def coefficients(count, name="b"):
    return [ft.sample(f"{name}{i}", ft.Normal(0, 1)) for i in range(count)]


def hinges():
    low, high = ft.sample("low", ft.Normal(-2, 2)), ft.sample("high", ft.Normal(2, 2))
    a, b = coefficients(2)
    return a * jnp.maximum(low - X, 0) + b * jnp.maximum(X - high, 0)


def steps():
    knot = ft.sample("knot", ft.Normal(0, 2))
    a, b, c = coefficients(3)
    return jnp.where(knot - 2 > X, a, 0) + jnp.where(knot * X > 1, b, 0) + c * (knot > 0)


def late():
    """The change comes long after the points at which finders look."""
    knot = ft.sample("knot", ft.Normal(2010, 5))
    before, after = coefficients(2)
    return jnp.where(knot > YEAR, before, after)


def many_late():
    """So many coefficients that the precision is formed ahead where it may be."""
    knot = ft.sample("knot", ft.Normal(2010, 5))
    b = ft.sample("b", ft.Normal(0, 1).expand([12]))
    design = np.random.default_rng(1).normal(size=(ROWS, 12))
    return jnp.where(knot > YEAR, design @ b, 0.1 * (design @ b))


def a_place():
    place = ft.sample("place", ft.Normal(1, 2))
    b = ft.sample("b", ft.Normal(0, 1).expand([4]))
    found = jnp.clip(jnp.floor(place + 0 * X), 0, 3).astype(int)
    return b[found] + ft.sample("a", ft.Normal(0, 1)) * (place < X)


def effects_beside_a_hinge():
    knot = ft.sample("knot", ft.Normal(0, 3))
    with ft.plate("group", 4):
        theta = ft.sample("theta", ft.Normal(0, 1))
    a, b = coefficients(2)
    first = jnp.where(CODES == 0, jnp.maximum(knot - 2, 0), 0)
    return theta[CODES] + a * first + b * jnp.where(CODES == 1, jnp.maximum(-knot, 0), 0) * X


def a_branch():
    knot = ft.sample("knot", ft.Normal(0, 3))
    a, b = coefficients(2)
    return a * X + jax.lax.cond(knot > 1, lambda: b * X, lambda: b * jnp.zeros(ROWS))


def sorted_places():
    order = ft.sample("order", ft.Normal(0, 1).expand([3]))
    b = ft.sample("b", ft.Normal(0, 1).expand([3]))
    return b[jnp.argsort(order)][CODES % 3] + ft.sample("a", ft.Normal(0, 1)) * (CODES == 0)


def rounded():
    return ft.sample("whole", ft.Normal(0, 3)).astype(int) * X + ft.sample("a", ft.Normal(0, 1))


def truth():
    return ft.sample("x", ft.Normal(0, 1)).astype(bool) * X + ft.sample("a", ft.Normal(0, 1))


PREDICTORS = (
    hinges, steps, late, many_late, a_place, effects_beside_a_hinge, a_branch, sorted_places,
    rounded, truth,
)  # fmt: skip


def model(predictor):
    def chosen():
        eta = predictor()
        sigma = ft.sample("sigma", ft.HalfNormal(1))
        with ft.plate("row", ROWS):
            ft.sample("y", ft.Normal(eta, sigma), obs=Y)

    return ft.Model(chosen, predictor.__name__, ((), {}))


@pytest.mark.parametrize("predictor", PREDICTORS, ids=lambda p: p.__name__)
def test_the_marginal_is_exact_wherever_the_choosing_sites_are(predictor):
    plan = model(predictor).plan()
    assert any(isinstance(r, Integrate) for r in plan.rewrites)
    form, exactly = plan.form.unmoved(), Exactly(plan, {})
    rng = np.random.default_rng(1965)
    places = rng.normal(0, 3, (POINTS, exactly.rest.dim))
    scale = exactly.rest.places["sigma"]
    places[:, scale] = rng.normal(0, 0.5, (POINTS, 1))
    if "knot" in exactly.rest.places and "late" in predictor.__name__:
        places[:, exactly.rest.places["knot"]] = rng.uniform(1995, 2030, (POINTS, 1))
    probes = rng.normal(0, 3, (POINTS, exactly.gone.dim))

    @compiled(ONCE)
    def both(given, places, probes):
        def at(place, probe):
            taken = exactly.marginal(given.data, place)
            rest = exactly.remainder(given.data, place, probe, taken)
            return form.log_density(given, exactly.rest.split(place)), taken.value, rest

        return jax.lax.map(lambda p: at(*p), (places, probes))

    with jax.enable_x64(True):
        ours, exact, rest = map(np.asarray, both(plan.given, places, probes))
    np.testing.assert_allclose(ours, exact, rtol=1e-9)
    np.testing.assert_allclose(rest, 0, atol=1e-8 * np.abs(exact).max())


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.astype(int) * 1.0,
        lambda x: x.astype(bool) * 1.0,
        lambda x: x.at[0].apply(jnp.exp),
        lambda x: x.at[0].max(1.0),
        lambda x: jax.lax.stop_gradient(x),
        lambda x: x[jnp.argmax(x)],
        lambda x: jnp.sort(x),
    ],
)
def test_what_is_no_polynomial_is_not_taken_for_one(function):
    jaxpr = jax.make_jaxpr(function)(jnp.ones(3)).jaxpr
    assert degrees(jaxpr, {jaxpr.invars[0]: 1})(jaxpr.outvars[0]) == NONLINEAR


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.astype("float32"),
        lambda x: jnp.zeros(5).at[jnp.array([0, 2, 3])].set(x),
        lambda x: jnp.zeros(5).at[jnp.array([0, 0, 3])].add(x),
    ],
)
def test_what_only_moves_or_adds_is_linear(function):
    jaxpr = jax.make_jaxpr(function)(jnp.ones(3)).jaxpr
    assert degrees(jaxpr, {jaxpr.invars[0]: 1})(jaxpr.outvars[0]) == 1
