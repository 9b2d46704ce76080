"""Distribute series by their own past, as PyMC4's `AR` does."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from finetti import distributions as ft
from finetti.dialects.written import Written
from finetti.types import Array, Key

KNOWN = 1e-6  # the standard deviation of the first value around the state to start from


def autoregressive(
    num_timesteps: int,
    coefficients: Array,
    level_scale: Array,
    initial_state: Array,
    initial_step: int,
) -> Written:
    """Distribute series y of shape (num_timesteps, 1) by y[t] = sum_k c[k] y[t - k] + noise.

    `coefficients` have shape (..., order), `level_scale` is the noise's standard deviation, shape
    (...). `initial_state` is y[0] and, before it, y[-1], y[-2], ..., shape (..., order); as in
    PyMC4 the series starts there, but for a standard deviation of a millionth.

    >>> series = autoregressive(3, jnp.array([0.5]), jnp.array(0.1), jnp.array([1.0]), 0)
    >>> series.sample(jax.random.key(0), (4,)).shape
    (4, 3, 1)
    """
    length, order = int(num_timesteps), coefficients.shape[-1]
    scale = jnp.abs(level_scale)
    batch = jnp.broadcast_shapes(
        coefficients.shape[:-1], scale.shape, jnp.shape(initial_state)[:-1]
    )
    start = jnp.broadcast_to(initial_state, (*batch, order))

    def density(x: Array) -> Array:
        y = x[..., 0]
        past = jnp.broadcast_to(start[..., :0:-1], (*y.shape[:-1], order - 1))
        whole = jnp.concatenate([past, y], -1)
        # whole[order - 1] is y[0]: a lag of k takes y[1 - k] to y[length - 1 - k].
        lags = [whole[..., order - k : order - k + length - 1] for k in range(1, order + 1)]
        means = sum(coefficients[..., k, None] * lag for k, lag in enumerate(lags))
        first = ft.Normal(start[..., 0], KNOWN).log_prob(y[..., 0])
        return first + ft.Normal(means, scale[..., None]).log_prob(y[..., 1:]).sum(-1)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        noise = jnp.moveaxis(jax.random.normal(key, shape[:-1]), -1, 0)

        def step(lags: Array, shift: Array) -> tuple[Array, Array]:
            new = (coefficients * lags).sum(-1) + scale * shift
            return jnp.concatenate([new[..., None], lags[..., :-1]], -1), new

        first = start[..., 0] + KNOWN * noise[0]
        lags = jnp.broadcast_to(start, (*first.shape, order)).at[..., 0].set(first)
        rest = jax.lax.scan(step, lags, noise[1:])[1]
        return jnp.moveaxis(jnp.concatenate([first[None], rest]), 0, -1)[..., None]

    support = ft.constraints.independent(ft.constraints.real, 2)
    return Written(density, support, batch, (length, 1), sampler)
