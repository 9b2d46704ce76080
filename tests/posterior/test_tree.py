"""Check the tree of a fit: ArviZ's schema, labelled by plates."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr

import finetti as ft
import zoo


@ft.model
def two_way(scale, county, extra):
    mu = ft.sample("mu", ft.Normal(0, 5))
    ft.sample("weights", ft.Dirichlet(np.ones(3)))
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(mu, 1))
        with ft.plate("year", [2001, 2002]):
            gamma = ft.sample("gamma", ft.Normal(0, 1))
    ft.deterministic("total", gamma.sum())
    with ft.plate("home", len(county)):
        ft.sample("y", ft.Normal(alpha[county] + extra["x"], scale))


@pytest.fixture(scope="module")
def posterior() -> ft.Posterior:
    county = ft.groups(["Pine", "Cook", "Pine", "Lake"])
    model = two_way(2.0, county, {"x": np.arange(4.0)}).condition(y=np.arange(4.0))
    return ft.fit(model, ft.NUTS(draws=300, warmup=200, thin=1, chains=3), seed=3, progress=False)


def test_the_groups_are_those_of_the_schema(posterior):
    groups = {"posterior", "sample_stats", "observed_data", "constant_data", "warmup_sample_stats"}
    assert set(posterior.tree.children) == {*groups, "learned"}  # which is finetti's own
    assert isinstance(posterior.tree, xr.DataTree)


def test_draws_have_the_dims_of_their_plates(posterior):
    assert posterior["mu"].dims == ("chain", "draw")
    assert posterior["alpha"].dims == ("chain", "draw", "county")
    assert posterior["gamma"].dims == ("chain", "draw", "county", "year")
    assert posterior["weights"].dims == ("chain", "draw", "weights_dim_0")
    assert posterior["total"].dims == ("chain", "draw")
    assert posterior["gamma"].shape == (3, 300, 3, 2)


def test_draws_have_the_labels_of_their_plates(posterior):
    gamma = posterior["gamma"]
    assert gamma["county"].values.tolist() == ["Cook", "Lake", "Pine"]
    assert gamma["year"].values.tolist() == [2001, 2002]
    assert gamma["chain"].values.tolist() == [0, 1, 2]
    assert gamma["draw"].values.tolist() == list(range(300))
    assert gamma.sel(county="Lake", year=2002).shape == (3, 300)


def test_labels_and_draws_belong_together(posterior):
    """The deterministic total was computed by the model, the sum here by label."""
    np.testing.assert_allclose(posterior["gamma"].sum(("county", "year")), posterior["total"])
    np.testing.assert_allclose(posterior["weights"].sum("weights_dim_0"), 1)


def test_sampler_statistics_have_arviz_names(posterior):
    stats = posterior.tree["sample_stats"].dataset
    expected = {
        "lp", "acceptance_rate", "step_size", "n_steps", "diverging", "energy", "tree_depth",
        "reached_max_treedepth",
    }  # fmt: skip
    assert expected <= set(stats.data_vars)
    assert all(stats[name].dims == ("chain", "draw") for name in stats)
    assert stats["diverging"].dtype == bool
    assert (stats["n_steps"] <= 2 ** (stats["tree_depth"] + 1) - 1).all()


def test_the_recorded_log_density_is_that_of_the_draw(posterior):
    county = ft.groups(["Pine", "Cook", "Pine", "Lake"])
    model = two_way(2.0, county, {"x": np.arange(4.0)}).condition(y=np.arange(4.0))
    density = ft.density(model, model.plan())
    values = {"weights": posterior["weights"].isel(chain=1, draw=17).values}
    import jax

    with jax.enable_x64(True):
        lp = float(density.log_density(density.unconstrain(values)))
    recorded = float(posterior.tree["sample_stats"]["lp"].isel(chain=1, draw=17))
    assert lp == pytest.approx(recorded, rel=1e-9)


def test_warm_up_statistics_are_kept(posterior):
    warm = posterior.tree["warmup_sample_stats"].dataset
    assert warm.sizes == {"chain": 3, "draw": 200}
    assert len(np.unique(warm["step_size"])) > 10


def test_data_are_kept(posterior):
    observed = posterior.tree["observed_data"].dataset
    assert observed["y"].dims == ("home",)
    assert observed["y"].values.tolist() == [0, 1, 2, 3]
    constant = posterior.tree["constant_data"].dataset
    assert constant["county"].values.tolist() == ["Pine", "Cook", "Pine", "Lake"]
    assert float(constant["scale"]) == 2.0
    assert "extra['x']" in constant
    assert constant["county"].dims == constant["extra['x']"].dims == ("home",)


def test_data_have_the_dimensions_of_plates_that_they_alone_can_be_of():
    @ft.model
    def visits(county, uranium, wide, two, y):
        with ft.plate("county", list("abc")):
            u = ft.sample("u", ft.Normal(uranium, 1.0))
        with ft.plate("visit", 2):
            v = ft.sample("v", ft.Normal(two, 1.0))
        with ft.plate("pair", 2), ft.plate("home", 4):
            ft.sample("y", ft.Normal((u[county] + wide.sum(-1))[None] + v[:, None], 1.0), obs=y)

    model = visits(np.array([0, 1, 2, 1]), np.ones(3), np.ones((4, 3)), np.ones(2), np.ones((2, 4)))
    found = ft.prior(model, draws=1)["constant_data"].dataset
    assert {name: array.dims for name, array in found.items()} == {
        "county": ("home",),
        "uranium": ("uranium_dim_0",),  # an argument has the name of the plate of its size
        "wide": ("home", "wide_dim_1"),
        "two": ("two_dim_0",),  # of a visit or of a pair
        "y": ("pair", "home"),
    }


def test_labels_of_groups_are_those_of_what_is_known_of_them():
    @ft.model
    def homes(code, uranium, y):
        with ft.plate("county", list("abc")):
            u = ft.sample("u", ft.Normal(uranium, 1.0))
        with ft.plate("home", len(y)):
            ft.sample("y", ft.Normal(u[code], 1.0), obs=y)

    found = ft.prior(homes(np.array([0, 1, 2, 1]), np.arange(3.0), np.ones(4)), draws=1)
    assert float(found["constant_data"]["uranium"].sel(county="b")) == 1.0


def test_the_fit_is_described(posterior):
    about = posterior.attributes
    assert about["model"] == "two_way"
    assert about["seed"] == 3
    assert "NUTS(draws=300" in about["method"]
    assert about["seconds"] > 0
    assert {"finetti_version", "jax_version", "numpyro_version"} <= set(about)


def test_without_warm_up_there_are_no_warm_up_statistics():
    model = zoo.schools("stan_posteriordb").build()
    posterior = ft.fit(model, ft.NUTS(draws=5, warmup=0, thin=1, chains=1), progress=False)
    assert "warmup_sample_stats" not in posterior.tree.children


def test_arviz_functions_take_the_tree(posterior):
    rhat = arviz_stats.rhat(posterior.tree)
    assert set(rhat.data_vars) == set(posterior.names)
    assert arviz_stats.ess(posterior.tree)["gamma"].dims == ("county", "year")
    assert arviz_stats.bfmi(posterior.tree) is not None
    assert not arviz_stats.hdi(posterior.tree)["mu"].isnull().any()


def test_names_are_latent_and_deterministic_sites(posterior):
    assert posterior.names == ("mu", "weights", "alpha", "gamma", "total")


def test_an_unknown_name_is_refused_with_those_there_are(posterior):
    with pytest.raises(ft.UnknownSite, match=r"alphas.*") as raised:
        posterior["alphas"]
    assert "alpha" in str(raised.value)
    with pytest.raises(ft.UnknownSite):
        posterior["y"]
    with pytest.raises(ft.UnknownSite):
        posterior.summary(["mu", "nu"])


def test_its_repr_is_short(posterior):
    assert repr(posterior) == "<posterior of two_way: 3 chains x 300 draws>"
