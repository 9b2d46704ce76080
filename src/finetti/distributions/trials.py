"""Draw successes also where the numbers of trials are whole floats, which numpyro's fail on."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro import distributions as dist
from numpyro.distributions import Distribution
from numpyro.distributions.util import binomial

from finetti.errors import ModelError
from finetti.types import Array, Key, Value


class BinomialProbs(dist.BinomialProbs):
    """Borrow numpyro's, and draw where trials are floats: a table's column with holes has them."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw successes, integers of shape (*sample_shape, *batch_shape)."""
        return _successes(key, self.probs, self.total_count, (*sample_shape, *self.batch_shape))


class BinomialLogits(dist.BinomialLogits):
    """Borrow numpyro's, and draw where trials are floats: a table's column with holes has them."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw successes, integers of shape (*sample_shape, *batch_shape)."""
        return _successes(key, self.probs, self.total_count, (*sample_shape, *self.batch_shape))


class BetaBinomial(dist.BetaBinomial):
    """Borrow numpyro's, and draw where trials are floats: a table's column with holes has them."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw successes, integers of shape (*sample_shape, *batch_shape)."""
        of_chance, of_successes = jax.random.split(key)
        chance = self._beta.sample(of_chance, sample_shape)
        return _successes(of_successes, chance, self.total_count, jnp.shape(chance))


def Binomial(
    total_count: ArrayLike = 1,
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Return the distribution of successes among trials, by their chance or its log odds.

    >>> float(Binomial(3.0, 0.5).log_prob(1)).__round__(4)
    -0.9808
    """
    if probs is not None and logits is None:
        return BinomialProbs(probs, total_count, validate_args=validate_args)
    if logits is not None and probs is None:
        return BinomialLogits(logits, total_count, validate_args=validate_args)
    raise ModelError("Binomial takes either probs, the chance of a success, or logits")


def _successes(key: Key, chance: Value, trials: Value, shape: tuple[int, ...]) -> Array:
    whole: Value = jnp.asarray(trials).astype(int)
    return binomial(key, chance, whole, shape)


__all__ = ["BetaBinomial", "Binomial", "BinomialLogits", "BinomialProbs"]
