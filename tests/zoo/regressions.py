"""Keep regressions without groups: flat or heavy-tailed priors, Gaussian processes, curves."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.groups import generator
from zoo.reference import Case, Reference, read


@ft.model
def known_scale(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + beta * x, 0.5))


def line() -> ft.Model:
    """Return a straight line through 40 points whose error is known."""
    rng, x = generator(), np.linspace(-1, 1, 40)
    return known_scale(x).condition(y=rng.normal(1 + 2 * x, 0.5))


@ft.model
def horseshoe(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfCauchy(0.1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("covariate", x.shape[1]):
        lam = ft.sample("lam", ft.HalfCauchy(1))
        beta = ft.sample("beta", ft.Normal(0, tau * lam))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + x @ beta, sigma))


def sparse_rows() -> ft.Model:
    """Return 40 rows of 12 covariates, two of which matter."""
    rng = generator()
    x = rng.normal(size=(40, 12))
    return horseshoe(x).condition(y=rng.normal(1 + 2 * x[:, 0] - x[:, 3], 0.5))


@ft.model
def logistic_regression(x):
    alpha = ft.sample("alpha", ft.Normal(0, 5))
    beta = ft.sample("beta", ft.Normal(0, 2).expand([3]))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Bernoulli(logits=alpha + x @ beta))


def yes_or_no() -> ft.Model:
    """Return 50 rows of 3 covariates and a yes or no."""
    rng = generator()
    x = rng.normal(size=(50, 3))
    chance = 1 / (1 + np.exp(-(0.5 + x @ [1.0, -1.0, 0.0])))
    return logistic_regression(x).condition(y=rng.binomial(1, chance))


@ft.model
def bioassay(log_dose, animals):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10))
    with ft.plate("dose", len(log_dose)):
        logits = alpha + beta * log_dose
        ft.deterministic("theta", 1 / (1 + jnp.exp(-logits)))
        ft.sample("deaths", ft.Binomial(animals, logits=logits))


def racine() -> Case:
    """Return the bioassay of Racine et al. 1986 (Gelman et al. 2013, table 3.1)."""
    answers = read("examples_exact.json")["bioassay"]
    data = {k: np.array(v) for k, v in answers["data"].items()}
    reference = {
        site: Reference(np.array(known["mean"]), np.array(known["sd"]), {})
        for site, known in answers["sites"].items()
    }
    bound = bioassay(data["log_dose"], data["animals"])
    return Case(lambda: bound.condition(deaths=data["deaths"]), reference)


@ft.model
def growth(time):
    start = ft.sample("start", ft.LogNormal(0, 1))
    rate = ft.sample("rate", ft.LogNormal(-1, 1))
    capacity = ft.sample("capacity", ft.LogNormal(2, 1))
    sigma = ft.sample("sigma", ft.HalfNormal(0.5))
    decay = jnp.exp(-rate * time)
    with ft.plate("time", len(time)):
        size = capacity / (1 + (capacity / start - 1) * decay)
        ft.sample("seen", ft.LogNormal(jnp.log(size), sigma))


def colony() -> ft.Model:
    """Return 36 sightings of a colony whose growth follows Verhulst's differential equation."""
    rng, time = generator(), np.linspace(0, 15, 36)
    size = 10 / (1 + 9 * np.exp(-0.6 * time))
    return growth(time).condition(seen=size * np.exp(rng.normal(0, 0.1, 36)))


# Gaussian processes


def _kernel(x, height, length):
    gaps = (x[:, None] - x) / length
    return height**2 * jnp.exp(-0.5 * gaps**2) + 1e-4 * jnp.eye(len(x))


@ft.model
def gaussian_process(x):
    height = ft.sample("height", ft.HalfNormal(1))
    length = ft.sample("length", ft.LogNormal(-1, 0.5))
    sigma = ft.sample("sigma", ft.HalfNormal(0.5))
    f = ft.sample("f", ft.MultivariateNormal(jnp.zeros(len(x)), _kernel(x, height, length)))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(f, sigma))


@ft.model
def count_process(x):
    height = ft.sample("height", ft.HalfNormal(1))
    length = ft.sample("length", ft.LogNormal(-1, 0.5))
    f = ft.sample("f", ft.MultivariateNormal(jnp.zeros(len(x)), _kernel(x, height, length)))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Poisson(jnp.exp(1 + f)))


def wave() -> ft.Model:
    """Return a wave seen at 15 places."""
    rng, x = generator(), np.linspace(0, 1, 15)
    return gaussian_process(x).condition(y=rng.normal(np.sin(6 * x), 0.3))


def wave_of_counts() -> ft.Model:
    """Return a wave of counts at 15 places."""
    rng, x = generator(), np.linspace(0, 1, 15)
    return count_process(x).condition(y=rng.poisson(np.exp(1 + np.sin(6 * x))))
