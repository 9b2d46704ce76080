"""Censor a distribution at limits or to intervals, with draws that are censored alike."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.constraints import Constraint

from finetti.distributions.cumulative import (
    Real,
    array_of,
    discrete,
    ends,
    limits,
    log_between,
    refuse_unlimited,
    within,
)
from finetti.distributions.ends import RowLimits
from finetti.errors import ModelError
from finetti.types import AnyArray, Array, Key


class Censored(Distribution):
    """Observe a distribution within limits only, and as the limit what lies beyond.

    `base` is univariate with a cdf, `low` and `high` broadcast to its batch shape; None is no
    limit, and so is an infinite one. The log density of a value at a limit is the log probability
    of it and all that lies beyond; draws are censored alike. Give every row its limit if known:
    a row whose limit is infinite is drawn uncensored. `after` is how far down `low` reaches: what
    lies in (after, low] is observed as `low`, as of an event between two visits that the second
    finds, and what lies further down as it is. Raises `ModelError` for a base without cdf, and for
    an interval that ends where it begins. (Tobin 1958; Klein & Moeschberger 2003, ch. 3.)

    >>> from numpyro.distributions import Normal
    >>> float(Censored(Normal(0.0, 1.0), high=0.0).log_prob(0.0)).__round__(3)
    -0.693
    >>> float(Censored(Normal(0.0, 1.0), low=1.0, after=-1.0).log_prob(1.0)).__round__(3)
    -0.382
    """

    pytree_data_fields = ("base_dist", "low", "high", "after")
    base_dist: Distribution
    low: AnyArray
    high: AnyArray
    after: AnyArray

    def __init__(
        self,
        base: Distribution,
        low: Real | None = None,
        high: Real | None = None,
        after: Real | None = None,
    ):
        refuse_unlimited("Censored", base)
        self.low, self.high, self.after = limits("Censored", base, low=low, high=high, after=after)
        _refuse_gaps(self.low, self.after)
        self.base_dist = base.expand(self.low.shape)
        super().__init__(self.low.shape, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return where the base has values up to the limits, endless where `low` has an `after`."""
        first, last = ends(self.base_dist)
        xp = array_of(self.low, self.after, first)
        low = xp.where(self.after > -np.inf, -np.inf, self.low)
        xq = array_of(self.high, last)
        return RowLimits(xp.maximum(low, first), xq.minimum(self.high, last))

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw from the base, shape (*sample_shape, *batch_shape), and censor."""
        drawn = jnp.minimum(self.base_dist.sample(key, sample_shape), self.high)
        return jnp.where((drawn > self.after) & (drawn < self.low), self.low, drawn)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density between the limits, the log probability beyond at them."""
        below, above = (value <= self.low) & (value > self.after), value >= self.high
        inside = jnp.where(below | above, within(self.base_dist), value)
        step = 1 if discrete(self.base_dist) else 0
        at_low = log_between(self.base_dist, self.after, self.low)
        at_high = log_between(self.base_dist, self.high - step, jnp.inf)
        found = jnp.where(above, at_high, self.base_dist.log_prob(inside))
        return jnp.where(below, at_low, found)


def _refuse_gaps(low: AnyArray, after: AnyArray) -> None:
    """Refuse intervals (after, low] that end where they begin, or before."""
    if isinstance(low, Tracer) or isinstance(after, Tracer):
        return
    wrong = np.argwhere((after > -np.inf) & (after >= low))
    if len(wrong):
        row = tuple(int(i) for i in wrong[0])
        where = f" in row {row[0] if len(row) == 1 else row}" if row else ""
        raise ModelError(
            f"ft.Censored has after = {after[row]:g} and low = {low[row]:g}{where}: what lies "
            f"above `after` and up to `low` is observed as `low`, so `after` must be below it"
        )


class IntervalCensored(Distribution):
    """Observe only between which of its cuts a distribution lies.

    `cuts` have shape (..., K), ascending, and their batch shape broadcasts with that of `base`,
    which is univariate with a cdf. The value k is 0 for at most the first cut, K for more than the
    last, and otherwise says that the outcome lies in (cuts[k - 1], cuts[k]]. Draws are such whole
    numbers too. An outcome known to lie in (lower, upper] is the value 1 of the cuts (lower,
    upper); an infinite cut is none, so that (lower, inf) is censored from the right. Outcomes known
    exactly are a `sample` of the base. Raises `ModelError` for cuts that do not ascend or hold NaN.
    (Turnbull 1976; Klein & Moeschberger 2003, ch. 3.)

    >>> from numpyro.distributions import Normal
    >>> float(IntervalCensored(Normal(0.0, 1.0), [-1.0, 1.0]).log_prob(1)).__round__(3)
    -0.382
    """

    pytree_data_fields = ("base_dist", "cuts")
    base_dist: Distribution
    cuts: Array

    def __init__(self, base: Distribution, cuts: ArrayLike):
        refuse_unlimited("IntervalCensored", base)
        given = cuts if isinstance(cuts, Tracer) else np.asarray(cuts)
        _refuse_cuts(given)
        batch = jnp.broadcast_shapes(base.batch_shape, given.shape[:-1])
        self.base_dist = base.expand(batch)
        self.cuts = jnp.broadcast_to(given, batch + given.shape[-1:])
        super().__init__(batch, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the whole numbers from 0 to the number of cuts."""
        return constraints.integer_interval(0, jnp.shape(self.cuts)[-1])

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw from the base, shape (*sample_shape, *batch_shape), and count the cuts below."""
        drawn = self.base_dist.sample(key, sample_shape)
        return jnp.sum(jnp.asarray(drawn)[..., None] > self.cuts, axis=-1)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log probability of lying between the cuts that the value names."""
        end = jnp.full((*self.batch_shape, 1), jnp.inf)
        low = jnp.concatenate([-end, self.cuts], axis=-1)
        high = jnp.concatenate([self.cuts, end], axis=-1)
        return log_between(self.base_dist, _pick(low, value), _pick(high, value))


def _pick(bounds: Array, value: AnyArray) -> Array:
    """Return the bound that each value names, of shape (..., K + 1)."""
    index = jnp.asarray(value, int)[..., None]
    shape = jnp.broadcast_shapes(index.shape[:-1], bounds.shape[:-1])
    bounds = jnp.broadcast_to(bounds, (*shape, bounds.shape[-1]))
    index = jnp.broadcast_to(index, (*shape, 1))
    return jnp.take_along_axis(bounds, index, axis=-1)[..., 0]


def _refuse_cuts(cuts: AnyArray) -> None:
    """Refuse cuts that are none, no numbers, or do not ascend, with the row."""
    shape = jnp.shape(cuts)
    if not shape or shape[-1] == 0:
        raise ModelError(
            f"ft.IntervalCensored has cuts of shape {shape}: give at least one for each row, along "
            f"the last axis, such as np.stack([lower, upper], axis=-1)"
        )
    if isinstance(cuts, Tracer):
        return
    if cuts.dtype.kind not in "iuf":
        raise ModelError(f"ft.IntervalCensored has cuts of type {cuts.dtype}: give numbers")
    flat = cuts.astype(float)
    wrong = np.isnan(flat).any(axis=-1) | ~(flat[..., 1:] > flat[..., :-1]).all(axis=-1)
    if wrong.any():
        row = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f" in row {row[0] if len(row) == 1 else row}" if row else ""
        raise ModelError(
            f"ft.IntervalCensored has the cuts {cuts[row].tolist()}{where}: they must ascend, none "
            f"twice, and may not be NaN; an outcome known exactly is a ft.sample of the base itself"
        )


__all__ = ["Censored", "IntervalCensored"]
