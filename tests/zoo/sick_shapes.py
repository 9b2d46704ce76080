"""Keep models whose posteriors are funnels or have several modes."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.groups import generator

# Funnels


@ft.model
def neal():
    v = ft.sample("v", ft.Normal(0, 3))
    with ft.plate("member", 9):
        ft.sample("x", ft.Normal(0, jnp.exp(v / 2)))


@ft.model
def rare_counts(group):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Poisson(jnp.exp(theta[group])))


@ft.model
def few_trials(group):
    mu = ft.sample("mu", ft.Normal(0, 2))
    spread = ft.sample("spread", ft.HalfNormal(1))
    with ft.plate("group", group):
        level = ft.sample("level", ft.Normal(mu, spread))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Bernoulli(logits=level[group]))


@ft.model
def noncentred(group):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(5))
    with ft.plate("group", group):
        z = ft.sample("z", ft.Normal(0, 1))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(mu + tau * z[group], 0.1))


def counted() -> ft.Model:
    """Return 20 groups of 2 counts near 1 that hardly differ."""
    rng, group = generator(), np.repeat(np.arange(20), 2)
    return rare_counts(ft.groups(group)).condition(y=rng.poisson(1.0, 40))


def tried() -> ft.Model:
    """Return 30 groups of 2 trials with about the same chance."""
    rng, group = generator(), np.repeat(np.arange(30), 2)
    return few_trials(ft.groups(group)).condition(y=rng.binomial(1, 0.5, 60))


def well_measured() -> ft.Model:
    """Return 10 groups of 50 exact measurements, written as if there were few."""
    rng, group = generator(), np.repeat(np.arange(10), 50)
    level = rng.normal(3, 2, 10)
    return noncentred(ft.groups(group)).condition(y=rng.normal(level[group], 0.1))


# Several modes


@ft.model
def two_components(n):
    weight = ft.sample("weight", ft.Beta(5, 5))
    with ft.plate("component", 2):
        centre = ft.sample("centre", ft.Normal(0, 5))
    parts = ft.Normal(centre, 1.0)
    mixing = ft.CategoricalProbs(jnp.stack([weight, 1 - weight]))
    with ft.plate("row", n):
        ft.sample("y", ft.MixtureSameFamily(mixing, parts))


@ft.model
def two_named(n):
    left = ft.sample("left", ft.Normal(0, 5))
    right = ft.sample("right", ft.Normal(0, 5))
    mixing = ft.CategoricalProbs(jnp.array([0.5, 0.5]))
    with ft.plate("row", n):
        ft.sample("y", ft.MixtureSameFamily(mixing, ft.Normal(jnp.stack([left, right]), 1.0)))


@ft.model
def product(n):
    a = ft.sample("a", ft.Normal(0, 1))
    b = ft.sample("b", ft.Normal(0, 1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(a * b, 0.5))


@ft.model
def one_factor(y):
    with ft.plate("test", y.shape[1]):
        loading = ft.sample("loading", ft.Normal(0, 1))
    with ft.plate("person", y.shape[0]):
        score = ft.sample("score", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(score[:, None] * loading, 0.3).to_event(1), obs=y)


@ft.model
def two_clumps(n):
    place = ft.sample("place", ft.Normal(0, 20))
    with ft.plate("row", n):
        ft.sample("y", ft.Cauchy(place, 0.3))


def mixed(form: ft.Model) -> ft.Model:
    """Return 60 rows of two clumps at -3 and 3."""
    rng = generator()
    y = rng.normal(np.repeat([-3.0, 3.0], 30), 1)
    return form(60).condition(y=y)


def multiplied() -> ft.Model:
    """Return 30 measurements of a product near 1."""
    return product(30).condition(y=generator().normal(1, 0.5, 30))


def tested() -> ft.Model:
    """Return 20 persons' scores in 4 tests of one ability."""
    rng = generator()
    ability, loading = rng.normal(size=(20, 1)), np.array([1.0, 0.9, 1.1, 1.2])
    return one_factor(rng.normal(ability * loading, 0.3))


def clumped(apart: float, rows: int) -> ft.Model:
    """Return two clumps of outliers to each other, as far apart, each the other's image."""
    y = apart / 2 + 0.3 * generator().normal(size=rows)
    return two_clumps(2 * rows).condition(y=np.concatenate([y, -y]))
