"""Check the rules that ask the model, on draws made up so that they must, or must not, speak."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from zoo.made_up import CHAINS, DRAWS, generator, problems, run, the, white


@ft.model
def measured(n, centre, spread):
    mu = ft.sample("mu", ft.Normal(centre, spread))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(mu, 1.0))


@ft.model
def summed(n, prior):
    a = ft.sample("a", prior)
    b = ft.sample("b", prior)
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(a + b, 1.0))


@ft.model
def logged(n):
    theta = ft.sample("theta", ft.Normal(1, 1))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(jnp.log(theta), 1.0))


@ft.model
def flat_groups(error, prior):
    mu = ft.sample("mu", prior)
    tau = ft.sample("tau", ft.HalfFlat())
    with ft.plate("group", len(error)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


def test_a_prior_that_the_data_contradict_is_named():
    """The posterior's median is 4 prior standard deviations out, where 6 in 100,000 draws are."""
    model = measured(5, 0.0, 1.0).condition(y=np.zeros(5))
    assert the(run({"mu": 4 + 0.1 * white()}, model), "prior-data conflict").sites == ("mu",)
    assert problems(run({"mu": 2 + 0.1 * white()}, model)) == []


def test_a_scale_near_zero_contradicts_no_prior_that_is_flat_there():
    @ft.model
    def scale():
        tau = ft.sample("tau", ft.HalfNormal(100))
        ft.sample("y", ft.Normal(0, tau), obs=0.1)

    assert problems(run({"tau": 0.001 * np.exp(0.1 * white())}, scale())) == []


FLAT = {
    "an interval": (ft.Uniform(0, 0.3), lambda rng, n: rng.uniform(0, 0.3, n)),
    "a chance": (ft.Beta(1, 1), lambda rng, n: rng.beta(2, 9, n)),
    "shares": (ft.Dirichlet(jnp.ones(4)), lambda rng, n: rng.dirichlet([40, 30, 25, 5], n)),
    "many shares": (ft.Dirichlet(jnp.ones(50)), lambda rng, n: rng.dirichlet(np.arange(50) + 1, n)),
    "a corner's side": (ft.Uniform(1e6, 1e6 + 1), lambda rng, n: rng.uniform(1e6, 1e6 + 1, n)),
}


@pytest.mark.parametrize("name", FLAT)
def test_nothing_contradicts_a_flat_prior(name):
    """All its densities are equal, but programs round them in ways of their own."""
    prior, draw = FLAT[name]

    @ft.model
    def flat():
        x = ft.sample("x", prior)
        ft.sample("y", ft.Normal(jnp.sum(x), 1.0), obs=0.0)

    draws = draw(generator(1), CHAINS * DRAWS)
    draws = draws.reshape(CHAINS, DRAWS, *draws.shape[1:])
    assert "prior-data conflict" not in problems(run({"x": draws}, flat()))


def test_variables_that_only_their_sum_is_known_of_are_named():
    model = summed(10, ft.Normal(0, 10)).condition(y=np.zeros(10))
    a, both = 7 * white(1), 0.3 * white(2)
    assert the(run({"a": a, "b": both - a}, model), "flat direction").sites == ("a", "b")
    assert problems(run({"a": 0.3 * white(1), "b": both}, model)) == []  # the data tell them apart
    assert problems(run({"a": 10 * white(1), "b": 10 * white(2)}, model)) == []  # or say nothing


def test_a_posterior_without_an_integral_is_told():
    model = summed(10, ft.Flat()).condition(y=np.zeros(10))
    a, both = 1000 * white(1), 0.3 * white(2)
    assert the(run({"a": a, "b": both - a}, model), "improper posterior").sites == ("a", "b")


def test_flat_priors_with_data_enough_are_fine():
    model = measured(5, 0.0, 1.0).condition(y=np.zeros(5))
    assert problems(run({"mu": 0.4 * white()}, model)) == []

    @ft.model
    def flat(n):
        mu = ft.sample("mu", ft.Flat())
        sigma = ft.sample("sigma", ft.HalfFlat())
        with ft.plate("row", n):
            ft.sample("y", ft.Normal(mu, sigma))

    model = flat(20).condition(y=generator(1).normal(size=20))
    assert problems(run({"mu": 0.2 * white(), "sigma": np.exp(0.2 * white(1))}, model)) == []


@pytest.mark.parametrize(
    ("groups", "prior", "proper"),
    [
        (2, ft.Flat(), False),
        (3, ft.Flat(), True),
        (1, ft.Normal(0, 1), False),
        (2, ft.Normal(0, 1), True),
    ],
)
def test_a_flat_scale_needs_groups(groups, prior, proper):
    """The marginal posterior of tau falls as tau to the power of 1 - groups, if mu is flat."""
    model = flat_groups(np.ones(groups), prior).condition(y=np.zeros(groups))
    draws = {"mu": white(1), "tau": np.exp(white(2)), "theta": white(3, groups)}
    assert ("improper posterior" in problems(run(draws, model))) != proper


def test_a_log_density_that_is_no_number_around_the_draws_is_told():
    model = logged(4).condition(y=np.zeros(4))
    near = {"theta": 0.5 * np.exp(0.4 * white())}
    found = the(run(near, model), "undefined likelihood")
    assert found.sites == ("y",)
    far = {"theta": 5 + 0.1 * white()}
    assert "undefined likelihood" not in problems(run(far, model))
