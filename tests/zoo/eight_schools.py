"""Keep Eight Schools in eight variants and both forms, with exact answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.reference import Case, Reference, read

SCHOOLS = tuple("ABCDEFGH")


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


def as_met() -> ft.Model:
    """Return Eight Schools as a reader first meets it, with its data."""

    @ft.model
    def schools(sigma):
        mu = ft.sample("mu", ft.Normal(0, 5))
        tau = ft.sample("tau", ft.HalfCauchy(5))
        with ft.plate("school", list(SCHOOLS)):
            theta = ft.sample("theta", ft.Normal(mu, tau))
            ft.sample("y", ft.Normal(theta, sigma))

    data = _exact()["data"]
    return schools(sigma=np.array(data["sigma"])).condition(y=np.array(data["y"]))


@cache
def _exact() -> dict[str, Any]:
    return read("eight_schools_exact.json")


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
