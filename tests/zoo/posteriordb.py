"""Keep posteriors of posteriordb, with their references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.reference import Case, Reference, read


@ft.model
def radon(county, floor_measure, log_uppm):
    sigma_alpha = ft.sample("sigma_alpha", ft.HalfNormal(1))
    sigma_y = ft.sample("sigma_y", ft.HalfNormal(1))
    mu_alpha = ft.sample("mu_alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10).expand([2]))
    with ft.plate("county", county):
        alpha_raw = ft.sample("alpha_raw", ft.Normal(0, 1))
        alpha = ft.deterministic("alpha", mu_alpha + sigma_alpha * alpha_raw)
    with ft.plate("home", len(county)):
        mean = alpha[county] + beta[0] * log_uppm + beta[1] * floor_measure
        ft.sample("log_radon", ft.Normal(mean, sigma_y))


@ft.model
def centred_radon(county, floor_measure, log_uppm):
    sigma_alpha = ft.sample("sigma_alpha", ft.HalfNormal(1))
    sigma_y = ft.sample("sigma_y", ft.HalfNormal(1))
    mu_alpha = ft.sample("mu_alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10).expand([2]))
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(mu_alpha, sigma_alpha))
        ft.deterministic("alpha_raw", (alpha - mu_alpha) / sigma_alpha)
    with ft.plate("home", len(county)):
        mean = alpha[county] + beta[0] * log_uppm + beta[1] * floor_measure
        ft.sample("log_radon", ft.Normal(mean, sigma_y))


def _radon(form: ft.Model, d: Mapping[str, Any]) -> ft.Model:
    county = ft.groups(d["county_idx"], labels=range(1, d["J"] + 1))
    bound = form(county, np.array(d["floor_measure"], float), np.array(d["log_uppm"]))
    return bound.condition(log_radon=np.array(d["log_radon"]))


@ft.model
def rats(rat, x, xbar):
    mu_alpha = ft.sample("mu_alpha", ft.Normal(0, 100))
    mu_beta = ft.sample("mu_beta", ft.Normal(0, 100))
    sigma_y = ft.sample("sigma_y", ft.HalfFlat())
    sigma_alpha = ft.sample("sigma_alpha", ft.HalfFlat())
    sigma_beta = ft.sample("sigma_beta", ft.HalfFlat())
    with ft.plate("rat", rat):
        alpha = ft.sample("alpha", ft.Normal(mu_alpha, sigma_alpha))
        beta = ft.sample("beta", ft.Normal(mu_beta, sigma_beta))
    with ft.plate("weighing", len(rat)):
        ft.sample("y", ft.Normal(alpha[rat] + beta[rat] * (x - xbar), sigma_y))
    ft.deterministic("alpha0", mu_alpha - xbar * mu_beta)


def _rats(d: Mapping[str, Any]) -> ft.Model:
    bound = rats(ft.groups(d["rat"]), np.array(d["x"], float), float(d["xbar"]))
    return bound.condition(y=np.array(d["y"], float))


@ft.model
def kidiq(mom_hs, mom_iq):
    beta = ft.sample("beta", ft.Flat().expand([3]))
    sigma = ft.sample("sigma", ft.HalfCauchy(2.5))
    with ft.plate("child", len(mom_iq)):
        mean = beta[0] + beta[1] * mom_hs + beta[2] * mom_iq
        ft.sample("kid_score", ft.Normal(mean, sigma))


def _kidiq(d: Mapping[str, Any]) -> ft.Model:
    bound = kidiq(np.array(d["mom_hs"], float), np.array(d["mom_iq"], float))
    return bound.condition(kid_score=np.array(d["kid_score"], float))


@ft.model
def autoregression(lagged):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    with ft.plate("lag", lagged.shape[1]):
        beta = ft.sample("beta", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfCauchy(2.5))
    with ft.plate("time", len(lagged)):
        ft.sample("y", ft.Normal(alpha + lagged @ beta, sigma))


def _autoregression(d: Mapping[str, Any]) -> ft.Model:
    y, lags = np.array(d["y"]), d["K"]
    lagged = np.stack([y[lags - k : len(y) - k] for k in range(1, lags + 1)], 1)
    return autoregression(lagged).condition(y=y[lags:])


@ft.model
def gaussian_mixture(y):
    mu = ft.sample("mu", ft.ImproperUniform(ft.constraints.ordered_vector, (), (2,)))
    ft.factor("mu_prior", ft.Normal(0, 2).log_prob(mu))
    sigma = ft.sample("sigma", ft.HalfNormal(2).expand([2]))
    theta = ft.sample("theta", ft.Beta(5, 5))
    components = ft.Normal(mu, sigma).log_prob(y[:, None])
    weights = jnp.log(jnp.stack([theta, 1 - theta]))
    ft.factor("y", jax.nn.logsumexp(components + weights, -1))


@ft.model
def hidden_markov(y):
    theta1 = ft.sample("theta1", ft.Dirichlet(jnp.ones(2)))
    theta2 = ft.sample("theta2", ft.Dirichlet(jnp.ones(2)))
    mu = ft.sample("mu", ft.ImproperUniform(ft.constraints.positive_ordered_vector, (), (2,)))
    ft.factor("mu_prior", ft.Normal(jnp.array([3.0, 10.0]), 1).log_prob(mu))
    log_transition = jnp.log(jnp.stack([theta1, theta2]))
    log_emission = ft.Normal(mu, 1).log_prob(y[:, None])

    def forward(log_alpha, emitted):
        return jax.nn.logsumexp(log_alpha[:, None] + log_transition, 0) + emitted, None

    log_alpha, _ = jax.lax.scan(forward, log_emission[0], log_emission[1:])
    ft.factor("y", jax.nn.logsumexp(log_alpha))


@ft.model
def surgical(n):
    mu = ft.sample("mu", ft.Normal(0, 1000))
    sigmasq = ft.sample("sigmasq", ft.InverseGamma(0.001, 0.001))
    sigma = ft.deterministic("sigma", jnp.sqrt(sigmasq))
    with ft.plate("hospital", len(n)):
        b = ft.sample("b", ft.Normal(mu, sigma))
        ft.sample("r", ft.Binomial(n, logits=b))
        ft.deterministic("p", jax.nn.sigmoid(b))
    ft.deterministic("pop_mean", jax.nn.sigmoid(mu))


@ft.model
def seeds(N, x1, x2):
    alpha0, alpha1, alpha2, alpha12 = (
        ft.sample(name, ft.Normal(0, 1)) for name in ("alpha0", "alpha1", "alpha2", "alpha12")
    )
    sigma = ft.sample("sigma", ft.HalfCauchy(1))
    with ft.plate("plate", len(N)):
        b = ft.deterministic("b", sigma * ft.sample("b_raw", ft.Normal(0, 1)))
        logits = alpha0 + alpha1 * x1 + alpha2 * x2 + alpha12 * x1 * x2 + b
        ft.sample("n", ft.Binomial(N, logits=logits))


def _seeds(d: Mapping[str, Any]) -> ft.Model:
    x1, x2 = np.array(d["x1"], float), np.array(d["x2"], float)
    return seeds(np.array(d["N"]), x1, x2).condition(n=np.array(d["n"]))


@ft.model
def counts_over_years(year):
    alpha = ft.sample("alpha", ft.Uniform(-20, 20))
    beta1, beta2, beta3 = (
        ft.sample(name, ft.Uniform(-10, 10)) for name in ("beta1", "beta2", "beta3")
    )
    sigma = ft.sample("sigma", ft.Uniform(0, 5))
    with ft.plate("year", len(year)):
        eps = ft.sample("eps", ft.Normal(0, sigma))
        trend = alpha + beta1 * year + beta2 * year**2 + beta3 * year**3
        log_lambda = ft.deterministic("log_lambda", trend + eps)
        ft.sample("C", ft.Poisson(jnp.exp(log_lambda)))


@ft.model
def pilots(group, scenario):
    mu_a = ft.sample("mu_a", ft.Normal(0, 1))
    mu_b = ft.sample("mu_b", ft.Normal(0, 1))
    sigma_a, sigma_b, sigma_y = (
        ft.sample(name, ft.Uniform(0, 100)) for name in ("sigma_a", "sigma_b", "sigma_y")
    )
    with ft.plate("group", group):
        a = ft.sample("a", ft.Normal(10 * mu_a, sigma_a))
    with ft.plate("scenario", scenario):
        b = ft.sample("b", ft.Normal(10 * mu_b, sigma_b))
    with ft.plate("flight", len(group)):
        ft.sample("y", ft.Normal(a[group] + b[scenario], sigma_y))


def _pilots(d: Mapping[str, Any]) -> ft.Model:
    bound = pilots(ft.groups(d["group_id"]), ft.groups(d["scenario_id"]))
    return bound.condition(y=np.array(d["y"]))


@ft.model
def item_response(items, persons):
    sigma_theta, sigma_a, sigma_b = (
        ft.sample(name, ft.HalfCauchy(2)) for name in ("sigma_theta", "sigma_a", "sigma_b")
    )
    mu_b = ft.sample("mu_b", ft.Normal(0, 5))
    with ft.plate("person", persons):
        theta = ft.sample("theta", ft.Normal(0, sigma_theta))
    with ft.plate("item", items):
        a = ft.sample("a", ft.LogNormal(0, sigma_a))
        b = ft.sample("b", ft.Normal(mu_b, sigma_b))
        with ft.plate("person", persons):
            ft.sample("y", ft.Bernoulli(logits=a[:, None] * (theta - b[:, None])))


BUILDERS: dict[str, Callable[[Mapping[str, Any]], ft.Model]] = {
    "radon_mn": lambda d: _radon(radon, d),
    "radon_mn_centred": lambda d: _radon(centred_radon, d),
    "rats": _rats,
    "kidiq": _kidiq,
    "arK": _autoregression,
    "low_dim_gauss_mix": lambda d: gaussian_mixture(np.array(d["y"])),
    "hmm_example": lambda d: hidden_markov(np.array(d["y"])),
    "surgical": lambda d: surgical(np.array(d["n"])).condition(r=np.array(d["r"])),
    "seeds": _seeds,
    "GLMM_Poisson": lambda d: counts_over_years(np.array(d["year"])).condition(C=np.array(d["C"])),
    "pilots": _pilots,
    "irt_2pl": lambda d: item_response(d["I"], d["J"]).condition(y=np.array(d["y"])),
}


def _reference_sites(summary: Mapping[str, Any]) -> dict[str, Reference]:
    """Gather a reference's scalars, such as `beta[2]`, into sites."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(summary["names"]):
        rows.setdefault(name.partition("[")[0], []).append(row)

    def column(key: str, name: str) -> np.ndarray:
        values = np.array([summary[key][row] for row in rows[name]])
        return values if "[" in summary["names"][rows[name][0]] else values[0]

    levels = {0.05: "q05", 0.5: "q50", 0.95: "q95"}
    return {
        name: Reference(
            column("mean", name),
            column("sd", name),
            {p: column(key, name) for p, key in levels.items()},
            column("ess", name),
            summary["tier"] == "A",
        )
        for name in rows
    }


def posteriordb(name: str) -> Case:
    """Return a posterior of posteriordb."""
    folder = ("posteriordb", name.removesuffix("_centred"))
    data = read(*folder, "data.json")
    summary = read(*folder, "reference_summary.json")
    return Case(lambda: BUILDERS[name](data), _reference_sites(summary))


POSTERIORDB = tuple(BUILDERS)
