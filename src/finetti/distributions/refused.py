"""Refuse what numpyro's distributions answer wrongly or with a bare assertion, in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpyro import distributions as dist
from numpyro.distributions import Distribution

from finetti.distributions.truncated import Truncated
from finetti.errors import ModelError
from finetti.types import AnyArray, Key

VARIATES = 32  # of a Polya-Gamma draw: the others have a standard deviation of 0.00016
Symmetric = (
    dist.Normal | dist.StudentT | dist.Cauchy | dist.Laplace | dist.Logistic | dist.SoftLaplace
)
SYMMETRIC = "Normal, StudentT, Cauchy, Laplace, Logistic and SoftLaplace"


class LeftCensoredDistribution(dist.LeftCensoredDistribution):
    """Borrow numpyro's likelihood of left-censored rows; it has no draws, see `Censored`."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> NoReturn:
        """Refuse: the limits are not known, and uncensored draws would be of another law."""
        _refuse_draws("LeftCensoredDistribution", "Censored(base, low=limit)", "a limit")


class RightCensoredDistribution(dist.RightCensoredDistribution):
    """Borrow numpyro's likelihood of right-censored rows; it has no draws, see `Censored`."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> NoReturn:
        """Refuse: the limits are not known, and uncensored draws would be of another law."""
        _refuse_draws("RightCensoredDistribution", "Censored(base, high=limit)", "a limit")


class IntervalCensoredDistribution(dist.IntervalCensoredDistribution):
    """Borrow numpyro's likelihood of rows known to an interval; it has no draws."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> NoReturn:
        """Refuse: the intervals are not known, and uncensored draws would be of another law."""
        _refuse_draws("IntervalCensoredDistribution", "IntervalCensored(base, cuts)", "cuts")


class _Expanded(dist.ExpandedDistribution):
    """Add the distribution functions of what is expanded."""

    def cdf(self, value: ArrayLike) -> ArrayLike:
        """Return the base's, which broadcasts."""
        return self.base_dist.cdf(value)

    def icdf(self, q: ArrayLike) -> ArrayLike:
        """Return the base's, which broadcasts."""
        return self.base_dist.icdf(q)


class GaussianCopula(dist.GaussianCopula):
    """Borrow numpyro's, also with marginals that are expanded, and say which cannot be drawn."""

    def __init__(
        self,
        marginal_dist: Distribution,
        correlation_matrix: ArrayLike | None = None,
        correlation_cholesky: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if type(marginal_dist) is dist.ExpandedDistribution:
            marginal_dist = _Expanded(marginal_dist.base_dist, marginal_dist.batch_shape)
        super().__init__(
            marginal_dist,
            correlation_matrix,  # pyright: ignore[reportArgumentType]
            correlation_cholesky,  # pyright: ignore[reportArgumentType]
            validate_args=validate_args,
        )

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> ArrayLike:
        """Draw, and refuse marginals without an inverse cdf in a sentence."""
        return _drawn(super().sample, key, sample_shape, "GaussianCopula", self.marginal_dist)


class GaussianCopulaBeta(dist.GaussianCopulaBeta):
    """Borrow numpyro's density; draws need the Beta's inverse cdf."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> ArrayLike:
        """Draw, and refuse in a sentence where there is no inverse cdf."""
        return _drawn(super().sample, key, sample_shape, "GaussianCopulaBeta", self.marginal_dist)


class TruncatedPolyaGamma(dist.TruncatedPolyaGamma):
    """Borrow numpyro's density; its draws sum 8 of endlessly many variates, and are too small."""

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> ArrayLike:
        """Draw the sum of the first variates, and the mean of all others, which hardly vary."""
        weights = 0.5 / (np.pi * np.arange(0.5, VARIATES)) ** 2
        shape = (*sample_shape, *self.batch_shape, VARIATES)
        found = jnp.sum(jax.random.exponential(key, shape) * weights, -1)
        return jnp.clip(found + 0.25 - weights.sum(), None, self.truncation_point)


class LeftTruncatedDistribution(dist.LeftTruncatedDistribution):
    """Borrow numpyro's, and refuse another base in a sentence."""

    def __init__(
        self, base_dist: Symmetric, low: ArrayLike = 0.0, *, validate_args: bool | None = None
    ):
        _refuse_base("LeftTruncatedDistribution", base_dist)
        super().__init__(base_dist, low, validate_args=validate_args)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> ArrayLike:
        """Draw as `Truncated` does, to far in the tails."""
        return self._law().sample(key, sample_shape)

    def log_prob(self, value: AnyArray) -> ArrayLike:
        """Return the log density, to far in the tails where numpyro's is infinite."""
        return self._law().log_prob(value)

    def _law(self) -> Distribution:
        return Truncated(self.base_dist, low=self.low)


class RightTruncatedDistribution(dist.RightTruncatedDistribution):
    """Borrow numpyro's, and refuse another base in a sentence."""

    def __init__(
        self, base_dist: Symmetric, high: ArrayLike = 0.0, *, validate_args: bool | None = None
    ):
        _refuse_base("RightTruncatedDistribution", base_dist)
        super().__init__(base_dist, high, validate_args=validate_args)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> ArrayLike:
        """Draw as `Truncated` does, to far in the tails."""
        return self._law().sample(key, sample_shape)

    def log_prob(self, value: AnyArray) -> ArrayLike:
        """Return the log density, to far in the tails where numpyro's is infinite."""
        return self._law().log_prob(value)

    def _law(self) -> Distribution:
        return Truncated(self.base_dist, high=self.high)


class TwoSidedTruncatedDistribution(dist.TwoSidedTruncatedDistribution):
    """Borrow numpyro's, and refuse another base in a sentence."""

    def __init__(
        self,
        base_dist: Symmetric,
        low: ArrayLike = 0.0,
        high: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ):
        _refuse_base("TwoSidedTruncatedDistribution", base_dist)
        super().__init__(base_dist, low, high, validate_args=validate_args)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> ArrayLike:
        """Draw as `Truncated` does, to far in the tails."""
        return self._law().sample(key, sample_shape)

    def log_prob(self, value: AnyArray) -> ArrayLike:
        """Return the log density, to far in the tails where numpyro's is infinite."""
        return self._law().log_prob(value)

    def _law(self) -> Distribution:
        return Truncated(self.base_dist, self.low, self.high)


def TruncatedDistribution(
    base_dist: Symmetric,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Return a symmetric distribution between limits, and refuse another base in a sentence.

    >>> float(TruncatedDistribution(dist.Normal(0.0, 1.0), low=0.0).log_prob(0.0)).__round__(4)
    -0.2258
    """
    _refuse_base("TruncatedDistribution", base_dist)
    return Truncated(base_dist, low, high)


def TruncatedNormal(
    loc: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Return a normal distribution between limits, to far in its tails.

    >>> float(TruncatedNormal(0.0, 1.0, low=40.0).log_prob(40.0)).__round__(2)
    3.69
    """
    return Truncated(dist.Normal(loc, scale, validate_args=validate_args), low, high)


def TruncatedCauchy(
    loc: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Return a Cauchy distribution between limits.

    >>> float(TruncatedCauchy(0.0, 1.0, low=0.0).log_prob(0.0)).__round__(4)
    -0.4516
    """
    return Truncated(dist.Cauchy(loc, scale, validate_args=validate_args), low, high)


def _refuse_base(name: str, base: Distribution) -> None:
    known = dist.LeftTruncatedDistribution.supported_types
    if isinstance(base, known) and not base.event_shape:
        return
    counts = isinstance(base, Distribution) and _counts(base)
    zero = " ft.Truncated(base, low=1) or ft.HurdlePoisson for no zeros, or" if counts else ""
    raise ModelError(
        f"{name} takes {SYMMETRIC}, not {type(base).__name__}: take{zero} ft.Truncated(base, low, "
        f"high), for any base with a cumulative distribution function"
    )


def _drawn(
    sample: Callable[[Key, tuple[int, ...]], ArrayLike],
    key: Key,
    sample_shape: tuple[int, ...],
    name: str,
    base: Distribution,
) -> ArrayLike:
    try:
        return sample(key, sample_shape)
    except (NotImplementedError, ImportError):
        while isinstance(base, dist.ExpandedDistribution):
            base = base.base_dist
        raise ModelError(
            f"{name} of {type(base).__name__} cannot be drawn from: that takes the inverse of its "
            f"cumulative distribution function, which numpyro lacks. Its density can be fitted; "
            f"for draws take marginals that have one, such as Normal, Exponential or Logistic"
        ) from None


def _counts(base: Distribution) -> bool:
    return bool(getattr(base.support, "is_discrete", False))


def _refuse_draws(name: str, instead: str, known: str) -> NoReturn:
    raise ModelError(
        f"{name} cannot be drawn from: it is told which rows are censored, not at what limits, so "
        f"draws would be uncensored where the data are not. Write ft.{instead} with {known} for "
        f"each row, whose draws are censored alike"
    )


__all__ = [
    "GaussianCopula",
    "GaussianCopulaBeta",
    "IntervalCensoredDistribution",
    "LeftCensoredDistribution",
    "LeftTruncatedDistribution",
    "RightCensoredDistribution",
    "RightTruncatedDistribution",
    "TruncatedCauchy",
    "TruncatedDistribution",
    "TruncatedNormal",
    "TruncatedPolyaGamma",
    "TwoSidedTruncatedDistribution",
]
