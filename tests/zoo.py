"""Keep models whose posteriors are known, with their data and reference answers.

`EIGHT_SCHOOLS` and `POSTERIORDB` map names to cases. Answers come from tests/data, where
README.md says how they were made; `misses` compares draws with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from arviz_stats.base.array import array_stats

import finetti as ft

DATA = Path(__file__).parent / "data"
SCHOOLS = tuple("ABCDEFGH")


@dataclass(frozen=True)
class Reference:
    """Hold what is known of one site: every array has the site's shape.

    `quantiles` maps probabilities to values. `ess` is that of the reference itself, None where
    it is exact; `independent` tells that its draws were thinned until independent.
    """

    mean: np.ndarray
    sd: np.ndarray
    quantiles: Mapping[float, np.ndarray]
    ess: np.ndarray | None = None
    independent: bool = True


@dataclass(frozen=True)
class Case:
    """Hold a model and its reference by site name; build the model with its data anew each time."""

    build: Callable[[], ft.Model]
    reference: Mapping[str, Reference] = field(default_factory=dict)


# Comparison


def misses(posterior: ft.Posterior, reference: Mapping[str, Reference]) -> dict[str, float]:
    """Return the standard errors between draws and reference, by statistic and scalar.

    The error of the difference has our part, the draws' Monte-Carlo standard error, and for a
    reference with its own error theirs.
    """
    found: dict[str, float] = {}
    for name, known in reference.items():
        draws = np.asarray(posterior[name])
        assert draws.shape[2:] == known.mean.shape, name
        for index in np.ndindex(known.mean.shape):
            label = f"{name}{list(index)}" if index else name
            for statistic, z in _scores(draws[(..., *index)], known, index).items():
                found[f"{statistic} {label}"] = z
    return found


def _scores(draws: np.ndarray, known: Reference, index: tuple[int, ...]) -> dict[str, float]:
    """Return the standard errors of one scalar's statistics; `draws` is (chain, draw)."""
    centre, spread = draws.mean(), draws.std()
    found = {
        "mean": (centre - known.mean[index], _errors(draws, known, index)),
        # The delta method. ArviZ's own error of an sd takes the mean's effective sample size,
        # which is far too large for the antithetic draws of NUTS.
        "sd": (
            spread - known.sd[index],
            _errors((draws - centre) ** 2, known, index) / (2 * spread),
        ),
    }
    for p, values in known.quantiles.items():
        error = _errors(draws, known, index, method="quantile", prob=p)
        found[f"q{p}"] = (np.quantile(draws, p) - values[index], error)
    return {name: float(miss / error) for name, (miss, error) in found.items()}


def _errors(
    draws: np.ndarray, known: Reference, index: tuple[int, ...], **statistic: Any
) -> np.floating:
    """Return the standard error of the difference in a mean of draws, or in their quantile.

    Independent reference draws have the same effective number for every statistic. A Markov
    chain's differs between statistics; we take its proportions to be those of our chains.
    """
    axes = {"chain_axis": 0, "draw_axis": 1}
    statistic = statistic or {"method": "mean"}
    ours = array_stats.mcse(draws, **axes, **statistic)
    if known.ess is None:
        return ours
    like = statistic if known.independent else {"method": "bulk"}
    ess = array_stats.ess(draws, **axes, **like)
    return ours * np.sqrt(1 + ess / known.ess[index])


def worst(scores: Mapping[str, float], count: int = 3) -> list[tuple[str, float]]:
    """Return the largest misses, for a test's message."""
    return sorted(scores.items(), key=lambda item: -abs(item[1]))[:count]


# Eight Schools: eight variants with exact answers


@dataclass(frozen=True)
class Variant:
    """Hold one variant: priors of mu and of the scale's parameter, and the scale made of it."""

    mu: Callable[[], Any]
    prior: tuple[str, Callable[[], Any]]
    scale: Callable[[Any], Any] = lambda value: value
    noise: Callable[[np.ndarray], np.ndarray] = lambda sigma: sigma


def _log_tau(mu_scale: float) -> Variant:
    return Variant(
        lambda: ft.Normal(0, mu_scale), ("log_tau", lambda: ft.Normal(5, 1)), lambda v: jnp.exp(v)
    )


VARIANTS = {
    # PyMC2 as written: precisions where standard deviations were meant
    "pymc2_literal": Variant(
        lambda: ft.Normal(0, 10),
        ("log_tau", lambda: ft.Normal(5, 1)),
        lambda v: jnp.exp(v / 4),
        lambda sigma: sigma**0.25,
    ),
    "tfp_edward2": _log_tau(10),
    "pymc4_2019": _log_tau(5),
    "pymc4_2020": Variant(lambda: ft.Normal(0, 1), ("tau", lambda: ft.HalfNormal(2))),
    "pymc4_test_8schools": Variant(lambda: ft.Normal(1, 10), ("tau", lambda: ft.HalfNormal(2))),
    "bda3_flat": Variant(ft.Flat, ("tau", ft.HalfFlat)),
    "pymc2_intended": _log_tau(10),
    "stan_posteriordb": Variant(lambda: ft.Normal(0, 5), ("tau", lambda: ft.HalfCauchy(5))),
}


@ft.model
def noncentred_schools(variant, sigma):
    mu = ft.sample("mu", variant.mu())
    name, prior = variant.prior
    theta_sd = ft.deterministic("theta_sd", variant.scale(ft.sample(name, prior())))
    ft.deterministic("log_theta_sd", jnp.log(theta_sd))
    with ft.plate("school", SCHOOLS):
        eta = ft.sample("eta", ft.Normal(0, 1))
        theta = ft.deterministic("theta", mu + theta_sd * eta)
        ft.sample("y", ft.Normal(theta, variant.noise(sigma)))


@ft.model
def centred_schools(variant, sigma):
    mu = ft.sample("mu", variant.mu())
    name, prior = variant.prior
    theta_sd = ft.deterministic("theta_sd", variant.scale(ft.sample(name, prior())))
    ft.deterministic("log_theta_sd", jnp.log(theta_sd))
    with ft.plate("school", SCHOOLS):
        theta = ft.sample("theta", ft.Normal(mu, theta_sd))
        ft.deterministic("eta", (theta - mu) / theta_sd)
        ft.sample("y", ft.Normal(theta, variant.noise(sigma)))


@cache
def _exact() -> dict[str, Any]:
    return json.loads((DATA / "eight_schools_exact.json").read_text())


def _exact_site(answer: Mapping[str, Any]) -> Reference:
    q = answer["q"] if isinstance(answer["q"], list) else [answer["q"]]
    mean = np.asarray(answer["mean"])
    quantiles = {float(p): np.reshape([one[p] for one in q], mean.shape) for p in q[0]}
    return Reference(mean, np.asarray(answer["sd"]), quantiles)


def schools(name: str, form: ft.Model = noncentred_schools) -> Case:
    """Return a variant of Eight Schools in either form."""
    data, answers = _exact()["data"], _exact()["models"][name]
    sites = ("mu", "theta", "eta", "theta_sd", "log_theta_sd")

    def build() -> ft.Model:
        return form(VARIANTS[name], np.array(data["sigma"])).condition(y=np.array(data["y"]))

    return Case(build, {site: _exact_site(answers[site]) for site in sites})


# posteriordb


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
    folder = DATA / "posteriordb" / name.removesuffix("_centred")
    data = json.loads((folder / "data.json").read_text())
    summary = json.loads((folder / "reference_summary.json").read_text())
    return Case(lambda: BUILDERS[name](data), _reference_sites(summary))


POSTERIORDB = tuple(BUILDERS)
