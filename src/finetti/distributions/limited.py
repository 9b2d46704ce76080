"""Limit a distribution: censor, truncate it, with draws of its own law."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from numpyro import distributions as dist
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import promote_shapes

from finetti.errors import ModelError

SYMMETRIC = (dist.Cauchy, dist.Laplace, dist.Logistic, dist.StudentT, dist.SoftLaplace)
STEPS = 64  # doublings, and then halvings, to invert a cumulative distribution function


class Censored(Distribution):
    """Observe a distribution within limits only, and as the limit what lies beyond.

    `base` is univariate with a cdf, `low` and `high` broadcast to its batch shape; None is no
    limit, and so is an infinite one. The log density of a value at a limit is the log probability
    of all that lies beyond; draws are censored alike. Give every row its limit where it is known:
    a row whose limit is infinite is drawn uncensored. Raises `ModelError` for a base without cdf.
    (Tobin 1958; Klein & Moeschberger 2003, ch. 3.)

    >>> float(Censored(dist.Normal(0.0, 1.0), high=0.0).log_prob(0.0)).__round__(3)
    -0.693
    """

    pytree_data_fields = ("base_dist", "low", "high")
    base_dist: Any
    low: Any
    high: Any

    def __init__(self, base: Distribution, low: Any = None, high: Any = None):
        _refuse_unlimited("Censored", base)
        low, high = _limits(low, high)
        batch = jnp.broadcast_shapes(base.batch_shape, jnp.shape(low), jnp.shape(high))
        self.base_dist = base.expand(batch)
        self.low, self.high = promote_shapes(low, high, shape=batch)
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Any:
        """Return the closed interval between the limits."""
        return constraints.interval(self.low, self.high)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw from the base, shape (*sample_shape, *batch_shape), and censor."""
        return jnp.clip(self.base_dist.sample(key, sample_shape), self.low, self.high)

    def log_prob(self, value: Any) -> Any:
        """Return the log density between the limits, the log probability beyond at them."""
        below, above = value <= self.low, value >= self.high
        inside = _inside(self.base_dist, value, below | above)
        low = jnp.where(jnp.isfinite(self.low), self.low, inside)
        high = jnp.where(jnp.isfinite(self.high), self.high, inside)
        within = self.base_dist.log_prob(inside)
        step = 1 if _discrete(self.base_dist) else 0
        at_low, at_high = log_cdf(self.base_dist, low), log_survival(self.base_dist, high - step)
        return jnp.where(below, at_low, jnp.where(above, at_high, within))


class TruncatedByCdf(Distribution):
    """Take a distribution given that it lies between limits, which are included.

    See `Truncated`, which chooses between this and numpyro's for symmetric families.

    >>> float(TruncatedByCdf(dist.Poisson(1.0), low=1).log_prob(1)).__round__(4)
    -0.5413
    """

    pytree_data_fields = ("base_dist", "low", "high")
    base_dist: Any
    low: Any
    high: Any

    def __init__(self, base: Distribution, low: Any = None, high: Any = None):
        _refuse_unlimited("Truncated", base)
        if getattr(base.support, "lower_bound", None) is None:
            raise ModelError(
                f"ft.Truncated takes {type(base).__name__} neither from numpyro nor by cdf: its "
                f"support has no lower end"
            )
        low, high = _limits(low, high)
        batch = jnp.broadcast_shapes(base.batch_shape, jnp.shape(low), jnp.shape(high))
        self.base_dist = base.expand(batch)
        self.low, self.high = promote_shapes(low, high, shape=batch)
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Any:
        """Return the interval between the limits, of whole numbers where the base has those."""
        start = jnp.maximum(self.low, self.base_dist.support.lower_bound)
        end = getattr(self.base_dist.support, "upper_bound", jnp.inf)
        endless = bool(np.all(np.isinf(np.asarray(jnp.minimum(self.high, end)))))
        if _discrete(self.base_dist):
            start = start.astype(int)
            if endless:
                return constraints.integer_greater_than(start - 1)
            return constraints.integer_interval(start, jnp.minimum(self.high, end).astype(int))
        if endless:
            return constraints.greater_than_eq(start)
        return constraints.interval(start, jnp.minimum(self.high, end))

    def _ends(self) -> tuple[Any, Any]:
        """Return the cumulative probabilities below the limits and up to them."""
        step = 1 if _discrete(self.base_dist) else 0
        start = jnp.maximum(self.low, self.base_dist.support.lower_bound)
        below = jnp.where(
            start - step < self.base_dist.support.lower_bound,
            0.0,
            self.base_dist.cdf(jnp.maximum(start - step, self.base_dist.support.lower_bound)),
        )
        finite = jnp.isfinite(self.high)
        high = jnp.where(finite, self.high, start)
        return below, jnp.where(finite, self.base_dist.cdf(high), 1.0)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw by inverting the cdf, shape (*sample_shape, *batch_shape)."""
        below, up_to = self._ends()
        u = jax.random.uniform(key, sample_shape + self.batch_shape)
        u = below + u * (up_to - below)
        discrete = _discrete(self.base_dist)
        low = jnp.maximum(self.low, self.base_dist.support.lower_bound) + jnp.zeros_like(u)
        floor = low - 1.0 if discrete else low
        wide = jnp.ones_like(u)
        for _ in range(STEPS):
            short = self.base_dist.cdf(jnp.minimum(floor + wide, 1e30)) < u
            wide = jnp.where(short & (wide < 1e29), 2 * wide, wide)
        top = jnp.minimum(floor + wide, self.high)
        for _ in range(STEPS):
            middle = (floor + top) / 2
            middle = jnp.floor(middle) if discrete else middle
            short = self.base_dist.cdf(middle) < u
            short = jnp.where(middle < low, True, short)
            floor, top = jnp.where(short, middle, floor), jnp.where(short, top, middle)
        return top.astype(int) if discrete else top

    def log_prob(self, value: Any) -> Any:
        """Return the base's log density less the log probability between the limits."""
        below, up_to = self._ends()
        outside = (value < self.low) | (value > self.high)
        inside = _inside(self.base_dist, value, outside)
        mass = jnp.log(jnp.maximum(up_to - below, jnp.finfo(jnp.result_type(float)).tiny))
        return jnp.where(outside, -jnp.inf, self.base_dist.log_prob(inside) - mass)


def Truncated(base: Distribution, low: Any = None, high: Any = None) -> Distribution:
    """Return a distribution given that it lies between limits, which are included.

    `base` is Normal, StudentT, Cauchy, Laplace, Logistic or SoftLaplace, or any univariate
    distribution with a cdf and a lower end, counts too: `Truncated(Poisson(rate), low=1)` is the
    zero-truncated Poisson. None is no limit. Raises `ModelError` for others.

    >>> float(Truncated(dist.Poisson(1.0), low=1).log_prob(1)).__round__(4)
    -0.5413
    """
    if low is None and high is None:
        return base
    if isinstance(base, (dist.Normal, *SYMMETRIC)):
        return dist.TruncatedDistribution(base, low=low, high=high)
    return TruncatedByCdf(base, low, high)


def log_cdf(given: Any, value: Any) -> Any:
    """Return the log probability of at most `value`, to far in a normal tail."""
    base: Any = _plain(given)
    if issubclass(type(base), dist.Normal):
        return log_ndtr((value - base.loc) / base.scale)
    if issubclass(type(base), dist.LogNormal):
        return log_ndtr((jnp.log(value) - base.loc) / base.scale)
    if issubclass(type(base), dist.Logistic):
        return jax.nn.log_sigmoid((value - base.loc) / base.scale)
    return _log(base.cdf(value))


def log_survival(given: Any, value: Any) -> Any:
    """Return the log probability of more than `value`, to far in the tails of known families."""
    base: Any = _plain(given)
    if issubclass(type(base), dist.Normal | dist.Logistic):
        return log_cdf(base, 2 * base.loc - value)
    if issubclass(type(base), dist.LogNormal):
        return log_ndtr((base.loc - jnp.log(value)) / base.scale)
    if issubclass(type(base), dist.Exponential):
        return -base.rate * value
    if issubclass(type(base), dist.Weibull):
        return -((value / base.scale) ** base.concentration)
    if issubclass(type(base), SYMMETRIC):
        return _log(base.cdf(2 * base.loc - value))
    if issubclass(type(base), dist.Gamma):
        return _log(jax.scipy.special.gammaincc(base.concentration, base.rate * value))
    return _log(1 - base.cdf(value))


def _plain(base: Any) -> Any:
    return base.base_dist if issubclass(type(base), dist.ExpandedDistribution) else base


def _log(probability: Any) -> Any:
    return jnp.log(jnp.maximum(probability, jnp.finfo(jnp.result_type(float)).tiny))


def _inside(base: Any, value: Any, outside: Any) -> Any:
    """Return the value, or where it is outside one that the base has a finite density at."""
    start = getattr(base.support, "lower_bound", -1.0)
    return jnp.where(outside, start + (0 if _discrete(base) else 1), value)


def _limits(low: Any, high: Any) -> tuple[Any, Any]:
    return (-jnp.inf if low is None else low), (jnp.inf if high is None else high)


def _discrete(base: Any) -> bool:
    return bool(base.support.is_discrete)


def _refuse_unlimited(name: str, base: Any) -> None:
    shown = type(base).__name__ if isinstance(base, Distribution) else repr(base)
    if not isinstance(base, Distribution) or base.event_shape:
        raise ModelError(f"ft.{name} takes a univariate distribution, not {shown}")
    try:
        jax.eval_shape(base.cdf, jax.ShapeDtypeStruct(base.batch_shape, jnp.result_type(float)))
    except NotImplementedError:
        raise ModelError(
            f"ft.{name} needs the cumulative distribution function of {shown}, which it lacks"
        ) from None


__all__ = [
    "Censored",
    "Truncated",
]
