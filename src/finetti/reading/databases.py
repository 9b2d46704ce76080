"""Read a table, or what a query makes, from an SQLite or DuckDB file, which stays as it is."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetti.errors import DataError, MissingExtra
from finetti.structure.words import listed

if TYPE_CHECKING:
    import polars as pl

SQLITE, DUCKDB = b"SQLite format 3\0", b"DUCK"  # how the files begin, DuckDB's after 8 bytes
QUERY = re.compile(r"\s*(select|with|values|from)\b", re.IGNORECASE)


def read_database(path: Path, told: str) -> Mapping[str, pl.Series]:
    """Read the columns of a table by its name, or of what a query selects.

    Without either it is the only table there is. A query can only read, and only this file. Raises
    `DataError` where the file is no database, has no such table, or the query fails.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(SQLITE):
        return _sqlite(path, told)
    if head[8:12] == DUCKDB:
        return _duckdb(path, told)
    raise DataError("it is neither an SQLite nor a DuckDB database")


def _sqlite(path: Path, told: str) -> Mapping[str, pl.Series]:
    """Return the columns of a table or a query, by a connection that can only read."""
    import polars as pl

    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            tables = connection.execute(
                "select name from sqlite_master where type in ('table', 'view') "
                "and name not like 'sqlite_%'"
            )
            query = query_of(told, [name for (name,) in tables])
            found = connection.execute(query)
            names = [column[0] for column in found.description or ()]
            rows = found.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise DataError(f"the query fails: {error}") from error
    _refuse_twice(names)
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {
        name: pl.Series(name, list(values), strict=False)
        for name, values in zip(names, columns, strict=True)
    }


def _duckdb(path: Path, told: str) -> Mapping[str, pl.Series]:
    import polars as pl

    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra.needed("duckdb", "tables", "reading a DuckDB file") from error
    settings: dict[str, Any] = {"enable_external_access": "false"}  # no other file is touched
    try:
        with duckdb.connect(str(path), read_only=True, config=settings) as connection:
            tables = connection.execute("select table_name from information_schema.tables")
            found: Any = connection.sql(query_of(told, [name for (name,) in tables.fetchall()]))
            if found is None:
                raise DataError("the query selects nothing: write one that begins with select")
            _refuse_twice(found.columns)
            return pl.DataFrame(found).to_dict()
    except duckdb.Error as error:
        raise DataError(f"the query fails: {str(error).partition(chr(10))[0]}") from error


def query_of(told: str, tables: list[str]) -> str:
    """Return the query that was told, or one for the table named, or for the only one."""
    if QUERY.match(told) and told not in tables:
        return told
    known = listed(f"`{name}`" for name in sorted(tables)) or "none"
    if told and told not in tables:
        raise DataError(
            f"there is no table `{told}` (tables: {known}), and a query begins with select"
        )
    if not told and len(tables) != 1:
        raise DataError(
            f"it holds {len(tables)} tables ({known}): say which after a question mark, or select "
            f"what you want, as in file.db?select * from homes"
        )
    name = (told or tables[0]).replace('"', '""')
    return f'select * from "{name}"'


def _refuse_twice(names: Iterable[str]) -> None:
    """Refuse a query two of whose columns have one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"the query makes two columns `{name}`: name one otherwise, by as")
        seen.add(name)
