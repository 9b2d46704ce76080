"""Make laws of others: sorted draws, weighted densities; and add the inverse Gaussian."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.constraints import Constraint
from numpyro.distributions.util import promote_shapes

from finetti.types import AnyArray, Array, Key, Value


class Ordered(Distribution):
    """Be as many independent draws of a base as it has numbers, in ascending order.

    `base` is a continuous law of numbers with batch shape (..., n), alike along the last, which is
    the event of this one: thresholds of ordered answers have such a prior. Density
    n! prod_i f(x_i) for x_1 < ... < x_n (David & Nagaraja 2003, section 2.2).

    >>> from numpyro.distributions import Normal
    >>> float(Ordered(Normal(0.0, 1.0).expand([2])).log_prob(jnp.array([0.0, 0.0]))).__round__(4)
    -1.1447
    """

    arg_constraints = {}  # noqa: RUF012 - as numpyro has it
    pytree_data_fields = ("base_dist",)

    def __init__(self, base: Distribution):
        if not base.batch_shape or base.event_shape or base.is_discrete:
            raise ValueError(
                f"Ordered takes a continuous law of several numbers, such as "
                f"ft.Normal(0, 1).expand([3]), not one of batch shape {base.batch_shape} and event "
                f"shape {base.event_shape}"
            )
        self.base_dist = base
        super().__init__(base.batch_shape[:-1], base.batch_shape[-1:], validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the ascending vectors."""
        return constraints.ordered_vector

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw from the base and sort."""
        return jnp.sort(self.base_dist.sample(key, sample_shape), axis=-1)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density of a vector in ascending order."""
        terms = jnp.asarray(self.base_dist.log_prob(value))
        return terms.sum(-1) + gammaln(self.event_shape[0] + 1.0)


class Weighted(Distribution):
    """Count each observation as `weight` of them: its log density is weight times the base's.

    `weight` is not negative; a weight of 0 leaves an observation out. Draws are the base's.

    >>> from numpyro.distributions import Normal
    >>> base = Normal(0.0, 1.0)
    >>> float(Weighted(base, 2.0).log_prob(1.0) / base.log_prob(1.0))
    2.0
    """

    arg_constraints = {"weight": constraints.nonnegative}  # noqa: RUF012 - as numpyro has it
    weight: Value
    pytree_data_fields = ("base_dist", "weight")

    def __init__(self, base: Distribution, weight: Value):
        self.base_dist = base
        batch = jnp.broadcast_shapes(base.batch_shape, jnp.shape(weight))
        if batch != base.batch_shape:
            self.base_dist = base.expand(batch)
        (self.weight,) = promote_shapes(weight, shape=batch)
        super().__init__(batch, base.event_shape, validate_args=False)

    @property
    def support(self) -> Constraint | None:
        """Return the base's."""
        return self.base_dist.support

    @property
    def mean(self) -> Value:
        """Return the base's mean."""
        return self.base_dist.mean

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw from the base."""
        return jnp.asarray(self.base_dist.sample(key, sample_shape))

    def log_prob(self, value: AnyArray) -> Array:
        """Return the base's log density as often as the weight says."""
        return self.weight * self.base_dist.log_prob(value)


class InverseGaussian(Distribution):
    """Have density sqrt(shape / (2 pi x^3)) exp(-shape (x - mean)^2 / (2 mean^2 x)), x > 0.

    `mean` and `shape` are positive, the variance is mean^3 / shape (Tweedie 1957).

    >>> float(InverseGaussian(1.0, 1.0).log_prob(1.0)).__round__(4)
    -0.9189
    """

    arg_constraints = {  # noqa: RUF012 - as numpyro has it
        "loc": constraints.positive,
        "shape_": constraints.positive,
    }
    loc: Value
    shape_: Value
    pytree_data_fields = ("loc", "shape_")

    def __init__(self, mean: Value, shape: Value):
        batch = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(shape))
        self.loc, self.shape_ = promote_shapes(mean, shape, shape=batch)
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the positive numbers."""
        return constraints.positive

    @property
    def mean(self) -> Value:
        """Return the mean."""
        return jnp.broadcast_to(self.loc, self.batch_shape)

    @property
    def variance(self) -> Value:
        """Return mean^3 / shape."""
        return jnp.broadcast_to(self.loc**3 / self.shape_, self.batch_shape)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw by a transformation with several roots (Michael, Schucany & Haas 1976)."""
        one, other = jax.random.split(key)
        size = sample_shape + self.batch_shape
        y = jnp.square(jax.random.normal(one, size))
        half = self.loc * y / (2 * self.shape_)
        # The smaller root, written so that no digits cancel.
        x = self.loc / (1 + half + jnp.sqrt(half * (2 + half)))
        first = jax.random.uniform(other, size) * (self.loc + x) <= self.loc
        return jnp.where(first, x, jnp.square(self.loc) / x)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density."""
        away = jnp.square((value - self.loc) / self.loc) / value
        return 0.5 * (jnp.log(self.shape_ / (2 * jnp.pi * value**3)) - self.shape_ * away)


__all__ = ["InverseGaussian", "Ordered", "Weighted"]
