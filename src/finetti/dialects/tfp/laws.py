"""Make distributions of TensorFlow Probability's that finetti writes otherwise, or lacks."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

from finetti import distributions as ft
from finetti.dialects.written import Written
from finetti.types import Array, Key, Value


def positive(made: ft.Distribution) -> ft.Distribution:
    """Cut a distribution off below zero."""
    return ft.LeftTruncatedDistribution(made, 0.0)


def whole(value: Value) -> Value:
    """Return counts as whole numbers."""
    return jnp.asarray(value).astype(int)


def beta_binomial(
    total_count: Value, concentration0: Value, concentration1: Value
) -> ft.Distribution:
    """Count successes of a probability that is beta."""
    return ft.BetaBinomial(concentration1, concentration0, whole(total_count))


def logit_normal(loc: Value, scale: Value) -> ft.Distribution:
    """Distribute what is normal in log odds."""
    return ft.TransformedDistribution(ft.Normal(loc, scale), ft.transforms.SigmoidTransform())


def inflated(psi: Value, made: ft.Distribution) -> ft.Distribution:
    """Mix zeros in, `psi` being the share that is not made of them."""
    return ft.ZeroInflatedDistribution(made, gate=1 - psi)


def triangular(low: Value, peak: Value, high: Value) -> ft.Distribution:
    """Distribute by a triangle with its peak anywhere."""

    def density(x: Array) -> Array:
        rising, falling = (x - low) / (peak - low), (high - x) / (high - peak)
        side = jnp.where(x < peak, rising, jnp.where(x > peak, falling, 1.0))
        return jnp.log(2 / (high - low)) + jnp.log(side)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        u = jax.random.uniform(key, shape)
        left = low + jnp.sqrt(u * (high - low) * (peak - low))
        right = high - jnp.sqrt((1 - u) * (high - low) * (high - peak))
        return jnp.where(u < (peak - low) / (high - low), left, right)

    batch = jnp.shape(low + peak + high)
    return Written(density, ft.constraints.interval(low, high), batch, sampler=sampler)


def moyal(loc: Value, scale: Value) -> ft.Distribution:
    """Distribute energy losses (Moyal 1955)."""

    def density(x: Array) -> Array:
        z = (x - loc) / scale
        return -0.5 * (z + jnp.exp(-z)) - 0.5 * jnp.log(2 * jnp.pi) - jnp.log(scale)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        return loc - scale * jnp.log(jax.random.normal(key, shape) ** 2)

    return Written(density, ft.constraints.real, jnp.shape(loc + scale), sampler=sampler)


def generalized_normal(loc: Value, scale: Value, power: Value) -> ft.Distribution:
    """Distribute normally, but for the power in the exponent."""

    def density(x: Array) -> Array:
        constant = jnp.log(power) - jnp.log(2 * scale) - special.gammaln(1 / power)
        return constant - (jnp.abs(x - loc) / scale) ** power

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        size, side = jax.random.split(key)
        steps = jax.random.gamma(size, jnp.broadcast_to(1 / power, shape)) ** (1 / power)
        return loc + scale * steps * jax.random.rademacher(side, shape)

    return Written(density, ft.constraints.real, jnp.shape(loc + scale + power), sampler=sampler)


def zipf(power: Value) -> ft.Distribution:
    """Distribute whole numbers from 1 by a power of themselves."""
    return Written(
        lambda x: -power * jnp.log(x) - jnp.log(special.zeta(power, 1.0)),
        ft.constraints.integer_greater_than(1),
        jnp.shape(power),
    )


def mixture(p: Value, distributions: Any) -> ft.Distribution:
    """Mix one family over the last axis of its batch, or a list of distributions."""
    shares = ft.Categorical(probs=p)
    if not isinstance(distributions, list):
        return ft.MixtureSameFamily(shares, distributions)
    batch = jnp.broadcast_shapes(p.shape[:-1], *(d.batch_shape for d in distributions))
    return ft.MixtureGeneral(
        ft.Categorical(probs=jnp.broadcast_to(p, (*batch, p.shape[-1]))),
        [d.expand(batch) for d in distributions],
    )


class _Vectors(ft.constraints.Constraint):  # pyright: ignore[reportGeneralTypeIssues]
    """Admit vectors of zeros with a single one."""

    event_dim = 1
    is_discrete = True

    def __call__(self, x: Value) -> Any:
        """Tell which vectors are such."""
        return ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1)

    def tree_flatten(self) -> Any:
        """Return nothing to trace."""
        return (), ((), {})


def one_hot(probs: Value = None, logits: Value = None) -> ft.Distribution:
    """Distribute vectors with a one at the place of a category."""
    law: Any = ft.Categorical(probs=probs, logits=logits)
    size = jnp.shape(probs if logits is None else logits)[-1]

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        drawn = law.sample(key, shape[: len(shape) - 1 - len(law.batch_shape)])
        return jax.nn.one_hot(drawn, size, dtype=int)

    return Written(
        lambda x: law.log_prob(x.argmax(-1)), _Vectors(), law.batch_shape, (size,), sampler
    )
