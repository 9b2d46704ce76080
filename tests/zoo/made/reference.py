"""Evaluate a model's code with numpy and scipy alone: log densities, and how draws lie.

`Reference` stands in finetti's place, `jnp` is numpy. Laws are written anew from their
definitions: nothing is borrowed from numpyro or finetti.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from scipy import special, stats

from zoo.made.written import Made

Of = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Law:
    """Hold a log density, each event's a number; where it is known, a cdf; a batch shape.

    For events `cdf` gives some independent uniform numbers instead.
    """

    log_density: Of
    cdf: Of | None = None
    event: int = 0
    batch: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    tail: Of | None = None  # 1 - cdf, to all its digits

    def between(self, low: Any, high: Any) -> np.ndarray:
        """Return the probability between two values, from the tail that has the digits."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        up = self.cdf(low) > 0.5
        return np.where(up, self.tail(low) - self.tail(high), self.cdf(high) - self.cdf(low))

    def expand(self, shape: list[int]) -> Law:
        """Return the law of independent copies."""
        return replace(self, batch=tuple(shape))

    def to_event(self, count: int) -> Law:
        """Return the law of the last dimensions as one event."""
        axes = tuple(range(-count, 0))
        return Law(
            lambda v: np.sum(self.log_density(v), axes), None, count,
            self.batch[:-count], self.batch[-count:] + self.size,
        )  # fmt: skip

    def mask(self, keep: np.ndarray) -> Law:
        """Return the law that counts where it is told."""
        return replace(self, log_density=lambda v: np.where(keep, self.log_density(v), 0.0))


def _frozen(law: Any, *arguments: Any) -> Law:
    """Return the law of a distribution of scipy's."""
    discrete = hasattr(law, "logpmf")
    shape = np.broadcast_shapes(*(np.shape(a) for a in arguments))
    return Law(law.logpmf if discrete else law.logpdf, law.cdf, batch=shape, tail=law.sf)


def _normal(loc: Any, scale: Any) -> Law:
    return _frozen(stats.norm(loc, scale), loc, scale)


def _between(base: Law, low: Any = -np.inf, high: Any = np.inf) -> Law:
    mass = base.between(low, high)
    return replace(
        base,
        log_density=lambda v: base.log_density(v) - np.log(mass),
        cdf=lambda v: base.between(low, v) / mass,
        tail=lambda v: base.between(v, high) / mass,
    )


def _censored(base: Law, high: Any) -> Law:
    return replace(
        base,
        log_density=lambda v: np.where(v >= high, np.log(base.tail(high)), base.log_density(v)),
        cdf=None,
    )


def _rounded(base: Law, cuts: np.ndarray) -> Law:
    ends = np.full((*cuts.shape[:-1], 1), np.inf)
    low = np.concatenate([-ends, cuts], -1)
    high = np.concatenate([cuts, ends], -1)
    pairs = zip(np.moveaxis(low, -1, 0), np.moveaxis(high, -1, 0), strict=True)
    return _categories(np.stack([base.between(a, b) for a, b in pairs], -1), base.batch)


def _categories(chances: np.ndarray, batch: tuple[int, ...]) -> Law:
    def log_density(value: np.ndarray) -> np.ndarray:
        spread = np.broadcast_to(chances, (*np.shape(value), chances.shape[-1]))
        picked = np.take_along_axis(spread, np.asarray(value, int)[..., None], -1)[..., 0]
        return np.log(picked)

    return Law(log_density, lambda v: _up_to(chances, v), batch=batch)


def _up_to(chances: np.ndarray, value: np.ndarray) -> np.ndarray:
    sums = np.concatenate([np.zeros((*chances.shape[:-1], 1)), np.cumsum(chances, -1)], -1)
    spread = np.broadcast_to(sums, (*np.shape(value), sums.shape[-1]))
    return np.take_along_axis(spread, np.asarray(value, int)[..., None] + 1, -1)[..., 0]


def _ordered_categories(law: Any, predictor: Any, cuts: Any) -> Law:
    below = cuts - np.asarray(predictor)[..., None]
    ends = np.full((*below.shape[:-1], 1), np.inf)
    base = _frozen(law)
    chances = base.between(np.concatenate([-ends, below], -1), np.concatenate([below, ends], -1))
    return _categories(chances, below.shape[:-1])


def _multivariate(loc: Any, tril: Any, df: float | None = None) -> Law:
    loc, tril = np.asarray(loc, float), np.asarray(tril, float)
    k = tril.shape[-1]
    logdet = np.sum(np.log(np.diagonal(tril, axis1=-2, axis2=-1)), -1)

    def log_density(value: np.ndarray) -> np.ndarray:
        away = np.asarray(value) - loc
        white = np.linalg.solve(np.broadcast_to(tril, (*away.shape, k)), away[..., None])[..., 0]
        squares = np.sum(white**2, -1)
        if df is None:
            return -0.5 * squares - 0.5 * k * np.log(2 * np.pi) - logdet
        constant = special.gammaln((df + k) / 2) - special.gammaln(df / 2)
        constant -= 0.5 * k * np.log(df * np.pi)
        return constant - logdet - 0.5 * (df + k) * np.log1p(squares / df)

    def uniform(value: np.ndarray) -> np.ndarray:
        away = np.asarray(value) - loc
        white = np.linalg.solve(np.broadcast_to(tril, (*away.shape, k)), away[..., None])[..., 0]
        if df is None:
            return stats.norm.cdf(white)
        return stats.f(k, df).cdf(np.sum(white**2, -1) / k)

    batch = np.broadcast_shapes(loc.shape[:-1], tril.shape[:-2])
    return Law(log_density, uniform, 1, batch, (k,))


def _lkj_root(dimension: int, eta: float) -> Law:
    """Return the density of a correlation matrix's Cholesky factor (Lewandowski et al. 2009)."""
    n = dimension
    total = 0.0  # log of the normalising constant of the correlation matrix's density
    for k in range(1, n):
        total += 0.5 * k * np.log(np.pi) + special.gammaln(eta + 0.5 * (n - 1 - k))
        total -= special.gammaln(eta + 0.5 * (n - 1))
    powers = np.array([n - i + 2 * eta - 2 for i in range(2, n + 1)])

    def log_density(value: np.ndarray) -> np.ndarray:
        diagonal = np.diagonal(np.asarray(value), axis1=-2, axis2=-1)[..., 1:]
        return np.sum(powers * np.log(diagonal), -1) - total

    def uniform(value: np.ndarray) -> np.ndarray:  # of one correlation
        return stats.beta(eta, eta).cdf((1 + value[1, 0]) / 2)

    return Law(log_density, uniform, 2, (), (n, n))


def _walk(scale: Any, num_steps: int) -> Law:
    def log_density(value: np.ndarray) -> np.ndarray:
        steps = np.diff(value, prepend=0.0)
        return np.sum(stats.norm.logpdf(steps, 0, scale), -1)

    def uniform(value: np.ndarray) -> np.ndarray:
        return stats.norm.cdf(np.diff(value, prepend=0.0), 0, scale)

    return Law(log_density, uniform, 1, (), (num_steps,))


def _chain(initial: Any, move: Any, length: int) -> Law:
    def log_density(value: np.ndarray) -> np.ndarray:
        value = np.asarray(value, int)
        return np.log(initial[value[0]]) + np.sum(np.log(move[value[:-1], value[1:]]))

    return Law(log_density, None, 1, (), (length,))


def _sorted(base: Law) -> Law:
    n = base.batch[-1]
    return Law(
        lambda v: np.sum(base.log_density(v), -1) + special.gammaln(n + 1),
        lambda v: base.cdf(v[..., -1]) ** n, 1, (), (n,),
    )  # fmt: skip


def _inflated(none: Any, rate: Any) -> Law:
    base = stats.poisson(rate)

    def log_density(value: np.ndarray) -> np.ndarray:
        zero = np.log(none + (1 - none) * np.exp(-rate))
        return np.where(value == 0, zero, np.log1p(-none) + base.logpmf(value))

    return Law(log_density, lambda v: none + (1 - none) * base.cdf(v), batch=np.shape(rate))


def _spread_counts(mean: Any, phi: Any) -> Law:
    law = stats.nbinom(phi, phi / (phi + mean))
    return _frozen(law, mean, phi)


def _yes(probs: Any = None, logits: Any = None) -> Law:
    probs = special.expit(logits) if probs is None else probs
    return _frozen(stats.bernoulli(probs), probs)


def _trials(total_count: Any, probs: Any = None, logits: Any = None) -> Law:
    probs = special.expit(logits) if probs is None else probs
    return _frozen(stats.binom(total_count, probs), total_count, probs)


def _category(probs: Any = None, logits: Any = None) -> Law:
    chances = special.softmax(logits, -1) if probs is None else np.asarray(probs)
    return _categories(chances, chances.shape[:-1])


def _any(**root: Any) -> np.ndarray:
    if "scale_tril" in root:
        return root["scale_tril"]
    covariance = root.get("covariance_matrix")
    if covariance is None:
        covariance = np.linalg.inv(root["precision_matrix"])
    return np.linalg.cholesky(covariance)


LAWS: dict[str, Callable[..., Law]] = {
    "Normal": _normal,
    "LogNormal": lambda m, s: _frozen(stats.lognorm(s, scale=np.exp(m)), m, s),
    "StudentT": lambda df, m, s: _frozen(stats.t(df, m, s), df, m, s),
    "Cauchy": lambda m, s: _frozen(stats.cauchy(m, s), m, s),
    "Laplace": lambda m, s: _frozen(stats.laplace(m, s), m, s),
    "Logistic": lambda m, s: _frozen(stats.logistic(m, s), m, s),
    "Gumbel": lambda m, s: _frozen(stats.gumbel_r(m, s), m, s),
    "SkewNormal": lambda m, s, a: _frozen(stats.skewnorm(a, m, s), m, s, a),
    "Uniform": lambda a, b: _frozen(stats.uniform(a, b - a), a, b),
    "HalfNormal": lambda s: _frozen(stats.halfnorm(0, s), s),
    "HalfCauchy": lambda s: _frozen(stats.halfcauchy(0, s), s),
    "Exponential": lambda r: _frozen(stats.expon(0, 1 / r), r),
    "Gamma": lambda a, b: _frozen(stats.gamma(a, scale=1 / b), a, b),
    "InverseGamma": lambda a, b: _frozen(stats.invgamma(a, scale=b), a, b),
    "Weibull": lambda s, k: _frozen(stats.weibull_min(k, scale=s), s, k),
    "Pareto": lambda s, a: _frozen(stats.pareto(a, scale=s), s, a),
    "Chi2": lambda df: _frozen(stats.chi2(df), df),
    "Beta": lambda a, b: _frozen(stats.beta(a, b), a, b),
    "Poisson": lambda r: _frozen(stats.poisson(r), r),
    "NegativeBinomial2": _spread_counts,
    "BetaBinomial": lambda a, b, n: _frozen(stats.betabinom(n, a, b), a, b),
    "DiscreteUniform": lambda a, b: _frozen(stats.randint(a, b + 1), a, b),
    "Bernoulli": _yes,
    "BernoulliLogits": lambda logits: _yes(logits=logits),
    "Binomial": _trials,
    "Categorical": _category,
    "Flat": lambda: Law(lambda v: np.zeros(np.shape(v))),
    "Truncated": _between,
    "TruncatedNormal": lambda m, s, low, high: _between(_normal(m, s), low, high),
    "Censored": _censored,
    "IntervalCensored": _rounded,
    "Weighted": lambda base, w: replace(base, log_density=lambda v: w * base.log_density(v)),
    "Ordered": _sorted,
    "OrderedLogistic": lambda eta, cuts: _ordered_categories(stats.logistic, eta, cuts),
    "OrderedProbit": lambda eta, cuts: _ordered_categories(stats.norm, eta, cuts),
    "ZeroInflatedPoisson": _inflated,
    "MultivariateNormal": lambda loc, **root: _multivariate(loc, _any(**root)),
    "MultivariateStudentT": lambda df, loc, scale_tril: _multivariate(loc, scale_tril, df),
    "LKJCholesky": _lkj_root,
    "GaussianRandomWalk": _walk,
    "MarkovChain": _chain,
    "Dirichlet": lambda a: Law(
        lambda v: stats.dirichlet.logpdf(v, a),
        lambda v: stats.beta(a[0], np.sum(a[1:])).cdf(v[0]),
        1,
        (),
        np.shape(a),
    ),
}


class Reference:
    """Stand in finetti's place: give each site its value, note its log density and its law."""

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self.values, self.plates = dict(values), []
        self.log_densities: dict[str, float] = {}
        self.told: dict[str, np.ndarray] = {}
        self.laws: dict[str, Law] = {}

    def __getattr__(self, name: str) -> Any:
        return LAWS[name]

    @contextmanager
    def plate(self, name: str, members: int) -> Iterator[np.ndarray]:
        """Open a plate."""
        self.plates.append(members)
        yield np.arange(members)
        self.plates.pop()

    def sample(self, name: str, law: Law) -> np.ndarray:
        """Return the site's value, its log density summed over all that it is independent for."""
        value = np.asarray(self.values[name])
        batch = tuple(self.plates) or law.batch or value.shape[: value.ndim - law.event]
        shape = (*batch, *law.batch[len(batch) :], *law.size)
        assert value.shape == shape, f"{name}: {value.shape} where {shape} is due"
        found = np.asarray(law.log_density(value))
        whole = prod(shape[: len(shape) - law.event])
        self.log_densities[name] = float(found.sum()) * (whole / found.size)
        self.laws[name] = law
        return value

    def deterministic(self, name: str, value: Any) -> Any:
        """Note a quantity."""
        self.told[name] = np.asarray(value)
        return value

    def factor(self, name: str, log_weight: Any) -> None:
        """Note a factor."""
        self.log_densities[name] = float(np.sum(log_weight))


def evaluated(made: Made, values: Mapping[str, np.ndarray]) -> Reference:
    """Run a model's code at the values of all its sites."""
    ft = Reference(values)
    names = {"ft": ft, "jnp": np, "expit": special.expit, "ndtr": special.ndtr}
    names["picked"] = lambda members, codes: np.append(members, 0.0)[codes]
    names["softplus"] = lambda x: np.logaddexp(0.0, x)
    with np.errstate(divide="ignore"):
        made.function(names)(*(np.asarray(made.data[n]) for n in made.taken))
    return ft
