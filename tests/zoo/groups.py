"""Keep normal models of grouped data: nested, crossed, correlated, heavy-tailed, weighted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

import finetti as ft


def generator() -> np.random.Generator:
    """Return the source of a model's made-up data: the same for each, from Bayes' year."""
    return np.random.default_rng(1763)


# Radon with slopes


@ft.model
def radon_slopes(county, floor):
    mu = ft.sample("mu", ft.Normal(0, 10).expand([2]))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("county", county):
        level = ft.sample("level", ft.Normal(mu[0], tau[0]))
        slope = ft.sample("slope", ft.Normal(mu[1], tau[1]))
    with ft.plate("home", len(county)):
        ft.sample("log_radon", ft.Normal(level[county] + slope[county] * floor, sigma))


@ft.model
def radon_noncentred_slopes(county, floor):
    mu = ft.sample("mu", ft.Normal(0, 10).expand([2]))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("county", county):
        z = ft.sample("z", ft.Normal(0, 1).expand([2]).to_event(1))
        effect = ft.deterministic("effect", mu + tau * z)
    with ft.plate("home", len(county)):
        mean = effect[county, 0] + effect[county, 1] * floor
        ft.sample("log_radon", ft.Normal(mean, sigma))


@ft.model
def radon_correlated(county, floor):
    mu = ft.sample("mu", ft.Normal(0, 10).expand([2]))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    root = ft.sample("root", ft.LKJCholesky(2, 2.0))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("county", county):
        effect = ft.sample("effect", ft.MultivariateNormal(mu, scale_tril=tau[:, None] * root))
    with ft.plate("home", len(county)):
        mean = effect[county, 0] + effect[county, 1] * floor
        ft.sample("log_radon", ft.Normal(mean, sigma))


def radon_of(form: ft.Model, d: Mapping[str, Any]) -> ft.Model:
    """Return a radon model with the table of posteriordb's `radon_mn`."""
    bound = form(ft.groups(d["county_idx"]), np.array(d["floor_measure"], float))
    return bound.condition(log_radon=np.array(d["log_radon"]))


# Several groupings


@ft.model
def crossed(subject, item, condition):
    mu = ft.sample("mu", ft.Normal(0, 5))
    effect = ft.sample("effect", ft.Normal(0, 1))
    tau_subject = ft.sample("tau_subject", ft.HalfNormal(1))
    tau_item = ft.sample("tau_item", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("subject", subject):
        by_subject = ft.sample("by_subject", ft.Normal(0, tau_subject))
    with ft.plate("item", item):
        by_item = ft.sample("by_item", ft.Normal(0, tau_item))
    with ft.plate("trial", len(subject)):
        mean = mu + effect * condition + by_subject[subject] + by_item[item]
        ft.sample("log_time", ft.Normal(mean, sigma))


def crossed_trials(form: ft.Model = crossed, repeats: int = 2) -> ft.Model:
    """Return 12 subjects who meet 6 items so many times, in one form of the model."""
    rng = generator()
    subject, item = (m.ravel() for m in np.mgrid[:12, : 6 * repeats])
    item = item % 6
    condition = rng.integers(0, 2, len(subject)) - 0.5
    mean = 6 + 0.2 * condition + rng.normal(0, 0.5, 12)[subject] + rng.normal(0, 0.3, 6)[item]
    bound = form(ft.groups(subject), ft.groups(item), condition)
    return bound.condition(log_time=rng.normal(mean, 0.4))


@ft.model
def nested(school_of_class, classroom, hours):
    mu = ft.sample("mu", ft.Normal(0, 100))
    slope = ft.sample("slope", ft.Normal(0, 10))
    tau_school = ft.sample("tau_school", ft.HalfNormal(10))
    tau_class = ft.sample("tau_class", ft.HalfNormal(10))
    sigma = ft.sample("sigma", ft.HalfNormal(10))
    with ft.plate("school", school_of_class):
        school_mean = ft.sample("school_mean", ft.Normal(mu, tau_school))
    with ft.plate("class", len(school_of_class)):
        class_mean = ft.sample("class_mean", ft.Normal(school_mean[school_of_class], tau_class))
    with ft.plate("pupil", len(classroom)):
        ft.sample("score", ft.Normal(class_mean[classroom] + slope * hours, sigma))


def nested_pupils(form: ft.Model = nested, pupils: int = 8) -> ft.Model:
    """Return 5 schools of 4 classes each, of so many pupils, in one form of the model."""
    rng = generator()
    school_of_class, classroom = np.repeat(np.arange(5), 4), np.repeat(np.arange(20), pupils)
    hours = rng.uniform(0, 10, len(classroom))
    school = rng.normal(50, 8, 5)
    mean = rng.normal(school[school_of_class], 4)[classroom] + 2 * hours
    bound = form(ft.groups(school_of_class), classroom, hours)
    return bound.condition(score=rng.normal(mean, 6))


# Other distributions of the groups' effects


@ft.model
def intercepts(group):
    """Have a normal outcome with a normal effect of each group: what most laws are told on."""
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


@ft.model
def noncentred_intercepts(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.deterministic("theta", mu + tau * ft.sample("z", ft.Normal(0, 1)))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


@ft.model
def counts(group):
    """Have counts with an effect of each group on their log rate: the same for counts."""
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    ft.deterministic("rate", jnp.exp(mu))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Poisson(jnp.exp(theta[group])))


@ft.model
def shops(y):
    """Have a count of each shop, whose rates are alike."""
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("shop", len(y)):
        a = ft.sample("a", ft.Normal(mu, tau))
        ft.sample("y", ft.Poisson(np.e**a), obs=y)


@ft.model
def multivariate_group(group):
    mu = ft.sample("mu", ft.Normal(0, 5).expand([3]).to_event(1))
    tau = ft.sample("tau", ft.HalfNormal(2))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    near = 0.5 + 0.5 * jnp.eye(3)
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.MultivariateNormal(mu, tau**2 * near))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma).to_event(1))


def multivariate_rows() -> ft.Model:
    """Return 6 groups of 3 rows of 3 measurements."""
    rng, group = generator(), np.repeat(np.arange(6), 3)
    theta = rng.normal(1, 1, (6, 3))
    return multivariate_group(ft.groups(group)).condition(y=rng.normal(theta[group], 0.5))


@ft.model
def heavy_tailed(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(2))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.StudentT(4, mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


@ft.model
def heteroscedastic(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma[group]))


def grouped(form: ft.Model, each: int = 8) -> ft.Model:
    """Return a model of 10 groups with so many rows each."""
    rng, group = generator(), np.repeat(np.arange(10), each)
    theta = 3 + rng.standard_t(4, 10)
    return form(ft.groups(group)).condition(y=rng.normal(theta[group], 0.7))


@ft.model
def meta_analysis(error):
    mu = ft.sample("mu", ft.Normal(0, 1))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("study", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("estimate", ft.Normal(theta, error))


@ft.model
def weighted_rows(group, error):
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], error))


def studies() -> ft.Model:
    """Return 14 studies, each with its estimate and the estimate's standard error."""
    rng = generator()
    error = rng.uniform(0.1, 0.6, 14)
    return meta_analysis(error).condition(estimate=rng.normal(rng.normal(0.3, 0.2, 14), error))


def weighed() -> ft.Model:
    """Return 10 groups of 8 rows, each row with its standard error."""
    rng, group = generator(), np.repeat(np.arange(10), 8)
    error = rng.uniform(0.5, 2, 80)
    y = rng.normal(rng.normal(3, 1, 10)[group], error)
    return weighted_rows(ft.groups(group), error).condition(y=y)
