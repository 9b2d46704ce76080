"""Read tables of every format, and hand their columns to models."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import polars as pl
import pytest

import finetti as ft
from finetti.cli.source import Source
from finetti.data import arguments
from finetti.reading.read import ENDINGS, read

TABLE = pl.DataFrame(
    {
        "county": ["Pine", "Cook", "Pine"],
        "homes": [4, 5, 6],
        "radon": [0.5, 1.25, -2.0],
        "basement": [True, False, True],
    }
)


def sheet(file):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (TABLE.columns, *TABLE.rows()):
        book.active.append(row)
    book.save(file)


def sqlite(file):
    with closing(sqlite3.connect(file)) as held:
        held.execute("create table homes (county text, homes int, radon real, basement int)")
        held.executemany("insert into homes values (?, ?, ?, ?)", TABLE.rows())
        held.commit()


def duck(file):
    import duckdb

    with duckdb.connect(str(file)) as held:
        held.execute("create table homes (county text, homes int, radon double, basement bool)")
        held.executemany("insert into homes values (?, ?, ?, ?)", TABLE.rows())


WRITE = {
    ".csv": TABLE.write_csv,
    ".tsv": lambda file: TABLE.write_csv(file, separator="\t"),
    ".parquet": TABLE.write_parquet,
    ".arrow": TABLE.write_ipc,
    ".feather": TABLE.write_ipc,
    ".json": TABLE.write_json,
    ".jsonl": TABLE.write_ndjson,
    ".ndjson": TABLE.write_ndjson,
    ".xlsx": sheet,
    ".sqlite": sqlite,
    ".sqlite3": sqlite,
    ".db": sqlite,
    ".duckdb": duck,
}


@ft.model
def homes(county, homes, radon, basement):
    """Take every column of the table."""


@ft.model
def one(x):
    """Take one column."""


def one_column(series):
    return arguments(one, {"x": pl_column(series)})["x"]


def pl_column(series):
    import narwhals as nw

    return nw.from_native(series, series_only=True)


def written(tmp_path, text, name="table.csv"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def check(found):
    assert isinstance(found["county"], ft.Groups)
    assert found["county"].labels == ("Cook", "Pine")
    assert found["county"].tolist() == [1, 0, 1]
    assert found["homes"].dtype == np.int64
    assert found["homes"].tolist() == [4, 5, 6]
    assert found["radon"].dtype == np.float64
    assert found["radon"].tolist() == [0.5, 1.25, -2.0]
    assert found["basement"].tolist() == [1, 0, 1]


def test_every_ending_has_its_round_trip():
    assert set(WRITE) == set(ENDINGS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_comes_back_from_every_format(tmp_path, ending):
    file = tmp_path / f"table{ending}"
    WRITE[ending](file)
    check(arguments(homes, read(file)))


@pytest.mark.parametrize(
    "content",
    [TABLE.to_dict(as_series=False), {c: dict(enumerate(TABLE[c])) for c in TABLE.columns}],
    ids=["columns", "columns as pandas writes them"],
)
def test_json_may_hold_columns(tmp_path, content):
    file = written(tmp_path, json.dumps(content), "table.json")
    check(arguments(homes, read(file)))


def test_json_may_hold_arrays_of_any_lengths_and_single_values(tmp_path):
    @ft.model
    def stan(J, y, x, mean):
        """Take data as Stan's interfaces write them."""

    content = {"J": 3, "y": [1, 2.5], "x": [[1, 2, 3], [4, 5, 6]], "mean": 0.5, "unused": None}
    found = arguments(stan, read(written(tmp_path, json.dumps(content), "data.json")))
    assert (found["J"], found["mean"]) == (3, 0.5)
    assert found["y"].tolist() == [1.0, 2.5]
    np.testing.assert_array_equal(found["x"], [[1, 2, 3], [4, 5, 6]])


def test_ordered_categories_keep_their_order_and_their_empty_groups():
    sizes = pl.Series(["small", "large"], dtype=pl.Enum(["small", "middle", "large"]))
    assert one_column(sizes).labels == ("small", "middle", "large")
    assert one_column(sizes).tolist() == [0, 2]
    assert one_column(sizes.cast(pl.Categorical)).labels == ("small", "large")


def test_days_are_groups_whether_the_file_knows_that_they_are_dates_or_not(tmp_path):
    days = pl.Series(["2024-03-02", "2024-03-01", "2024-03-02"])
    assert one_column(days.str.to_date()).labels == one_column(days).labels
    assert one_column(days.str.to_date()).tolist() == [1, 0, 1]


def test_columns_of_pandas_are_read_as_well():
    import pandas as pd

    table = pd.DataFrame({"x": ["b", "a"]})
    assert one_column(table["x"]).labels == ("b", "a")


def test_a_parameter_with_a_default_may_be_absent():
    @ft.model
    def predicted(x, y=None):
        """Observe y where there is one."""

    x, y = pl_column(pl.Series([1])), pl_column(pl.Series([2]))
    assert set(arguments(predicted, {"x": x})) == {"x"}
    assert set(arguments(predicted, {"x": x, "y": y, "z": None})) == {"x", "y"}


def test_an_absent_column_is_named_with_the_nearest_there_is(tmp_path):
    columns = read(written(tmp_path, "County,homes,radon,basement\nPine,1,2,0\n"))
    with pytest.raises(ft.DataError, match=r"`county`.*did you mean `County`\?.*`homes`, `radon`"):
        arguments(homes, columns)


@pytest.mark.parametrize("absent", ["", "NA", "NaN", "null"])
def test_a_missing_value_is_counted_and_found(tmp_path, absent):
    text = f"x,unused\n1,\n2,\n{absent},\n4,\n{absent},5\n"
    columns = read(written(tmp_path, text))
    with pytest.raises(ft.DataError, match="`x` lacks 2 of its 5 values, the first in row 3"):
        arguments(one, columns)


def test_a_missing_group_is_found_as_a_missing_number_is(tmp_path):
    columns = read(written(tmp_path, "x,y\nPine,1\n,2\n"))
    with pytest.raises(ft.DataError, match="`x` lacks 1 of its 2 values, the first in row 2"):
        arguments(one, columns)


def test_missing_values_where_the_model_does_not_look_do_not_matter(tmp_path):
    columns = read(written(tmp_path, "x,unused\n1,\n2,3\n"))
    assert arguments(one, columns)["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (pl.Series([[1, 2], [3]]), "lists in `x` differ in length"),
        (pl.Series([["a"], ["b"]]), "lists in `x` hold something else than numbers"),
        (pl.Series([{"a": 1}]), "column `x` holds Struct"),
        (pl.Series([1]).cast(pl.Duration), "column `x` holds Duration"),
    ],
)
def test_columns_that_no_model_takes_are_refused(series, message):
    with pytest.raises(ft.DataError, match=message):
        one_column(series)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("table.sav", "", "does not read .*save it as .csv, .tsv"),
        ("table.parquet", "no parquet", "cannot read .*table.parquet as parquet"),
        ("table.feather", "no arrow", "cannot read .*table.feather as feather"),
        ("table.json", "{", "cannot read .*table.json as json"),
        ("table.json", "3", "neither a list of records nor an object of columns"),
        ("table.json", '{"y": [1, "a"]}', "`y` mixes numbers with something else"),
        ("table.jsonl", '{"a": 1}\n{', "cannot read .*table.jsonl as jsonl"),
        ("table.csv", "", "cannot read .*table.csv as csv"),
        ("table.csv", "x,y\n", "holds no rows"),
        ("table.json", "[]", "holds no rows"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, name, text, message):
    with pytest.raises(ft.DataError, match=message):
        read(written(tmp_path, text, name))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ft.DataError, match=r"there is no file .*none\.csv"):
        read(tmp_path / "none.csv")


LACKING = "x,y,g\n1,2,a\n,3,b\n2,,a\n0.5,1,b\n"


def observing(x, y, g):
    ft.sample("mu", ft.Normal(0, 1))


@pytest.mark.parametrize("how", ["refuse", "drop", "impute"])
def test_a_model_says_what_becomes_of_cells_that_are_empty(how, tmp_path):
    (tmp_path / "t.csv").write_text(LACKING)
    columns = read(tmp_path / "t.csv")
    model = ft.model(observing).missing(how)
    if how == "refuse":
        with pytest.raises(ft.DataError, match="`x` lacks 1 of its 4 values, the first in row 2"):
            arguments(model, columns)
    elif how == "drop":
        with pytest.warns(UserWarning, match=r"2 of 4 rows lack a value \(`x` 1, `y` 1\)"):
            found = arguments(model, columns)
        assert found["x"].tolist() == [1, 0.5]
        assert found["g"].names.tolist() == ["a", "b"]
    else:
        found = arguments(model, columns)
        assert np.isnan(found["x"]).tolist() == [False, True, False, False]
        assert np.isnan(found["y"]).tolist() == [False, False, True, False]
        assert len(found["g"]) == 4


@pytest.mark.parametrize("way", ["", "?missing=drop", "?missing=impute"])
def test_a_reference_to_a_model_says_what_becomes_of_missing_values(way, tmp_path):
    place = f"{tmp_path / 'm.py'}:line{way}"
    found = Source.parse(place)
    assert str(found) == place
    assert found.missing == (way.removeprefix("?missing=") or "refuse")
