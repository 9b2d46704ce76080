"""Check that columns which no model can use are refused by argument and row, and kinds are kept."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from cases import Refused

import finetti as ft
from finetti.data import arguments
from finetti.reading.read import read


@ft.model
def slope(x, y=None):
    """Regress y on x."""
    b = ft.sample("b", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(b * x, 1), obs=y)


@ft.model
def intercepts(county, y):
    """Give each county a level."""
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(alpha[county], 1), obs=y)


@ft.model
def gathered(county, y):
    """Give each of two counties a level, without its names."""
    with ft.plate("county", 2):
        alpha = ft.sample("alpha", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(alpha[county], 1), obs=y)


@ft.model
def many(*columns, **named):
    """Take any columns."""


def table(**columns):
    return read_columns(pl.DataFrame(columns))


def read_columns(frame):
    import narwhals as nw

    return {c: nw.from_native(frame[c], series_only=True) for c in frame.columns}


def bound(model, columns):
    return arguments(model, columns)


NAN = float("nan")
Y = np.array([1.0, 2.0, 3.0])
MISSING = {
    "NaN in an array": np.array([1.0, NAN, NAN]),
    "NaN in 32 bits": np.array([1.0, NAN, 2.0], np.float32),
    "NaN in a JAX array": jnp.array([1.0, NAN, 2.0]),
    "NaN in a table": np.array([[1.0, 2.0], [3.0, NAN]]),
    "NaN in a list": [1.0, NAN, 2.0],
    "None in a list": [1, None, 2],
    "None in an object array": np.array([1, None, 2], object),
    "pandas' NA in a list": [1.0, pd.NA, 2.0],
    "pandas' NA in whole numbers": pd.Series([1, pd.NA, 2], dtype="Int64"),
    "pandas' NA among objects": pd.Series([1, pd.NA, 2], dtype=object),
    "pandas' NaN": pd.Series([1.0, NAN, 2.0]),
    "pandas' NA in truth values": pd.Series([True, pd.NA, False], dtype="boolean"),
    "pandas' category without": pd.Series(pd.Categorical(["a", None, "b"])),
    "pandas' text without": pd.Series(["a", None, "b"]),
    "polars' null": pl.Series([1.0, None, 2.0]),
    "polars' null in whole numbers": pl.Series([1, None, 2]),
    "polars' null in text": pl.Series(["a", None, "b"]),
    "polars' null in an Enum": pl.Series(["a", None], dtype=pl.Enum(["a"])),
    "a masked value": np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
    "a blank": ["a", " ", "b"],
    "NaT": np.array(["2024-01-01", "NaT"], "datetime64[D]"),
}
CASES = [
    *(
        Refused(name, lambda x=x: slope(x, Y), ft.MissingValue, ("argument `x`", "row 1"))
        for name, x in MISSING.items()
    ),
    Refused("named", lambda: slope(x=[1.0, NAN]), ft.MissingValue, ("argument `x`", "row 1")),
    Refused("a number", lambda: slope(NAN), ft.MissingValue, ("argument `x`", "missing")),
    Refused("second", lambda: slope(Y, [1.0, NAN]), ft.MissingValue, ("argument `y`", "row 1")),
    Refused("one of many", lambda: many(Y, [NAN]), ft.MissingValue, ("`columns[1]`", "row 0")),
    Refused("in a tree", lambda: many({"a": Y * NAN}), ft.MissingValue, ("`columns[0]['a']`",)),
    Refused("text in numbers", lambda: slope([1.0, "."]), ft.ModelError, ("`x`", "'.' in row 1")),
    Refused(
        "text among objects",
        lambda: slope(np.array([1.0, 2.0, "."], object)),
        ft.ModelError,
        ("`x`", "'.' in row 2", "numbers"),
    ),
    Refused(
        "text in a series", lambda: slope(pd.Series([1, 2, "n/a"])), ft.ModelError, ("'n/a'", "2")
    ),
    Refused(
        "durations",
        lambda: slope(np.array([1, 2], "timedelta64[D]")),
        ft.ModelError,
        ("`x` holds lengths of time",),
    ),
    Refused("too large", lambda: slope([1, 2**70]), ft.ModelError, (str(2**70), "row 1")),
    Refused(
        "complex",
        lambda: slope(np.array([1j, 2.0])).plan(),
        ft.SupportError,
        ("site `y`", "complex loc"),
    ),
    Refused("truth in numbers", lambda: slope([0.5, True, 1.5]), ft.ModelError, ("True", "row 1")),
    Refused(
        "a list of text",
        lambda: slope(["low", "high", "low"], Y).variables,
        ft.ModelError,
        ("model `slope`", "argument `x` holds text", "'low' in row 0", "ft.groups(x)"),
    ),
    Refused(
        "an array of text",
        lambda: slope(np.array(["low", "high"]), Y[:2]).variables,
        ft.ModelError,
        ("argument `x` holds text", "ft.groups(x)"),
    ),
    Refused(
        "a series of text",
        lambda: slope(pd.Series(["low", "high"]), Y[:2]).variables,
        ft.ModelError,
        ("'low', 'high'", "not a number"),
    ),
    Refused(
        "numbers as text",
        lambda: slope(["1", "2.5", "."], Y).variables,
        ft.ModelError,
        ("argument `x`", "'.' in row 2", "no number"),
    ),
    Refused(
        "a series of numbers as text",
        lambda: slope(pd.Series(["1", "2.5", "."]), Y),
        ft.ModelError,
        ("argument `x`", "'.' in row 2", "no number"),
    ),
    Refused(
        "an index of text",
        lambda: gathered(["Pine", "Cook", "Pine"], Y).variables,
        ft.ModelError,
        ("argument `county` holds text", "ft.groups(county)"),
    ),
    Refused(
        "a category as a slope",
        lambda: slope(pd.Series(pd.Categorical(["low", "high"])), Y[:2]).variables,
        ft.ModelError,
        ("'high', 'low'", "not a number"),
    ),
    Refused(
        "days as a slope",
        lambda: slope(np.array(["2024-03-01", "2024-03-02"], "datetime64[D]"), Y[:2]).variables,
        ft.ModelError,
        ("'2024-03-01'", "not a number", "dates"),
    ),
    Refused(
        "lengths that differ",
        lambda: slope(np.ones(2), Y).variables,
        ft.ShapeError,
        ("`x` has 2 rows", "`y` has 3"),
    ),
    Refused(
        "lists of lengths that differ",
        lambda: slope([1.0, 2.0, 3.0, 4.0], Y.tolist()).variables,
        ft.ShapeError,
        ("`x` has 4 rows", "`y` has 3"),
    ),
    Refused(
        "groups of another length",
        lambda: intercepts(ft.groups(["a", "b", "a", "b"]), Y).variables,
        ft.ShapeError,
        ("`county` has 4 rows", "`y` has 3"),
    ),
    Refused(
        "one cell of a table",
        lambda: bound(slope, table(x=["1", "2.5", ".", "4"])),
        ft.DataError,
        ("column `x`", "1 of its 4 cells", "'.' in row 3"),
    ),
    Refused(
        "a thousand's comma",
        lambda: bound(slope, table(x=["1", "2", "1,000"])),
        ft.DataError,
        ("column `x`", "'1,000' in row 3"),
    ),
    Refused(
        "a cell with a remark",
        lambda: bound(slope, table(x=["<0.1", "2", "3.5"])),
        ft.DataError,
        ("'<0.1' in row 1",),
    ),
    Refused(
        "a blank cell", lambda: bound(slope, table(x=["a", "  "])), ft.DataError, ("row 2", "`x`")
    ),
    Refused(
        "a category of a table as a slope",
        lambda: slope(**bound(slope, table(x=["low", "high"], y=[1.0, 2.0]))).variables,
        ft.ModelError,
        ("'low', 'high'", "not a number"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_column_that_no_model_can_use_is_refused_by_name_and_row(case):
    case.check()


def test_a_bad_cell_of_a_file_is_found(tmp_path):
    (tmp_path / "t.csv").write_text("x\n1\n2\n.\n4\n")
    with pytest.raises(ft.DataError, match=r"column `x`.*'\.' in row 3"):
        arguments(slope, read(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2.5], [1.0, 2.5]),
        ([True, False], [True, False]),
        (np.array([1, 2.5], object), [1.0, 2.5]),
        (pd.Series([1, 2], dtype="Int64"), [1, 2]),
        (pd.Series([1.5, 2.5], dtype="Float64"), [1.5, 2.5]),
        (pl.Series([1, 2]), [1, 2]),
        (np.ma.masked_array([1.0, 2.0]), [1.0, 2.0]),
        ([np.float64(1.5), 2.0], [1.5, 2.0]),
        ([1.0, np.inf], [1.0, np.inf]),
    ],
)
def test_a_column_of_numbers_is_an_array_whatever_holds_it(column, expected):
    (taken,) = many(column).arguments[0]
    assert isinstance(taken, np.ndarray)
    assert taken.dtype.kind in "bif"
    assert taken.tolist() == expected


@pytest.mark.parametrize("column", [["b", "a"], [np.ones(2), np.ones(3)], {"a": [1]}, "a", None])
def test_what_is_no_column_of_numbers_stays_what_it_is(column):
    assert repr(many(column).arguments[0][0]) == repr(column)


@pytest.mark.parametrize(
    "series",
    [
        pl.Series(["high", "low"], dtype=pl.Enum(["low", "mid", "high"])),
        pd.Series(pd.Categorical(["high", "low"], ["low", "mid", "high"], ordered=True)),
        pd.Series(pd.Categorical(["high", "low"], ["low", "mid", "high"])),
    ],
    ids=["polars", "pandas", "pandas, unordered"],
)
def test_a_category_keeps_its_order_by_either_door(series):
    import narwhals as nw

    (direct,) = many(series).arguments[0]
    from_table = arguments(slope, {"x": nw.from_native(series, series_only=True)})["x"]
    for found in (direct, from_table):
        assert found.labels == ("low", "mid", "high")
        assert found.tolist() == [2, 0]


def test_whole_numbers_are_groups_where_the_model_opens_a_plate_with_them():
    found = arguments(intercepts, table(county=[27, 3, 27], y=[1.0, 2.0, 3.0]))
    assert found["county"].labels == (3, 27)
    assert found["y"].tolist() == [1.0, 2.0, 3.0]
    assert intercepts(**found).variables[0].plates[0].labels == (3, 27)


def test_whole_numbers_are_numbers_where_the_model_computes_with_them():
    found = arguments(slope, table(x=[27, 3, 27], y=[1.0, 2.0, 3.0]))
    assert not isinstance(found["x"], ft.Groups)


@pytest.mark.parametrize("column", [[True, False, True], [1, 0, 1]])
def test_truth_values_are_numbers_or_groups_as_the_model_uses_them(column):
    as_numbers = arguments(slope, table(x=column, y=[1.0, 2.0, 3.0]))
    assert as_numbers["x"].tolist() == [1, 0, 1]
    found = arguments(intercepts, table(county=column, y=[1.0, 2.0, 3.0]))
    alpha, y = intercepts(**found).variables
    assert alpha.plates[0].labels == (False, True)
    assert y.shape == (3,)


def test_names_that_hold_digits_are_groups():
    found = arguments(slope, table(x=["E10", "A1", "7"]))["x"]
    assert set(found.labels) == {"E10", "A1", "7"}
