"""One table makes one model, whatever holds it: kinds of columns, of frames, and their order."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.formulas.table import table

import finetti as ft

D = table()
ORDER = ["low", "mid", "high"]
PLACES = [1, 0, 2, 2]  # of the first four rows among these
GRADES = np.resize([ORDER[i] for i in PLACES], len(D)).tolist()
NAMES = np.resize(["v", "u", "w", "u"], len(D)).tolist()
TRUTH = np.resize([True, False, None], len(D)).tolist()
LONG = np.resize([2**60 + i for i in range(6)], len(D)).tolist()
FAR = np.resize([2**70 + i for i in range(6)], len(D)).tolist()


def made(column, text="y ~ q", **said):
    held = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    held = pa.table if isinstance(column, pa.Array) else held
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        return ft.formula(text, held({"y": D.y.tolist(), "x": D.x.tolist(), "q": column}), **said)


def dictionary(values, of, ordered=False):
    return pa.DictionaryArray.from_arrays([of.index(v) for v in values], of, ordered=ordered)


STATED = {
    "pandas": pd.Categorical(GRADES, ORDER, ordered=True),
    "pandas, not called ordered": pd.Categorical(GRADES, [*ORDER, "unused"]),
    "polars": pl.Series(GRADES, dtype=pl.Enum([*ORDER, "unused"])),
    "arrow": dictionary(GRADES, ORDER, ordered=True),
}
UNSTATED = {
    "text": NAMES,
    "pandas": pd.Series(NAMES).astype("category"),
    "pandas' text": pd.array(NAMES, dtype="string"),
    "polars": pl.Series(NAMES, dtype=pl.Categorical),
    "polars' text": pl.Series(NAMES),
    "arrow": dictionary(NAMES, ["w", "v", "u"]),
}


@pytest.mark.parametrize("held", STATED)
def test_categories_keep_the_order_that_they_state(held):
    fixed, steps, groups = (made(STATED[held], f"y ~ {t}") for t in ("q", "mo(q)", "(1 | q)"))
    assert np.argmax(np.c_[np.full(4, 0.5), fixed.arguments[1]["q"][:4]], 1).tolist() == PLACES
    assert steps.arguments[1]["step_q"][:4].tolist() == PLACES
    assert groups.arguments[1]["q"].labels == tuple(ORDER)
    cut = made(STATED[held], "q ~ x", family="cumulative").arguments[1]["q"]
    assert cut[:4].tolist() == PLACES


@pytest.mark.parametrize("held", UNSTATED)
def test_names_without_an_order_have_that_of_the_alphabet(held):
    fixed, groups = (made(UNSTATED[held], f"y ~ {t}") for t in ("q", "(1 | q)"))
    assert fixed.arguments[1]["q"][:2].tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert groups.arguments[1]["q"].labels == ("u", "v", "w")
    with pytest.raises(ft.DataError, match="ordered categories"):
        made(UNSTATED[held], "y ~ mo(q)")
    with pytest.warns(UserWarning, match="order of the alphabet, u < v < w"):
        made(UNSTATED[held], "q ~ x", family="cumulative")


def test_numbers_as_names_of_ordered_categories_are_in_their_order():
    found = made(np.resize(["1", "10", "2"], len(D)), "q ~ x", family="cumulative")
    assert found.arguments[1]["q"][:3].tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "column",
    [TRUTH, pd.array(TRUTH, dtype="boolean"), pl.Series(TRUTH), pa.array(TRUTH)],
    ids=("objects", "pandas", "polars", "arrow"),
)
@pytest.mark.filterwarnings("ignore:20 of 60 rows")
def test_truth_values_that_lack_some_are_truth_values(column):
    outcome = made(column, "q ~ x", missing="drop")
    predictor = made(column, "y ~ q", missing="drop")
    assert "Bernoulli" in outcome.code()
    assert outcome.arguments[1]["q"][:4].tolist() == [1, 0, 1, 0]
    assert predictor.arguments[1]["q"][:4].tolist() == [1.0, 0.0, 1.0, 0.0]
    unknown = made(column, "y ~ q", missing="impute").arguments[1]["q"]
    np.testing.assert_array_equal(unknown[:3], [1.0, 0.0, np.nan])


LACKING = [*LONG[:-1], None]


@pytest.mark.parametrize(
    "column",
    [
        np.array(LONG, object), pd.array(LACKING, dtype="Int64"), pl.Series(LACKING),
        pa.array(LACKING), np.array(FAR, object), pl.Series(FAR, dtype=pl.Int128),
    ],
    ids=("objects", "pandas", "polars", "arrow", "far", "128 bits"),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:1 of 60 rows")
def test_long_numbers_that_name_groups_stay_apart(column):
    found = made(column, "y ~ (1 | q)", missing="drop").arguments[1]["q"]
    assert len(found.labels) == 6
    assert found.codes[:7].tolist() == [0, 1, 2, 3, 4, 5, 0]


def test_unsigned_numbers_stay_positive():
    large = np.arange(len(D), dtype=np.uint64) * np.uint64(2**20) + np.uint64(2**63)
    assert made(large).arguments[1]["q"].min() > 0


@pytest.mark.parametrize("text", ["y ~ q", "y ~ (q | x)"])
def test_ranges_may_be_names(text):
    ranges = pd.cut(D.z, 3)
    found = ft.formula(text, D.assign(q=ranges, x=NAMES)).arguments[1]["q"]
    np.testing.assert_array_equal(found, np.eye(3)[ranges.cat.codes][:, 1:])


def test_blank_categories_are_missing():
    with pytest.raises(ft.DataError, match=r"20 of 60 rows lack a value .*q"):
        made(pd.Categorical(np.resize(["a", " ", "b"], len(D))))


def test_rows_are_put_together_as_the_table_says():
    named = D.set_index(["g", "f"])
    for text in ("y ~ x + (1 | g)", "y ~ f + (1 | g:f)"):
        assert ft.formula(text, named).code() == ft.formula(text, D).code()
    apart = {"y": D.y, "x": D.x.sort_values()}
    for x in (D.x.sort_values(), D.x.set_axis(D.index + 1), D.x.set_axis([0] * len(D))):
        with pytest.raises(ft.DataError, match="`y` and `x` are series whose indices differ"):
            ft.formula("y ~ x", {**apart, "x": x})
    for x in (set(D.x), iter(D.x)):
        with pytest.raises(ft.DataError, match="is no column of a table"):
            ft.formula("y ~ x", {**apart, "x": x})
