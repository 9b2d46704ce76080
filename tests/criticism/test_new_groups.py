"""Predict for rows and groups that a fit has not seen, and refuse what it cannot know."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest

import finetti as ft
from criticism import exact

RANDOM = np.random.default_rng(6)
SHAPE = (4, 1000)
COUNTY = ft.groups(["Pine", "Cook", "Pine", "Lake"])  # Cook, Lake, Pine
FLOOR = np.array([0.0, 1.0, 0.0, 1.0])
Y = np.array([1.0, 2.0, 3.0, 4.0])


@ft.model
def homes(county, floor, y):
    mu = ft.sample("mu", ft.Normal(0, 5))
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(mu, 2.0))
    with ft.plate("home", len(y)):
        mean = ft.deterministic("mean", alpha[county] + floor)
        ft.sample("y", ft.Normal(mean, 1.0), obs=y)


@pytest.fixture(scope="module")
def posterior():
    mu = RANDOM.normal(3.0, 0.5, SHAPE)
    alpha = np.array([10.0, 20.0, 30.0]) + RANDOM.normal(size=(*SHAPE, 3))
    return exact.posterior(homes(COUNTY, FLOOR, Y), mu=mu, alpha=alpha)


NEW = {"county": ["Pine", "Oz", "Cook"], "floor": [1.0, 0.0, 0.0]}


def test_unseen_members_are_refused_by_name(posterior):
    with pytest.raises(ft.DataError, match=r"not seen 'Oz' of plate `county`, where `alpha`"):
        ft.predict(posterior, NEW)


@pytest.mark.parametrize("other", ["pop", "Sample", None, True, False])
def test_other_ways_with_new_groups_are_refused(posterior, other):
    """They were drawn, whatever was asked for."""
    rows = {"county": ["Cook"], "x": [1.0]}
    with pytest.raises(ValueError, match=r"new_groups=.* is none of 'refuse', 'sample', 'pop"):
        ft.predict(posterior, rows, new_groups=other)
    with pytest.raises(ValueError, match=r"at='median' is none of 'draws', 'mean'"):
        ft.predict(posterior, rows, at="median")


def test_a_new_group_is_drawn_from_the_population(posterior):
    tree = ft.predict(posterior, NEW, new_groups="sample")
    found, alpha = tree["predictions"], posterior["alpha"]
    assert found["alpha"]["county"].values.tolist() == ["Cook", "Lake", "Pine", "Oz"]
    np.testing.assert_array_equal(found["alpha"][..., :3], alpha)  # never drawn again
    np.testing.assert_array_equal(found["mean"][..., 0], alpha.sel(county="Pine") + 1)
    assert tree.attrs["new_members"] == "'Oz' of plate `county`"
    oz = found["alpha"].sel(county="Oz").values
    assert abs(exact.z_mean(oz, 3.0)) < 4
    assert abs(exact.z_sd(oz, np.sqrt(0.25 + 4))) < 4
    y = found["y"].values[..., 1]
    assert abs(exact.z_mean(y, 3.0)) < 4
    assert abs(exact.z_sd(y, np.sqrt(0.25 + 4 + 1))) < 4
    assert abs(exact.z_mean(oz - posterior["mu"].values, 0.0)) < 4  # given each draw's mu
    assert abs(exact.z_sd(oz - posterior["mu"].values, 2.0)) < 4
    assert tree["predictions_constant_data"]["county"].values.tolist() == NEW["county"]


def test_a_new_group_stands_at_the_mean_of_the_population(posterior):
    found = ft.predict(posterior, NEW, new_groups="population")["predictions"]
    np.testing.assert_array_equal(found["alpha"].sel(county="Oz"), posterior["mu"])
    np.testing.assert_array_equal(found["alpha"][..., :3], posterior["alpha"])
    assert abs(exact.z_sd(found["y"].values[..., 1], np.sqrt(0.25 + 1))) < 4


@pytest.mark.parametrize(
    "frame", [pd.DataFrame, pytest.param(pl.DataFrame, marks=pytest.mark.slow)]
)
def test_data_frames_are_taken_in_any_order_of_labels(posterior, frame):
    rows = frame({"floor": [0.0, 1.0], "county": ["Pine", "Cook"], "note": ["a", "b"]})
    mean = ft.predict(posterior, rows)["predictions"]["mean"]
    alpha = posterior["alpha"]
    np.testing.assert_array_equal(mean[..., 0], alpha.sel(county="Pine"))
    np.testing.assert_array_equal(mean[..., 1], alpha.sel(county="Cook") + 1)


def test_groups_are_taken_as_they_are(posterior):
    rows = {"county": ft.groups(["Pine", "Cook"], labels=["Pine", "Cook"]), "floor": [0.0, 0.0]}
    found = ft.predict(posterior, rows)["predictions"]
    np.testing.assert_array_equal(found["alpha"], posterior["alpha"].sel(county=["Pine", "Cook"]))


@pytest.mark.parametrize(
    ("newdata", "message"),
    [
        ({"county": ["Pine"]}, "needs the column `floor`"),
        ({"county": ["Pine"], "flor": [1.0]}, "did you mean `flor`"),
        ({"county": ["Pine"], "floor": 1.0}, r"`floor` has shape \(\) in newdata and \(4,\)"),
        ({"county": ["Pine", "Cook"], "floor": [1.0, np.nan]}, "`floor` is missing in 1 .*row 1"),
        ({"county": ["Pine", None], "floor": [1.0, 0.0]}, "`county` of row 1 of newdata"),
        ({"county": ["Pine", "Cook"], "floor": [1.0, 2.0, 3.0]}, "cannot be run on newdata"),
        ([1.0], "a dict of columns or a data frame, not list"),
    ],
)
def test_rows_that_do_not_fit_are_refused(posterior, newdata, message):
    with pytest.raises(ft.DataError, match=message):
        ft.predict(posterior, newdata)


@ft.model
def by_uranium(county, uranium, y):
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(uranium, 1.0))
    with ft.plate("home", len(y)):
        ft.sample("y", ft.Normal(alpha[county] + 0.5 * (y.mean() > 100), 1.0), obs=y)


def test_what_belongs_to_groups_is_kept_only_while_they_are_the_same():
    alpha = RANDOM.normal(size=(*SHAPE, 3))
    model = by_uranium(COUNTY, np.array([1.0, 2.0, 3.0]), Y)
    posterior = exact.posterior(model, alpha=alpha)
    with pytest.raises(ft.DataError, match="needs the column `y`"):  # the mean depends on it
        ft.predict(posterior, {"county": ["Pine"]})
    found = ft.predict(posterior, {"county": ["Pine"], "y": [0.0]})["predictions"]
    assert found["y"].shape == (*SHAPE, 1)
    rows = {"county": ["Oz", "Pine"], "y": [0.0, 0.0]}
    for new in (rows, {**rows, "county": ft.groups(rows["county"])}):
        with pytest.raises(ft.DataError, match="uranium"):
            ft.predict(posterior, new, new_groups="sample")
    rows["uranium"] = [1.0, 2.0, 3.0, 50.0]
    found = ft.predict(posterior, rows, new_groups="population")["predictions"]
    assert (found["alpha"].sel(county="Oz") == 50.0).all()


@ft.model
def numbered(school, x, y=None):
    with ft.plate("school", 3):
        theta = ft.sample("theta", ft.Normal(0, 1))
    with ft.plate("row", len(x)):
        extra = ft.sample("extra", ft.Normal(0, 2))
        ft.sample("y", ft.Poisson(jnp.exp(theta[school] + extra + x)), obs=y)


def test_rows_without_labels_are_new_and_numbered_groups_are_not():
    draws = {"theta": RANDOM.normal(size=(*SHAPE, 3)), "extra": np.full((*SHAPE, 4), 7.0)}
    model = numbered(np.array([0, 1, 2, 2]), np.zeros(4), np.array([1, 0, 3, 2]))
    posterior = exact.posterior(model, **draws)
    rows = {"school": [2, 0], "x": [0.0, 0.0]}
    with pytest.raises(ft.DataError, match=r"every row, as plate `row` has no labels.*`extra`"):
        ft.predict(posterior, rows)
    for beyond in (3, -1):
        with pytest.raises(ft.DataError, match=f"`school` is {beyond} in row 1.*has 3 members"):
            ft.predict(posterior, {**rows, "school": [0, beyond]}, new_groups="sample")
    found = ft.predict(posterior, rows, new_groups="sample")["predictions"]
    np.testing.assert_array_equal(found["theta"], draws["theta"])
    assert abs(exact.z_sd(found["extra"].values, 2.0)) < 4
    assert found["y"].dtype.kind == "i"


@ft.model
def crossed(district, school):
    with ft.plate("district", district):
        a = ft.sample("a", ft.Normal(0, 1))
        with ft.plate("school", school):
            b = ft.sample("b", ft.Normal(a[:, None], 0.5))
    with ft.plate("trait", 2):
        ft.sample("c", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(b.sum(), 1), obs=0.0)


def test_nested_plates_keep_what_both_have_seen():
    draws = {
        name: RANDOM.normal(size=(*SHAPE, *shape))
        for name, shape in (("a", (2,)), ("b", (2, 2)), ("c", (2,)))
    }
    posterior = exact.posterior(crossed(["N", "S"], ["x", "y"]), **draws)
    rows = {"district": ["S", "E"], "school": ["y", "z", "x"]}
    found = ft.predict(posterior, rows, new_groups="sample")["predictions"]
    b = found["b"].values
    np.testing.assert_array_equal(b[..., 0, 0], draws["b"][..., 1, 1])
    np.testing.assert_array_equal(b[..., 0, 2], draws["b"][..., 1, 0])
    np.testing.assert_array_equal(found["a"][..., 0], draws["a"][..., 1])
    fresh = b - found["a"].values[..., None]  # a new school, and the schools of a new district
    for i, j in ((0, 1), (1, 0), (1, 1), (1, 2)):
        assert abs(exact.z_mean(fresh[..., i, j], 0.0)) < 4
        assert abs(exact.z_sd(fresh[..., i, j], 0.5)) < 4


COVARIANCE = np.array([[1.0, 0.6], [0.6, 2.0]])


@ft.model
def families(group, scale):
    with ft.plate("group", group):
        both = ft.sample("both", ft.MultivariateNormal(jnp.array([1.0, 5.0]), COVARIANCE))
        ft.sample("skewed", ft.Beta(2.0, 6.0))
        ft.sample("heavy", ft.Cauchy(4.0, 1.0))
        ft.sample("wild", ft.HalfCauchy(scale)) if scale else None
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(both[group, 0], 1.0))


def of_families():
    draws = {"both": np.zeros((*SHAPE, 2, 2)), "skewed": np.full((*SHAPE, 2), 0.5)}
    draws["heavy"] = np.zeros((*SHAPE, 2))
    model = families(ft.groups(["p", "q"]), 0).condition(y=np.zeros(2))
    return exact.posterior(model, **draws)


@pytest.mark.slow
def test_effects_that_belong_together_are_drawn_together():
    rows = {"group": ["r", "p"]}
    found = ft.predict(of_families(), rows, new_groups="sample")["predictions"].sel(group="r")
    both = found["both"].values.reshape(-1, 2)
    for i, mean in enumerate((1.0, 5.0)):
        assert abs(exact.z_mean(both[:, i], mean)) < 4
        assert abs(exact.z_sd(both[:, i], np.sqrt(COVARIANCE[i, i]))) < 4
    assert abs(exact.z_mean((both[:, 0] - 1) * (both[:, 1] - 5), 0.6)) < 4


def test_the_mean_of_the_population_of_other_families():
    rows = {"group": ["r", "p"]}
    found = ft.predict(of_families(), rows, new_groups="population")["predictions"].sel(group="r")
    assert (found["both"] == [1.0, 5.0]).all()
    np.testing.assert_allclose(found["skewed"], 0.25, rtol=1e-12)
    assert (found["heavy"] == 4.0).all()


@pytest.mark.slow
def test_a_population_without_a_mean_is_refused():
    draws = {name: np.zeros((*SHAPE, 2)) for name in ("heavy", "skewed")}
    draws |= {"both": np.zeros((*SHAPE, 2, 2)), "wild": np.ones((*SHAPE, 2))}
    model = families(ft.groups(["p", "q"]), 1).condition(y=np.zeros(2))
    with pytest.raises(ft.ModelError, match="`wild` has no finite mean"):
        ft.predict(exact.posterior(model, **draws), {"group": ["r"]}, new_groups="population")
