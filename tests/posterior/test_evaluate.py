"""Check that a model evaluated at its draws gives back its own joint density."""

import jax
import numpy as np
import pytest

import finetti as ft


@ft.model
def inner(county):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("county", county):
        return ft.sample("alpha", ft.Normal(mu, tau))


@ft.model
def homes(county, x):
    alpha = inner(county)
    slopes = ft.sample("slopes", ft.MultivariateNormal(np.zeros(2), np.eye(2)))
    with ft.plate("home", len(county)):
        ft.sample("y", ft.Normal(alpha[county] + slopes[0] * x, 1.5))
        ft.sample("n", ft.Poisson(3.0 + x))


COUNTY = ft.groups(["Pine", "Cook", "Pine", "Lake"])
DATA = {"y": np.array([0.5, -1.0, 2.0, 0.1]), "n": np.array([3, 4, 2, 9])}


@pytest.fixture(scope="module")
def posterior() -> ft.Posterior:
    model = homes(COUNTY, np.arange(4.0)).condition(**DATA)
    return ft.fit(model, ft.Automatic(draws=50, warmup=100, chains=2), seed=1, progress=False)


def test_prior_and_likelihood_add_up_to_the_joint(posterior):
    likelihood, prior = posterior.log_likelihood(), posterior.log_prior()
    assert likelihood["y"].dims == ("chain", "draw", "home")
    assert prior["inner.alpha"].dims == ("chain", "draw", "county")
    assert prior["slopes"].dims == ("chain", "draw")  # its event is one
    parts = [
        array.sum([d for d in array.dims if d not in ("chain", "draw")])
        for array in (*likelihood.values(), *prior.values())
    ]
    density = ft.density(posterior.model)
    for chain, draw in ((0, 0), (1, 49)):
        values = {
            v.name: posterior[v.name].to_numpy()[chain, draw]
            for v in posterior.model.variables
            if v.kind == "latent"
        }
        with jax.enable_x64(True):
            position = density.unconstrain(values)
            joint = density.log_density(position) - np.log(values["inner/tau"])  # the Jacobian
        assert float(sum(p[chain, draw] for p in parts)) == pytest.approx(float(joint), rel=1e-9)


def test_a_saved_run_takes_its_model_back(posterior, tmp_path):
    path = posterior.save(tmp_path / "run.zarr")
    alone = ft.open(path)
    with pytest.raises(ft.ModelError, match="needs the model"):
        alone.log_likelihood()
    again = ft.open(path, posterior.model)
    assert again.log_likelihood().equals(posterior.log_likelihood())
    other = homes(COUNTY, np.arange(4.0)).condition(**DATA | {"y": DATA["y"] + 1})
    with pytest.raises(ft.ModelError, match="`y` is observed otherwise"):
        alone.of(other)
    with pytest.raises(ft.ModelError, match=r"`inner/alpha` has shape \(5,\)"):
        alone.of(homes(ft.groups(COUNTY.codes, labels=range(5)), np.zeros(4)).condition(**DATA))
    with pytest.raises(ft.ModelError, match="argument `x` is given otherwise"):
        alone.of(homes(COUNTY, np.zeros(4)).condition(**DATA))
    turned = ft.groups(["Pine", "Cook", "Pine", "Lake"], labels=["Pine", "Lake", "Cook"])
    with pytest.raises(ft.ModelError, match="plate `county` of site `inner/alpha`"):
        alone.of(homes(turned, np.arange(4.0)).condition(**DATA))


@ft.model
def coin():
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("heads", ft.Binomial(10, p))


@pytest.mark.parametrize("name", ["run.zarr", "run.nc"])
def test_a_model_without_arguments_is_taken_back_too(name, tmp_path):
    model = coin().condition(heads=7)
    few = ft.Automatic(draws=20, warmup=20, chains=2)
    path = ft.fit(model, few, progress=False).save(tmp_path / name)
    assert ft.open(path, model).log_likelihood()["heads"].shape == (2, 20)


def test_draws_that_were_not_kept_are_asked_for(posterior):
    model = posterior.model
    few = ft.Automatic(draws=20, warmup=20, chains=2)
    short = ft.fit(model, few, keep=["inner/mu"], progress=False)
    with pytest.raises(ft.UnknownSite, match="no draws of `inner/tau`"):
        short.log_prior()


def test_another_model_is_fitted_the_same_way(posterior):
    again = posterior.refit(posterior.model, 1)
    assert again["inner/mu"].equals(posterior["inner/mu"])
