"""Give the log probability between two values, to far in the tails, for limits and their draws."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.custom_derivatives import SymbolicZero
from jax.scipy.special import betainc, betaln, gammainc, gammaincc, log_ndtr
from numpyro import distributions as dist
from numpyro.distributions import Distribution

from finetti.errors import ModelError
from finetti.types import AnyArray, Array

BINOMIAL = dist.BinomialProbs | dist.BinomialLogits
GEOMETRIC = dist.GeometricProbs | dist.GeometricLogits
MIRRORED = dist.Cauchy | dist.Laplace | dist.SoftLaplace
Real = AnyArray | float  # one number, or one a row
STEP = 6e-6  # of a central difference in float64, the cube root of its rounding


def log_cdf(given: Distribution, value: Real) -> Array:
    """Return the log probability of at most `value`, which lies within the support."""
    base: Any = _plain(given)
    family = type(base)
    if issubclass(family, dist.Normal):
        return log_ndtr((value - base.loc) / base.scale)
    if issubclass(family, dist.LogNormal):
        return log_ndtr((jnp.log(value) - base.loc) / base.scale)
    if issubclass(family, dist.Logistic):
        return jax.nn.log_sigmoid((value - base.loc) / base.scale)
    if issubclass(family, dist.Gumbel):
        return -jnp.exp((base.loc - value) / base.scale)
    if issubclass(family, dist.Laplace):
        z = (value - base.loc) / base.scale
        below = jnp.minimum(z, 0.0) - jnp.log(2.0)
        return jnp.where(z < 0, below, jnp.log1p(-jnp.exp(-jnp.maximum(z, 0.0)) / 2))
    if issubclass(family, dist.Cauchy):
        return _log(jnp.arctan2(base.scale, base.loc - value) / jnp.pi)
    if issubclass(family, dist.StudentT):
        return _log(_student(base, value))
    if issubclass(family, dist.Beta):
        return _log(incomplete(base.concentration1, base.concentration0, value))
    if issubclass(family, dist.GammaPoisson):
        if not isinstance(value, Tracer) and not np.any(value):
            return -base.concentration * jnp.log1p(1 / base.rate)
        odds = base.rate / (1 + base.rate)
        return _log(incomplete(base.concentration, value + 1.0, odds))
    if issubclass(family, BINOMIAL):
        return _log(incomplete(base.total_count - value, value + 1.0, 1 - base.probs))
    if issubclass(family, GEOMETRIC):
        return _log(-jnp.expm1(log_survival(base, value)))
    return _log(base.cdf(value))


def log_survival(given: Distribution, value: Real) -> Array:
    """Return the log probability of more than `value`, which lies within the support."""
    base: Any = _plain(given)
    family = type(base)
    if issubclass(family, dist.Normal | dist.Logistic | dist.StudentT | MIRRORED):
        return log_cdf(base, 2 * base.loc - value)
    if issubclass(family, dist.LogNormal):
        return log_ndtr((base.loc - jnp.log(value)) / base.scale)
    if issubclass(family, dist.HalfNormal):
        return jnp.log(2.0) + log_ndtr(-value / base.scale)
    if issubclass(family, dist.HalfCauchy):
        return _log(2 / jnp.pi * jnp.arctan2(base.scale, value))
    if issubclass(family, dist.Exponential):
        return -base.rate * value
    if issubclass(family, dist.Weibull):
        return -((value / base.scale) ** base.concentration)
    if issubclass(family, dist.Gumbel):
        return _log(-jnp.expm1(log_cdf(base, value)))
    if issubclass(family, dist.Gamma):
        return _log(gammaincc(base.concentration, base.rate * value))
    if issubclass(family, dist.Beta):
        return _log(incomplete(base.concentration0, base.concentration1, 1 - value))
    if issubclass(family, dist.Poisson):
        return _log(gammainc(value + 1.0, base.rate))
    if issubclass(family, dist.GammaPoisson):
        if not isinstance(value, Tracer) and not np.any(value):
            return _log(-jnp.expm1(log_cdf(base, value)))
        return _log(incomplete(value + 1.0, base.concentration, 1 / (1 + base.rate)))
    if issubclass(family, BINOMIAL):
        return _log(incomplete(value + 1.0, base.total_count - value, base.probs))
    if issubclass(family, GEOMETRIC):
        return jnp.log1p(-base.probs) * (value + 1)
    return _log(1 - base.cdf(value))


def log_between(base: Distribution, low: Real, high: Real) -> Array:
    """Return the log probability of more than `low` and at most `high`; infinite is no limit.

    Minus infinity where nothing lies between. Gradients are finite wherever it is.
    """
    first, last = ends(base)
    xp = array_of(low, high, first, last)
    if xp is np:  # a scalar that JAX holds would be traced as it is compared
        low, high, first, last = map(np.asarray, (low, high, first, last))
    least = low >= first if discrete(base) else low > first
    most = xp.isfinite(high) & (high < last)
    empty = (high <= low) | ((high < first) if discrete(base) else (high <= first)) | (low >= last)
    least, most = least & xp.isfinite(low) & ~empty, most & ~empty
    low, high = xp.where(least, low, within(base)), xp.where(most, high, within(base))
    if xp is np and not np.any(most):
        found = jnp.where(least, log_survival(base, low), 0.0)
    elif xp is np and not np.any(least):
        found = jnp.where(most, log_cdf(base, high), 0.0)
    else:
        below, above = log_cdf(base, low), log_survival(base, low)
        up_to, beyond = log_cdf(base, high), log_survival(base, high)
        # By the tail that both lie in: a difference of probabilities near 1 would be rounding.
        upper = below > -jnp.log(2.0)
        whole, part = jnp.where(upper, above, up_to), jnp.where(upper, beyond, below)
        both = least & most
        found = jnp.where(both, less(whole, jnp.where(both, part, whole - 1.0)), 0.0)
        found = jnp.where(least & ~most, above, jnp.where(most & ~least, up_to, found))
    return jnp.where(empty, -jnp.inf, found)


def less(whole: Array, part: Array) -> Array:
    """Return log(exp(whole) - exp(part)), minus infinity where that is nothing."""
    sound = jnp.isfinite(whole) & (part < whole)
    gap = jnp.where(sound, part, -1.0) - jnp.where(sound, whole, 0.0)
    return jnp.where(sound, whole + jnp.log(-jnp.expm1(gap)), -jnp.inf)


@jax.custom_jvp
def incomplete(a: Real, b: Real, x: Real) -> Array:
    """Return the regularised incomplete beta function, with slopes in all its arguments.

    JAX has none in a and b; they are central differences.
    """
    shape = jnp.broadcast_shapes(jnp.shape(a), jnp.shape(b), jnp.shape(x))
    floats = [jnp.broadcast_to(jnp.asarray(v, float), shape) for v in (a, b, x)]
    return betainc(*floats)


def _slopes(
    at: tuple[Real, Real, Real], towards: tuple[Array | SymbolicZero, ...]
) -> tuple[Array, Array]:
    """Return the function and its change; slopes in arguments that stand still are not computed."""
    a, b, x = (jnp.asarray(v, float) for v in at)
    h, k = STEP * a, STEP * b
    slopes = (
        lambda: (incomplete(a + h, b, x) - incomplete(a - h, b, x)) / (2 * h),
        lambda: (incomplete(a, b + k, x) - incomplete(a, b - k, x)) / (2 * k),
        lambda: jnp.exp((a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x) - betaln(a, b)),
    )
    found = incomplete(a, b, x)
    change = jnp.zeros_like(found)
    for slope, move in zip(slopes, towards, strict=True):
        still = isinstance(move, SymbolicZero) or move.dtype == jax.dtypes.float0
        change = change if still else change + slope() * jnp.asarray(move)
    return found, change


incomplete.defjvp(_slopes, symbolic_zeros=True)


def ends(base: Distribution) -> tuple[Real, Real]:
    """Return the ends of a base's support, infinite where there are none."""
    low = getattr(base.support, "lower_bound", -jnp.inf)
    high = getattr(base.support, "upper_bound", jnp.inf)
    return low, high


def within(base: Distribution) -> Real:
    """Return a value at which the density and both tails of a base are finite."""
    low, high = ends(base)
    if discrete(base):
        return low
    xp = array_of(low, high)
    if xp is np:
        low, high = np.asarray(low), np.asarray(high)
    bounded = xp.isfinite(low) & xp.isfinite(high)
    one_sided = xp.where(xp.isfinite(low), low + 1.0, 0.0)
    between = (xp.where(bounded, low, 0.0) + xp.where(bounded, high, 0.0)) / 2
    return xp.where(bounded, between, one_sided)


def discrete(base: Distribution) -> bool:
    """Tell whether a base's values are whole numbers."""
    return bool(base.is_discrete)


def refuse_unlimited(name: str, base: object) -> None:
    """Refuse what is not univariate, or has no cumulative distribution function."""
    shown = type(base).__name__ if isinstance(base, Distribution) else repr(base)
    if not isinstance(base, Distribution) or base.event_shape:
        raise ModelError(f"ft.{name} takes a univariate distribution, not {shown}")
    if isinstance(_plain(base), BINOMIAL | GEOMETRIC):
        return
    try:
        jax.eval_shape(base.cdf, jax.ShapeDtypeStruct(base.batch_shape, jnp.result_type(float)))
    except NotImplementedError:
        raise ModelError(
            f"ft.{name} needs the cumulative distribution function of {shown}, which it lacks"
        ) from None


def limits(name: str, base: Distribution, **sides: Real | None) -> tuple[AnyArray, ...]:
    """Return limits of the batch shape with infinity for None, and refuse NaN by its row.

    Every side but `high` is infinite downwards. What is known stays in numpy, so that data beyond
    it can be refused as a model is traced.
    """
    none = {side: jnp.inf if side == "high" else -jnp.inf for side in sides}
    found = {side: none[side] if limit is None else limit for side, limit in sides.items()}
    for side, limit in found.items():
        missing = False if isinstance(limit, Tracer) else np.isnan(np.asarray(limit, float))
        if np.any(missing):
            where = [int(i) for i in np.argwhere(missing)[0]]
            row = f" in row {where[0] if len(where) == 1 else tuple(where)}" if where else ""
            raise ModelError(
                f"ft.{name} has {side} = NaN{row}: give an infinite limit where there is none"
            )
    batch = jnp.broadcast_shapes(base.batch_shape, *map(np.shape, found.values()))
    return tuple(array_of(limit).broadcast_to(limit, batch) for limit in found.values())


def array_of(*values: Real) -> ModuleType:
    """Return numpy where all values are known, and else its twin in JAX."""
    return jnp if any(isinstance(v, Tracer) for v in values) else np


def _student(base: Any, value: Real) -> Array:
    z = (value - base.loc) / base.scale
    square = jnp.square(jnp.where(z == 0, 1.0, z))
    tail = incomplete(base.df / 2, 0.5, base.df / (base.df + square)) / 2
    return jnp.where(z == 0, 0.5, jnp.where(z < 0, tail, 1 - tail))


def _plain(base: Distribution) -> Distribution:
    expanded = issubclass(type(base), dist.ExpandedDistribution)
    return vars(base)["base_dist"] if expanded else base


def _log(probability: Array) -> Array:
    some = probability > 0
    return jnp.where(some, jnp.log(jnp.where(some, probability, 1.0)), -jnp.inf)
