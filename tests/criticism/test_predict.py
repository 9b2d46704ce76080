"""Compare predictions with closed forms, and see that what the fit has seen is kept."""

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from scipy import stats

import finetti as ft
from criticism import exact
from finetti.criticism.predicting.prior import prior_of
from zoo import schools
from zoo.reference import read

RANDOM = np.random.default_rng(5)
SHAPE = (4, 1000)


@ft.model
def measured(n, y=None):
    mu = ft.sample("mu", ft.Normal(0, 2))
    with ft.plate("row", n):
        ft.deterministic("twice", 2 * mu * np.ones(n))
        ft.sample("y", ft.Normal(mu, 1), obs=y)


@ft.model
def counted(n):
    p = ft.sample("p", ft.Beta(2, 3))
    ft.sample("y", ft.Binomial(n, p))


def test_a_normal_mean_predicts_as_the_closed_form_does():
    y = np.array([1.0, 2.5, 0.3, 1.1, 2.0])
    precision = 1 / 4 + len(y)
    mean, variance = y.sum() / precision, 1 / precision
    mu = RANDOM.normal(mean, np.sqrt(variance), SHAPE)
    tree = ft.predict(exact.posterior(measured(5, y), mu=mu), seed=1)
    found = tree["posterior_predictive"]["y"]
    assert found.dims == ("chain", "draw", "row")
    for i in range(5):
        assert abs(exact.z_mean(found.values[..., i], mean)) < 4
        assert abs(exact.z_sd(found.values[..., i], np.sqrt(variance + 1))) < 4
    shared = np.corrcoef(found.values.reshape(-1, 5).T)[0, 1]  # mu is common to a data set
    assert shared == pytest.approx(variance / (variance + 1), abs=4 / np.sqrt(4000))
    np.testing.assert_array_equal(tree["posterior_predictive"]["twice"][..., 0], 2 * mu)
    assert set(tree.children) == {
        "posterior", "posterior_predictive", "observed_data", "constant_data",
    }  # fmt: skip


def test_a_beta_binomial_predicts_as_the_closed_form_does():
    posterior = exact.posterior(counted(10).condition(y=7), p=RANDOM.beta(2 + 7, 3 + 3, SHAPE))
    found = ft.predict(posterior, {"n": 4}, seed=2)["predictions"]["y"].values
    known = stats.betabinom(4, 9, 6).pmf(np.arange(5))
    frequency = np.bincount(found.ravel(), minlength=5) / found.size
    assert (np.abs(frequency - known) < 4 * np.sqrt(known * (1 - known) / found.size)).all()


def test_the_prior_predicts_as_the_closed_form_does():
    tree = ft.prior(measured(5, np.zeros(5)), draws=4000, seed=3)
    assert (tree["observed_data"]["y"] == 0).all()
    assert tree["prior"]["mu"].dims == ("chain", "draw")
    assert set(tree["prior"].data_vars) == {"mu", "twice"}
    assert abs(exact.z_sd(tree["prior"]["mu"].values, 2.0)) < 4
    found = tree["prior_predictive"]["y"].values[..., 0]
    assert abs(exact.z_mean(found, 0.0)) < 4
    assert abs(exact.z_sd(found, np.sqrt(4 + 1))) < 4


def test_sites_drawn_alone_are_those_of_the_whole_prior():
    model = measured(5, np.zeros(5))
    whole, alone = ft.prior(model, draws=50, seed=3), prior_of(model, ["mu", "twice"], 50, seed=3)
    assert set(alone) == {"mu", "twice"}
    for name, draws in alone.items():
        np.testing.assert_array_equal(draws, whole["prior"][name])


def test_many_draws_begin_with_the_few():
    """They are made in batches, and are the same."""
    model = measured(5, np.zeros(5))
    few, many = (prior_of(model, ["mu", "y"], n, seed=3) for n in (50, 20_000))
    for name, draws in few.items():
        np.testing.assert_allclose(many[name][:, :50], draws, rtol=1e-12)


def test_a_flat_prior_cannot_be_drawn_from():
    @ft.model
    def flat():
        ft.sample("y", ft.Normal(ft.sample("mu", ft.Flat()), 1), obs=1.0)

    with pytest.raises(ft.SeedError, match="`mu` has an improper prior"):
        ft.prior(flat())


def test_eight_schools_predicts_as_quadrature_does():
    posterior = ft.fit(schools("pymc4_2019").build(), progress=False, seed=1)
    known = read("eight_schools_exact.json")["models"]["pymc4_2019"]
    found = ft.predict(posterior, seed=1)["posterior_predictive"]["y"].values
    axes = {"chain_axis": 0, "draw_axis": 1}
    for j in range(8):
        y = found[..., j]
        error = array_stats.mcse(y, **axes, method="mean")
        assert abs(y.mean() - known["posterior_predictive"]["mean"][j]) < 4 * error
        squares = (y - y.mean()) ** 2
        error = array_stats.mcse(squares, **axes, method="mean")
        assert abs(squares.mean() - known["posterior_predictive"]["sd"][j] ** 2) < 4 * error
    tree = ft.predict(posterior, at="mean", seed=1)
    assert tree.attrs["predictive"] == "plug-in, at the posterior means"
    theta = tree["posterior_predictive"]["theta"].values
    assert (theta == theta[:1, :1]).all()
    mu, scale, eta = (posterior[name].values for name in ("mu", "log_tau", "eta"))
    tau = np.exp(scale.mean())
    for j in range(8):  # the delta method: what the plug-in effect owes to the three means
        parts = mu + tau * eta[..., j] + tau * eta[..., j].mean() * scale
        error = array_stats.mcse(parts, **axes, method="mean")
        assert abs(theta[0, 0, j] - known["plugin_predictive"]["mean"][j]) < 4 * error
        y = tree["posterior_predictive"]["y"].values[..., j]
        assert abs(exact.z_mean(y, theta[0, 0, j])) < 4
        assert abs(exact.z_sd(y, known["plugin_predictive"]["sd"][j])) < 4


@pytest.mark.slow
def test_a_mode_predicts_as_a_plug_in():
    posterior = ft.fit(measured(3, np.array([1.0, 2.0, 3.0])), ft.MAP(), progress=False)
    tree = ft.predict(posterior)
    assert tree.attrs["predictive"] == "plug-in, at the mode"
    assert abs(exact.z_mean(tree["posterior_predictive"]["y"].values, 6 / 3.25)) < 4


@ft.model
def alone(y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(mu, 1), obs=y)


@ft.model
def around(y):
    alone(y)


def test_copies_outside_plates_and_nested_names_are_predicted():
    posterior = exact.posterior(around(np.zeros(3)), **{"alone/mu": np.full(SHAPE, 9.0)})
    found = ft.predict(posterior)["posterior_predictive"]["alone.y"]
    assert found.shape == (*SHAPE, 3)
    assert abs(exact.z_mean(found.values, 9.0)) < 4


def test_draws_can_be_fewer_and_follow_the_seed():
    posterior = exact.posterior(measured(2, np.zeros(2)), mu=RANDOM.normal(size=SHAPE))
    found = [ft.predict(posterior, draws=100, seed=s)["posterior_predictive"] for s in (0, 0)]
    assert found[0].sizes["draw"] == 25
    np.testing.assert_array_equal(
        found[0]["twice"][..., 0], 2 * posterior["mu"].sel(draw=found[0]["draw"])
    )
    assert found[0].identical(found[1])
    with pytest.raises(ft.SamplingError, match=r"most of it for `twice`.*draws=\d+"):
        ft.predict(posterior, {"n": 100_000})


def test_discrete_variables_have_no_mean():
    @ft.model
    def switched():
        z = ft.sample("z", ft.Bernoulli(0.5))
        ft.sample("y", ft.Normal(z, 1), obs=0.3)

    posterior = exact.posterior(switched(), z=RANDOM.integers(0, 2, SHAPE))
    with pytest.raises(ft.ModelError, match="`z` is discrete"):
        ft.predict(posterior, at="mean")
    y = ft.predict(posterior)["posterior_predictive"]["y"].values
    assert abs(exact.z_mean(y - posterior["z"].values, 0.0)) < 4


@ft.model
def regressed(x, y):
    slope = ft.sample("slope", ft.Normal(0, 1))
    mean = ft.sample("y", ft.Normal(slope * x, 0.1), obs=y)
    ft.sample("echo", ft.Normal(10 * mean, 0.1), obs=10 * y)


def test_what_follows_an_observed_site_follows_its_replicates():
    x, y = np.arange(3.0), np.array([0.0, 1.0, 2.0])
    posterior = exact.posterior(regressed(x, y), slope=np.full(SHAPE, 2.0))
    found = ft.predict(posterior, {"x": [5.0, 0.0]})["predictions"]
    assert abs(exact.z_mean(found["y"].values[..., 0], 10.0)) < 4
    difference = found["echo"].values - 10 * found["y"].values
    assert abs(exact.z_sd(difference, 0.1)) < 4


def test_a_model_inside_a_structure_and_its_settings_are_kept():
    @ft.model
    def structured(data, scale=1.0):
        with ft.plate("county", data["county"]):
            a = ft.sample("a", ft.Normal(0, 1))
        with ft.plate("row", len(data["y"])):
            ft.sample("y", ft.Normal(a[data["county"]], scale), obs=data["y"])

    county = ft.groups(["Pine", "Cook", "Pine"])
    model = structured({"county": county, "y": np.ones(3)}, 3.0)
    posterior = exact.posterior(model, a=np.zeros((*SHAPE, 2)))
    new = {"county": ft.groups(["Pine"]), "y": np.zeros(1)}
    found = ft.predict(posterior, {"data": new})["predictions"]["y"].values
    assert abs(exact.z_sd(found, 3.0)) < 4  # not the default
