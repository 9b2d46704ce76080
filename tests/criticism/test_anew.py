"""A fit made anew with other priors, or more rows, is the fit of a model that was written so."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import finetti as ft
from finetti.criticism.anew import added, with_priors
from finetti.criticism.predicting.rows import arguments

RANDOM = np.random.default_rng(2)
FEW = ft.Automatic(draws=100, warmup=50, chains=2)
Y, X, G = RANDOM.normal(size=12), RANDOM.normal(size=12), list("abc") * 4
FIRST = 8


@ft.model
def line(g, x, y, spread=2.0):
    """All is normal: equal models have the same draws."""
    b = ft.sample("b", ft.Normal(0.0, spread))
    with ft.plate("g", g):
        u = ft.sample("u", ft.Normal(0.0, 1.0))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(b * x + u[g], 1.0), obs=y)


def given(rows, **more):
    return line(ft.groups(G[:rows]), X[:rows], Y[:rows], **more)


@cache
def first():
    return ft.fit(given(FIRST, spread=2.0), FEW, seed=4, progress=False)


def same(found, expected):
    for name in ("b", "u"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9)


def test_other_priors_make_the_model_that_has_them():
    found = ft.refit(first(), {"b": ft.Normal(0.0, 0.3)})
    same(found, ft.fit(given(FIRST, spread=0.3), FEW, seed=4, progress=False))


def test_a_prior_may_have_numbers_for_each_member():
    model = with_priors(first().model, {"u": ft.Normal(np.zeros(3), np.array([0.1, 1.0, 2.0]))})
    drawn = ft.prior(model, draws=4000, seed=1)["prior"]["u"].std(("chain", "draw"))
    np.testing.assert_allclose(drawn, [0.1, 1.0, 2.0], rtol=4 / np.sqrt(2 * 4000))


ROWS = {"g": G[FIRST:], "x": X[FIRST:], "y": list(Y[FIRST:])}


def test_more_rows_make_the_model_of_all():
    whole = ft.fit(given(12), FEW, seed=4, progress=False)
    same(ft.update(first(), ROWS), whole)


@pytest.mark.slow
def test_rows_may_come_one_after_another_and_bring_groups():
    halfway = ft.update(first(), {n: v[:2] for n, v in ROWS.items()})
    last = ft.update(halfway, {n: v[2:] for n, v in ROWS.items()})
    same(last, ft.fit(given(12), FEW, seed=4, progress=False))
    grown = ft.update(first(), {**ROWS, "g": ["a", "z", "a", "z"]})
    assert grown["u"].g.values.tolist() == ["a", "b", "c", "z"]


TABLE = pd.DataFrame({"y": Y, "x": X, "g": G, "s": 1.0})


def test_a_formula_has_its_priors_by_class_and_keeps_them_for_more_rows():
    text, priors = "y | se(s) ~ scale(x) + (1 | g)", {"sd": ft.HalfNormal(1)}
    model = ft.formula(text, TABLE[:FIRST], priors=priors)
    other = with_priors(model, {"b": ft.Normal(0, 0.1)})
    expected = ft.formula(text, TABLE[:FIRST], priors={**priors, "b": ft.Normal(0, 0.1)})
    assert other.code() == expected.code()
    found = added(model, TABLE[FIRST:])
    assert found.code() == model.code()
    scaled = (X - X[:FIRST].mean()) / X[:FIRST].std()  # as it was learned of the first rows
    np.testing.assert_allclose(arguments(found)["scale_x"], scaled, rtol=1e-12)
    np.testing.assert_array_equal(arguments(found)["y"], Y)
    assert len(found.reader.table) == 12
    with pytest.raises(ft.ModelError, match="all rows"):
        with_priors(found, {"b": ft.Normal(0, 1)})
    with pytest.raises(ft.DataError, match="no column `y`"):
        added(model, TABLE[FIRST:].drop(columns="y"))
    with pytest.raises(ft.DataError, match="lack a value"):
        added(model, TABLE[FIRST:].assign(y=np.nan))


@pytest.mark.parametrize(
    ("attempt", "error", "said"),
    [
        (lambda p: ft.refit(p, {"z": ft.Normal(0, 1)}), ft.UnknownSite, "prior to `z`"),
        (lambda p: ft.refit(p, {"y": ft.Normal(0, 1)}), ft.ModelError, "`y` is observed"),
        (lambda p: ft.refit(p, {"b": ft.Poisson(1.0)}), ft.SupportError, "whole number"),
        (lambda p: ft.refit(p, {"u": ft.Normal(np.zeros(4), 1.0)}), ft.ShapeError, r"\(3,\)"),
        (lambda p: ft.update(p, {"y": [1.0]}), ft.DataError, "`g` for each row"),
        (lambda p: ft.update(p, {"z": [1.0]}), ft.DataError, "no argument `z`"),
        (lambda p: ft.update(p, {"g": ["a"], "x": [1.0, 2.0], "y": [1.0]}), ft.DataError, "1 and"),
        (lambda p: ft.update(p, {"g": ["a"], "x": ["q"], "y": [1.0]}), ft.DataError, "numbers"),
        (lambda p: ft.update(p, {"g": ["a"], "x": [None], "y": [1.0]}), ft.DataError, "`x`"),
        (lambda p: ft.update(p, {"spread": [1.0]}), ft.DataError, "one value"),
        (lambda p: ft.update(p, 3), ft.DataError, "dict of columns"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(attempt, error, said):
    with pytest.raises(error, match=said):
        attempt(first())


def test_what_stands_beside_the_arguments_cannot_be_added_to():
    posterior = ft.fit(given(FIRST).substitute(b=0.0), FEW, seed=4, progress=False)
    with pytest.raises(ft.ModelError, match="beside its arguments"):
        ft.update(posterior, {"g": ["a"], "x": [1.0], "y": [1.0]})
