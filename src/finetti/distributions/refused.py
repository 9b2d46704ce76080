"""Refuse what numpyro's distributions answer wrongly or with a bare assertion, in a sentence."""

from __future__ import annotations

from typing import Any, NoReturn

from numpyro import distributions as dist
from numpyro.distributions import Distribution

from finetti.errors import ModelError

SYMMETRIC = "Normal, StudentT, Cauchy, Laplace, Logistic and SoftLaplace"


class LeftCensoredDistribution(dist.LeftCensoredDistribution):
    """Borrow numpyro's likelihood of left-censored rows; it has no draws, see `Censored`."""

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> NoReturn:
        """Refuse: the limits are not known, and uncensored draws would be of another law."""
        _refuse_draws("LeftCensoredDistribution", "low=limit")


class RightCensoredDistribution(dist.RightCensoredDistribution):
    """Borrow numpyro's likelihood of right-censored rows; it has no draws, see `Censored`."""

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> NoReturn:
        """Refuse: the limits are not known, and uncensored draws would be of another law."""
        _refuse_draws("RightCensoredDistribution", "high=limit")


class IntervalCensoredDistribution(dist.IntervalCensoredDistribution):
    """Borrow numpyro's likelihood of rows known to an interval; it has no draws."""

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> NoReturn:
        """Refuse: the intervals are not known, and uncensored draws would be of another law."""
        _refuse_draws("IntervalCensoredDistribution", "low=limit, high=limit")


class LeftTruncatedDistribution(dist.LeftTruncatedDistribution):
    """Borrow numpyro's, and refuse another base in a sentence."""

    def __init__(self, base_dist: Any, low: Any = 0.0, *, validate_args: bool | None = None):
        _refuse_base("LeftTruncatedDistribution", base_dist)
        super().__init__(base_dist, low, validate_args=validate_args)


class RightTruncatedDistribution(dist.RightTruncatedDistribution):
    """Borrow numpyro's, and refuse another base in a sentence."""

    def __init__(self, base_dist: Any, high: Any = 0.0, *, validate_args: bool | None = None):
        _refuse_base("RightTruncatedDistribution", base_dist)
        super().__init__(base_dist, high, validate_args=validate_args)


class TwoSidedTruncatedDistribution(dist.TwoSidedTruncatedDistribution):
    """Borrow numpyro's, and refuse another base in a sentence."""

    def __init__(
        self, base_dist: Any, low: Any = 0.0, high: Any = 1.0, *, validate_args: bool | None = None
    ):
        _refuse_base("TwoSidedTruncatedDistribution", base_dist)
        super().__init__(base_dist, low, high, validate_args=validate_args)


def TruncatedDistribution(
    base_dist: Any, low: Any = None, high: Any = None, *, validate_args: bool | None = None
) -> Distribution:
    """Return numpyro's truncated distribution, and refuse another base in a sentence.

    >>> float(TruncatedDistribution(dist.Normal(0.0, 1.0), low=0.0).log_prob(0.0)).__round__(4)
    -0.2258
    """
    _refuse_base("TruncatedDistribution", base_dist)
    return dist.TruncatedDistribution(base_dist, low, high, validate_args=validate_args)


def _refuse_base(name: str, base: Any) -> None:
    known = dist.LeftTruncatedDistribution.supported_types
    if isinstance(base, known) and not base.event_shape:
        return
    counts = isinstance(base, Distribution) and _counts(base)
    zero = " ft.Truncated(base, low=1) or ft.HurdlePoisson for no zeros, or" if counts else ""
    raise ModelError(
        f"{name} takes {SYMMETRIC}, not {type(base).__name__}: take{zero} ft.Truncated(base, low, "
        f"high), for any base with a cumulative distribution function"
    )


def _counts(base: Distribution) -> bool:
    return bool(getattr(base.support, "is_discrete", False))


def _refuse_draws(name: str, limits: str) -> NoReturn:
    raise ModelError(
        f"{name} cannot be drawn from: it is told which rows are censored, not at what limits, so "
        f"draws would be uncensored where the data are not. Write ft.Censored(base, {limits}) with "
        f"a limit for each row, whose draws are censored alike"
    )


__all__ = [
    "IntervalCensoredDistribution",
    "LeftCensoredDistribution",
    "LeftTruncatedDistribution",
    "RightCensoredDistribution",
    "RightTruncatedDistribution",
    "TruncatedDistribution",
    "TwoSidedTruncatedDistribution",
]
