"""Borrow numpyro's distributions and bijections under their own names, and add flat priors.

No other file imports numpyro.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from numpyro import distributions as _numpyro
from numpyro.distributions import *  # noqa: F403
from numpyro.distributions import Distribution, ImproperUniform, biject_to, constraints
from numpyro.distributions.distribution import validation_enabled

NAMES = tuple(
    sorted(
        name
        for name in _numpyro.__all__
        if isinstance(getattr(_numpyro, name), type)
        and issubclass(getattr(_numpyro, name), Distribution)
    )
)


def Flat() -> Distribution:
    """Return the improper uniform prior on the real line.

    Its log density is 0 everywhere; drawing from it raises `NotImplementedError`. A posterior
    under it may be improper: look at the advice.

    >>> Flat().log_prob(3.0).item()
    0.0
    """
    return ImproperUniform(constraints.real, (), ())


def HalfFlat() -> Distribution:
    """Return the improper uniform prior on the positive half-line.

    >>> HalfFlat().support
    Positive(lower_bound=0.0)
    """
    return ImproperUniform(constraints.positive, (), ())


def unchecked() -> AbstractContextManager[None]:
    """Switch off numpyro's own argument checks for a while: finetti's name the site as well."""
    return validation_enabled(False)


__all__ = ["NAMES", "Distribution", "Flat", "HalfFlat", "biject_to", "constraints", "unchecked"]
__all__ += list(NAMES)
