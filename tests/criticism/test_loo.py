"""Check what models predict of each observation from the others against exact answers."""

from functools import cache

import arviz_stats
import numpy as np
import pytest
import xarray as xr

import finetti as ft
import zoo
from criticism import exact
from criticism.left_out import EXACT

# Draws for errors below a tenth: of an hour of calls that the others hardly foresee it takes many.
METHODS = {"calls": ft.NUTS(draws=8000)}


@cache
def fitted(name: str) -> ft.Posterior:
    return ft.fit(EXACT[name][0](), METHODS.get(name, ft.NUTS()), seed=1, progress=False)


@cache
def scored(name: str) -> ft.Elpd:
    # The Monte-Carlo standard error of importance sampling is known where k-hat is below 0.5.
    return ft.loo(fitted(name), good_k=0.5)


@pytest.mark.parametrize("name", zoo.shortened(EXACT, "calls"))  # for apples see test_kfold
def test_scores_are_those_of_exact_leave_one_out(name):
    found, exact = scored(name), EXACT[name][1]()
    error = found.scores["mcse"].to_numpy().ravel()
    assert error.max() < 0.1
    assert not found.unreliable
    np.testing.assert_array_less(np.abs(found.pointwise - exact), 4 * error + 1e-9)
    assert abs(found.elpd - exact.sum()) < 4 * found.mcse
    assert found.mcse < 0.1 * found.se


def test_the_model_is_fitted_without_what_importance_sampling_cannot_leave_out():
    found = ft.loo(fitted("calls"))
    k = found.scores["pareto_k"].to_numpy()
    assert found.refitted == [f"calls[{i}]" for i in np.flatnonzero(k > found.good_k)]
    assert found.refitted  # the last hour had many more calls than the others
    assert "The model was fitted without each of calls[11]" in str(found)
    none = ft.loo(fitted("calls"), refits=0)
    assert none.unreliable == found.refitted
    assert "not to be trusted" in str(none)


@pytest.mark.parametrize("name", ["calls"])
def test_without_refits_the_scores_are_arviz_s(name):
    posterior, found = fitted(name), ft.loo(fitted(name), refits=0)
    tree = posterior.tree.copy()
    tree["log_likelihood"] = xr.DataTree(posterior.log_likelihood())
    theirs = arviz_stats.loo(tree, pointwise=True)
    # They differ in the efficiency of the draws, thus in how many values make the tail.
    np.testing.assert_allclose(found.pointwise, theirs.elpd_i.values, atol=0.05)
    np.testing.assert_allclose(found.scores["pareto_k"], theirs.pareto_k.values, atol=0.1)
    assert found.se == pytest.approx(theirs.se, rel=1 / 12)  # either divisor
    assert found.p == pytest.approx(theirs.p, abs=0.05)


def drawn(model: ft.Model, **draws: np.ndarray) -> ft.Posterior:
    """Return a posterior with made-up draws, shape (chain, draw)."""
    held = xr.Dataset({name: (("chain", "draw"), a) for name, a in draws.items()})
    held = held.assign_coords(chain=range(2), draw=range(50))
    return ft.Posterior(xr.DataTree.from_dict({"posterior": held}), model)


DRAWS = np.random.default_rng(1763).uniform(0.2, 0.8, (2, 50))


def test_a_site_is_named_where_several_are_observed():
    @ft.model
    def twice():
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("row", 3):
            ft.sample("x", ft.Normal(mu, 1), obs=np.array([0.1, 0.2, 0.3]))
            ft.sample("y", ft.Poisson(3.0 + mu**2), obs=np.array([2, 3, 4]))

    posterior = drawn(twice(), mu=DRAWS)
    with pytest.raises(ft.ModelError, match="observes `x` and `y`: say of which"):
        ft.loo(posterior)
    assert ft.loo(posterior, "y").scores["elpd"].dims == ("row",)
    few = ft.Posterior(posterior.tree.isel(draw=slice(12)), posterior.model)
    with pytest.raises(ft.ModelError, match=r"25 draws or more: the run of `twice` has 24"):
        ft.loo(few, "y")
    with pytest.raises(ft.UnknownSite, match="leave out observations of `z`: no such site"):
        ft.loo(posterior, "z")


def test_it_refuses_what_has_no_draws_or_nothing_to_leave_out():
    @ft.model
    def coin():
        p = ft.sample("p", ft.Uniform(0, 1))
        ft.sample("heads", ft.Binomial(10, p), obs=7)

    posterior = drawn(coin(), p=DRAWS)
    with pytest.raises(ft.ModelError, match="`heads` is one observation"):
        ft.loo(posterior)
    with pytest.raises(ft.ModelError, match="needs the model"):
        ft.loo(ft.Posterior(posterior.tree))
    mode = posterior.tree.assign(standard_error=xr.DataTree())
    with pytest.raises(ft.ModelError, match="is a mode"):
        ft.loo(ft.Posterior(mode, posterior.model))


def test_a_run_from_a_file_is_fitted_again_by_nuts(tmp_path):
    model = EXACT["calls"][0]()
    path = fitted("calls").save(tmp_path / "run.nc")
    found, exact = ft.loo(ft.open(path, model), good_k=0.5), EXACT["calls"][1]()
    assert found.refitted == scored("calls").refitted
    error = found.scores["mcse"].to_numpy()
    np.testing.assert_array_less(np.abs(found.pointwise - exact), 4 * error)


@pytest.mark.slow
def test_scores_of_radon_are_those_of_fits_without_each_home():
    model = zoo.MODELS["radon_slopes"]()
    posterior = ft.fit(model, seed=1, progress=False)
    found = ft.loo(posterior)
    terms, error = found.pointwise, found.scores["mcse"].to_numpy()
    k = found.scores["pareto_k"].to_numpy()
    homes = [*np.argsort(-k)[:4], *range(0, 900, 150)]  # the hardest, and some others
    for i in homes:
        left = np.zeros(len(terms), bool)
        left[i] = True
        without = posterior.refit(model.leave_out(log_radon=left), 7)
        at = without.tree["posterior"].dataset
        county, floor = (np.asarray(a) for a in model.arguments[0])
        mean = at["level"][..., county[i]] + at["slope"][..., county[i]] * floor[i]
        y = np.asarray(model.variables[-1].data)[i]
        density = np.exp(-0.5 * ((y - mean) / at["sigma"]) ** 2) / at["sigma"]
        exact = np.log(density.mean()) - 0.5 * np.log(2 * np.pi)
        theirs = float(density.std() / density.mean() / np.sqrt(density.size / 4))
        assert abs(terms[i] - float(exact)) < 4 * np.hypot(error[i], theirs), i


def test_an_observation_whose_probability_is_known_is_scored_by_it():
    """Its importance weights are all the same: there is no tail to smooth."""

    @ft.model
    def known(y):
        ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("row", 2):
            ft.sample("y", ft.Normal(0.0, 1.0), obs=y)

    mu = np.random.default_rng(5).normal(size=(4, 500))
    found = ft.loo(exact.posterior(known(np.array([1.0, -1.0])), mu=mu))
    np.testing.assert_allclose(found.elpd, -np.log(2 * np.pi) - 1, rtol=1e-9)
