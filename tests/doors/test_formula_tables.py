"""What a formula cannot make of a table is refused by column and row, or advised against."""

import warnings
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import pytest

import finetti as ft
from doors.cases import Refused

ROWS = 24
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(2, ROWS))
HOLE = np.r_[np.nan, np.abs(X[1:])]
TABLE = {"y": Y, "x": X, "g": np.repeat(list("abcdef"), 4)}


def refused(name, text, columns, *words, error=ft.DataError, **said):
    table = pd.DataFrame({**TABLE, **columns})
    return Refused(name, lambda: ft.formula(text, table, **said), error, words)


DAYS = pd.date_range("2020-01-01", periods=ROWS)
TENS = [0, 10] * (ROWS // 2)
CASES = [
    # columns that are neither numbers nor names
    refused("dates", "y ~ t", {"t": DAYS}, "`t`", "dates", "days"),
    refused("lengths of time", "y ~ t", {"t": DAYS - DAYS[0]}, "`t`", "total_seconds"),
    refused("complex numbers", "y ~ t", {"t": X + 1j}, "`t`", "complex"),
    refused("lists", "y ~ t", {"t": [[1, 2]] * ROWS}, "`t`", "list"),
    *(
        Refused(f"{name} in a dict", partial(ft.formula, text, {"y": Y, "t": column}), error, said)
        for name, column in (("lists", [[1, 2]] * ROWS), ("ragged lists", [[1], [1, 2]] * 12))
        for text, error, said in (
            ("y ~ t", ft.DataError, ("`t`", "list")), ("t ~ y", ft.DataError, ("`t`", "list")),
            ("y ~ (1 | t)", ft.ModelError, ("groups need a column",)),
        )
    ),
    refused("numbers and text", "y ~ t", {"t": [1, "a"] * 12}, "`t`", "'a' among numbers"),
    refused("numbers as text", "y ~ t", {"t": [f"{v:.2f}" for v in X]}, "`t`", "to_numeric"),
    refused(
        "a word among numbers", "y ~ t", {"t": [*(f"{v:.2f}" for v in X[1:]), "n/a"]}, "'n/a'"
    ),
    refused("one name alone", "y ~ t", {"t": "a"}, "'t'", "one level"),
    refused("mixed outcomes", "t ~ x", {"t": [1, "a"] * 12}, "'a'", family="categorical"),
    Refused(
        "columns of one name",
        lambda: ft.formula("y ~ x", pd.DataFrame(np.ones((3, 3)), columns=["y", "x", "x"])),
        ft.DataError,
        ("several columns `x`",),
    ),
    # outcomes that are none of the family's
    refused("an infinite outcome", "t ~ x", {"t": np.r_[np.inf, Y[1:]]}, "`t` is inf in row 1"),
    refused("ones of no ones", "t ~ x", {"t": 1.0}, "below 1", family="zero_inflated_beta"),
    *(
        refused(f"{f} of numbers", "t ~ x", {"t": Y}, "24 different values", family=f)
        for f in ("categorical", "cumulative")
    ),
    refused(
        "trials of none", "y | trials(n) ~ x", {"n": 3}, "binomial", error=ft.ModelError,
        family="gaussian",
    ),
    refused("infinite trials", "p(k, n) ~ x", {"k": 1, "n": np.inf}, "inf trials in row 1"),
    # what is said of outcomes
    refused("negative weights", "y | weights(w) ~ x", {"w": [1, -1] * 12}, "-1 in row 2"),
    refused("endless weights", "y | weights(w) ~ x", {"w": [1, np.inf] * 12}, "inf in row 2"),
    refused("no weight", "y | weights(w) ~ x", {"w": 0}, "all 0"),
    refused("errors of 0", "y | se(w) ~ x", {"w": TENS}, "se(w) is 0 in row 1", "above 0"),
    refused("negative errors", "y | se(w) ~ x", {"w": -1.0}, "se(w) is -1 in row 1"),
    refused("no time", "n | rate(w) ~ x", {"n": 1, "w": TENS}, "rate(w) is 0", family="poisson"),
    refused("rates without logs", "y | rate(w) ~ x", {"w": 1}, "log", error=ft.ModelError),
    refused("half censored", "y | cens(w) ~ x", {"w": [0.5, 0.0] * 12}, "'0.5' in row 1"),
    refused(
        "categories censored", "cbind(a, b) | cens(w) ~ x", {"a": 1, "b": 2, "w": [0, 1] * 12},
        "one column", error=ft.ModelError, family="multinomial",
    ),
    # what cannot be unknown
    *(
        refused(f"holes in {term}", f"y{said} ~ x{term}", {"z": HOLE, "u": 1.0}, "`z` lacks 1",
                "drop", missing="impute")
        for said, term in (
            ("", " + s(z)"), ("", " + gp(z)"), ("", " + offset(z)"), ("", " + (1 | z)"),
            ("", " + (1 | mm(g, g, weights=c(u, z)))"), ("", "; sigma ~ s(z)"),
            (" | weights(z)", ""), (" | se(z)", ""), (" | cens(z)", ""),
        )
    ),
    refused("holes in trials", "p(k, z) ~ x", {"k": 0, "z": HOLE}, "`z` lacks 1", missing="impute"),
    # formulas
    *(
        refused(f"the power {text}", f"y ~ {text}", {}, "** 2) for a power", error=ft.ModelError)
        for text in ("x**2", "x^2", "`x` ** 2")
    ),
    refused("levels twice", "y ~ (1 | g) + (x | g)", {}, "two terms", error=ft.ModelError),
    Refused("no text", lambda: ft.formula(3, TABLE), ft.ModelError, ("a formula is text", "3")),
    Refused(
        "an outcome twice", lambda: ft.formula(["y ~ x", "y ~ g"], TABLE), ft.ModelError, ("y, y",)
    ),
    refused("an unknown way", "y ~ x", {}, "'guess'", error=ft.ModelError, missing="guess"),
    # priors
    *(
        refused(f"{prior} of {name}", text, {"n": [0, 1] * 12}, name, words,
                error=ft.ModelError, priors={name: prior}, family=family)
        for name, prior, text, words, family in (
            ("sigma", "Normal(0, 1)", "y ~ x", "HalfNormal", None),
            ("sd[g]", "Normal(0, 1)", "y ~ (1 | g)", "HalfNormal", None),
            ("zi", "Normal(0, 1)", "n ~ x", "between 0 and 1", "zero_inflated_poisson"),
            ("x", "Poisson(3.0)", "y ~ x", "whole number", None),
        )
    ),
    refused("a prior of three", "y ~ x", {}, "shape (3,)", error=ft.ModelError,
            priors={"x": ft.Normal(np.zeros(3), 1)}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_a_formula_cannot_use_is_refused(case):
    case.check()


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%y", "%Y-%m-%dT%H:%M"])
def test_dates_as_text_are_advised_against(written):
    days = DAYS.strftime(written)
    with pytest.warns(UserWarning, match=r"24 dates.*\(1 \| t\)"):
        ft.formula("y ~ t", {**TABLE, "t": days})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ft.formula("y ~ x + (1 | t)", {**TABLE, "t": [*days[:12]] * 2})
        ft.formula("y ~ t", {**TABLE, "t": [days[0], days[1]] * 12})


TAKEN = {
    "decimals": ("y ~ t", {"t": [Decimal(f"{v:.2f}") for v in X]}, "t"),
    "integers as objects": ("y ~ t", {"t": np.arange(ROWS).astype(object)}, "t"),
    "whole numbers as names": ("y ~ t", {"t": [str(i % 3) for i in range(ROWS)]}, "t"),
    "dates of groups": ("y ~ x + (1 | t)", {"t": list(DAYS[:6]) * 4}, "t"),
    "a slash in a name": ("y ~ `x/y`", {"x/y": X}, "x/y"),
    "an outcome's name in a name": ("y ~ `y x`", {"y x": X}, "y x"),
    "powers of R": ("y ~ I(x^2)", {}, "I(x ** 2)"),
    "interactions of R": ("y ~ (x + t)^2", {"t": X**2}, "x:t"),
    "codes of censoring": ("y | cens(t) ~ x", {"t": [0.0, 1.0] * 12}, "y"),
    "unused infinities": ("y ~ x", {"t": np.inf}, "x"),
    "a level and a slope": ("y ~ (1 | g) + (0 + x | g)", {}, "g"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_looks_strange_is_taken(case):
    text, columns, site = TAKEN[case]
    model = ft.formula(text, pd.DataFrame({**TABLE, **columns}))
    assert site in {v.name for v in model.variables}


@pytest.mark.parametrize(
    "priors",
    [{"cor": ft.LKJ(2)}, ["cor ~ LKJ(2)"], {"cor[g]": 2}, {"cor": ft.LKJCholesky(2, 2.0)},
     {"cor[g]": ft.LKJ(2, 2.0)}],
    ids=("LKJ", "text", "number", "LKJCholesky", "LKJ of a group"),
)  # fmt: skip
def test_priors_of_correlations_are_their_concentration(priors):
    code = ft.formula("y ~ x + (x | g)", TABLE, priors=priors).code()
    assert "ft.LKJCholesky(2, 2)" in code


@pytest.mark.parametrize("prior", ["Uniform(0, 5)", "HalfFlat()", "Gamma(2, 1)", "LogNormal(0, 1)"])
def test_priors_of_scales_may_be_of_any_positive_family(prior):
    assert ft.formula("y ~ x", TABLE, priors={"sigma": prior}).variables


def test_truth_values_and_columns_of_columns_are_read():
    nested = pd.DataFrame(np.c_[Y, X], columns=pd.MultiIndex.from_tuples([("y", ""), ("x", "1")]))
    assert {"x_1"} <= {v.name for v in ft.formula("y ~ x_1", nested).variables}


def test_as_many_coefficients_as_rows_are_advised_against():
    with pytest.warns(UserWarning, match="as many coefficients"):
        ft.formula("y ~ t", pd.DataFrame({**TABLE, "t": DAYS.astype(str)}))
