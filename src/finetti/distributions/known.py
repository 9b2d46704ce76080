"""State in one table, a row a family, what finetti knows of distributions beyond their density.

Rewrites, checks and advice read this table and nothing else of a family's name. A family without a
row works like any other, only that nothing is made of what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import jax
import numpy as np
from numpyro.distributions import Distribution

from finetti.types import Array


@dataclass(frozen=True)
class States:
    """Say which values a discrete distribution takes: whole numbers from `low` to `high`.

    Either is a number or names the argument that it is. Where `weights` names arguments, one of
    them has a weight for each value, from 0 on, along its last axis, and `high` is not asked.
    """

    low: int | str = 0
    high: int | str = 0
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pooled:
    """Say how a distribution's values enter through their number and their sum.

    The log density of n values y with the same eta, the argument `parameter`, is
    part(n, sum of y, eta) + the sum of base(y).
    """

    parameter: str
    part: Callable[[Array, Array, Array], Array]
    base: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Known:
    """Hold what is known of one family.

    - `located` names the location-scale family of its unconstrained value: that of loc + scale e,
      or of loc + scale_tril e, has the density of e over the scale.
    - `symmetric`: its values lie around `loc` alike on both sides.
    - `condensed`: its log density is that of a normal, quadratic in the value less `loc`, so that
      sums over values and their squares hold all that they say.
    - `kinked`: its density has a kink at `loc`, so that no derivative tells how it bends there.
    - `improper`: its density is 1 everywhere and cannot be normalised.
    - `states` are the values it takes, `pooled` says how its values enter through their sum.
    - `tells` says what a value is, where it is not just a number.
    - `ends` says what to do about values at 0 or 1, where its density is 0 or infinite.
    """

    located: str = ""
    symmetric: bool = False
    condensed: bool = False
    kinked: bool = False
    improper: bool = False
    states: States | None = None
    pooled: Pooled | None = None
    tells: Literal["number", "yes or no", "successes", "category"] = "number"
    ends: str = ""

    @property
    def binary(self) -> bool:
        """Tell whether its values are 0 and 1."""
        return self.states == States(0, 1)


def _poisson(number: Array, total: Array, rate: Array) -> Array:
    return jax.scipy.special.xlogy(total, rate) - number * rate


def _bernoulli(number: Array, total: Array, logits: Array) -> Array:
    return total * logits - number * jax.nn.softplus(logits)


def _log_factorials(y: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln

    return -gammaln(y + 1.0)


BERNOULLI = Pooled("logits", _bernoulli, lambda y: np.zeros(()))
POISSON = Pooled("rate", _poisson, _log_factorials)
ENDS = (
    "take ft.ZeroOneInflatedBeta where such values are exact, or move them inside where they are "
    "rounded"
)
PARTS = "add a small amount to each part and divide by the new sum, or model the counts"

FAMILIES: Mapping[str, Known] = MappingProxyType(
    {
        "Normal": Known(located="Normal", symmetric=True, condensed=True),
        "StudentT": Known(located="StudentT", symmetric=True),
        "Laplace": Known(located="Laplace", symmetric=True, kinked=True),
        "Logistic": Known(located="Logistic", symmetric=True),
        "Cauchy": Known(located="Cauchy", symmetric=True),
        "Gumbel": Known(located="Gumbel"),
        "SoftLaplace": Known(located="SoftLaplace", symmetric=True),
        "MultivariateNormal": Known(located="MultivariateNormal", symmetric=True),
        "MultivariateStudentT": Known(located="MultivariateStudentT", symmetric=True),
        "LogNormal": Known(located="Normal"),
        "AsymmetricLaplace": Known(kinked=True),
        "AsymmetricLaplaceQuantile": Known(kinked=True),
        "Flat": Known(improper=True),
        "HalfFlat": Known(improper=True),
        "ImproperUniform": Known(improper=True),
        "Bernoulli": Known(states=States(0, 1), pooled=BERNOULLI, tells="yes or no"),
        "Binomial": Known(states=States(0, "total_count"), tells="successes"),
        "BetaBinomial": Known(states=States(0, "total_count")),
        "Poisson": Known(pooled=POISSON),
        "DiscreteUniform": Known(states=States("low", "high")),
        "Categorical": Known(states=States(weights=("probs", "logits")), tells="category"),
        "MarkovChain": Known(states=States(weights=("initial",))),
        "OrderedLogistic": Known(tells="category"),
        "OrderedProbit": Known(tells="category"),
        "Beta": Known(ends=ENDS),
        "BetaProportion": Known(ends=ENDS),
        "Kumaraswamy": Known(ends=ENDS),
        "GaussianCopulaBeta": Known(ends=ENDS),
        "Dirichlet": Known(ends=PARTS),
    }
)
NOTHING = Known()


def known(family: str) -> Known:
    """Return what is known of a family by its name, as `name_family` gives it.

    >>> known("Laplace").kinked, known("Gamma") == NOTHING
    (True, True)
    """
    return FAMILIES.get(family, NOTHING)


def bare(distribution: Distribution) -> Distribution:
    """Return a distribution without its expansions and reinterpreted dimensions."""
    while type(distribution).__name__ in ("ExpandedDistribution", "Independent"):
        distribution = vars(distribution)["base_dist"]
    return distribution


def is_borrowed(distribution: Distribution) -> bool:
    """Tell whether a distribution is numpyro's or finetti's own, not one that a user has written.

    A user's own may bear the name of another, and is not what the table says of that.
    """
    return type(bare(distribution)).__module__.partition(".")[0] in ("numpyro", "finetti")
