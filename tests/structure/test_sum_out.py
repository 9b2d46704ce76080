"""Check that summing out changes nothing but the work: sums, gradients, probabilities, draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import Exhaustive, Summed

import finetti as ft
import zoo
from finetti.compiling import ONCE, compiled
from finetti.structure.plan import Plan
from finetti.structure.rewrites.sum_out.sum_out import SumOut

POINTS = 3
DRAWS = 4000

DISCRETE = {**zoo.switches.DISCRETE, "disasters": zoo.MODELS["disasters"]}
QUICK = ("zero_inflated", "normal_mixture", "hidden_chain", "raters", "two_switches", "disasters")
every = pytest.mark.parametrize("name", zoo.shortened(DISCRETE, *QUICK))


@cache
def plan(name: str) -> Plan:
    """Return a model's plan that sums, and samples all the rest."""
    found = DISCRETE[name]().plan()
    return found.without("integrate out", "centre") if name == "group_classes" else found


@cache
def points(name: str) -> np.ndarray:
    dim = ft.density(DISCRETE[name](), plan(name)).dim
    return np.random.default_rng(1812).normal(0, 0.5, (POINTS, dim))


def values(name: str) -> dict[str, np.ndarray]:
    """Return the values of each site, the same for all its members in these models."""
    sums = [r for r in plan(name).rewrites if isinstance(r, SumOut)]
    lowest = {"times": 1}
    return {
        site: np.arange(n) + lowest.get(site, 0)
        for r in sums
        for site, n in zip(r.sites, r.states, strict=True)
    }


@cache
def exhaustive(name: str) -> tuple[Exhaustive, tuple[Summed, ...]]:
    with jax.enable_x64(True):
        found = Exhaustive(plan(name), values(name))
        return found, tuple(found.sum(phi) for phi in points(name))


@dataclass(frozen=True)
class Found:
    """Hold what a plan's form yields: log densities and gradients, draws and probabilities."""

    values: np.ndarray
    gradients: np.ndarray
    draws: np.ndarray
    probabilities: dict[str, np.ndarray]


@cache
def summed(name: str) -> Found:
    """Evaluate a model's form, in one compiled program; draws are those at the first point."""
    target, given = ft.density(DISCRETE[name](), plan(name)).target()
    sites = exhaustive(name)[0].sites

    def draw(key, given, phi):
        found = target.outcome(key, given, phi).values
        return jnp.concatenate([found[v.name].ravel() for v in sites])

    @compiled(ONCE)
    def everything(given, phis, keys):
        both = jax.vmap(jax.value_and_grad(target.log_density, 1), (None, 0))(given, phis)
        draws = jax.vmap(draw, (0, None, None))(keys, given, phis[0])
        return *both, draws, target.probabilities(given, phis[0])

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(1812), DRAWS)
        return Found(*jax.tree.map(np.asarray, everything(given, points(name), keys)))


@every
def test_the_density_is_the_sum_over_all_joint_states(name):
    exact = [s.value for s in exhaustive(name)[1]]
    np.testing.assert_allclose(summed(name).values, exact, rtol=1e-9)


@every
def test_the_gradient_is_that_of_the_sum(name):
    for found, exact in zip(summed(name).gradients, exhaustive(name)[1], strict=True):
        scale = np.abs(exact.gradient).max(initial=1)
        np.testing.assert_allclose(found, exact.gradient, rtol=1e-9, atol=1e-9 * scale)


@every
def test_the_probabilities_are_the_exact_ones(name):
    exact, at = exhaustive(name)
    rows = [p.reshape(-1, p.shape[-1]) for p in summed(name).probabilities.values()]
    states = max(p.shape[-1] for p in rows)
    found = np.concatenate([np.pad(p, ((0, 0), (0, states - p.shape[-1]))) for p in rows])
    np.testing.assert_allclose(found, exact.marginals(at[0], states), atol=1e-9)


@every
def test_draws_have_the_exact_joint_distribution(name):
    """Frequencies of all joint states, those expected fewer than 5 times taken together."""
    exact, at = exhaustive(name)
    bases = np.ptp(exact.states, axis=0) + 1
    steps = summed(name).draws.astype(int) - exact.lowest
    codes = np.ravel_multi_index(tuple(steps.T), tuple(bases))
    observed = np.bincount(codes, minlength=len(exact.states))
    expected = DRAWS * at[0].probabilities
    rare = expected < 5
    assert not observed[at[0].probabilities == 0].any()
    o = np.r_[observed[~rare], observed[rare].sum()]
    e = np.r_[expected[~rare], expected[rare].sum()]
    o, e = o[e > 0], e[e > 0]
    assert len(e) > 1
    chi = np.sum((o - e) ** 2 / e)
    variance = 2 * (len(e) - 1) + np.sum(1 / e) / 1  # of Pearson's statistic, finite-sample
    assert abs(chi - (len(e) - 1)) / np.sqrt(variance) < 4


@every
def test_each_members_draws_have_the_exact_frequencies(name):
    exact, at = exhaustive(name)
    states = int(np.ptp(exact.states, axis=0).max()) + 1
    p = exact.marginals(at[0], states)
    steps = summed(name).draws - exact.lowest
    found = (steps[:, :, None] == np.arange(states)).mean(0)
    error = np.sqrt(p * (1 - p) / DRAWS)
    likely = DRAWS * p * (1 - p) > 5
    assert np.all(np.abs(found - p)[likely] < 4 * error[likely])
