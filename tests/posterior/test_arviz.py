"""Check that ArviZ takes what finetti gives: its summaries, its scores, its pictures."""

import warnings

import arviz_plots
import arviz_stats
import matplotlib as mpl
import numpy as np
import pytest

import finetti as ft
from criticism.by_hand import posterior_of

STATISTICS = (
    "bfmi", "ess", "eti", "hdi", "loo", "mcse", "median", "psense", "psense_summary", "qds",
    "rhat", "summary", "thin",
)  # fmt: skip
PICTURES = (
    "plot_autocorr", "plot_dist", "plot_energy", "plot_ess", "plot_forest", "plot_loo_pit",
    "plot_mcse", "plot_ppc_dist", "plot_rank", "plot_trace",
)  # fmt: skip


@ft.model
def counties(county, y):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("county", county):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("home", len(y)):
        ft.sample("y", ft.Normal(theta[county], 1), obs=y)


@pytest.fixture(scope="module")
def posterior():
    model = counties(ft.groups(list("abcde") * 4), np.arange(20.0) / 5)
    method = ft.NUTS(draws=200, warmup=200, chains=2)
    return ft.fit(model, method, seed=1, progress=False).with_log_likelihood()


@pytest.fixture(scope="module")
def whole(posterior):
    predicted = ft.predict(posterior, seed=1)["posterior_predictive"]
    return posterior.tree.assign({"posterior_predictive": predicted})


@pytest.fixture(autouse=True)
def quietly():
    """Leave out ArviZ's own warnings, of few draws and of what is to change in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", STATISTICS)
def test_its_statistics_take_the_tree(whole, name):
    assert getattr(arviz_stats, name)(whole) is not None


@pytest.mark.parametrize("name", PICTURES)
def test_its_pictures_take_the_tree(whole, name):
    from matplotlib import pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        assert getattr(arviz_plots, name)(whole, backend="matplotlib") is not None
        plt.close("all")


def test_a_line_is_drawn_over_a_column_of_the_table():
    """Its values have the dimension of the outcome's, of the fit and of new rows."""
    from matplotlib import pyplot as plt

    table = {"x": np.arange(6.0), "y": np.arange(6.0) + 1}
    model = ft.formula("y ~ x", table, priors={"sigma": ft.HalfNormal(1)})
    draws = ft.prior(model, draws=40)["prior"].dataset
    found = posterior_of(model, **{str(n): a.to_numpy() for n, a in draws.items()})
    fitted, new = ft.predict(found), ft.predict(found, {"x": [0.5, 1.5, 2.5]})
    assert new["predictions_constant_data"]["x"].dims == new["predictions"]["y"].dims[2:]
    assert list(new["predictions_constant_data"].data_vars) == ["x"]  # no outcome was given
    with mpl.rc_context({"backend": "agg"}):
        drawn = arviz_plots.plot_lm(fitted, x="x", y="y", backend="matplotlib")
        assert drawn is not None
        plt.close("all")


def test_the_groups_are_there_with_the_dims_of_their_sites(posterior):
    tree = posterior.tree
    assert tree["log_likelihood"]["y"].dims == ("chain", "draw", "home")
    assert tree["log_prior"]["theta"].dims == ("chain", "draw", "county")
    assert set(tree["log_prior"].data_vars) == {"mu", "tau", "theta"}
    assert posterior.model is not None
    np.testing.assert_array_equal(tree["log_likelihood"]["y"], posterior.log_likelihood()["y"])


def test_a_score_is_that_of_finetti_where_nothing_is_fitted_again(posterior):
    own, theirs = ft.loo(posterior, refits=0), arviz_stats.loo(posterior.tree)
    assert own.elpd == pytest.approx(float(theirs.elpd), abs=0.02)
    assert own.se == pytest.approx(float(theirs.se), rel=0.05)


def test_models_are_compared(posterior):
    table = arviz_stats.compare({"a": posterior.tree, "b": posterior.tree})
    assert len(table) == 2


def test_the_groups_are_saved_with_the_run(posterior, tmp_path):
    opened = ft.open(posterior.save(tmp_path / "run.nc"))
    assert {"log_likelihood", "log_prior"} <= set(opened.tree.children)
    assert float(arviz_stats.loo(opened.tree).elpd) == float(arviz_stats.loo(posterior.tree).elpd)


def test_a_run_without_its_model_says_what_it_needs(posterior):
    with pytest.raises(ft.ModelError, match="the log likelihood needs the model"):
        ft.Posterior(posterior.tree).with_log_likelihood()
