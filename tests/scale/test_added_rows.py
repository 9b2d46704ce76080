"""Rows added to the sums of others make the model of all rows; the first are not needed."""

from functools import cache

import numpy as np
import polars as pl
import pytest
from tests.scale.rows import described, log_densities, rows
from tests.scale.test_same_model import CASES, CLOSE

import finetti as ft
from finetti.criticism.anew import added

FAST = ("a level for each group", "yes or no", "counts of exposures")
FIRST = rows()[:350]
REST = rows()[350:]


@pytest.mark.parametrize(
    "case", [c if c in FAST else pytest.param(c, marks=pytest.mark.slow) for c in CASES]
)
@pytest.mark.filterwarnings("ignore:.*predictors before")
def test_the_log_density_is_that_of_all_rows_constants_included(case):
    text, settings = CASES[case]
    of_rows = added(ft.formula(text, FIRST, **settings), REST)
    of_sums = ft.formula(text, ft.table(FIRST), **settings)
    once = added(of_sums, REST)
    twice = added(added(of_sums, REST[:90]), REST[90:].lazy())
    assert described(of_rows) == described(once) == described(twice)
    assert once.code() == of_sums.code()  # the priors, too, are those of the first rows
    expected, *found = log_densities(of_rows, once, twice)
    for each in found:
        np.testing.assert_allclose(each, expected, rtol=CLOSE)


def test_sums_do_not_grow_with_the_rows_added_but_with_their_cells():
    text = "y ~ x + (1 | h)"
    first = ft.formula(text, ft.table(FIRST))
    alike = [
        next(v for v in m.variables if v.kind == "observed") for m in (first, added(first, REST))
    ]
    assert alike[0].shape == alike[1].shape == (2 * 3,)
    assert alike[1].weights.sum() == pytest.approx(600, rel=1e-14)
    assert "600 rows of the table in memory, 250 of them added" in added(first, REST).added
    grown = added(first, REST.with_columns(h=pl.lit("w")))
    assert grown.variables[-1].shape == (3 * 3,)
    (plate,) = next(v for v in grown.variables if v.name == "h").plates
    assert plate.labels == ("u", "v", "w")


@pytest.mark.slow
def test_a_posterior_is_updated_by_sums():
    first = ft.fit(ft.formula("y ~ x + (1 | g)", ft.table(FIRST)), seed=3, progress=False)
    found = ft.update(first, REST)
    expected = ft.fit(added(ft.formula("y ~ x + (1 | g)", FIRST), REST), seed=3, progress=False)
    one, two = found.summary(), expected.summary()
    error = np.hypot(one["mcse_mean"], two["mcse_mean"])
    assert (np.abs(one["mean"] - two["mean"]) < 5 * error).all()


@cache
def made(text, family=None):
    return ft.formula(text, ft.table(FIRST), family=family)


NORMAL = ("y ~ x * f + (1 | g)",)
COUNTS = ("k ~ f + offset(log(e))", "poisson")
ORDERED = ("q ~ f", "cumulative")


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (NORMAL, REST.with_columns(g=pl.lit("a")), "`g` holds numbers in the fit and names in the"),
        (NORMAL, REST.with_columns(f=pl.lit("z")), r"levels \(z\) in 'f'"),
        (NORMAL, REST.drop("y"), "no column `y`"),
        (NORMAL, REST.with_columns(x=pl.lit(None)), "`x`"),
        (NORMAL, REST.with_columns(x=pl.lit(np.nan)), "250 of 250 rows lack a value"),
        (NORMAL, REST.with_columns(x=pl.lit(np.inf)), "`x` is not finite"),
        (NORMAL, REST[:0], "no rows"),
        (NORMAL, 3, "takes a table"),
        (COUNTS, REST.with_columns(k=pl.lit(-1)), "`k` is -1"),
        (COUNTS, REST.with_columns(e=pl.lit(-1.0)), "not a number in 250 rows"),
        (ORDERED, REST.with_columns(q=pl.lit(9)), "`q` is 9"),
    ],
)
def test_rows_that_cannot_be_added_are_refused_in_a_sentence(model, more, said):
    with pytest.raises(ft.DataError, match=said):
        added(made(*model), more)
