"""Make distributions of TensorFlow Probability's that finetti writes otherwise, or lacks."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

from finetti import distributions as ft
from finetti.dialects.written import Written
from finetti.types import Array, Key


def positive(made: ft.Distribution) -> ft.Distribution:
    """Cut a distribution off below zero."""
    return ft.LeftTruncatedDistribution(made, 0.0)


def whole(value: Array) -> Array:
    """Return counts as whole numbers."""
    return jnp.asarray(value).astype(int)


def beta_binomial(
    total_count: Array, concentration0: Array, concentration1: Array
) -> ft.Distribution:
    """Count successes of a probability that is beta."""
    return ft.BetaBinomial(concentration1, concentration0, whole(total_count))


def logit_normal(loc: Array, scale: Array) -> ft.Distribution:
    """Distribute what is normal in log odds."""
    return ft.TransformedDistribution(ft.Normal(loc, scale), ft.transforms.SigmoidTransform())


def inflated(psi: Array, made: ft.Distribution) -> ft.Distribution:
    """Mix zeros in, `psi` being the share that is not made of them."""
    return ft.ZeroInflatedDistribution(made, gate=1 - psi)


def triangular(low: Array, peak: Array, high: Array) -> ft.Distribution:
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


def moyal(loc: Array, scale: Array) -> ft.Distribution:
    """Distribute energy losses (Moyal 1955)."""

    def density(x: Array) -> Array:
        z = (x - loc) / scale
        return -0.5 * (z + jnp.exp(-z)) - 0.5 * jnp.log(2 * jnp.pi) - jnp.log(scale)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        return loc - scale * jnp.log(jax.random.normal(key, shape) ** 2)

    return Written(density, ft.constraints.real, jnp.shape(loc + scale), sampler=sampler)


def generalized_normal(loc: Array, scale: Array, power: Array) -> ft.Distribution:
    """Distribute normally, but for the power in the exponent."""

    def density(x: Array) -> Array:
        constant = jnp.log(power) - jnp.log(2 * scale) - special.gammaln(1 / power)
        return constant - (jnp.abs(x - loc) / scale) ** power

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        size, side = jax.random.split(key)
        steps = jax.random.gamma(size, jnp.broadcast_to(1 / power, shape)) ** (1 / power)
        return loc + scale * steps * jax.random.rademacher(side, shape)

    return Written(density, ft.constraints.real, jnp.shape(loc + scale + power), sampler=sampler)


def zipf(power: Array) -> ft.Distribution:
    """Distribute whole numbers from 1 by a power of themselves."""
    return Written(
        lambda x: -power * jnp.log(x) - jnp.log(special.zeta(power, 1.0)),
        ft.constraints.integer_greater_than(1),
        jnp.shape(power),
    )


def wishart(df: Array, scale_tril: Array, input_output_cholesky: bool) -> ft.Distribution:
    """Distribute positive definite matrices; or name each by its Cholesky factor.

    The density is that of the matrix also where its factor stands for it.
    """
    made = ft.Wishart(df, scale_tril=scale_tril)
    if not input_output_cholesky:
        return made

    def density(factor: Array) -> Array:
        return made.log_prob(factor @ jnp.swapaxes(factor, -1, -2))

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        lead = shape[: len(shape) - len(made.batch_shape) - 2]
        return jnp.linalg.cholesky(made.sample(key, lead))

    support = ft.constraints.lower_cholesky
    return Written(density, support, made.batch_shape, made.event_shape, sampler)


def mixture(p: Array, distributions: ft.Distribution | list[ft.Distribution]) -> ft.Distribution:
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

    def __call__(self, x: Array) -> Array:
        """Tell which vectors are such."""
        return ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1)

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return nothing to trace."""
        return (), ((), {})


def one_hot(probs: Array | None = None, logits: Array | None = None) -> ft.Distribution:
    """Distribute vectors with a one at the place of a category."""
    law: Any = ft.Categorical(probs=probs, logits=logits)
    (given,) = (x for x in (probs, logits) if x is not None)
    size = given.shape[-1]

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        drawn = law.sample(key, shape[: len(shape) - 1 - len(law.batch_shape)])
        return jax.nn.one_hot(drawn, size, dtype=int)

    return Written(
        lambda x: law.log_prob(x.argmax(-1)), _Vectors(), law.batch_shape, (size,), sampler
    )


class _Copied(ft.constraints.Constraint):  # pyright: ignore[reportGeneralTypeIssues]
    """Admit copies, right of a batch, of what a support admits left of it."""

    def __init__(self, support: Any, batch: int, copies: int) -> None:
        self.support, self.batch, self.copies = support, batch, copies
        self.event_dim, self.is_discrete = support.event_dim + copies, support.is_discrete

    def __call__(self, x: Array) -> Array:
        """Tell which values are admitted, one a batch element."""
        inside = jnp.asarray(
            self.support(_leading(x, self.batch, self.copies, self.support.event_dim))
        )
        axes = range(inside.ndim - self.batch - self.copies, inside.ndim - self.batch)
        return inside.all(tuple(axes))

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return what is traced and what is not."""
        return (self.support,), (("support",), {"batch": self.batch, "copies": self.copies})


def _leading(x: Array, batch: int, copies: int, event: int) -> Array:
    """Return (..., *batch, *copies, *event) with the copies before the batch."""
    first = x.ndim - event - copies
    return jnp.moveaxis(x, tuple(range(first, first + copies)),
                        tuple(range(first - batch, first - batch + copies)))  # fmt: skip


def copies(made: ft.Distribution, shape: tuple[int, ...]) -> ft.Distribution:
    """Distribute independent copies as one event, their axes between the batch and the event."""
    batch, count, event = len(made.batch_shape), len(shape), len(made.event_shape)

    def density(x: Array) -> Array:
        terms = jnp.asarray(made.log_prob(_leading(x, batch, count, event)))
        first = terms.ndim - batch - count
        return terms.sum(tuple(range(first, first + count)))

    def sampler(key: Key, size: tuple[int, ...]) -> Array:
        lead = size[: len(size) - batch - count - event]
        drawn = made.sample(key, lead + shape)
        first = len(lead)
        return jnp.moveaxis(drawn, tuple(range(first, first + count)),
                            tuple(range(first + batch, first + batch + count)))  # fmt: skip

    support = _Copied(made.support, batch, count)
    return Written(density, support, made.batch_shape, shape + made.event_shape, sampler)
