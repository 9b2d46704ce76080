"""Check what comes in as a table: how text is written, queries, sheets, and frames of Python."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from cases import Refused, Shell

import finetti as ft
from finetti.reading.columns import Columns
from finetti.reading.read import read
from finetti.reading.text import sniffed

HOMES = """import finetti as ft
@ft.model
def homes(county, radon):
    with ft.plate("county", county):
        level = ft.sample("level", ft.Normal(0, 1))
    with ft.plate("home", len(radon)):
        ft.sample("y", ft.Normal(level[county], 1), obs=radon)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a database of each kind, and a workbook of two sheets."""
    import duckdb
    import openpyxl

    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("homes.sqlite")) as held:
        held.execute("create table homes (county text, radon real, floor int)")
        held.execute("insert into homes values ('Pine', 1.5, 0), ('Cook', 2, 1), ('Pine', 3, 0)")
        held.execute('create table "odd "" name" (x int)')
        held.execute('insert into "odd "" name" values (7)')
        held.commit()
    with duckdb.connect("homes.duckdb") as held:
        held.execute("create table homes (county text, radon decimal(5, 2), floor int)")
        held.execute("insert into homes values ('Pine', 1.5, 0), ('Cook', 2, 1), ('Pine', 3, 0)")
    book = openpyxl.Workbook()
    book.active.title = "2023"
    for row in (("county", "radon"), ("Pine", 1), ("Cook", 2.5)):
        book.active.append(row)
    other = book.create_sheet("2024")
    for row in (("county", "radon"), ("Lake", 9)):
        other.append(row)
    book.save("homes.xlsx")
    return tmp_path


def lists(columns):
    return {name: list(column) for name, column in columns.items()}


def text(content, name="t.csv", coding="utf-8"):
    Path(name).write_bytes(content.encode(coding))
    return name


PLAIN = {"county": ["É", "B"], "radon": [1.5, -2.0]}
WRITTEN = {
    "commas": ("county,radon\nÉ,1.5\nB,-2\n", "", ""),
    "semicolons": ("county;radon\nÉ;1.5\nB;-2\n", "", "`;` between columns"),
    "decimal commas": ("county;radon\nÉ;1,5\nB;-2,0\n", "", "`;` between columns and a decimal"),
    "tabs": ("county\tradon\nÉ\t1.5\nB\t-2\n", "", "tabs between columns"),
    "tabs and decimal commas": ("county\tradon\nÉ\t1,5\nB\t-2\n", "", "a decimal comma"),
    "bars": ("county|radon\nÉ|1.5\nB|-2\n", "", "`|` between columns"),
    "all told": ("county;radon\nÉ;1,5\nB;-2\n", "separator=;&decimal=,", ""),
    "a word for tabs": ("county\tradon\nÉ\t1.5\nB\t-2\n", "separator=tab", ""),
    "quoted commas": ('county,radon\nÉ,"1.5"\nB,-2\n', "", ""),
    "another separator told": ("county:radon\nÉ:1.5\nB:-2\n", "separator=:", ""),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_text_is_read_as_it_is_written_and_what_was_guessed_is_said(name):
    content, told, said = WRITTEN[name]
    found = read(text(content), told)
    assert lists(found) == PLAIN
    assert (said in found.said) if said else not found.said
    assert lists(read(f"t.csv?{told}" if told else "t.csv")) == PLAIN


@pytest.mark.parametrize("coding", ["cp1252", "latin-1", "utf-16-le", "cp850"])
def test_an_encoding_is_taken_where_it_is_told(coding):
    name = text("county,radon\nÉ,1.5\nB,-2\n", coding=coding)
    assert lists(read(f"{name}?encoding={coding}")) == PLAIN


@pytest.mark.parametrize(
    "content",
    [
        "name\na;b\nc;d;e\n",  # one column of odd names
        "a,b\n1;2,3\n4;5,6\n",  # commas part all lines alike
        "x\n1\n2\n",
        "",
    ],
)
def test_the_usual_separator_stays_where_it_may(content):
    assert sniffed(content, ",") == ","


def test_points_and_commas_in_one_table_are_left_alone():
    found = read(text("a;b\n1.5;1,5\n2.5;2,5\n"))
    assert list(found["b"]) == ["1,5", "2,5"]
    assert "decimal" not in found.said


def test_a_table_written_with_decimal_commas_says_so_to_the_user(capsys):
    from doors.cases import command

    text(HOMES, "homes.py")
    text("county;radon\nPine;1,5\nCook;2,5\n")
    code, out, said = command(capsys, "plan", "homes.py", "--data", "t.csv")
    assert code == 0, said
    assert "t.csv: read with `;` between columns and a decimal comma" in out


@pytest.mark.parametrize("file", ["homes.sqlite", "homes.duckdb"])
def test_a_table_and_a_query_of_a_database_are_read(file):
    whole = {"county": ["Pine", "Cook", "Pine"], "radon": [1.5, 2, 3], "floor": [0, 1, 0]}
    assert {n: [float(x) if n == "radon" else x for x in c] for n, c in lists(
        read(file, "homes")).items()} == whole  # fmt: skip
    query = "select county, avg(radon) as radon from homes group by county order by county"
    found = {"county": ["Cook", "Pine"], "radon": [2.0, 2.25]}
    assert lists(read(file, query)) == found
    assert lists(read(f"{file}?{query}")) == found
    assert lists(read(Path(f"{file}?WITH a AS (select 1 as x) select x from a"))) == {"x": [1]}


def test_a_table_of_an_odd_name_is_no_query():
    assert lists(read("homes.sqlite", 'odd " name')) == {"x": [7]}


def test_numbers_of_mixed_kinds_in_sqlite_are_numbers():
    with closing(sqlite3.connect("mixed.db")) as held:
        held.execute("create table t (x)")
        held.executemany("insert into t values (?)", [(i,) for i in range(200)] + [(0.5,), (None,)])
        held.commit()
    found = read("mixed.db")["x"]
    assert found.dtype.is_float()
    assert list(found)[-2:] == [0.5, None]


def test_a_sheet_is_read_by_its_name_and_the_first_says_so():
    first = read("homes.xlsx")
    assert lists(first) == {"county": ["Pine", "Cook"], "radon": [1, 2.5]}
    assert "sheet `2023` of 2" in first.said
    assert lists(read("homes.xlsx?2024")) == {"county": ["Lake"], "radon": [9]}


def test_a_file_whose_name_has_a_question_mark_is_read_as_it_is():
    assert lists(read(text("x,y\n1,2\n", "what?.csv"))) == {"x": [1], "y": [2]}


FRAME = {"county": ["Pine", "Cook", "Pine"], "radon": [1.5, 2.0, 3.0]}
HELD = {
    "pandas": lambda: pd.DataFrame(FRAME),
    "pandas with rows left out": lambda: pd.DataFrame({"county": ["x", *FRAME["county"]],
                                                       "radon": [9.0, *FRAME["radon"]]})[1:],
    "pandas by an index": lambda: pd.DataFrame(FRAME).set_index("county"),
    "pandas by one of two": lambda: pd.DataFrame(FRAME).set_index(["county"], append=True),
    "polars": lambda: pl.DataFrame(FRAME),
    "polars, lazy": lambda: pl.LazyFrame(FRAME),
    "xarray": lambda: xr.Dataset({"county": ("home", FRAME["county"]),
                                  "radon": ("home", FRAME["radon"])}),
    "xarray by a coordinate": lambda: xr.DataArray(FRAME["radon"], dims="home", name="radon",
                                                   coords={"county": ("home", FRAME["county"])}),
    "a dict": lambda: dict(FRAME),
    "a dict of series": lambda: {n: pl.Series(n, v) for n, v in FRAME.items()},
    "a dict of arrays": lambda: {n: np.array(v) for n, v in FRAME.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_what_python_holds_gives_its_columns(name):
    found = read(HELD[name]())
    assert isinstance(found, Columns)
    assert {n: list(found[n]) for n in FRAME} == FRAME
    assert set(found) <= {*FRAME, "home"}


def test_arrow_gives_its_columns():
    pa = pytest.importorskip("pyarrow")
    assert lists(read(pa.table(FRAME))).keys() == FRAME.keys()


def test_labelled_arrays_of_two_dimensions_have_a_row_for_each_place():
    table = xr.DataArray([[1, 2], [3, 4]], {"plot": ["a", "b"], "year": [1, 2]}, name="crop")
    assert lists(read(table)) == {
        "plot": ["a", "a", "b", "b"], "year": [1, 2, 1, 2], "crop": [1, 2, 3, 4]
    }  # fmt: skip


def refused(name, source, *words, told="", error=ft.DataError):
    made = source if callable(source) else lambda: source
    return Refused(name, lambda: read(made(), told), error, words)


def saved(content, name):
    return lambda: text(content, name)


CASES = [
    refused("no file", "none.csv", "there is no file none.csv"),
    refused("no file of a query", "none.db?select 1", "there is no file none.db"),
    refused("another ending", saved("x", "t.sav"), "does not read t.sav", ".csv", ".duckdb"),
    refused("a header twice", saved("x,y,x\n1,2,3\n", "t.csv"), "several columns `x`"),
    refused("no separator", saved("x\n1\n", "t.csv"), "separator ;; is", told="separator=;;"),
    refused("nothing told", saved("x\n1\n", "t.csv"), "`seperator=;`", told="seperator=;"),
    refused("an odd decimal", saved("x\n1\n", "t.csv"), "neither . nor ,", told="decimal=x"),
    refused("commas twice", saved("x\n1\n", "t.csv"), "t.csv?separator=;&decimal=,",
            told="decimal=,"),
    refused("no encoding", saved("x\n1\n", "t.csv"), "no encoding", told="encoding=klingon"),
    refused("another encoding", saved("é\n1\n", "t.csv"), "no text in ascii",
            told="encoding=ascii"),
    refused("an encoding to tell", lambda: text("É\n1\n", coding="cp1252"),
            "UTF-8 (in line 1)", "?encoding=cp1252"),
    refused("told of what says all", saved("[]", "t.json"), "nothing is to be told", told="x"),
    refused("no database", saved("x,y\n", "t.db"), "neither an SQLite nor a DuckDB"),
    refused("an empty database", saved("", "t.db"), "neither an SQLite nor a DuckDB"),
    refused("half a database", saved("SQLite format 3\0" + "x" * 99, "t.db"), "t.db"),
    refused("several tables", "homes.sqlite", "holds 2 tables", "`homes`", "?select"),
    refused("no such table", "homes.duckdb?house", "no table `house`", "`homes`"),
    refused("a query that fails", "homes.sqlite?select x from homes", "no such column: x"),
    refused("and in DuckDB", "homes.duckdb?select x from homes", "the query fails", '"x"'),
    refused("a column twice", "homes.sqlite?select radon, radon from homes", "two columns `radon`"),
    refused("no rows", "homes.duckdb?select * from homes where floor > 9", "holds no rows"),
    refused("no rows in SQLite", "homes.sqlite?select * from homes where floor > 9", "no rows"),
    refused("two statements", "homes.sqlite?select 1; drop table homes", "the query fails"),
    refused("a query that writes", "homes.sqlite?delete from homes", "begins with select"),
    refused("no sheet", "homes.xlsx?2025", "no sheet `2025`", "2023, 2024"),
    refused("no workbook", saved("x", "t.xlsx"), "no Excel workbook"),
    refused("a number", 3, "int is no table", "give a path, a data frame"),
    refused("a list", [1, 2], "list is no table"),
    refused("no name", xr.DataArray([1, 2]), "has no name"),
    refused("single numbers", xr.Dataset({"x": 1}), "no rows"),
    refused("a tree", xr.DataTree(), "holds several tables"),
    refused("an empty frame", pl.DataFrame({"x": []}), "DataFrame holds no rows"),
    refused("a column twice in pandas", pd.DataFrame([[1, 2]], columns=["x", "x"]),
            "two columns are named `x`"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_is_no_table_is_refused_in_a_sentence(case):
    case.check()


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('secret.csv')",
        "with a as (select 1) insert into homes select * from a",
        "from read_text('secret.csv')",
        "select 1; copy (select 1) to 'stolen.csv'",
        "select 1; attach 'other.db'",
    ],
)
def test_a_query_touches_no_other_file_and_changes_nothing(query):
    text("x\n1\n", "secret.csv")
    before = Path("homes.duckdb").read_bytes()
    with pytest.raises(ft.DataError):
        read("homes.duckdb", query)
    assert Path("homes.duckdb").read_bytes() == before
    assert not Path("stolen.csv").exists()
    assert not Path("other.db").exists()


SHELL = [
    Shell("a query", ("plan", "homes.py", "--data", "homes.sqlite?select roof from homes"),
          ("no such column: roof",), 1, {"homes.py": HOMES}),
    Shell("no such table", ("plan", "homes.py", "--data", "homes.sqlite?houses"),
          ("no table `houses`",), 1, {"homes.py": HOMES}),
]  # fmt: skip


@pytest.mark.parametrize("case", SHELL, ids=lambda c: c.name)
def test_the_command_line_refuses_them_too(case, folder, capsys):
    case.check(folder, capsys)


def test_the_command_line_takes_a_query(capsys):
    from doors.cases import command

    text(HOMES, "homes.py")
    query = "homes.sqlite?select county, radon from homes where floor = 0"
    code, out, said = command(capsys, "plan", "homes.py", "--data", query)
    assert code == 0, said
    assert "2 rows in 1 groups" in out
