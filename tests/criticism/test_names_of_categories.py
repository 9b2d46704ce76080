"""What is drawn of outcomes that are one of several categories tells the names of these."""

from functools import cache

import numpy as np
import pytest

import finetti as ft
from criticism.by_hand import posterior_of
from finetti.reporting import plots
from finetti.reporting.predictions import prediction_frame

RANDOM = np.random.default_rng(3)
SHAPE = (2, 50)
NAMES = ["deep blue", "green", "red"]
CODES = np.array([2, 0, 1, 2, 0, 0, 1, 2])
TABLE = {"x": np.linspace(-1.0, 2.0, 8), "colour": [NAMES[c] for c in CODES]}
TABLE |= {n: RANDOM.integers(1, 5, 8) for n in ("a", "b")}
TABLE |= {"s": TABLE["a"] / (TABLE["a"] + TABLE["b"])}
TABLE |= {"t": 1 - TABLE["s"], "yes": ["no", "yes"] * 4, "grade": [1, 2, 3, 1, 2, 3, 1, 2]}


@ft.model
def by_hand(x, colour):
    """Observe groups, whose labels are the names."""
    b = ft.sample("b", ft.Normal(0.0, 1.0).expand([3]).to_event(1))
    with ft.plate("row", len(x)):
        ft.sample("colour", ft.Categorical(logits=x[:, None] * b), obs=colour)


CODED = {
    "categorical": ("colour ~ x", NAMES),
    "sequential": ("grade ~ x", ["1", "2", "3"]),
    "cumulative": ("colour ~ x", NAMES),
    "bernoulli": ("yes ~ x", ["no", "yes"]),
    "by hand": ("colour ~ x", NAMES),
}
COUNTED = {
    "multinomial": ("cbind(a, b) ~ x", ["a", "b"]),
    "dirichlet": ("cbind(s, t) ~ x", ["s", "t"]),
}


@cache
def posterior(family):
    """Return a posterior of draws by hand, with its model."""
    text, _ = {**CODED, **COUNTED}[family]
    if family == "by hand":
        model = by_hand(TABLE["x"], ft.groups(TABLE["colour"]))
    else:
        model = ft.formula(text, TABLE, family=family)
    prior = ft.prior(model, draws=SHAPE[0] * SHAPE[1])["prior"].dataset
    draws = {n: a.to_numpy().reshape(*SHAPE, *a.shape[2:]) for n, a in prior.items()}
    return posterior_of(model, **draws)


def drawn(family):
    """Return what is drawn, and observed, of the outcome: by tree and group."""
    found = posterior(family)
    new = {"x": [0.1, 0.2], "colour": ["red", "green"]}
    new |= {"a": [3, 1], "b": [2, 0]} if family == "multinomial" else {}
    if family == "by hand":
        new["colour"] = ft.groups(new["colour"], NAMES)
    predicted = ft.predict(found)
    return [
        predicted["posterior_predictive"], predicted["observed_data"],
        ft.predict(found, new)["predictions"], ft.prior(found.model, draws=5)["prior_predictive"],
    ]  # fmt: skip


@pytest.mark.parametrize("family", CODED)
def test_values_are_places_among_the_names(family):
    text, names = CODED[family]
    for group in drawn(family):
        site = group[text.partition(" ")[0]]
        assert site.attrs["categories"] == names
        assert set(np.unique(site)) <= set(range(len(names)))
    observed = drawn(family)[1][text.partition(" ")[0]]
    assert [names[k] for k in observed.values] == list(map(str, TABLE[observed.name]))


@pytest.mark.parametrize("family", COUNTED)
def test_counts_and_shares_have_the_names_along_a_dimension(family):
    text, names = COUNTED[family]
    for group in drawn(family):
        (site,) = group.dataset.data_vars.values()
        assert site.dims[-1] == f"{text.partition(' ~')[0]}_category"
        assert site[site.dims[-1]].values.tolist() == names
        assert "categories" not in site.attrs


def test_new_rows_need_no_groups_that_are_only_observed():
    """And their data have the dimensions of the fit, though there are as many groups as rows."""

    @ft.model
    def colours(x, g, colour):
        with ft.plate("g_level", g):
            u = ft.sample("u", ft.Normal(0.0, 1.0).expand([3]).to_event(1))
        with ft.plate("row", len(x)):
            ft.sample("colour", ft.Categorical(logits=x[:, None] + u[g]), obs=colour)

    model = colours(TABLE["x"], ft.groups(list("aabbaabb")), ft.groups(TABLE["colour"]))
    found = posterior_of(model, u=RANDOM.normal(size=(*SHAPE, 2, 3)))
    tree = ft.predict(found, {"x": [0.0, 1.0], "g": ["b", "a"]})
    assert tree["predictions"]["colour"].attrs["categories"] == NAMES
    given = tree["predictions_constant_data"].dataset
    assert {name: a.dims for name, a in given.items()} == {"x": ("row",), "g": ("row",)}


def test_predictions_are_the_probability_of_each_category():
    predicted = ft.predict(posterior("categorical"))["posterior_predictive"].dataset
    frame = prediction_frame(predicted)
    assert frame.members[:4].tolist() == ["0, deep blue", "0, green", "0, red", "1, deep blue"]
    shares = np.stack([(predicted["colour"] == k).mean(("chain", "draw")) for k in range(3)], -1)
    np.testing.assert_allclose(frame["mean"], shares.ravel())
    assert frame[["sd", "low", "high"]].isna().all(axis=None)


def test_checks_and_pictures_have_the_names():
    found = ft.check(posterior("categorical"), seed=1)
    assert [q.name for q in found.outcomes] == [f"share of {n} of colour" for n in NAMES]
    (axes,) = plots.outcomes(ft.prior(posterior("categorical").model, draws=20)).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES


@pytest.mark.parametrize("family", COUNTED)
def test_each_category_is_checked_where_all_together_are_constant(family):
    found = ft.check(posterior(family), seed=1)
    names = COUNTED[family][1]
    said = [f"{what} of {n}" for n in names for what in ("mean", "sd")]
    assert [q.name.partition(" of cbind")[0] for q in found.outcomes] == said
    observed = [np.asarray(q.observed).item() for q in found.outcomes]
    expected = [f(TABLE[n]) for n in names for f in (np.mean, np.std)]
    np.testing.assert_allclose(observed, expected)


def test_angles_are_checked_wherever_their_circle_is_cut():
    values = np.array([3.1, -3.1, 3.0, -2.9, 3.14, -3.14])
    model = ft.formula("angle ~ 1", {"angle": values}, family="von_mises")
    found = posterior_of(model, Intercept=np.full(SHAPE, 50.0), kappa=np.full(SHAPE, 40.0))
    checked = ft.check(found, seed=1)
    assert [q.name for q in checked.outcomes] == [
        "mean cosine of angle", "mean sine of angle", "resultant length of angle",
    ]  # fmt: skip
    assert all(q.replicated.std() < 0.2 for q in checked.outcomes)
