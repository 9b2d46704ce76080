"""Check where chains start, and what is said when they cannot."""

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo

STILL = ft.NUTS(draws=3, warmup=0, chains=2, step_size=1e-9)


def test_chains_start_at_the_values_given():
    model = zoo.schools("stan_posteriordb").build()
    init = {"mu": 3.0, "tau": 0.5, "eta": np.linspace(-1, 1, 8)}
    plan = model.plan().without("integrate out")
    posterior = ft.fit(model, STILL, plan=plan, init=init, progress=False)
    for name, value in init.items():
        start = posterior[name].isel(draw=0).values
        np.testing.assert_allclose(start, np.broadcast_to(value, start.shape), atol=1e-5)


def test_values_for_a_simplex_are_constrained_ones():
    @ft.model
    def shares():
        ft.sample("p", ft.Dirichlet(np.ones(3)))

    init = {"p": np.array([0.2, 0.3, 0.5])}
    posterior = ft.fit(shares(), STILL, init=init, progress=False)
    np.testing.assert_allclose(posterior["p"].values[0, 0], init["p"], atol=1e-5)


def test_random_starts_differ_between_chains():
    posterior = ft.fit(zoo.schools("stan_posteriordb").build(), STILL, progress=False)
    first, second = np.log(posterior["tau"].isel(draw=0).values)
    assert first != second
    assert max(abs(first), abs(second)) < 2.001


def test_a_latent_without_a_value_is_refused_by_name():
    model = zoo.schools("stan_posteriordb").build()
    with pytest.raises(ft.UnknownSite, match="tau"):
        ft.fit(model, STILL, init={"mu": 0.0, "eta": np.zeros(8)}, progress=False)


def test_a_name_in_init_that_no_site_has_is_refused():
    model = zoo.schools("stan_posteriordb").build()
    init = {"mu": 0.0, "tau": 1.0, "eta": np.zeros(8), "nu": 1.0}
    with pytest.raises(ft.UnknownSite, match="nu"):
        ft.fit(model, STILL, init=init, progress=False)


@pytest.mark.parametrize("tau", [-1.0, 0.0, np.nan])
def test_a_value_outside_its_support_is_refused_by_name(tau):
    model = zoo.schools("stan_posteriordb").build()
    init = {"mu": 0.0, "tau": tau, "eta": np.zeros(8)}
    with pytest.raises(ft.FinettiError, match="tau"):
        ft.fit(model, STILL, init=init, progress=False)


def test_a_value_of_the_wrong_shape_is_refused_by_name():
    model = zoo.schools("stan_posteriordb").build()
    init = {"mu": 0.0, "tau": 1.0, "eta": np.zeros(7)}
    with pytest.raises(ft.FinettiError, match="eta"):
        ft.fit(model, STILL, init=init, progress=False)


def test_a_start_without_density_names_the_site():
    @ft.model
    def impossible():
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.factor("wall", jnp.where(mu > 100, 0.0, -jnp.inf))

    with pytest.raises(ft.SamplingError, match=r"site `wall`.*init="):
        ft.fit(impossible(), STILL, progress=False)


def test_init_finds_what_random_starts_miss():
    @ft.model
    def far():
        mu = ft.sample("mu", ft.Flat())
        ft.factor("wall", jnp.where(mu > 100, -0.5 * (mu - 105) ** 2, -jnp.inf))

    method = ft.NUTS(draws=200, warmup=200)
    posterior = ft.fit(far(), method, init={"mu": 104.0}, progress=False)
    assert (posterior["mu"] > 100).all()
    assert float(posterior["mu"].mean()) == pytest.approx(105, abs=0.5)


def test_an_argument_outside_its_support_names_the_site():
    @ft.model
    def negative():
        mu = ft.sample("mu", ft.HalfNormal(1))
        ft.sample("y", ft.Normal(0, -mu), obs=np.float64(1))

    with pytest.raises(ft.SupportError, match=r"site `y`.*scale"):
        ft.fit(negative(), STILL, progress=False)


def test_a_gradient_that_is_never_finite_is_explained():
    @ft.model
    def kink():
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.factor("f", jnp.sqrt(0.0 * mu))

    with pytest.raises(ft.SamplingError, match="gradient"):
        ft.fit(kink(), STILL, progress=False)


def test_a_model_without_latent_variables_is_refused():
    @ft.model
    def known():
        ft.sample("y", ft.Normal(0, 1), obs=np.float64(1))

    with pytest.raises(ft.SamplingError, match="known"):
        ft.fit(known(), STILL, progress=False)
