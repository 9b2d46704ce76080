"""Open a table where it lies: files by DuckDB, databases by ibis, lazy frames as they are."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from glob import escape, glob, has_magic
from itertools import islice
from pathlib import Path
from typing import Any

from finetti.errors import DataError, MissingExtra
from finetti.reading.databases import DUCKDB, QUERY, SQLITE, query_of
from finetti.reading.given import columns_of
from finetti.reading.text import LOOKED_AT, MISSING, quoted, sniffed
from finetti.scale.table import Table, quiet
from finetti.structure.words import listed
from finetti.types import TableLike

PARQUET, TEXT = (".parquet", ".pq"), (".csv", ".tsv", ".csv.gz", ".tsv.gz")
DATABASES = (".duckdb", ".db", ".sqlite", ".sqlite3")
IN_TURN = 2**29  # bytes of files that are added up by one thread, alike each time
ADDRESS = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)
READ_ONLY = "-c default_transaction_read_only=on"


def table(source: Any, told: str = "") -> Table:
    """Return a table that stays where it is, for `ft.formula` to add up there.

    `source` is a Parquet or CSV file, a pattern ("rows/*.parquet") or a folder of them; a DuckDB or
    SQLite file, or the address of a database ("postgres://host/name"), with the table or a query in
    `told`, or after a question mark; a table of ibis; a lazy frame of polars; a data set of PyArrow
    or a data frame of Dask; or a table in memory, of which the model is to hold sums alone. Files
    are read by DuckDB, out of memory. Databases are opened so that they can only be read.

    Raises `DataError` where there is no such table, `MissingExtra` without the extra `scale`.

    >>> import polars as pl
    >>> table(pl.LazyFrame({"y": [1.0, 2.0]})).columns
    ('y',)
    """
    if isinstance(source, Table):
        return source
    found = in_place(source)
    if found is not None:
        return found
    if not isinstance(source, str | Path):
        return in_memory(source)
    _require()
    with quiet():
        return _opened(str(source), told)


def _opened(where: str, told: str) -> Table:
    if ADDRESS.match(where):
        return _server(where, told)
    path, _, after = where.partition("?")
    if not told and not Path(where).exists() and Path(path).suffix.lower() in DATABASES:
        where, told = path, after
    if Path(where).suffix.lower() in DATABASES:
        return _database(Path(where), told)
    if told:
        raise DataError(f"nothing is to be told of {where}, and `{told}` is")
    return _files(where)


def in_place(data: TableLike) -> Table | None:
    """Return what Python holds of a table elsewhere as one in place; None for rows in memory."""
    kind = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    if isinstance(data, Table):
        return data
    with quiet():
        return _held(data, kind)


def in_memory(data: TableLike) -> Table:
    """Return rows in memory as a table that DuckDB adds up. Raises `DataError` for no table."""
    import pyarrow as pa

    _require()
    engine, columns = _duckdb(), columns_of(data)
    try:
        rows = pa.table({name: _arrow(column) for name, column in columns.items()})
        engine.con.execute("set threads = 1")
        engine.con.register("rows", rows)
        with quiet():
            return Table(engine.table("rows"), "in memory", rows)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"the rows in memory cannot be added up: {_first(error)}") from error


def _arrow(column: Any) -> Any:
    """Return a column as an array of Arrow, categories as text."""
    import pyarrow as pa

    found = column.to_arrow() if hasattr(column, "to_arrow") else pa.array(column, from_pandas=True)
    return found.dictionary_decode() if pa.types.is_dictionary(found.type) else found


def _held(data: TableLike, kind: str) -> Table | None:
    """Return a table in place that some library's object stands for, told by its name alone."""
    if kind == "ibis.Table":
        _require()
        return Table(data, "of ibis")
    if kind == "polars.LazyFrame":
        _require()
        import ibis

        return Table(ibis.polars.connect({"rows": data}).table("rows"), "a lazy frame of polars")
    if kind.startswith("pyarrow.") and hasattr(data, "to_table") and hasattr(data, "scanner"):
        _require()
        engine = _duckdb()
        engine.con.register("rows", data)
        return Table(engine.table("rows"), "a data set of PyArrow", data)
    if kind.startswith("dask.") and hasattr(data, "to_parquet") and hasattr(data, "npartitions"):
        return _partitions(data)
    return None


def _require() -> None:
    try:
        import ibis  # noqa: F401
    except ImportError as error:
        raise MissingExtra.needed("ibis", "scale", "a table that stays in place") from error


def _duckdb() -> Any:
    """Return DuckDB with nothing of its own in it."""
    import ibis

    folder = tempfile.mkdtemp(prefix="finetti-")  # where it puts what memory cannot hold
    engine = ibis.duckdb.connect(temp_directory=folder)
    weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
    engine.con.execute("set enable_progress_bar = false")
    return engine


def _files(where: str) -> Table:
    """Return the rows of a file, of all files in a folder, or of those that a pattern names."""
    path = Path(where)
    patterns = [where]
    if path.is_dir():
        patterns = [f"{escape(where)}/**/*{ending}" for ending in (*PARQUET, *TEXT)]
    elif path.is_file() or not has_magic(where):
        patterns = [escape(where)]
    found = [(p, glob(p, recursive=True)) for p in patterns]  # noqa: PTH207 - absolute ones too
    found = [(pattern, files) for pattern, files in found if files]
    if not found:
        raise DataError(f"there is no file {where}")
    kinds = {_ending(file) for _, files in found for file in files}
    unknown = kinds - {*PARQUET, *TEXT}
    if unknown:
        raise DataError(
            f"{where} cannot stay in place: DuckDB reads {', '.join((*PARQUET, *TEXT))} there"
        )
    engine, chosen = _duckdb(), [pattern for pattern, _ in found]
    if sum(Path(file).stat().st_size for _, files in found for file in files) <= IN_TURN:
        engine.con.execute("set threads = 1")  # the order of sums, and so their last digits, stay
    try:
        if kinds <= set(PARQUET):
            return Table(engine.read_parquet(chosen, table_name="rows"), where)
        if kinds <= set(TEXT):
            told = {"nullstr": list(MISSING), "types": _names(found[0][1][0])}
            return Table(engine.read_csv(chosen, table_name="rows", **told), where)
    except Exception as error:
        raise DataError(f"{where} cannot be read: {_first(error)}") from error
    raise DataError(
        f"{where} holds files of several kinds ({listed(sorted(kinds))}): name one kind"
    )


def _names(file: str) -> dict[str, str]:
    """Return the kind of columns whose numbers a text file quotes: names, as `read` has it."""
    opened = gzip.open if file.endswith(".gz") else open
    with opened(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
        head = "".join(islice(lines, LOOKED_AT + 1))
    usual = "\t" if _ending(file).startswith(".tsv") else ","
    return dict.fromkeys(quoted(head, sniffed(head, usual)), "VARCHAR")


def _ending(file: str) -> str:
    path = Path(file)
    packed = path.suffix.lower() == ".gz"
    return "".join(path.suffixes[-2:] if packed else path.suffixes[-1:]).lower()


def _database(path: Path, told: str) -> Table:
    """Return a table of a database file, told by its first bytes and opened to be read alone."""
    import ibis

    if not path.is_file():
        raise DataError(f"there is no file {path}")
    with path.open("rb") as file:
        head = file.read(16)
    try:
        if head[8:12] == DUCKDB:
            return _attached(path, told)
        if head.startswith(SQLITE):
            import sqlite3

            address = f"{path.resolve().as_uri()}?mode=ro"
            engine = ibis.sqlite.from_connection(sqlite3.connect(address, uri=True))
        else:
            raise DataError(f"{path} is neither a DuckDB nor an SQLite database")
        return _chosen(engine, str(path), told)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read: {_first(error)}") from error


def _attached(path: Path, told: str) -> Table:
    """Return a table or a query of a DuckDB file, which can only be read, and no other file."""
    engine = _duckdb()
    run, quoted = engine.con.execute, str(path).replace("'", "''")
    run(f"attach '{quoted}' as source (read_only)")
    run("set enable_external_access = false")
    run("use source")
    names = [n for (n,) in run("select table_name from duckdb_tables() where database_name = "
                               "'source' union select view_name from duckdb_views() where "
                               "database_name = 'source' and not internal").fetchall()]  # fmt: skip
    run(f"create temp view rows as {query_of(told, names)}")
    return Table(engine.table("rows"), str(path))


def _server(address: str, told: str) -> Table:
    """Return a table of a database that a server has, connected so that it can only be read."""
    import ibis

    head, mark, tail = address.rpartition("?")
    if not told and mark and ("=" not in tail or QUERY.match(tail)):
        address, told = head, tail
    shown = re.sub(r"//[^/@]*@", "//", address)  # without a password
    try:
        if re.match(r"postgres(ql)?://", address):
            from psycopg.conninfo import conninfo_to_dict

            given: dict[str, Any] = conninfo_to_dict(address)
            given["options"] = f"{given.get('options', '')} {READ_ONLY}".strip()
            given["database"] = given.pop("dbname", None)
            engine = ibis.postgres.connect(**{**given, "port": int(given.get("port") or 5432)})
        else:
            engine = ibis.connect(address)
        return _chosen(engine, shown, told)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{shown} cannot be reached: {_first(error)}") from error


def _chosen(engine: Any, where: str, told: str) -> Table:
    """Return the table or the query that was told, or the only table there is."""
    names = sorted(engine.list_tables())
    if told and told not in names and QUERY.match(told):
        return Table(engine.sql(told, schema=_schema(engine, told)), where)
    known = listed(f"`{n}`" for n in names[:20]) or "none"
    if told and told not in names:
        raise DataError(f"{where} has no table `{told}` (tables: {known})")
    if not told and len(names) != 1:
        raise DataError(f"{where} holds {len(names)} tables ({known}): say which, after a ?")
    return Table(engine.table(told or names[0]), where)


def _schema(engine: Any, query: str) -> Any:
    """Return the columns of a query where ibis would learn them by making a view, else None."""
    if engine.name != "postgres":
        return None
    import ibis

    with engine.con.cursor() as cursor:
        described = cursor.execute(f"select * from ({query}) as asked limit 0").description
    read = engine.compiler.type_mapper.from_string
    return ibis.schema({column.name: read(column.type_display) for column in described})


def _partitions(data: TableLike) -> Table:
    """Write a frame of Dask to a folder, partition by partition, and return that in place."""
    _require()
    folder = tempfile.mkdtemp(prefix="finetti-")
    data.to_parquet(folder, write_index=data.index.name is not None)
    found = _files(folder)
    weakref.finalize(found.engine, shutil.rmtree, folder, ignore_errors=True)
    return Table(found.rows, "a frame of Dask")


def _first(error: Exception) -> str:
    with suppress(Exception):
        return str(error).strip().partition("\n")[0][:300]
    return type(error).__name__
