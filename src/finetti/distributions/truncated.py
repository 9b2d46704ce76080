"""Truncate a distribution, with draws of its own law."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.constraints import Constraint

from finetti.distributions.cumulative import (
    Real,
    array_of,
    discrete,
    ends,
    limits,
    log_between,
    log_cdf,
    log_survival,
    refuse_unlimited,
    within,
)
from finetti.distributions.ends import RowLimits
from finetti.types import AnyArray, Array, Key, Value

Bracket = tuple[Array, Array, Array | bool, int]  # its ends, whether they move yet, and steps made
Tries = tuple[Key, Array, Array, int]  # the next key, draws, which of them count, and tries made
TRIES = 8  # draws of the base, before a cumulative distribution function is inverted
STEPS = 64  # doublings, and then halvings, to invert a cumulative distribution function


class Truncated(Distribution):
    """Take a distribution given that it lies between limits, which are included.

    `base` is any univariate distribution with a cdf, counts too: `Truncated(Poisson(rate), low=1)`
    is the zero-truncated Poisson, and so with Binomial, Geometric and the negative binomials.
    `low` and `high` broadcast to its batch shape; None is no limit. The density is the base's over
    the probability between the limits, to far in the tails. Raises `ModelError` for a base without
    cdf. (Johnson, Kemp & Kotz 2005, sec. 1.2.)

    >>> from numpyro.distributions import Poisson
    >>> float(Truncated(Poisson(1.0), low=1).log_prob(1)).__round__(4)
    -0.5413
    """

    pytree_data_fields = ("base_dist", "low", "high")
    base_dist: Distribution
    low: AnyArray
    high: AnyArray

    def __init__(self, base: Distribution, low: Real | None = None, high: Real | None = None):
        refuse_unlimited("Truncated", base)
        self.low, self.high = limits("Truncated", base, low=low, high=high)
        self.base_dist = base.expand(self.low.shape)
        super().__init__(self.low.shape, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the interval between the limits, of whole numbers where the base has those."""
        start, end = self._limits()
        endless, startless = _infinite(end), _infinite(start)
        if discrete(self.base_dist):
            start = array_of(start).ceil(start).astype(int)
            if endless:
                return constraints.integer_greater_than(start)
            return constraints.integer_interval(start, array_of(end).floor(end).astype(int))
        if endless and startless:
            return constraints.real
        if startless:
            return constraints.less_than_eq(end)
        return constraints.greater_than_eq(start) if endless else RowLimits(start, end)

    def _limits(self) -> tuple[Real, Real]:
        first, last = ends(self.base_dist)
        start = array_of(self.low, first).maximum(self.low, first)
        return start, array_of(self.high, last).minimum(self.high, last)

    def _below(self) -> Real:
        """Return the greatest value below the lower limit."""
        start = self._limits()[0]
        return array_of(start).ceil(start) - 1 if discrete(self.base_dist) else start

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw, shape (*sample_shape, *batch_shape).

        Draws of the base that lie between the limits are taken, and those that do not after some
        tries are made by inverting the cdf or the survival.
        """
        base, (start, end) = self.base_dist, self._limits()
        trying, inverting = jax.random.split(key)
        drawn, taken = self._tried(trying, sample_shape)
        u = jax.random.uniform(inverting, sample_shape + self.batch_shape)
        below, zeros = self._below() + jnp.zeros_like(u), jnp.zeros_like(u)
        none, endless = -jnp.inf + zeros, jnp.inf + zeros
        before, up_to = log_between(base, none, below), log_between(base, none, end + zeros)
        after, beyond = log_between(base, below, endless), log_between(base, end + zeros, endless)
        # Each draw is inverted by the nearer tail: log probabilities near 0 have no digits left.
        upper = before > -jnp.log(2.0)
        down = after + jnp.log1p(u * jnp.expm1(jnp.where(upper, beyond - after, -1.0)))
        up = up_to + jnp.log1p((1 - u) * jnp.expm1(jnp.where(upper, -1.0, before - up_to)))
        inner = within(base) + zeros

        def short(x: Array) -> Array:
            inside = (x > below) & (x < end) & ~taken  # a cdf takes long where rates are large
            safe = jnp.where(inside, x, inner)
            found = jnp.where(upper, log_survival(base, safe) > down, log_cdf(base, safe) < up)
            return jnp.where(inside, found, x <= below)

        # First intervals that double until they hold the value, then halves of the last.
        anchor = jnp.where(jnp.isfinite(below), below, jnp.where(jnp.isfinite(end), end, 0.0))

        def widen(state: Bracket) -> Bracket:
            left, right, *_, step = state
            down, up = ~taken & ~short(anchor - left), ~taken & short(anchor + right)
            left, right = jnp.where(down, 2 * left, left), jnp.where(up, 2 * right, right)
            return left, right, jnp.any(down | up), step + 1

        def halve(state: Bracket) -> Bracket:
            floor, top, *_, step = state
            middle = (floor + top) / 2
            middle = jnp.floor(middle) if discrete(base) else middle
            less_than = short(middle)
            floor, top = jnp.where(less_than, middle, floor), jnp.where(less_than, top, middle)
            return floor, top, jnp.any(top - floor > (1 if discrete(base) else 0)), step + 1

        def more(state: Bracket) -> Array | bool:
            return state[2] & (state[3] < STEPS)

        ones = jnp.ones_like(u)
        left, right, *_ = jax.lax.while_loop(more, widen, (ones, ones, ~jnp.all(taken), 0))
        floor, top = jnp.maximum(below, anchor - left), jnp.minimum(end, anchor + right)
        floor = jnp.where(taken, top, floor)
        top = jax.lax.while_loop(more, halve, (floor, top, ~jnp.all(taken), 0))[1]
        top = top.astype(int) if discrete(base) else jnp.clip(top, start, end)
        return jnp.where(taken, drawn, top)

    def _tried(self, key: Key, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return draws of the base, and which of them lie between the limits."""
        start, end = self._limits()

        def draw(state: Tries) -> Tries:
            key, value, taken, step = state
            key, now = jax.random.split(key)
            new: Value = self.base_dist.sample(now, shape)
            return key, jnp.where(taken, value, new), taken | inside(new), step + 1

        def inside(value: Array) -> Array:
            return (value >= start) & (value <= end)

        def more(state: Tries) -> Array:
            return ~jnp.all(state[2]) & (state[3] < TRIES)

        key, first = jax.random.split(key)
        try:
            value: Value = self.base_dist.sample(first, shape)
        except NotImplementedError:  # a class of the user's that has a cdf alone
            found = jnp.zeros(shape + self.batch_shape)
            return found, jnp.zeros(found.shape, bool)
        _, value, taken, _ = jax.lax.while_loop(more, draw, (key, value, inside(value), 1))
        return value, taken

    def log_prob(self, value: AnyArray) -> Array:
        """Return the base's log density less the log probability between the limits."""
        start, end = self._limits()
        outside = (value < start) | (value > end)
        inside = jnp.where(outside, within(self.base_dist), value)
        mass = log_between(self.base_dist, self._below(), end)
        return jnp.where(outside, -jnp.inf, self.base_dist.log_prob(inside) - mass)


def _infinite(limit: Real) -> bool:
    return not isinstance(limit, Tracer) and bool(np.isinf(np.asarray(limit)).all())


__all__ = ["Truncated"]
