"""Borrow numpyro's distributions and bijections under their own names, and add what it lacks.

No other package imports numpyro.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from jax.core import Tracer
from numpyro import distributions as _numpyro
from numpyro import primitives
from numpyro.distributions import *  # noqa: F403
from numpyro.distributions import (
    Distribution,
    ImproperUniform,
    MaskedDistribution,
    TransformedDistribution,
    biject_to,
    constraints,
)
from numpyro.distributions.distribution import COERCIONS, validation_enabled

from finetti.distributions.censored import *  # noqa: F403
from finetti.distributions.censored import __all__ as _CENSORED
from finetti.distributions.families import *  # noqa: F403
from finetti.distributions.families import __all__ as _FAMILIES
from finetti.distributions.hurdles import *  # noqa: F403
from finetti.distributions.hurdles import __all__ as _HURDLES
from finetti.distributions.known import NOTHING, Known, Pooled, bare, is_borrowed, known
from finetti.distributions.made import *  # noqa: F403
from finetti.distributions.made import Weighted as _Weighted
from finetti.distributions.made import __all__ as _MADE
from finetti.distributions.mixed import *  # noqa: F403
from finetti.distributions.mixed import __all__ as _MIXED
from finetti.distributions.refused import *  # noqa: F403
from finetti.distributions.refused import __all__ as _REFUSED
from finetti.distributions.trials import *  # noqa: F403
from finetti.distributions.trials import __all__ as _TRIALS
from finetti.distributions.truncated import *  # noqa: F403
from finetti.distributions.truncated import __all__ as _TRUNCATED
from finetti.types import AnyArray

OWN, MENDED = (
    (*_CENSORED, *_FAMILIES, *_MADE, *_TRUNCATED),
    (*_HURDLES, *_REFUSED, *_TRIALS, *_MIXED),
)

# Some are functions that choose a class, such as Binomial by probs or logits.
_BORROWED = (n for n in _numpyro.__all__ if n[0].isupper() and callable(getattr(_numpyro, n)))
NAMES = tuple(sorted({*_BORROWED, *OWN}))


def Flat() -> Distribution:
    """Return the improper uniform prior on the real line.

    Its log density is 0 everywhere; drawing from it raises `NotImplementedError`. A posterior
    under it may be improper: look at the advice.

    >>> float(Flat().log_prob(3.0))
    0.0
    """
    return ImproperUniform(constraints.real, (), ())


def HalfFlat() -> Distribution:
    """Return the improper uniform prior on the positive half-line.

    >>> scalar_support(HalfFlat().support)
    Positive(lower_bound=0.0)
    """
    return ImproperUniform(constraints.positive, (), ())


def scalar_support(support: Any) -> Any:
    """Return the constraint on each element, under any reinterpretation of dimensions."""
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return support


def describe_support(support: Any) -> str:
    """Say in words which values a constraint admits.

    >>> describe_support(constraints.positive), describe_support(constraints.interval(0, 2))
    ('positive', 'between 0 and 2')
    """
    support = scalar_support(support)
    low, high = getattr(support, "lower_bound", None), getattr(support, "upper_bound", None)
    if support is constraints.real:
        return "real"
    if support is constraints.positive:
        return "positive"
    if getattr(support, "is_discrete", False) and low is not None:
        top = "" if high is None else f" and at most {_bound(high)}"
        return f"a whole number, at least {_bound(low)}{top}"
    if low is not None and high is not None:
        return f"between {_bound(low)} and {_bound(high)}"
    if low is not None:
        return f"above {_bound(low)}"
    if high is not None:
        return f"below {_bound(high)}"
    name = type(support).__name__.strip("_")
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def _bound(bound: AnyArray | float) -> str:
    if isinstance(bound, Tracer):
        return "a bound from other sites"
    values = np.unique(np.asarray(bound))
    return f"{values[0]:g}" if values.size == 1 else "bounds that vary"


def demands(distribution: Distribution) -> dict[str, constraints.Constraint]:
    """Return what a distribution demands of its arguments, each by itself, by name.

    >>> demands(Normal(0, 1))["scale"]
    Positive(lower_bound=0.0)
    """
    dependent = type(constraints.dependent)
    return {
        name: constraint
        for name, constraint in type(distribution).arg_constraints.items()
        if not isinstance(constraint, dependent) and vars(distribution).get(name) is not None
    }


def name_family(distribution: Distribution) -> str:
    """Return the distribution's own name, under any expansion."""
    distribution = bare(distribution)
    name = type(distribution).__name__.removesuffix("Probs").removesuffix("Logits")
    if name == "ImproperUniform":
        return {"real": "Flat", "positive": "HalfFlat"}.get(
            describe_support(distribution.support), "ImproperUniform"
        )
    return name


def unmasked(distribution: Distribution) -> tuple[Distribution, np.ndarray | None]:
    """Return a distribution without its mask and where that lets it count, None for everywhere.

    A mask that is being traced is left where it is.

    >>> unmasked(Normal(0, 1).expand([2]).mask(np.array([True, False])))[1].tolist()
    [True, False]
    """
    found: np.ndarray | None = None
    while isinstance(distribution, MaskedDistribution):
        mask = distribution._mask
        if isinstance(mask, Tracer):
            break
        here = np.broadcast_to(mask, distribution.batch_shape)
        found = here if found is None else found & here
        distribution = distribution.base_dist
    return distribution, found


def unweighted(distribution: Distribution) -> tuple[Distribution, np.ndarray | None]:
    """Return a distribution without its weights and how often each value counts, None for once.

    Weights that are being traced are left where they are.

    >>> unweighted(Weighted(Normal(0, 1).expand([2]), np.array([2.0, 5.0])))[1].tolist()
    [2.0, 5.0]
    """
    if not isinstance(distribution, _Weighted) or isinstance(distribution.weight, Tracer):
        return distribution, None
    weights = np.broadcast_to(np.asarray(distribution.weight, float), distribution.batch_shape)
    return distribution.base_dist, weights


def know(distribution: Distribution) -> Known:
    """Return what is known of a distribution: nothing of one that a user has written.

    >>> know(Normal(0, 1).expand([3])).condensed
    True
    """
    return known(name_family(distribution)) if is_borrowed(distribution) else NOTHING


def locate(distribution: Distribution) -> str:
    """Return the location-scale family of a distribution's unconstrained value, or nothing.

    >>> locate(Normal(0, 1)), locate(LogNormal(0, 1)), locate(Gamma(1, 1))
    ('Normal', 'Normal', '')
    """
    distribution = bare(distribution)
    if know(distribution).located:
        return know(distribution).located
    if not isinstance(distribution, TransformedDistribution) or len(distribution.transforms) > 1:
        return ""
    same = type(biject_to(distribution.support)) is type(distribution.transforms[0])
    return locate(distribution.base_dist) if same else ""


def foreign_plates() -> list[str]:
    """Name the plates of numpyro that are open: finetti does not see them."""
    # The stack is numpyro's own: a version without it has its plates unseen, as they were.
    frames = getattr(primitives, "_PYRO_STACK", ())
    return [frame.name for frame in frames if isinstance(frame, primitives.plate)]


def unchecked() -> AbstractContextManager[None]:
    """Switch off numpyro's own argument checks for a while: finetti's name the site as well."""
    return validation_enabled(False)


__all__ = [
    "COERCIONS",
    "MENDED",
    "NAMES",
    "NOTHING",
    "OWN",
    "Distribution",
    "Flat",
    "HalfFlat",
    "Known",
    "Pooled",
    "bare",
    "biject_to",
    "constraints",
    "demands",
    "describe_support",
    "foreign_plates",
    "is_borrowed",
    "know",
    "known",
    "locate",
    "name_family",
    "scalar_support",
    "unchecked",
    "unmasked",
    "unweighted",
]
__all__ += list(NAMES)
