"""A table comes alike from wherever it lies, and what it cannot do is refused in a sentence."""

import datetime as dt
import sqlite3
import warnings

import numpy as np
import polars as pl
import pytest
from tests.scale.rows import rows

import finetti as ft

TEXT = "y ~ x + (1 | g)"
COUNT = 60


def given(model: ft.Model) -> dict[str, np.ndarray]:
    """Return the arguments of a model."""
    assert model.arguments is not None
    return dict(model.arguments[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the rows as files of each kind."""
    import duckdb

    place, d = tmp_path_factory.mktemp("sources"), rows(COUNT)
    (place / "parts").mkdir()
    d[:25].write_parquet(place / "parts" / "a.parquet")
    d[25:].write_parquet(place / "parts" / "b.parquet")
    d.write_parquet(place / "rows.parquet")
    d.write_csv(place / "rows.csv")
    with duckdb.connect(str(place / "rows.duckdb")) as connection:
        connection.execute(f"create table kept as select * from '{place}/rows.parquet'")
        connection.execute("create table other as select 1 as y")
    connection = sqlite3.connect(place / "rows.sqlite")
    d.select("y", "x", "g").to_pandas().to_sql("kept", connection)
    connection.close()
    return place


def _ibis(folder):
    import ibis

    return ibis.memtable(rows(COUNT).to_pandas())


def _pyarrow(folder):
    import pyarrow.dataset

    return pyarrow.dataset.dataset(folder / "rows.parquet")


def _dask(folder):
    frame = pytest.importorskip("dask.dataframe")
    return frame.from_pandas(rows(COUNT).to_pandas(), npartitions=3)


SOURCES = {
    "a Parquet file": lambda folder: ft.table(folder / "rows.parquet"),
    "a folder": lambda folder: ft.table(folder / "parts"),
    "a pattern": lambda folder: ft.table(f"{folder}/parts/*.parquet"),
    "a CSV file": lambda folder: ft.table(folder / "rows.csv"),
    "a DuckDB file": lambda folder: ft.table(f"{folder}/rows.duckdb?kept"),
    "a query": lambda folder: ft.table(folder / "rows.duckdb", "select * from kept where true"),
    "an SQLite file": lambda folder: ft.table(folder / "rows.sqlite"),
    "a lazy frame": lambda folder: rows(COUNT).lazy(),
    "a table of ibis": _ibis,
    "a data set of PyArrow": _pyarrow,
    "a frame of Dask": _dask,
}


@pytest.mark.parametrize("source", SOURCES)
def test_sums_are_alike_from_everywhere(source, folder):
    expected = given(ft.formula(TEXT, ft.table(folder / "rows.parquet")))
    data = SOURCES[source](folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = given(ft.formula(TEXT, data))
    assert list(found) == list(expected)
    assert found["g"].labels == expected["g"].labels
    weight = expected["rows"]
    for name in ("x", "y"):
        moments = [[w @ np.asarray(v), w @ np.asarray(v) ** 2] for w, v in
                   ((found["rows"], found[name]), (weight, expected[name]))]  # fmt: skip
        np.testing.assert_allclose(*moments, rtol=1e-12)


REFUSED = {
    "no file": (lambda f: ft.table(f / "none.parquet"), "no file"),
    "no file of a pattern": (lambda f: ft.table(f"{f}/none*.parquet"), "no file"),
    "files of two kinds": (ft.table, "several kinds"),
    "a file of another kind": (lambda f: ft.table(__file__), "cannot stay in place"),
    "no table at all": (lambda f: ft.table(3), "no table that finetti reads"),
    "mixed rows in memory": (lambda f: ft.table({"y": [1, "a"]}), "cannot be added up"),
    "ragged rows in memory": (lambda f: ft.table({"y": [1, 2], "x": [1]}), "cannot be added up"),
    "which table": (lambda f: ft.table(f / "rows.duckdb"), "`kept` and `other`"),
    "no such table": (lambda f: ft.table(f / "rows.duckdb", "kep"), "no table `kep`"),
    "a query that drops": (
        lambda f: ft.table(f / "rows.duckdb", "select * from kept; drop table other"), "read-only"),
    "a query of another file": (
        lambda f: ft.table(f / "rows.duckdb", f"select * from '{f}/rows.parquet'"), "disabled"),
    "no such server": (
        lambda f: ft.table("postgres://me:secret@localhost:1/none?t"), "postgres://localhost:1"),
    "a folder without in place": (lambda f: ft.formula(TEXT, f / "parts"), "ft.table"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_in_place_is_refused(case, folder):
    make, said = REFUSED[case]
    with pytest.raises(ft.DataError, match=said) as caught:
        make(folder)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def _with(**columns) -> pl.LazyFrame:
    return rows(COUNT).with_columns(**columns).lazy()


N = pl.int_range(COUNT)
BAD = {
    "poly": ("y ~ poly(x, 2)", {}, _with(), "poly\\(x, 2\\)` learns"),
    "a spline": ("y ~ s(x)", {}, _with(), "learns from all rows"),
    "no column": ("y ~ xx", {}, _with(), "did you mean `x`"),
    "no group": ("y ~ (1 | gg)", {}, _with(), "no column `gg`"),
    "no function": ("y ~ lag(x)", {}, _with(), "no function 'lag'"),
    "impute": ("y ~ x", {"missing": "impute"}, _with(), "cannot be unknown"),
    "nothing of a root": ("y ~ sqrt(z)", {}, _with(z=pl.col("my x")), r"not finite|not a number"),
    "the log of 0": ("y ~ log(z)", {}, _with(z=N % 3), "not finite"),
    "an infinite value": ("y ~ z", {}, _with(z=pl.lit(float("inf"))), "`z` is not finite"),
    "a scale of nothing": ("y ~ scale(z)", {}, _with(z=pl.lit(3.0)), "one value only"),
    "no rows": ("y ~ x", {}, _with().head(0), "no rows"),
    "one group": ("y ~ (1 | o)", {}, _with(o=pl.lit("a")), "one level, 'a'"),
    "fractions for counts": ("y ~ 1", {"family": "poisson"}, _with(), "takes counts"),
    "counts below 0": ("v ~ 1", {"family": "poisson"}, _with(v=N - 3), "is -3"),
    "counts without end": ("v ~ 1", {"family": "poisson"}, _with(v=pl.lit(2**52)), "exact"),
    "an exposure of 0": (
        "k ~ offset(log(v))", {"family": "poisson"}, _with(v=N % 3), "above 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_added_up_is_refused(case):
    text, settings, data, said = BAD[case]
    with pytest.raises(ft.FinettiError, match=said) as caught:
        ft.formula(text, data, **settings)
    assert "\n" not in str(caught.value)


def test_sums_are_the_same_to_the_bit_each_time(tmp_path):
    rows(200_000).write_parquet(tmp_path / "rows.parquet", row_group_size=10_000)
    text = "y ~ scale(x) + (1 | g)"
    first, second = (given(ft.formula(text, ft.table(tmp_path / "rows.parquet"))) for _ in "ab")
    assert all(np.array_equal(np.asarray(first[n]), np.asarray(second[n])) for n in first)


def test_too_many_sums_are_refused_by_their_number(monkeypatch):
    monkeypatch.setattr("finetti.scale.sums.MOST", 50)
    with pytest.raises(ft.DataError, match=r"60 rows .* would come as 60 sums, more than 50"):
        ft.formula("b ~ x", rows(COUNT).lazy(), family="bernoulli")


@pytest.mark.parametrize("kind", ["Parquet", "lazy"])
def test_rows_that_lack_a_value_are_counted_as_those_in_memory_are(kind, tmp_path):
    holes = rows(COUNT).with_columns(
        x=pl.when(N < 5).then(None).otherwise(pl.col("x")),
        y=pl.when(N > 56).then(float("nan")).otherwise(pl.col("y")),
        f=pl.when(N == 30).then(pl.lit(" ")).otherwise(pl.col("f")),
    )
    holes.write_parquet(tmp_path / "holes.parquet")
    data = ft.table(tmp_path / "holes.parquet") if kind == "Parquet" else holes.lazy()
    said = "9 of 60 rows lack a value"
    with pytest.raises(ft.DataError, match=said):
        ft.formula("y ~ x + f", data)
    with pytest.warns(UserWarning, match=said):
        of_rows = ft.formula("y ~ x + f", holes, missing="drop")
    with pytest.warns(UserWarning, match=said):
        found = ft.formula("y ~ x + f", data, missing="drop")
    assert given(found)["rows"].sum() == pytest.approx(51)
    assert (
        found.code().split("mean =")[0].split(":\n")[1]
        == (of_rows.code().split("mean =")[0].split(":\n")[1])
    )


LABELS = {
    "whole numbers": lambda g: g,
    "numbers as text": lambda g: g.cast(pl.String),
    "text of any kind": lambda g: pl.Series(
        [("a'b", 'c"d', "ü;--", "x%s", "A", "a", "\\", "{0}")[i % 8] for i in g]
    ),
    "dates": lambda g: pl.Series([dt.date(2020, 1, 1) + dt.timedelta(int(i)) for i in g]),
    "times": lambda g: pl.Series([dt.datetime(2020, 1, 1, 5) + dt.timedelta(int(i)) for i in g]),
    "truth values": lambda g: g > 9,
    "decimals": lambda g: g.cast(pl.Decimal(10, 2)),
    "fractions": lambda g: g.cast(pl.Float64) + 0.5,
    "large numbers": lambda g: g.cast(pl.Int64) + 2**62,
}


@pytest.mark.parametrize("kind", LABELS)
def test_groups_have_the_labels_of_the_rows(kind, tmp_path):
    d = rows(COUNT)
    d = d.with_columns(LABELS[kind](d["g"]).alias('the "group"; drop table'))
    d.write_parquet(tmp_path / "odd'name.parquet")
    text = 'y ~ x + (1 | `the "group"; drop table`)'
    both = [ft.formula(text, data) for data in (d, ft.table(tmp_path / "odd'name.parquet"))]
    labels = [[p.labels for v in m.variables for p in v.plates if p.labels] for m in both]
    assert labels[0] == labels[1]


def test_little_variance_far_from_0_is_kept(tmp_path):
    d = rows(COUNT).with_columns(y=1e9 + 1e-3 * pl.col("y"), x=1e8 + 1e-2 * pl.col("x"))
    d.write_parquet(tmp_path / "far.parquet")
    found = given(ft.formula("y ~ x + (1 | h)", ft.table(tmp_path / "far.parquet")))
    for name, far in (("y", 1e9), ("x", 1e8)):
        w, v, own = found["rows"], np.asarray(found[name]) - far, d[name].to_numpy() - far
        spread = np.sqrt(np.average((v - np.average(v, weights=w)) ** 2, weights=w))
        # doubles near 1e9 are 1.2e-7 apart, 1e-4 of the spread, and so are the rows' own
        assert spread == pytest.approx(own.std(), rel=1e-4)
