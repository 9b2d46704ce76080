"""Rows that follow are refused where they would mislead what the fit has learned."""

import numpy as np
import pandas as pd
import pytest
from tests.formulas.table import table

import finetti as ft

D = table().assign(b=lambda d: d.t > 2, day=lambda d: pd.Timestamp(2020, 1, 1) + pd.to_timedelta(
    d.t % 3, "D"))  # fmt: skip
ROWS = D.iloc[[3, 8, 21, 34]].reset_index(drop=True)
KINDS = {"text": "one", "figures": "1", "dates": pd.Timestamp(2020, 1, 1), "time": pd.Timedelta(1)}
NUMBERS = [
    "y ~ x", "y ~ log(x)", "y ~ x:f", "y ~ s(x)", "y ~ gp(x)", "y ~ offset(x)", "y ~ (x | g)",
    "y | weights(x) ~ z", "y | se(x) ~ z", "y ~ (1 | mm(g, h, weights=c(w, x)))",
]  # fmt: skip
WHOLE = ["y ~ C(k)", "y ~ factor(k)", "y ~ mo(k)", "y ~ (1 | k)", "y ~ (1 | k:g)"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [*NUMBERS, *WHOLE])
def test_columns_of_another_kind_than_the_fits_are_refused(text, kind):
    name = "x" if text in NUMBERS else "k"
    with pytest.raises(ft.DataError, match=f"`{name}` holds numbers in the fit and .* in these"):
        ft.formula(text, D).reader(ROWS.assign(**{name: KINDS[kind]}))


def test_text_is_no_number_and_numbers_no_text():
    with pytest.raises(ft.DataError, match="`f` holds text in the fit and numbers"):
        ft.formula("y ~ (1 | f)", D).reader(ROWS.assign(f=3))
    with pytest.raises(ft.DataError, match="`x` holds numbers in the fit and text"):
        ft.formula("y ~ x", D).reader.with_rows(ROWS.assign(x="1"))


@pytest.mark.parametrize(
    "text", ["y ~ x", "y ~ log(x)", "y ~ log(x):f", "y ~ (log(x) | g)", "y ~ offset(log(x))",
             "y ~ offset(x)", "y ~ s(x)", "y ~ gp(x)"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")
def test_terms_that_are_not_finite_are_refused(text):
    with pytest.raises(ft.DataError, match=r"x.* row 2 \(1 such rows\)"):
        ft.formula(text, D).reader(ROWS.assign(x=[5.0, np.inf, 5.0, 5.0]))


@pytest.mark.parametrize(
    "term",
    [
        "I(x - np.mean(x))", "I(x / np.std(x))", "np.abs(x - np.median(x))",
        "I(x - np.mean(x)):f", "offset(x - np.mean(x))",
    ],
)  # fmt: skip
def test_terms_that_new_rows_would_change_are_taken_of_the_fits_rows_alone(term):
    model = ft.formula(f"y ~ {term}", D)
    assert set(model.reader(D)) == set(model.arguments[1])
    with pytest.raises(ft.DataError, match=r"of all rows together.*center"):
        model.reader(ROWS)


def test_outcomes_of_new_rows_need_not_be_whole():
    for text in ("I(y - np.mean(y)) ~ x", "y ~ x"):
        assert len(ft.formula(text, D).reader(ROWS.assign(y=np.inf))["x"]) == 4


@pytest.mark.parametrize(
    ("text", "changed", "said"),
    [
        ("y ~ s(x, k=4, by=f)", {"f": "new"}, "`f` is 'new', of which"),
        ("y ~ s(x, k=4, by=b)", {"b": None}, "no column `b`"),
        ("y ~ gp(x)", {"x": 100.0}, r"gp\(x\) says nothing of 100, in row 1"),
        ("y ~ (1 | gr(g, by=kind))", {"kind": "new"}, "`kind` is 'new'"),
        ("y ~ (1 | mm(g, h, weights=c(w, x)))", {"w": 0.0, "x": 0.0}, "sum to 0 in row 1"),
    ],
)
def test_what_the_fit_knows_nothing_of_is_refused(text, changed, said):
    rows = ROWS.assign(**changed).dropna(axis=1)
    with pytest.raises(ft.DataError, match=said):
        ft.formula(text, D).reader(rows)


@pytest.mark.parametrize("factor", ["k", "k:g", "g:k", "t:k", "day", "day:g"])
def test_groups_are_known_whatever_holds_their_names(factor):
    """Whole numbers and reals name one group, and a date its day however many there are."""
    texts = [f"y ~ (1 | {factor})" for _ in range(2)]
    held = [D, D.assign(k=D.k.astype(float), t=D.t.astype(float))]
    for text, fitted, other in zip(texts, held, reversed(held), strict=True):
        model = ft.formula(text, fitted)
        (name,) = (n for n, v in model.arguments[1].items() if hasattr(v, "labels"))
        found = model.reader(other.iloc[:3])[name]
        assert found.labels == model.arguments[1][name].labels
        assert found.codes.tolist() == model.arguments[1][name].codes[:3].tolist()
    with pytest.raises(ft.DataError, match="`f:g`: 'a:b' and 'c' have together the name"):
        ft.formula("y ~ (1 | f:g)", D.assign(f=["a", "a:b"] * 30, g=["b:c", "c"] * 30))


@pytest.mark.parametrize(
    "term",
    ["bs(x, df=5)", "poly(x, 2)", "scale(x)", "C(f, Sum)", "C(k):C(f)", "np.where(x > 3, 1, 0)",
     "binary(f, 'one')", "poly(x, 2):f", "s(x)", "gp(x)", "mo(k)"],
)  # fmt: skip
def test_a_row_by_itself_has_the_columns_that_it_has_among_all(term):
    rows = D.assign(f=np.resize(["one", "two"], len(D)))
    made = ft.formula(f"y ~ {term}", rows)
    whole, alone = made.reader(rows), made.reader(rows.iloc[[4]])
    for name, values in alone.items():
        if isinstance(values, np.ndarray) and values.ndim and len(values) == 1:
            np.testing.assert_allclose(values[0], whole[name][4], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "term",
    [
        "(1 | gr(g, cov=A))", "(1 | gr(g, zerosum=T))", "car(A, gr=g)",
        "(1 | gr(g, cov=A)) + (x | g)",
    ],
)  # fmt: skip
def test_a_new_member_of_those_that_are_drawn_together_is_refused_by_name(term):
    tied = np.exp(-np.abs(np.subtract.outer(range(5), range(5))))
    near = np.eye(5, k=1) + np.eye(5, k=-1)
    model = ft.formula(f"y ~ {term}", D, matrices={"A": near if "car" in term else tied})
    model.reader(ROWS)
    for read in (model.reader, lambda rows: model.reader.with_rows(rows).arguments()):
        with pytest.raises(ft.DataError, match="is none of the members of the fit"):
            read(ROWS.assign(g=[*ROWS.g[:3], "new"]))


def test_one_row_may_be_written_as_its_values():
    found = ft.formula("y ~ x + f", D).reader({"x": 2.0, "f": "b"})
    assert found["x"].tolist() == [2.0]
    assert found["f"].tolist() == [[1.0, 0.0]]
