"""Read a table by what it is: a file by its ending, a database by a query, or what Python holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from glob import has_magic
from pathlib import Path
from typing import Any

from finetti.errors import DataError, MissingExtra
from finetti.reading.columns import Columns, stack
from finetti.reading.databases import read_database
from finetti.reading.given import columns_of
from finetti.reading.text import decoded, ending_of, read_text

TEXT = (".csv", ".tsv")
PLAIN = (".parquet", ".arrow", ".feather", ".json", ".jsonl", ".ndjson")
SHEETS = (".xlsx",)
DATABASES = (".sqlite", ".sqlite3", ".db", ".duckdb")
PACKED = (*TEXT, ".json", ".jsonl", ".ndjson")  # of which .gz is read as well
ENDINGS = (*TEXT, *PLAIN, *SHEETS, *DATABASES)


def read(source: Any, told: str = "") -> Columns:
    """Read the columns of a table by name: narwhals series, or from JSON single values too.

    `source` is a path, or what Python holds: a data frame of pandas, polars or PyArrow, an xarray
    `Dataset`, a dict of columns. The ending of a path tells the format: .csv, .tsv, .parquet,
    .arrow or .feather, .jsonl or .ndjson (a record a line), .json, .xlsx, .sqlite, .db or .duckdb;
    text may be compressed, .csv.gz.
    A .json file holds a list of records, or an object whose entries are columns, of any lengths,
    and single values.

    `told` says more where a file needs it, and may stand in the path, after a question mark: of a
    database the query or the table (`homes.db?select * from homes`), of a workbook the sheet
    (`homes.xlsx?2024`), of text how it is written (`homes.csv?separator=;&decimal=,`, also
    encoding=). The separator and decimal commas are found where they are not told, and `said` of
    what is returned tells of them. A query can only read, and only its own file.

    Raises `DataError` if there is no such file, its ending is not known, it cannot be read or
    holds no rows, and `MissingExtra` without the extras `cli`, or `tables` for workbooks and
    DuckDB.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "coins.json")
    >>> _ = file.write_text('{"tosses": 10, "heads": [7, 4]}')
    >>> read(file)["tosses"]
    10
    """
    if not isinstance(source, str | Path):
        return _some(Columns(columns_of(source)), f"the {type(source).__name__}")
    path, told = _parted(source, told)
    if not path.is_file():
        raise DataError(f"there is no file {path}{_several(path)}")
    packed = path.suffix.lower() == ".gz"
    if ending_of(path) not in (PACKED if packed else ENDINGS):
        raise DataError(f"finetti does not read {path}: save it as {', '.join(ENDINGS)}")
    for package in ("polars", "narwhals"):
        _require(package)
    import narwhals as nw
    import polars as pl

    try:
        table, said = _table(path, told)
    except RecursionError as error:
        raise DataError(f"cannot read {path}: it is nested deeper than a table is") from error
    except MemoryError as error:
        raise DataError(f"cannot read {path}: it takes more memory than there is") from error
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        sqlite3.Error,
        OSError,
        ValueError,
        TypeError,
        OverflowError,
        KeyError,
    ) as error:
        if isinstance(error, DataError) and str(path) in str(error):
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"cannot read {path} as {path.suffix[1:]}: {reason}") from error
    columns = {
        name: nw.from_native(column, series_only=True) if isinstance(column, pl.Series) else column
        for name, column in table.items()
    }
    return _some(Columns(columns, f"{path.name}: read with {said}" if said else ""), str(path))


def _parted(source: str | Path, told: str) -> tuple[Path, str]:
    """Return a path, and what is told of it; a file whose name has a question mark comes first."""
    whole = Path(source)
    if told or "?" not in str(source) or whole.is_file():
        return whole, told
    name, _, more = str(source).partition("?")
    return Path(name), more


def _some(columns: Columns, what: str) -> Columns:
    """Return columns, or refuse those of no rows."""
    if all(type(c).__name__ == "Series" and not len(c) for c in columns.values()):
        raise DataError(f"{what} holds no rows")
    return columns


def _several(path: Path) -> str:
    """Say what reads several files, where a folder or a pattern of files is given for one."""
    if not path.is_dir() and not has_magic(str(path)):
        return ""
    return (
        "; a formula reads a folder or a pattern of files where they lie, by ft.table, or on the "
        "command line with --in-place"
    )


def _table(path: Path, told: str) -> tuple[Mapping[str, Any], str]:
    """Read a file by its ending, and say what was guessed."""
    ending = ending_of(path)
    if ending in TEXT:
        return read_text(path, told)
    if ending in DATABASES:
        return read_database(path, told), ""
    if ending in SHEETS:
        return _sheet(path, told)
    if told:
        raise DataError(f"nothing is to be told of it, and `{told}` is")
    return _plain(path, ending), ""


def _plain(path: Path, ending: str) -> Mapping[str, Any]:
    """Read a file of a format that says all: polars series, from JSON arrays and single values."""
    import polars as pl

    whole = None  # infer the kind of a column from all of its rows
    match ending:
        case ".parquet":
            return pl.read_parquet(path).to_dict()
        case ".arrow" | ".feather":
            return pl.read_ipc(path).to_dict()
        case ".jsonl" | ".ndjson":
            return pl.read_ndjson(decoded(path).encode(), infer_schema_length=whole).to_dict()
    content = json.loads(decoded(path))
    if isinstance(content, dict):
        return {name: _entry(name, value) for name, value in content.items()}
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        return pl.from_dicts(content, infer_schema_length=whole).to_dict() if content else {}
    raise DataError("it holds neither a list of records nor an object of columns")


def _sheet(path: Path, told: str) -> tuple[Mapping[str, Any], str]:
    """Read a sheet of a workbook, the first unless one is told."""
    import polars as pl

    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingExtra.needed("openpyxl", "tables", "reading a workbook") from error
    from zipfile import BadZipFile

    try:
        book = load_workbook(path, read_only=True)
    except (BadZipFile, InvalidFileException) as error:
        raise DataError("it is no Excel workbook") from error
    names = list(book.sheetnames)
    book.close()
    if told and told not in names:
        raise DataError(f"it has no sheet `{told}` (sheets: {', '.join(names)})")
    chosen = told or names[0]
    found = pl.read_excel(
        path, sheet_name=chosen, engine="openpyxl", infer_schema_length=None, raise_if_empty=False
    )
    said = f"sheet `{chosen}` of {len(names)}" if not told and len(names) > 1 else ""
    return found.to_dict(), said


def _entry(name: str, value: Any) -> Any:
    """Return one entry of a JSON object: a series, an array of more dimensions or a value."""
    import polars as pl

    if isinstance(value, dict):  # as pandas writes a column: {row: value}
        value = list(value.values())
    if not isinstance(value, list):
        return value
    if any(isinstance(row, list) for row in value):
        return stack(name, value)
    try:
        fractions = any(isinstance(item, float) for item in value)
        return pl.Series(name, value, pl.Float64 if fractions else None)
    except TypeError:
        raise DataError(f"`{name}` mixes numbers with something else") from None


def _require(package: str) -> None:
    try:
        __import__(package)
    except ImportError as error:
        raise MissingExtra.needed(package, "cli", "reading a table") from error
