"""State PyMC2's distributions in its own parameters: precisions, rates, shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.scipy import special

from finetti import distributions as ft
from finetti.dialects.pymc2.corner import CORNER
from finetti.dialects.pymc2.traced import stack
from finetti.dialects.written import Written
from finetti.distributions import constraints
from finetti.types import AnyArray, Array, Key

WHOLE, BELOW = constraints.nonnegative_integer, constraints.integer_greater_than


@dataclass(frozen=True)
class Family:
    """Hold a distribution's parameters in order, their defaults, and how it is made of them."""

    name: str
    parameters: tuple[str, ...]
    make: Callable[..., Any]
    dtype: type = float
    defaults: tuple[tuple[str, object], ...] = ()

    def distribute(self, values: Mapping[str, object]) -> ft.Distribution:
        """Return the distribution with the parameters' values."""
        return self.make(**{k: _precise(stack(v)) for k, v in values.items()})


def _precise(value: AnyArray) -> AnyArray:
    """Return a value as an array, a real one in the widest precision in force."""
    if isinstance(value, jax.Array):
        wide = jnp.result_type(float)
        return value.astype(wide) if value.dtype.kind == "f" else value
    array = np.asarray(value)
    if array.dtype.kind in "USO":
        raise TypeError(f"parents are numbers, arrays or nodes, not {value!r}")
    return array.astype(float) if array.dtype.kind == "f" else array


def _sd(tau: AnyArray) -> Array:
    return 1 / jnp.sqrt(jnp.asarray(tau, float))


def _geometric(p: AnyArray) -> ft.Distribution:
    """Count trials up to the first success: 1, 2, ..."""
    batch = jnp.shape(p)
    plain = ft.Geometric(p)
    return Written(
        lambda x: (x - 1) * jnp.log1p(-p) + jnp.log(p),
        BELOW(1),
        batch,
        sampler=lambda key, shape: 1 + plain.expand(shape).sample(key),
    )


def _hypergeometric(n: AnyArray, m: AnyArray, N: AnyArray) -> ft.Distribution:
    """Count the marked among n drawn from N, of which m are marked."""
    low, high = jnp.maximum(0, n - (N - m)), jnp.minimum(n, m)
    return Written(
        lambda x: _log_choose(m, x) + _log_choose(N - m, n - x) - _log_choose(N, n),
        constraints.integer_interval(low, high),
        jnp.shape(n + m + N),
        sampler=lambda key, shape: _urn(key, shape, n, m, N),
    )


def _urn(key: Key, shape: tuple[int, ...], n: AnyArray, m: AnyArray, N: AnyArray) -> Array:
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.hypergeometric(np.asarray(m), np.asarray(N - m), np.asarray(n), shape))


def _log_choose(n: AnyArray, k: AnyArray) -> Array:
    return special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)


def _skew_normal(mu: AnyArray, tau: AnyArray, alpha: AnyArray) -> ft.Distribution:
    def density(x: Array) -> Array:
        z = (x - mu) * jnp.sqrt(tau)
        return jnp.log(2.0) + ft.Normal(mu, _sd(tau)).log_prob(x) + special.log_ndtr(alpha * z)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        u, v = jax.random.normal(key, (2, *shape))
        share = alpha / jnp.sqrt(1.0 + alpha**2)
        return mu + _sd(tau) * (share * jnp.abs(u) + jnp.sqrt(1 - share**2) * v)

    return Written(density, constraints.real, jnp.shape(mu + tau + alpha), sampler=sampler)


def _exponweib(alpha: AnyArray, k: AnyArray, loc: AnyArray, scale: AnyArray) -> ft.Distribution:
    def density(x: Array) -> Array:
        z = (x - loc) / scale
        inner = z**k
        parts = jnp.log(alpha * k / scale) + (alpha - 1) * jnp.log(-jnp.expm1(-inner))
        return parts - inner + (k - 1) * jnp.log(z)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        u = jax.random.uniform(key, shape)
        return (-jnp.log1p(-(u ** (1 / alpha)))) ** (1 / k) * scale + loc

    batch = jnp.shape(alpha + k + loc + scale)
    return Written(density, constraints.greater_than(loc), batch, sampler=sampler)


def _truncated_poisson(mu: AnyArray, k: AnyArray) -> ft.Distribution:
    """Count events of which at least k are known to have happened."""

    def density(x: Array) -> Array:
        tail = jnp.where(k > 0, special.gammainc(jnp.maximum(k, 1).astype(float), mu), 1.0)
        return ft.Poisson(mu).log_prob(x) - jnp.log(tail)

    return Written(density, BELOW(k), jnp.shape(mu + k))


def _truncated_pareto(alpha: AnyArray, m: AnyArray, b: AnyArray) -> ft.Distribution:
    """Cut a Pareto off above b."""

    def density(x: Array) -> Array:
        share = -jnp.expm1(alpha * (jnp.log(m) - jnp.log(b)))
        return jnp.log(alpha) + alpha * jnp.log(m) - (alpha + 1) * jnp.log(x) - jnp.log(share)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        u = jax.random.uniform(key, shape)
        return (1 - u * (1 - (m / b) ** alpha)) ** (-1 / alpha) * m

    return Written(density, constraints.interval(m, b), jnp.shape(alpha + m + b), sampler=sampler)


def _degenerate(k: AnyArray) -> ft.Distribution:
    return ft.Delta(k)


def _one_over_x() -> ft.Distribution:
    return Written(lambda x: -jnp.log(x), constraints.positive)


def _uninformative() -> ft.Distribution:
    return ft.Flat()


def _dirichlet(theta: AnyArray) -> ft.Distribution:
    """Distribute all but the last of the probabilities, as PyMC2 has it."""
    theta = jnp.asarray(theta, float)

    def density(x: Array) -> Array:
        last = 1 - x.sum(-1, keepdims=True)
        return ft.Dirichlet(theta).log_prob(jnp.concatenate([x, last], -1))

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        return ft.Dirichlet(theta).sample(key, shape[: len(shape) - theta.ndim])[..., :-1]

    event = (theta.shape[-1] - 1,)
    return Written(density, CORNER, theta.shape[:-1], event, sampler)


def complete(p: AnyArray) -> Array:
    """Append to probabilities that do not sum to one the one that is missing."""
    p = jnp.asarray(p, float)
    last = 1 - p.sum(-1, keepdims=True)
    return jnp.where(
        jnp.abs(last) < 1e-9,
        jnp.concatenate([p, jnp.zeros_like(last)], -1),
        jnp.concatenate([p, last], -1),
    )


def _probabilities(p: AnyArray) -> AnyArray:
    """Complete probabilities that are known to fall short of one."""
    if isinstance(p, Tracer):
        return p
    return p if np.allclose(np.asarray(p).sum(-1), 1) else complete(p)


def _univariate() -> list[Family]:
    return [
        Family("Bernoulli", ("p",), lambda p: ft.Bernoulli(probs=p), int),
        Family("Beta", ("alpha", "beta"), lambda alpha, beta: ft.Beta(alpha, beta)),
        Family(
            "Betabin",
            ("alpha", "beta", "n"),
            lambda alpha, beta, n: ft.BetaBinomial(alpha, beta, _whole(n)),
            int,
        ),
        Family("Binomial", ("n", "p"), lambda n, p: ft.Binomial(n, probs=p), int),
        Family("Cauchy", ("alpha", "beta"), lambda alpha, beta: ft.Cauchy(alpha, beta)),
        Family("Chi2", ("nu",), lambda nu: ft.Gamma(nu / 2, 0.5)),
        Family("Degenerate", ("k",), _degenerate),
        Family(
            "DiscreteUniform",
            ("lower", "upper"),
            lambda lower, upper: ft.DiscreteUniform(_whole(lower), _whole(upper)),
            int,
        ),
        Family("Exponential", ("beta",), lambda beta: ft.Exponential(beta)),
        Family(
            "Exponweib", ("alpha", "k", "loc", "scale"), _exponweib,
            defaults=(("loc", 0.0), ("scale", 1.0)),
        ),
        Family("Gamma", ("alpha", "beta"), lambda alpha, beta: ft.Gamma(alpha, beta)),
        Family("Geometric", ("p",), _geometric, int),
        Family("HalfCauchy", ("alpha", "beta"), lambda alpha, beta: _folded_cauchy(alpha, beta)),
        Family("HalfNormal", ("tau",), lambda tau: ft.HalfNormal(_sd(tau))),
        Family("Hypergeometric", ("n", "m", "N"), _hypergeometric, int),
        Family("InverseGamma", ("alpha", "beta"), lambda alpha, beta: ft.InverseGamma(alpha, beta)),
        Family("Laplace", ("mu", "tau"), lambda mu, tau: ft.Laplace(mu, 1 / tau)),
        Family("DExponential", ("mu", "tau"), lambda mu, tau: ft.Laplace(mu, 1 / tau)),
        Family("Logistic", ("mu", "tau"), lambda mu, tau: ft.Logistic(mu, 1 / tau)),
        Family("Lognormal", ("mu", "tau"), lambda mu, tau: ft.LogNormal(mu, _sd(tau))),
        Family(
            "NegativeBinomial",
            ("mu", "alpha"),
            lambda mu, alpha: ft.NegativeBinomial2(mu, alpha),
            int,
        ),
        Family("Normal", ("mu", "tau"), lambda mu, tau: ft.Normal(mu, _sd(tau))),
        Family(
            "NoncentralT",
            ("mu", "lam", "nu"),
            lambda mu, lam, nu: ft.StudentT(nu, mu, _sd(lam)),
        ),
        Family("OneOverX", (), _one_over_x),
        Family("Pareto", ("alpha", "m"), lambda alpha, m: ft.Pareto(m, alpha)),
        Family("Poisson", ("mu",), lambda mu: ft.Poisson(mu), int),
        Family("SkewNormal", ("mu", "tau", "alpha"), _skew_normal),
        Family("T", ("nu",), lambda nu: ft.StudentT(nu, 0.0, 1.0)),
        Family(
            "TruncatedNormal",
            ("mu", "tau", "a", "b"),
            lambda mu, tau, a, b: ft.TruncatedNormal(mu, _sd(tau), low=a, high=b),
            defaults=(("a", -np.inf), ("b", np.inf)),
        ),
        Family("TruncatedPareto", ("alpha", "m", "b"), _truncated_pareto),
        Family("TruncatedPoisson", ("mu", "k"), _truncated_poisson, int),
        Family("Uniform", ("lower", "upper"), lambda lower, upper: ft.Uniform(lower, upper)),
        Family("Uninformative", (), _uninformative),
        Family("VonMises", ("mu", "kappa"), lambda mu, kappa: ft.VonMises(mu, kappa)),
        Family("Weibull", ("alpha", "beta"), lambda alpha, beta: ft.Weibull(beta, alpha)),
    ]  # fmt: skip


def _multivariate() -> list[Family]:
    """Return the families of vectors and matrices, in PyMC2's parameters."""
    return [
        Family("Categorical", ("p",), lambda p: ft.Categorical(_probabilities(p)), int),
        Family("Dirichlet", ("theta",), _dirichlet),
        Family("Multinomial", ("n", "p"), lambda n, p: ft.Multinomial(n, _probabilities(p)), int),
        Family(
            "MvNormal",
            ("mu", "tau"),
            lambda mu, tau: ft.MultivariateNormal(_vector(mu, tau), precision_matrix=tau),
        ),
        Family(
            "MvNormalCov",
            ("mu", "C"),
            lambda mu, C: ft.MultivariateNormal(_vector(mu, C), covariance_matrix=C),
        ),
        Family(
            "MvNormalChol",
            ("mu", "sig"),
            lambda mu, sig: ft.MultivariateNormal(_vector(mu, sig), scale_tril=sig),
        ),
        Family("Wishart", ("n", "Tau"), lambda n, Tau: ft.Wishart(n, rate_matrix=Tau)),
        Family("WishartCov", ("n", "C"), lambda n, C: ft.Wishart(n, scale_matrix=C)),
    ]


def _whole(bound: Any) -> AnyArray | int:
    return bound.astype(int) if hasattr(bound, "astype") else int(bound)


def _vector(mu: AnyArray, matrix: AnyArray) -> AnyArray:
    return jnp.broadcast_to(jnp.asarray(mu, float), jnp.shape(matrix)[-1:])


def _folded_cauchy(alpha: AnyArray, beta: AnyArray) -> ft.Distribution:
    """Cut a Cauchy of location alpha and scale beta off below zero."""
    if not isinstance(alpha, Tracer) and np.all(np.asarray(alpha) == 0):
        return ft.HalfCauchy(beta)
    return ft.LeftTruncatedDistribution(ft.Cauchy(alpha, beta), low=0.0)


FAMILIES = {family.name: family for family in (*_univariate(), *_multivariate())}


def bind(family: Family, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
    """Return a family's parameters by name from the arguments of a call."""
    if len(args) > len(family.parameters):
        raise TypeError(f"{family.name} takes {family.parameters}, not {len(args)} parameters")
    given = dict(zip(family.parameters, args, strict=False))
    twice, unknown = given.keys() & kwargs.keys(), kwargs.keys() - set(family.parameters)
    if twice or unknown:
        raise TypeError(f"{family.name} takes {family.parameters}, not {sorted(twice | unknown)}")
    found = {**dict(family.defaults), **given, **kwargs}
    missing = [p for p in family.parameters if p not in found]
    if missing:
        raise TypeError(f"{family.name} needs {', '.join(missing)}")
    return {p: found[p] for p in family.parameters}


def snake(name: str) -> str:
    """Return a family's name as PyMC2 spells it in functions.

    >>> snake("DiscreteUniform"), snake("MvNormalCov"), snake("T")
    ('discrete_uniform', 'mv_normal_cov', 't')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
