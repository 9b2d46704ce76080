"""Check that another library's sampler takes finetti's density as it is."""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats

import finetti as ft

DATA = np.array([1.2, 0.3, 2.4, 1.9, 0.7])


@ft.model
def conjugate(y):
    mu = ft.sample("mu", ft.Normal(0, 2))
    with ft.plate("i", len(y)):
        ft.sample("y", ft.Normal(mu, 1), obs=y)


@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
def test_blackjax_draws_the_posterior_of_a_conjugate_normal(x64):
    with jax.enable_x64(x64):
        density = ft.density(conjugate(DATA))
        sampler = blackjax.nuts(density.log_density, 0.6, jnp.ones(1))

        def step(state, key):
            state, _ = sampler.step(key, state)
            return state, density.constrain(state.position)["mu"]

        start = sampler.init(jnp.zeros(1))
        _, draws = jax.jit(lambda keys: jax.lax.scan(step, start, keys))(
            jax.random.split(jax.random.key(1), 2100)
        )
    mu = np.asarray(draws, float)[None, 100:]
    precision = 1 / 4 + len(DATA)
    mean, sd = DATA.sum() / precision, precision**-0.5
    assert abs(mu.mean() - mean) < 4 * array_stats.mcse(mu, method="mean")
    assert abs(mu.std() - sd) < 4 * array_stats.mcse(mu, method="sd")
