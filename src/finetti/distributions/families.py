"""Add the families that the field expects and numpyro lacks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr
from numpyro import distributions as dist
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.constraints import Constraint
from numpyro.distributions.util import promote_shapes

from finetti.types import AnyArray, Array, Key, Value


class SkewNormal(Distribution):
    """Have density 2/scale phi(z) Phi(skew z), z = (value - loc)/scale (Azzalini 1985).

    `loc` real, `scale` positive, `skew` real: 0 is the normal, positive leans to the right.

    >>> float(SkewNormal(0.0, 1.0, 0.0).log_prob(0.0)).__round__(4)
    -0.9189
    """

    arg_constraints = {  # noqa: RUF012 - as numpyro has it
        "loc": constraints.real,
        "scale": constraints.positive,
        "skew": constraints.real,
    }
    loc: Value
    scale: Value
    skew: Value

    def __init__(self, loc: Value = 0.0, scale: Value = 1.0, skew: Value = 0.0):
        batch = jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale), jnp.shape(skew))
        self.loc, self.scale, self.skew = promote_shapes(loc, scale, skew, shape=batch)
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the real line."""
        return constraints.real

    @property
    def mean(self) -> Array:
        """Return loc + scale delta sqrt(2 / pi), delta = skew / sqrt(1 + skew^2)."""
        lean = self.skew / jnp.sqrt(1 + jnp.square(self.skew))
        found = self.loc + self.scale * lean * jnp.sqrt(2 / jnp.pi)
        return jnp.broadcast_to(found, self.batch_shape)

    @property
    def variance(self) -> Array:
        """Return scale^2 (1 - 2 delta^2 / pi)."""
        square = jnp.square(self.skew) / (1 + jnp.square(self.skew))
        found = jnp.square(self.scale) * (1 - 2 / jnp.pi * square)
        return jnp.broadcast_to(found, self.batch_shape)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw |u| and v, normal, and weigh them by the skewness."""
        u, v = jax.random.normal(key, (2, *sample_shape, *self.batch_shape))
        lean = self.skew / jnp.sqrt(1 + jnp.square(self.skew))
        rest = 1 / jnp.sqrt(1 + jnp.square(self.skew))
        return self.loc + self.scale * (lean * jnp.abs(u) + rest * v)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density, exact far in both tails."""
        z = (value - self.loc) / self.scale
        normal = -0.5 * jnp.square(z) - 0.5 * jnp.log(2 * jnp.pi) - jnp.log(self.scale)
        return normal + jnp.log(2.0) + log_ndtr(self.skew * z)


class GeneralisedPareto(Distribution):
    """Have survival (1 + shape z)^(-1/shape) of z = (value - loc)/scale >= 0 (Pickands 1975).

    `loc` real, `scale` positive, `shape` real: 0 is the exponential, below 0 values end at
    loc - scale/shape.

    >>> float(GeneralisedPareto(0.0, 2.0, 0.0).log_prob(0.0)).__round__(4)
    -0.6931
    """

    arg_constraints = {  # noqa: RUF012 - as numpyro has it
        "loc": constraints.real,
        "scale": constraints.positive,
        "shape_": constraints.real,
    }
    loc: Value
    scale: Value
    shape_: Value
    pytree_data_fields = ("loc", "scale", "shape_")

    def __init__(self, loc: Value = 0.0, scale: Value = 1.0, shape: Value = 0.0):
        batch = jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale), jnp.shape(shape))
        self.loc, self.scale, self.shape_ = promote_shapes(loc, scale, shape, shape=batch)
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the half-line above loc; a negative shape ends it by a density of 0."""
        return constraints.greater_than_eq(self.loc)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw by inverting the survival function."""
        e = jax.random.exponential(key, sample_shape + self.batch_shape)
        bent = jnp.where(self.shape_ == 0, 1.0, self.shape_)
        z = jnp.where(self.shape_ == 0, e, jnp.expm1(bent * e) / bent)
        return self.loc + self.scale * z

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density, minus infinity beyond the end."""
        z = (value - self.loc) / self.scale
        # Both branches are computed, and what neither is taken for must not make NaN of the
        # derivative.
        bent = jnp.where(jnp.abs(self.shape_) < 1e-8, 1.0, self.shape_)
        beyond = (z < 0) | (1 + self.shape_ * z <= 0)
        safe = jnp.where(beyond, 0.0, z)
        near = jnp.abs(self.shape_) < 1e-8
        inside = jnp.where(near, 0.0, safe)
        # Near 0 to first order in the shape, where 1 / shape would lose all digits.
        tail = jnp.where(
            near,
            safe * (1 + self.shape_) - self.shape_ * safe**2 / 2,
            (1 + 1 / bent) * jnp.log1p(bent * inside),
        )
        return jnp.where(beyond, -jnp.inf, -tail - jnp.log(self.scale))


class ZeroOneInflatedBeta(Distribution):
    """Be 0 or 1 with probability `inflation`, 1 with `one` of those, and Beta otherwise.

    (Ospina & Ferrari 2010.) `inflation` and `one` lie between 0 and 1, `concentration1` and
    `concentration0` are the Beta's. The log density of 0 and of 1 is a log probability, that of
    values between is with respect to length.

    >>> float(ZeroOneInflatedBeta(0.5, 0.5, 1.0, 1.0).log_prob(1.0)).__round__(4)
    -1.3863
    """

    arg_constraints = {  # noqa: RUF012 - as numpyro has it
        "inflation": constraints.unit_interval,
        "one": constraints.unit_interval,
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    inflation: Value
    one: Value
    concentration1: Value
    concentration0: Value

    def __init__(self, inflation: Value, one: Value, concentration1: Value, concentration0: Value):
        given = (inflation, one, concentration1, concentration0)
        batch = jnp.broadcast_shapes(*map(jnp.shape, given))
        self.inflation, self.one, self.concentration1, self.concentration0 = promote_shapes(
            *given, shape=batch
        )
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the closed unit interval."""
        return constraints.unit_interval

    def _moments(self) -> tuple[Array, Array]:
        """Return the means of the value and of its square."""
        beta = dist.Beta(self.concentration1, self.concentration0)
        whole = self.inflation * self.one, 1 - self.inflation
        square = beta.variance + beta.mean**2
        found = (whole[0] + whole[1] * part for part in (beta.mean, square))
        first, second = (jnp.broadcast_to(part, self.batch_shape) for part in found)
        return first, second

    @property
    def mean(self) -> Array:
        """Return the mean, ends and the Beta together."""
        return self._moments()[0]

    @property
    def variance(self) -> Array:
        """Return the variance, ends and the Beta together."""
        first, second = self._moments()
        return second - first**2

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw which of the three it is, and a Beta where it is neither end."""
        at_end, which, within = jax.random.split(key, 3)
        shape = sample_shape + self.batch_shape
        beta = dist.Beta(self.concentration1, self.concentration0).expand(self.batch_shape)
        ends = jax.random.bernoulli(which, self.one, shape).astype(float)
        return jnp.where(
            jax.random.bernoulli(at_end, self.inflation, shape),
            ends,
            beta.sample(within, sample_shape),
        )

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log probability of an end, or the log density between them."""
        inner = jnp.where((value <= 0) | (value >= 1), 0.5, value)
        beta = dist.Beta(self.concentration1, self.concentration0).log_prob(inner)
        at_end = jnp.log(self.inflation) + jnp.where(
            value >= 1, jnp.log(self.one), jnp.log1p(-self.one)
        )
        within = jnp.log1p(-self.inflation) + beta
        return jnp.where((value <= 0) | (value >= 1), at_end, within)


class OrderedProbit(Distribution):
    """Have P(value <= k) = Phi(cutpoint_k - predictor), value 0 .. number of cutpoints.

    `predictor` has the batch shape, `cutpoints` have shape (..., K - 1), ascending. (McKelvey &
    Zavoina 1975.)

    >>> float(OrderedProbit(0.0, jnp.array([0.0])).log_prob(1)).__round__(4)
    -0.6931
    """

    arg_constraints = {  # noqa: RUF012 - as numpyro has it
        "predictor": constraints.real,
        "cutpoints": constraints.ordered_vector,
    }
    predictor: Value
    cutpoints: Value

    def __init__(self, predictor: Value, cutpoints: Value):
        batch = jnp.broadcast_shapes(jnp.shape(predictor), jnp.shape(cutpoints)[:-1])
        (self.predictor,) = promote_shapes(predictor, shape=batch)
        self.cutpoints = jnp.broadcast_to(cutpoints, batch + jnp.shape(cutpoints)[-1:])
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the whole numbers from 0 to the number of cutpoints."""
        return constraints.integer_interval(0, jnp.shape(self.cutpoints)[-1])

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw the latent normal and count the cutpoints below it."""
        latent = self.predictor + jax.random.normal(key, sample_shape + self.batch_shape)
        return jnp.sum(latent[..., None] > self.cutpoints, axis=-1)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log probability, by the tail that is not rounded away."""
        below = self.cutpoints - jnp.asarray(self.predictor)[..., None]
        ends = jnp.full((*below.shape[:-1], 1), jnp.inf)
        above = jnp.concatenate([below, ends], axis=-1)
        below = jnp.concatenate([-ends, below], axis=-1)
        # Where both lie above 0, turn them round: Phi(b) - Phi(a) = Phi(-a) - Phi(-b).
        turned = jnp.where(jnp.isfinite(below), below, -1.0) > 0
        low, high = jnp.where(turned, -above, below), jnp.where(turned, -below, above)
        upper = jnp.where(jnp.isposinf(high), 0.0, log_ndtr(jnp.where(jnp.isposinf(high), 0, high)))
        last = jnp.isneginf(low)
        lower = log_ndtr(jnp.where(last, high - 1, low))
        gap = jnp.where(last, -1.0, jnp.minimum(lower - upper, -1e-30))
        found = upper + jnp.where(last, 0.0, jnp.log(-jnp.expm1(gap)))
        index = jnp.asarray(value, int)[..., None]
        shape = jnp.broadcast_shapes(index.shape[:-1], found.shape[:-1])
        found = jnp.broadcast_to(found, (*shape, found.shape[-1]))
        index = jnp.broadcast_to(index, (*shape, 1))
        return jnp.take_along_axis(found, index, axis=-1)[..., 0]


__all__ = [
    "GeneralisedPareto",
    "OrderedProbit",
    "SkewNormal",
    "ZeroOneInflatedBeta",
]
