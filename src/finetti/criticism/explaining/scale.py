"""Read the mean and the variance of an observed site, as it is observed or as effects add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logit, ndtri, polygamma

from finetti.distributions import (
    Censored,
    Distribution,
    bare,
    know,
    name_family,
    unmasked,
    unweighted,
)
from finetti.errors import ModelError
from finetti.language.effects import Site
from finetti.types import Array

LOGISTIC = pi**2 / 3  # the variance of what a logit is compared with
GUMBEL = pi**2 / 6  # that of the logarithm of an exponential number
Left = Callable[[Site, Array, Array], Array]


@dataclass(frozen=True)
class Scale:
    """Hold how to read an observed site: what effects add up to there, and what is left over.

    `leftover` takes the predictor of the population and the variance of effects of each row, by
    which a residual may depend on them, and returns each row's variance.
    """

    words: str
    predictor: Callable[[Site], Array]
    leftover: Left


def plain(site: Site) -> Distribution:
    """Return a site's distribution without what makes observations count more often, or not.

    Of outcomes that are censored it is that of the outcome itself, whatever is seen of it.
    """
    found = unweighted(unmasked(site.distribution)[0])[0]
    return found.base_dist if isinstance(found, Censored) else found


def is_censored(site: Site) -> bool:
    """Tell whether an outcome is looked at beyond what is seen of it."""
    return isinstance(unweighted(unmasked(site.distribution)[0])[0], Censored)


def mean_and_variance(site: Site) -> tuple[Array, Array]:
    """Return the mean and the variance of each of a site's observations given the parameters."""
    distribution = plain(site)
    shape = np.shape(site.value)
    if name_family(distribution) in ON_A_CIRCLE or know(distribution).tells == "category":
        what, lacks = "categories", "there is no R-squared of them"
        if name_family(distribution) in ON_A_CIRCLE:
            what, lacks = "on a circle", "there is neither an R-squared nor an effect of it"
        also = "; ft.r_squared(posterior, link=True) is on the scale of their predictor"
        also = also if name_family(distribution) in OF_ORDER else ""
        raise ModelError(
            f"the outcomes of site `{site.name}` ~ {name_family(distribution)} are {what}, which "
            f"have no mean among numbers: {lacks}{also}"
        )
    try:
        mean, variance = distribution.mean, distribution.variance
    except (NotImplementedError, AttributeError) as error:
        raise ModelError(
            f"the mean and variance of {name_family(distribution)}, which site `{site.name}` has, "
            f"are not known: there is neither an R-squared nor an effect of it"
        ) from error
    return jnp.broadcast_to(mean, shape), jnp.broadcast_to(variance, shape)


def additive(site: Site) -> list[Scale]:
    """Return the scales on which effects on a site may add up, or refuse what has none.

    It is that of the mean where the family has a location, and that of the logarithm for
    `LogNormal`. Of `Bernoulli` and `Binomial` it is the logit's, the probit's or the complementary
    log-log's, where the leftover is the variance of what these are the quantiles of, pi^2 / 3, 1 or
    pi^2 / 6; probabilities do not say which, `logits=` do. Of `Poisson`, `NegativeBinomial2` and
    `Geometric` it is the log of the mean, where the leftover is log(1 + 1 / mean + 1 / shape), of
    `Gamma`, `Exponential` and `Weibull` too, where it is the variance of the outcome's logarithm,
    for Gamma trigamma(shape), and of `InverseGaussian`, where it is log(1 + mean / shape)
    (Nakagawa, Johnson & Schielzeth 2017, table 1 and appendix S2). Of `Beta` it is the logit's,
    where the leftover is the variance of the outcome's logit, trigamma(a) + trigamma(b); of
    `BetaBinomial` that of the chance's logit and pi^2 / 3. Of `OrderedLogistic` and
    `OrderedProbit` it is that of the number which the thresholds cut (McKelvey & Zavoina 1975).
    """
    base = bare(plain(site))
    name = type(base).__name__
    if know(base).symmetric and not np.ndim(getattr(base, "scale_tril", 0.0)):
        return [Scale("the observations' own scale", _location, _variance)]
    if name in ("BernoulliLogits", "BinomialLogits"):
        return [Scale("the logit scale", lambda s: _of(s, "logits"), _flat(LOGISTIC))]
    if name in ("BernoulliProbs", "BinomialProbs"):
        return [
            Scale(f"the {link} scale", lambda s, f=f: f(_of(s, "probs")), _flat(left))
            for link, f, left in PROBABILITIES
        ]
    if name in OF_ORDER:
        words, left = OF_ORDER[name]
        return [Scale(words, lambda s: _of(s, "predictor"), _flat(left))]
    if name in OF_SHARES:
        return [Scale("the logit scale", _logit_of_mean, OF_SHARES[name])]
    if name in OF_LOGS:
        return [Scale("the log scale", *OF_LOGS[name])]
    raise ModelError(
        f"site `{site.name}` ~ {name_family(base)} has no scale on which effects add up that "
        f"finetti knows: variance shares are for families with a location, such as Normal and "
        f"StudentT, for Bernoulli, Binomial, {', '.join((*OF_LOGS, *OF_SHARES, *OF_ORDER))}; "
        f"ft.r_squared takes more"
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


def _flat(variance: float) -> Left:
    return lambda site, population, random: jnp.full(np.shape(site.value), variance)


def _over(shape: Callable[[Site], Array] | None) -> Left:
    """Return the variance that a count leaves on the log scale, of one mean for all rows."""

    def left(site: Site, population: Array, random: Array) -> Array:
        inverse = 1 / jnp.mean(jnp.exp(population + random / 2))
        more = 0.0 if shape is None else 1 / shape(site)
        return jnp.broadcast_to(jnp.log1p(inverse + more), np.shape(site.value))

    return left


def _logit_of_mean(site: Site) -> Array:
    return jnp.log(_of(site, "concentration1")) - jnp.log(_of(site, "concentration0"))


def _spread_of_logit(more: float) -> Left:
    """Return the variance of the logit of a Beta, and `more`, whatever the mean."""

    def left(site: Site, population: Array, random: Array) -> Array:
        ends = (_of(site, name) for name in ("concentration1", "concentration0"))
        return more + sum((polygamma(1, end) for end in ends), jnp.zeros(()))

    return left


def _cloglog(p: Array) -> Array:
    return jnp.log(-jnp.log1p(-p))


PROBABILITIES = (  # link, its function, the variance of the law whose quantiles it gives
    ("logit", logit, LOGISTIC),
    ("probit", ndtri, 1.0),
    ("complementary log-log", _cloglog, GUMBEL),
)
OF_LOGS: Mapping[str, tuple[Callable[[Site], Array], Left]] = {
    "Poisson": (lambda s: jnp.log(_of(s, "rate")), _over(None)),
    "NegativeBinomial2": (
        lambda s: jnp.log(_of(s, "concentration") / _of(s, "rate")),
        _over(lambda s: _of(s, "concentration")),
    ),
    "GeometricProbs": (
        lambda s: -logit(_of(s, "probs")),
        _over(lambda s: jnp.ones(np.shape(s.value))),
    ),
    "Gamma": (
        lambda s: jnp.log(_of(s, "concentration") / _of(s, "rate")),
        lambda s, population, random: polygamma(1, _of(s, "concentration")),
    ),
    "InverseGaussian": (
        lambda s: jnp.log(_of(s, "loc")),
        lambda s, population, random: jnp.log1p(
            jnp.mean(jnp.exp(population + random / 2)) / _of(s, "shape_")
        ),
    ),
    "Exponential": (lambda s: -jnp.log(_of(s, "rate")), _flat(GUMBEL)),
    "Weibull": (
        lambda s: jnp.log(_of(s, "scale")),
        lambda s, population, random: GUMBEL / _of(s, "concentration") ** 2,
    ),
    "LogNormal": (
        lambda s: _of(s, "loc"),
        lambda s, population, random: _of(s, "scale") ** 2,
    ),
}
OF_SHARES: Mapping[str, Left] = {
    "Beta": _spread_of_logit(0.0),
    "BetaBinomial": _spread_of_logit(LOGISTIC),
}
OF_ORDER: Mapping[str, tuple[str, float]] = {
    "OrderedLogistic": ("the logit scale", LOGISTIC),
    "OrderedProbit": ("the probit scale", 1.0),
}
ON_A_CIRCLE = ("VonMises",)
