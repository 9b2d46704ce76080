"""Draw counts also where numpyro's fail: whole floats for trials, large rates, traced numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro import distributions as dist
from numpyro.distributions import Distribution
from numpyro.distributions.util import binomial

from finetti.errors import ModelError
from finetti.types import Array, Key, Value

Way = tuple[type[Distribution], ArrayLike | None]
LARGE = 10_000  # a rate beyond which JAX, which tries draws in float32, has them spread too much


class Poisson(dist.Poisson):
    """Borrow numpyro's, whose draws of a rate of 1e8 have 1.2 times their standard deviation."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw counts, integers of shape (*sample_shape, *batch_shape)."""
        return poisson(key, self.rate, (*sample_shape, *self.batch_shape))


class ZeroInflatedPoisson(dist.ZeroInflatedPoisson):
    """Borrow numpyro's, with draws of `Poisson`."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw zeros of their own, or counts, integers of shape (*sample_shape, *batch_shape)."""
        of_zeros, of_counts = jax.random.split(key)
        shape = (*sample_shape, *self.batch_shape)
        gate: Value = self.gate
        counts = poisson(of_counts, self.rate, shape)
        return jnp.where(jax.random.bernoulli(of_zeros, gate, shape), 0, counts)


def poisson(key: Key, rate: Value, shape: tuple[int, ...]) -> Array:
    """Draw counts of a rate, integers of a shape.

    Large ones are rounded quantiles of Cornish & Fisher's expansion (1938) to the order 1 / rate,
    whose probabilities are off by some rate^-1.5.
    """
    rate = jnp.broadcast_to(rate, shape)
    few = jax.random.poisson(key, jnp.minimum(rate, LARGE))
    z = jax.random.normal(jax.random.fold_in(key, 1), shape)
    root = jnp.sqrt(jnp.maximum(rate, LARGE))
    many = jnp.floor(rate + root * z + (z**2 - 1) / 6 + (z - z**3) / (72 * root) + 0.5)
    return jnp.where(rate > LARGE, many.astype(few.dtype), few)


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
    said = "Binomial takes either probs, the chance of a success, or logits"
    family, given = one_of((BinomialProbs, probs), (BinomialLogits, logits), said)
    return family(given, total_count, validate_args=validate_args)


class MultinomialProbs(dist.MultinomialProbs):
    """Borrow numpyro's, and draw whatever the numbers of trials are, without their maximum."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw counts, integers of shape (*sample_shape, *batch_shape, category)."""
        return _counts(key, self.probs, self.total_count, (*sample_shape, *self.batch_shape))


class MultinomialLogits(dist.MultinomialLogits):
    """Borrow numpyro's, and draw whatever the numbers of trials are, without their maximum."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw counts, integers of shape (*sample_shape, *batch_shape, category)."""
        return _counts(key, self.probs, self.total_count, (*sample_shape, *self.batch_shape))


def Multinomial(
    total_count: ArrayLike = 1,
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    total_count_max: int | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Return the distribution of counts of categories, by their chances or the logs of these.

    `total_count_max`, which numpyro's needs to draw, is not needed.

    >>> float(Multinomial(3, jnp.array([0.5, 0.5])).log_prob(jnp.array([1, 2]))).__round__(4)
    -0.9808
    """
    said = "Multinomial takes either probs, the categories' chances, or their logits"
    family, given = one_of((MultinomialProbs, probs), (MultinomialLogits, logits), said)
    both = {"total_count_max": total_count_max, "validate_args": validate_args}
    return family(given, total_count, **both)


def one_of(by_chances: Way, by_logits: Way, said: str) -> tuple[type[Distribution], ArrayLike]:
    """Return the class and the argument of the way that was chosen; refuse both ways, and none."""
    chosen = [(family, given) for family, given in (by_chances, by_logits) if given is not None]
    if len(chosen) != 1:
        raise ModelError(said)
    return chosen[0]


def _counts(key: Key, chances: Value, trials: Value, shape: tuple[int, ...]) -> Array:
    """Draw a category after another: each is binomial, of what those before have left."""
    chances = jnp.broadcast_to(chances, (*shape, chances.shape[-1]))
    left = jnp.cumsum(chances[..., ::-1], -1)[..., ::-1]  # of it and of those after it
    shares = jnp.where(left > 0, chances / jnp.where(left > 0, left, 1), 0).clip(0, 1)
    whole: Value = jnp.broadcast_to(jnp.asarray(trials).astype(int), shape)
    keys = jax.random.split(key, chances.shape[-1] - 1)

    def next_one(left: Value, at: tuple[Key, Array]) -> tuple[Array, Array]:
        key, share = at
        taken = binomial(key, share, left, shape).astype(left.dtype)
        return left - taken, taken

    last, counts = jax.lax.scan(next_one, whole, (keys, jnp.moveaxis(shares[..., :-1], -1, 0)))
    return jnp.concatenate([jnp.moveaxis(counts, 0, -1), last[..., None]], -1)


def _successes(key: Key, chance: Value, trials: Value, shape: tuple[int, ...]) -> Array:
    whole: Value = jnp.asarray(trials).astype(int)
    return binomial(key, chance, whole, shape)


__all__ = [
    "BetaBinomial",
    "Binomial",
    "BinomialLogits",
    "BinomialProbs",
    "Multinomial",
    "MultinomialLogits",
    "MultinomialProbs",
    "Poisson",
    "ZeroInflatedPoisson",
]
