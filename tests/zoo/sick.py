"""Keep models that are ill, each in one way that is known beforehand."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.eight_schools import centred_schools, schools
from zoo.groups import generator
from zoo.patients import Patient
from zoo.sick_shapes import (
    clumped,
    counted,
    mixed,
    multiplied,
    neal,
    tested,
    tried,
    two_components,
    two_named,
    well_measured,
)

# Nothing holds them


@ft.model
def flat_sum(n):
    a = ft.sample("a", ft.Flat())
    b = ft.sample("b", ft.Flat())
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(a + b, 1.0))


@ft.model
def flat_scale(error):
    mu = ft.sample("mu", ft.Flat())
    tau = ft.sample("tau", ft.HalfFlat())
    with ft.plate("study", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


@ft.model
def flat_levels(level):
    with ft.plate("kind", 4):
        effect = ft.sample("effect", ft.Flat())
    with ft.plate("row", len(level)):
        ft.sample("y", ft.Normal(effect[level], 1.0))


@ft.model
def proper_sum(n):
    a = ft.sample("a", ft.Normal(0, 10))
    b = ft.sample("b", ft.Normal(0, 10))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(a + b, 0.5))


@ft.model
def rate_of_rates(n):
    births = ft.sample("births", ft.LogNormal(0, 1))
    seen = ft.sample("seen", ft.LogNormal(0, 1))
    with ft.plate("day", n):
        ft.sample("y", ft.Poisson(births * seen))


@ft.model
def logistic(x, prior):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, prior))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Bernoulli(logits=alpha + beta * x))


@ft.model
def flat_logistic(x):
    alpha = ft.sample("alpha", ft.Flat())
    beta = ft.sample("beta", ft.Flat())
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Bernoulli(logits=alpha + beta * x))


@ft.model
def wide_logistic(x):
    alpha = ft.sample("alpha", ft.Normal(0, 100))
    beta = ft.sample("beta", ft.Normal(0, 100).expand([2]))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Bernoulli(logits=alpha + x @ beta))


def separated() -> ft.Model:
    """Return 30 rows whose predictor tells yes from no without a miss."""
    x = np.linspace(-2, 2, 30)
    return flat_logistic(x).condition(y=(x > 0.1).astype(int))


def half_separated() -> ft.Model:
    """Return 60 rows in which all that have a mark are yeses, and the rest are mixed."""
    rng = generator()
    x = np.column_stack([rng.normal(size=60), np.repeat([0.0, 1.0], [45, 15])])
    y = rng.binomial(1, 1 / (1 + np.exp(-x[:, 0])))
    y[45:] = 1
    return wide_logistic(x).condition(y=y)


# Predictors


@ft.model
def regression(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10).expand([x.shape[1]]))
    sigma = ft.sample("sigma", ft.HalfNormal(2))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + x @ beta, sigma))


@ft.model
def trend(year):
    start = ft.sample("start", ft.Normal(0, 1000))
    slope = ft.sample("slope", ft.Normal(0, 10))
    with ft.plate("row", len(year)):
        ft.sample("y", ft.StudentT(5, start + slope * year, 0.5))


@ft.model
def wealth(income):
    alpha = ft.sample("alpha", ft.Normal(0, 5))
    beta = ft.sample("beta", ft.Normal(0, 5))
    with ft.plate("row", len(income)):
        ft.sample("owns", ft.Bernoulli(logits=alpha + beta * income))


def collinear() -> ft.Model:
    """Return 80 rows of two lengths that are nearly the same, and an age."""
    rng = generator()
    left, age = rng.normal(size=(2, 80))
    x = np.column_stack([left, left + rng.normal(0, 0.02, 80), age])
    return regression(x).condition(y=rng.normal(1 + left + age, 1))


def years() -> ft.Model:
    """Return a trend over the years 1950 to 2019."""
    year = np.arange(1950.0, 2020.0)
    y = 0.05 * (year - 1985) + generator().normal(0, 0.5, 70)
    return trend(year).condition(y=y)


def incomes() -> ft.Model:
    """Return 200 incomes in cents, and who owns a house."""
    rng = generator()
    income = rng.normal(4e6, 1e5, 200)
    chance = 1 / (1 + np.exp(-(income - 4e6) / 1e5))
    return wealth(income).condition(owns=rng.binomial(1, chance))


# Tails and boundaries


@ft.model
def cauchy_chance(n):
    logit = ft.sample("logit", ft.Cauchy(0, 2.5))
    with ft.plate("row", n):
        ft.sample("y", ft.Bernoulli(logits=logit))


@ft.model
def vague_variance(n):
    variance = ft.sample("variance", ft.InverseGamma(0.5, 0.5))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(0, jnp.sqrt(variance)))


@ft.model
def log_uniform_scale(error):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.LogNormal(0, 10))
    with ft.plate("school", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


@ft.model
def gamma_scale(error):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.Gamma(0.1, 0.1))
    with ft.plate("school", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


@ft.model
def line_with_error(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    beta = ft.sample("beta", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + beta * x, sigma))


def little_spread(form: ft.Model) -> ft.Model:
    """Return 8 studies that differ less than their errors."""
    error = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 0.7])
    return form(error).condition(y=generator().normal(0.5, error * 0.5))


# Priors


@ft.model
def located(n, centre, spread):
    mu = ft.sample("mu", ft.Normal(centre, spread))
    sigma = ft.sample("sigma", ft.HalfNormal(5))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(mu, sigma))


@ft.model
def known_noise(n):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(mu, 5))


@ft.model
def narrow_noise(n):
    mu = ft.sample("mu", ft.Normal(0, 10))
    sigma = ft.sample("sigma", ft.HalfNormal(0.1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(mu, sigma))


def surprising(form: ft.Model) -> ft.Model:
    """Return 20 measurements near 70 under a prior that says near 0."""
    return form.condition(y=generator().normal(70, 5, 20))


def noisy() -> ft.Model:
    """Return 30 measurements fifty times as noisy as the prior expects."""
    return narrow_noise(30).condition(y=generator().normal(0, 5, 30))


# A likelihood that is no number


@ft.model
def logarithm(n):
    theta = ft.sample("theta", ft.Normal(1, 1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(jnp.log(theta), 1.0))


@ft.model
def root(n):
    level = ft.sample("level", ft.Normal(0, 1))
    width = ft.sample("width", ft.Normal(0, 1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(level, jnp.sqrt(width)))


def logged() -> ft.Model:
    """Return 4 logarithms of a number near a half that might be negative."""
    return logarithm(4).condition(y=generator().normal(-0.7, 1, 4))


def rooted() -> ft.Model:
    """Return 5 measurements whose variance is near zero, where it might be negative."""
    return root(5).condition(y=generator().normal(0, 0.4, 5))


def exact_line() -> ft.Model:
    """Return a line with no error at all."""
    x = np.linspace(-1, 1, 12)
    return line_with_error(x).condition(y=1 + 2 * x)


def plain_line() -> ft.Model:
    """Return a line with error, of which one wants to know too much."""
    x = np.linspace(-1, 1, 40)
    return line_with_error(x).condition(y=generator().normal(1 + 2 * x, 0.5))


def _schools() -> ft.Model:
    return schools("stan_posteriordb", centred_schools).build()


_two_studies = partial(lambda: flat_scale(np.array([1.0, 1.2])).condition(y=np.array([0.3, -0.4])))
_empty_level = partial(
    lambda: flat_levels(np.repeat([0, 1, 2], 10)).condition(y=generator().normal(0, 1, 30))
)

SHORT = ft.NUTS(draws=300, warmup=300)  # trajectories without an end are dear

SICK: dict[str, Patient] = {
    "eight schools, centred": Patient(_schools, "funnel", ("tau", "theta"), False, True),
    "Neal's funnel": Patient(neal, "funnel", ("v", "x"), False, True),
    "rare counts, centred": Patient(counted, "funnel", ("tau", "theta"), False, True),
    "few trials, centred": Patient(tried, "funnel", ("spread", "level"), False, True),
    "exact groups, non-centred": Patient(well_measured, "inverse funnel", ("tau", "z"), False),
    "two components": Patient(
        partial(mixed, two_components), "label switching", ("centre",), alone=True
    ),
    "two named components": Patient(
        partial(mixed, two_named), "label switching", ("left", "right"), alone=True
    ),
    "a product": Patient(multiplied, "mirror images", ("a", "b"), alone=True),
    "one factor": Patient(tested, "mirror images", ("loading",), False, True),
    "two clumps far apart": Patient(
        partial(clumped, 12.0, 10), "chains at different modes", ("place",), alone=True,
        method=ft.NUTS(draws=500, warmup=500, chains=8),  # one mode for all of them is rare
    ),
    "two clumps": Patient(partial(clumped, 4.0, 2), "several modes", ("place",), alone=True),
    "a flat sum": Patient(
        lambda: flat_sum(20).condition(y=generator().normal(1, 1, 20)),
        "improper posterior", ("a", "b"), method=SHORT,
    ),
    "a flat scale of two": Patient(
        _two_studies, "improper posterior", ("tau", "theta"), method=SHORT
    ),
    "a level without rows": Patient(
        _empty_level, "improper posterior", ("effect",), method=SHORT
    ),
    "a sum": Patient(
        lambda: proper_sum(50).condition(y=generator().normal(1, 0.5, 50)),
        "flat direction", ("a", "b"), False,
    ),
    "a product of rates": Patient(
        lambda: rate_of_rates(200).condition(y=generator().poisson(20, 200)),
        "flat direction", ("births", "seen"),
    ),
    "separated, flat priors": Patient(separated, "separation", ("y",), alone=True),
    "half separated, wide priors": Patient(half_separated, "separation", ("y",), alone=True),
    "collinear": Patient(collinear, "collinear predictors", ("beta",), alone=True),
    "years": Patient(years, "badly scaled predictors", ("year",), False, True),
    "incomes": Patient(incomes, "badly scaled predictors", ("income",), False, True),
    "Cauchy on a sure chance": Patient(
        lambda: cauchy_chance(6).condition(y=np.ones(6, int)),
        "heavy tails", ("logit",),  # four chains seldom go far enough out for draws to tell
    ),
    "a vague variance": Patient(
        lambda: vague_variance(1).condition(y=np.array([0.8])),
        "heavy tails", ("variance",), alone=True,
    ),
    "a scale over all magnitudes": Patient(
        partial(little_spread, log_uniform_scale), "boundary-seeking scale", ("tau",), alone=True,
        method=SHORT,
    ),
    "a scale piled up at zero": Patient(
        partial(little_spread, gamma_scale), "boundary-seeking scale", ("tau",), alone=True,
        method=SHORT,
    ),
    "an exact line": Patient(exact_line, "boundary-seeking scale", ("sigma",), method=SHORT),
    "other units": Patient(
        lambda: surprising(known_noise(20)), "prior-data conflict", ("mu",)
    ),
    "other units, noise unknown": Patient(  # the noise takes the blame: mu stays near its prior
        lambda: surprising(located(20, 0.0, 1.0)), "prior-data conflict", ("sigma",)
    ),
    "more noise than expected": Patient(noisy, "prior-data conflict", ("sigma",)),
    "the log of what is negative": Patient(logged, "undefined likelihood", ("y",)),
    "the root of what is negative": Patient(rooted, "undefined likelihood", ("y",)),
    "an extreme quantile": Patient(
        plain_line, "too few draws for a quantile", ("sigma",), alone=True, quantiles=(0.9999,)
    ),
}  # fmt: skip
