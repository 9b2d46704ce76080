"""Read the mean and the variance of an observed site, as it is observed or as effects add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import jax.numpy as jnp
import numpy as np

from finetti.distributions import Distribution, bare, know, name_family, unmasked, unweighted
from finetti.errors import ModelError
from finetti.language.effects import Site
from finetti.types import Array

LOGISTIC = pi**2 / 3  # the variance of what a logit is compared with


@dataclass(frozen=True)
class Scale:
    """Hold how to read an observed site: what effects add up to there, and what is left over.

    `leftover` takes the predictor of the population and the variance of effects of each row, by
    which a residual may depend on them, and returns each row's variance.
    """

    words: str
    predictor: Callable[[Site], Array]
    leftover: Callable[[Site, Array, Array], Array]


def plain(site: Site) -> Distribution:
    """Return a site's distribution without what makes observations count more often, or not."""
    return unweighted(unmasked(site.distribution)[0])[0]


def mean_and_variance(site: Site) -> tuple[Array, Array]:
    """Return the mean and the variance of each of a site's observations given the parameters."""
    distribution = plain(site)
    shape = np.shape(site.value)
    try:
        mean, variance = distribution.mean, distribution.variance
    except (NotImplementedError, AttributeError) as error:
        raise ModelError(
            f"the mean and variance of {name_family(distribution)}, which site `{site.name}` has, "
            f"are not known: there is no R-squared of it"
        ) from error
    return jnp.broadcast_to(mean, shape), jnp.broadcast_to(variance, shape)


def additive(site: Site) -> Scale:
    """Return the scale on which effects on a site add up, or refuse what has none.

    It is that of the mean where the family has a location, of the logit for `Bernoulli(logits=)`
    and `Binomial(logits=)`, where the leftover is the logistic distribution's variance, and of the
    log rate for `Poisson`, where it is log(1 + 1 / mean) (Nakagawa, Johnson & Schielzeth 2017).
    """
    base = bare(plain(site))
    name = type(base).__name__
    if know(base).symmetric and not np.ndim(getattr(base, "scale_tril", 0.0)):
        return Scale("the observations' own scale", _location, _variance)
    if name in ("BernoulliLogits", "BinomialLogits"):
        return Scale("the logit scale", lambda s: _of(s, "logits"), _logistic)
    if name == "Poisson":
        return Scale("the log scale", lambda s: jnp.log(_of(s, "rate")), _poisson)
    raise ModelError(
        f"site `{site.name}` ~ {name_family(base)} has no scale on which effects add up that "
        f"finetti knows: variance shares are for families with a location, such as Normal and "
        f"StudentT, for Bernoulli(logits=), Binomial(logits=) and Poisson; ft.r_squared takes more"
    )


def roots(site: Site) -> list[Array]:
    """Return the columns of a root of the covariance of each member's effect, each of its shape."""
    shape = np.shape(site.value)
    event = len(shape) - len(site.plates)
    base = bare(site.distribution)
    if event == 1 and hasattr(base, "covariance_matrix"):
        covariance = getattr(base, "covariance_matrix")  # noqa: B009 - of some families only
        whole = jnp.broadcast_to(covariance, (*shape, shape[-1]))
        root = jnp.linalg.cholesky(whole)
        return [root[..., k] for k in range(shape[-1])]
    try:
        variance = jnp.broadcast_to(site.distribution.variance, shape)
    except (NotImplementedError, AttributeError) as error:
        raise ModelError(
            f"the variance of {name_family(base)}, the population of `{site.name}`, is not known"
        ) from error
    spread = jnp.sqrt(variance)
    if not event:
        return [spread]
    flat = int(np.prod(shape[-event:]))
    units = jnp.eye(flat).reshape(flat, *shape[-event:])
    return [spread * unit for unit in units]


def _of(site: Site, name: str) -> Array:
    base = bare(plain(site))
    return jnp.broadcast_to(getattr(base, name), np.shape(site.value))


def _location(site: Site) -> Array:
    return _of(site, "loc")


def _variance(site: Site, population: Array, random: Array) -> Array:
    return mean_and_variance(site)[1]


def _logistic(site: Site, population: Array, random: Array) -> Array:
    return jnp.full(np.shape(site.value), LOGISTIC)


def _poisson(site: Site, population: Array, random: Array) -> Array:
    """Return the variance that a Poisson outcome leaves on the log scale, one for all rows."""
    mean = jnp.mean(jnp.exp(population + random / 2))
    return jnp.broadcast_to(jnp.log1p(1 / mean), np.shape(site.value))
