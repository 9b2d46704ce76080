"""Draw counts beyond a hurdle at once: numpyro's draws are rejected without end near 0."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro import distributions as dist
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.constraints import Constraint

from finetti.distributions.trials import one_of, poisson
from finetti.distributions.truncated import Truncated
from finetti.errors import ModelError
from finetti.types import Array, Key


class HurdleProbs(dist.HurdleProbs):
    """Borrow numpyro's, take 0, and draw counts above it however rare they are in the base."""

    @constraints.dependent_property
    def support(self) -> Constraint | None:
        """Return the base's values and 0, which that of numpyro leaves out of positive ones."""
        return _with_zero(self.base_dist.support)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw zeros, or values of the base above 0, shape (*sample_shape, *batch_shape)."""
        return _drawn(self, key, sample_shape)


class HurdleLogits(dist.HurdleLogits):
    """Borrow numpyro's, take 0, and draw counts above it however rare they are in the base."""

    @constraints.dependent_property
    def support(self) -> Constraint | None:
        """Return the base's values and 0, which that of numpyro leaves out of positive ones."""
        return _with_zero(self.base_dist.support)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw zeros, or values of the base above 0, shape (*sample_shape, *batch_shape)."""
        return _drawn(self, key, sample_shape)


class HurdlePoisson(dist.HurdlePoisson):
    """Borrow numpyro's, and draw counts above 0 however rare they are in the base."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw zeros, or counts above 0, shape (*sample_shape, *batch_shape).

        These are the first event's, at a time drawn given that there is one, and those after it.
        """
        own: Any = self
        of_gate, of_first, of_rest = jax.random.split(key, 3)
        shape = (*sample_shape, *self.batch_shape)
        rate = jnp.broadcast_to(own.rate, shape)
        first = -jnp.log1p(jax.random.uniform(of_first, shape) * jnp.expm1(-rate))
        values = 1 + poisson(of_rest, jnp.maximum(rate - first, 0.0), shape)
        zero = jax.random.bernoulli(of_gate, own.gate, shape)
        return jnp.where(zero, jnp.zeros_like(values), values)


def HurdleDistribution(
    base_dist: Distribution,
    *,
    gate: ArrayLike | None = None,
    gate_logits: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Return a distribution beyond a hurdle, by the probability of a zero or its log odds.

    >>> from numpyro.distributions import Poisson
    >>> float(HurdleDistribution(Poisson(1.0), gate=0.25).log_prob(0)).__round__(4)
    -1.3863
    """
    said = "HurdleDistribution takes either gate, the chance of a 0, or gate_logits"
    family, given = one_of((HurdleProbs, gate), (HurdleLogits, gate_logits), said)
    return family(base_dist, given, validate_args=validate_args)


def HurdleNegativeBinomial2(
    gate: ArrayLike,
    mean: ArrayLike,
    concentration: ArrayLike,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Return a negative binomial distribution beyond a hurdle, zero with the probability `gate`.

    >>> float(HurdleNegativeBinomial2(0.25, 2.0, 1.0).log_prob(0)).__round__(4)
    -1.3863
    """
    made = dist.HurdleNegativeBinomial2(gate, mean, concentration, validate_args=validate_args)
    return HurdleProbs(made.base_dist, made.gate, validate_args=validate_args)


def _with_zero(support: Constraint | None) -> Constraint | None:
    return constraints.nonnegative if support is constraints.positive else support


def _drawn(hurdle: Any, key: Key, sample_shape: tuple[int, ...]) -> Array:
    base = hurdle.base_dist
    try:
        above = Truncated(base, low=1) if base.is_discrete else base
    except ModelError:  # one without a cdf, which is not inverted
        return dist.HurdleProbs.sample(hurdle, key, sample_shape)
    of_gate, of_rest = jax.random.split(key)
    zero = jax.random.bernoulli(of_gate, hurdle.gate, (*sample_shape, *hurdle.batch_shape))
    values = above.sample(of_rest, sample_shape)
    return jnp.where(zero, jnp.zeros_like(values), values)


__all__ = [
    "HurdleDistribution", "HurdleLogits", "HurdleNegativeBinomial2", "HurdlePoisson", "HurdleProbs",
]  # fmt: skip
