"""Keep models that nothing is wrong with, some of which look as if there were."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo import groups, regressions
from zoo.eight_schools import centred_schools, schools
from zoo.groups import generator
from zoo.patients import Patient


@ft.model
def robust(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfCauchy(1))
    nu = ft.sample("nu", ft.Gamma(2, 0.1))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.StudentT(nu, alpha + beta * x, sigma))


@ft.model
def counts(x, exposure):
    alpha = ft.sample("alpha", ft.Normal(0, 5))
    beta = ft.sample("beta", ft.Normal(0, 2))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Poisson(exposure * jnp.exp(alpha + beta * x)))


@ft.model
def overdispersed(x):
    alpha = ft.sample("alpha", ft.Normal(0, 5))
    beta = ft.sample("beta", ft.Normal(0, 2))
    shape = ft.sample("shape", ft.Gamma(2, 0.5))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.NegativeBinomial2(jnp.exp(alpha + beta * x), shape))


@ft.model
def shares(n):
    share = ft.sample("share", ft.Dirichlet(jnp.ones(4)))
    ft.sample("votes", ft.Multinomial(n, share))


@ft.model
def lifetimes(n):
    shape = ft.sample("shape", ft.LogNormal(0, 1))
    scale = ft.sample("scale", ft.LogNormal(0, 2))
    with ft.plate("lamp", n):
        ft.sample("hours", ft.Weibull(scale, shape))


@ft.model
def hospitals(patients):
    chance = ft.sample("chance", ft.Beta(2, 8))
    agreement = ft.sample("agreement", ft.Gamma(2, 0.05))
    with ft.plate("hospital", len(patients)):
        ft.sample(
            "deaths",
            ft.BetaBinomial(chance * agreement, (1 - chance) * agreement, patients),
        )


@ft.model
def ordered_components(n):
    low = ft.sample("low", ft.Normal(0, 5))
    gap = ft.sample("gap", ft.HalfNormal(5))
    weight = ft.sample("weight", ft.Beta(2, 2))
    mixing = ft.CategoricalProbs(jnp.stack([weight, 1 - weight]))
    centres = jnp.stack([low, low + gap])
    with ft.plate("row", n):
        ft.sample("y", ft.MixtureSameFamily(mixing, ft.Normal(centres, 1.0)))


@ft.model
def autoregression(y):
    level = ft.sample("level", ft.Normal(0, 5))
    memory = ft.sample("memory", ft.Uniform(-1, 1))
    sigma = ft.sample("sigma", ft.HalfNormal(2))
    with ft.plate("day", len(y) - 1):
        ft.sample("y", ft.Normal(level + memory * (y[:-1] - level), sigma), obs=y[1:])


@ft.model
def firm_logistic(x):
    alpha = ft.sample("alpha", ft.Normal(0, 2.5))
    beta = ft.sample("beta", ft.Normal(0, 2.5))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Bernoulli(logits=alpha + beta * x))


@ft.model
def curve(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10))
    bend = ft.sample("bend", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfNormal(2))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + beta * x + bend * x**2, sigma))


@ft.model
def flat_line(x):
    alpha = ft.sample("alpha", ft.Flat())
    beta = ft.sample("beta", ft.Flat())
    sigma = ft.sample("sigma", ft.HalfFlat())
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + beta * x, sigma))


@ft.model
def unseen(n):
    seen = ft.sample("seen", ft.Normal(0, 1))
    ft.sample("unseen", ft.Gamma(3, 1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(seen, 1.0))


@ft.model
def trials(group):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Bernoulli(logits=theta[group]))


@ft.model
def two_slopes(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10).expand([2]))
    sigma = ft.sample("sigma", ft.HalfNormal(2))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + x @ beta, sigma))


@ft.model
def cauchy_scale(error):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(1))
    with ft.plate("study", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


@ft.model
def flat_scale(error):
    mu = ft.sample("mu", ft.Flat())
    tau = ft.sample("tau", ft.HalfFlat())
    with ft.plate("study", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


def _x(rows: int) -> np.ndarray:
    return np.linspace(-2, 2, rows)


def outliers() -> ft.Model:
    x, rng = _x(50), generator()
    return robust(x).condition(y=1 + x + 0.5 * rng.standard_t(3, 50))


def accidents() -> ft.Model:
    x, rng = _x(40), generator()
    exposure = rng.uniform(10, 1000, 40)
    return counts(x, exposure).condition(y=rng.poisson(exposure * np.exp(-2 + 0.5 * x)))


def clustered_counts() -> ft.Model:
    x, rng = _x(80), generator()
    mean = np.exp(1 + 0.5 * x)
    return overdispersed(x).condition(y=rng.negative_binomial(3, 3 / (3 + mean)))


def lamps() -> ft.Model:
    return lifetimes(40).condition(hours=3 * generator().weibull(1.5, 40))


def deaths() -> ft.Model:
    rng = generator()
    patients = rng.integers(20, 200, 12)
    chance = rng.beta(4, 36, 12)
    return hospitals(patients).condition(deaths=rng.binomial(patients, chance))


def ordered() -> ft.Model:
    y = generator().normal(np.repeat([-3.0, 3.0], 30), 1)
    return ordered_components(60).condition(y=y)


def series() -> ft.Model:
    rng, y = generator(), np.zeros(80)
    for i in range(1, 80):
        y[i] = 1 + 0.6 * (y[i - 1] - 1) + rng.normal(0, 0.5)
    return autoregression(y)


def told_apart() -> ft.Model:
    """Return rows that a predictor separates, under a prior that holds the slope."""
    x = _x(30)
    return firm_logistic(x).condition(y=(x > 0.1).astype(int))


def bent() -> ft.Model:
    x = np.linspace(0, 3, 40)
    return curve(x).condition(y=generator().normal(1 + x - 0.5 * x**2, 0.5))


def flat_priors() -> ft.Model:
    x = _x(30)
    return flat_line(x).condition(y=generator().normal(1 + x, 0.5))


def half_seen() -> ft.Model:
    return unseen(20).condition(y=generator().normal(0.5, 1, 20))


def tried() -> ft.Model:
    rng, group = generator(), np.repeat(np.arange(12), 15)
    chance = 1 / (1 + np.exp(-rng.normal(0, 0.8, 12)))
    return trials(ft.groups(group)).condition(y=rng.binomial(1, chance[group]))


def related() -> ft.Model:
    """Return two predictors with a correlation of 0.8, which the data can tell apart."""
    rng = generator()
    left = rng.normal(size=100)
    x = np.column_stack([left, 0.8 * left + 0.6 * rng.normal(size=100)])
    return two_slopes(x).condition(y=rng.normal(1 + x @ [1.0, -1.0], 1))


def studies(form: ft.Model, number: int) -> ft.Model:
    rng = generator()
    error = rng.uniform(0.3, 0.8, number)
    return form(error).condition(y=rng.normal(rng.normal(0.5, 1, number), error))


HEALTHY: dict[str, Patient] = {
    "eight schools, centred, planned": Patient(schools("stan_posteriordb", centred_schools).build),
    "eight schools, non-centred": Patient(schools("stan_posteriordb").build),
    "a line": Patient(regressions.line, planned=False),
    "yes or no": Patient(regressions.yes_or_no),
    "a growing colony": Patient(regressions.colony),
    "a wave": Patient(regressions.wave),
    "subjects and items": Patient(groups.crossed_trials),
    "classes in schools": Patient(groups.nested_pupils),
    "heavy-tailed groups": Patient(partial(groups.grouped, groups.heavy_tailed)),
    "groups with their own noise": Patient(partial(groups.grouped, groups.heteroscedastic)),
    "a meta-analysis": Patient(groups.studies),
    "vector groups": Patient(groups.multivariate_rows),
    "outliers": Patient(outliers),
    "accidents": Patient(accidents),
    "clustered counts": Patient(clustered_counts),
    "votes": Patient(lambda: shares(100).condition(votes=np.array([40, 30, 25, 5]))),
    "lamps": Patient(lamps),
    "hospitals": Patient(deaths),
    "ordered components": Patient(ordered),
    "a series": Patient(series),
    "separated, firm priors": Patient(told_apart),
    "a curve": Patient(bent),
    "flat priors with enough data": Patient(flat_priors),
    "half seen": Patient(half_seen),
    "trials in groups": Patient(tried),
    "related predictors": Patient(related),
    "five studies, Cauchy scale": Patient(partial(studies, cauchy_scale, 5)),
    "eight studies, flat scale": Patient(partial(studies, flat_scale, 8)),
    "a quantile that the draws know": Patient(regressions.line, quantiles=(0.01, 0.99)),
}
