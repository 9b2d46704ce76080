"""Check the scale that positive sites are moved on: exact anywhere, and as the draws call for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import finetti as ft
from finetti.structure.rewrites.straighten import NEVER, bent, learn, straight

LOGS = np.array([-700.0, -100, -31, -29.9, -10, -1, 0, 1, 3, 6.5])  # of values
LEVELS = np.array([-5.0, 0, 2, NEVER])
DRAWS = 4000


@pytest.mark.parametrize("level", LEVELS)
def test_it_is_a_bijection_with_the_jacobian_stated(level):
    with jax.enable_x64(True):
        logs = LOGS + (level if level != NEVER else 0)
        x, slope = straight(jnp.asarray(logs), jnp.asarray(level))
        back, jacobian = bent(x, jnp.asarray(level))
        steep = jax.vmap(jax.grad(lambda x: bent(x, jnp.asarray(level))[0]))(x)
    assert np.isfinite(x).all()
    np.testing.assert_allclose(back, logs, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(jacobian, np.log(steep), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope, -jacobian, rtol=1e-9, atol=1e-12)


def test_it_is_the_log_below_the_level_and_linear_above():
    with jax.enable_x64(True):
        low, _ = straight(jnp.asarray(-20.0), jnp.asarray(1.0))
        high = [straight(jnp.log(c * jnp.e), jnp.asarray(1.0))[0] for c in (100.0, 101.0)]
    np.testing.assert_allclose(low, -20, atol=1e-8)
    np.testing.assert_allclose(high[1] - high[0], 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("family", "log_scale"),
    [
        (stats.halfnorm, False), (stats.gamma(1.5), False),
        (stats.lognorm(1), True), (stats.halfcauchy, True), (stats.invgamma(3), True),
    ],
)  # fmt: skip
def test_heavy_tails_keep_the_log_and_light_ones_are_straightened(family, log_scale):
    """The draws are less skew on the scale learned than on the log and on the natural scale."""
    values = family.rvs(size=DRAWS, random_state=1964)
    level = float(learn(jnp.asarray(np.log(values)))["level"])
    assert (level > np.log(np.median(values)) + 2) == log_scale
    x = np.asarray(straight(jnp.asarray(np.log(values)), jnp.asarray(level))[0])
    error = np.sqrt(6 / DRAWS)  # of a normal sample's skewness
    rivals = [abs(stats.skew(v)) for v in (np.log(values), values)]
    assert abs(stats.skew(x)) < min(rivals) + 4 * error


def test_each_member_has_its_own_level():
    random = np.random.default_rng(1)
    both = np.stack([np.abs(random.normal(0, s, DRAWS)) for s in (0.01, 100)], 1)
    levels = np.asarray(learn(jnp.asarray(np.log(both)))["level"])
    np.testing.assert_allclose(levels, np.log(np.median(both, 0)), atol=1)


def test_draws_that_tell_nothing_leave_the_log_scale():
    assert float(learn(jnp.zeros(64))["level"]) == NEVER
    assert float(learn(jnp.full(64, jnp.nan))["level"]) == NEVER


def test_a_half_normal_is_sampled_without_divergences():
    """On the log scale its upper wall makes some trajectories diverge."""

    @ft.model
    def walls():
        with ft.plate("wall", 3):
            ft.sample("height", ft.HalfNormal(jnp.array([0.01, 1, 100])))

    bound = walls()
    assert [r.name for r in bound.plan().rewrites] == ["straighten height"]
    posterior = ft.fit(bound, ft.NUTS(), seed=1, progress=False)
    assert posterior.tree["sample_stats"]["diverging"].sum() == 0
    table = posterior.summary()
    exact = np.array([0.01, 1, 100]) * np.sqrt(2 / np.pi)
    assert (np.abs(table["mean"] - exact) < 4 * table["mcse_mean"]).all()


def test_it_can_be_refused():
    @ft.model
    def spread():
        ft.sample("tau", ft.HalfNormal(1))

    row, *_ = spread().plan().without("straighten tau").rows()
    assert (row.done, row.why) == ("sample its log", "positive")
