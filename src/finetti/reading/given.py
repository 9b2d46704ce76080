"""Take columns from what Python holds: data frames, Arrow tables, labelled arrays, dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetti.errors import DataError, MissingExtra
from finetti.types import TableLike


def columns_of(table: TableLike) -> Mapping[str, Any]:
    """Return the columns of a table that Python holds, by name.

    It is a data frame of pandas, polars, PyArrow or another that narwhals takes, an xarray
    `Dataset` or `DataArray`, whose coordinates become columns and whose dimensions rows, or a
    mapping from names to columns. The named levels of a pandas index become columns. Raises
    `DataError` for anything else, and where two columns have one name.
    """
    kind = type(table).__module__.partition(".")[0]
    if kind == "xarray":
        table, kind = _frame(table), "pandas"
    if kind == "pandas" and hasattr(table, "index") and hasattr(table, "columns"):
        table = _with_index(table)
    if isinstance(table, Mapping):
        return {str(name): _column(column) for name, column in table.items()}
    try:
        import narwhals as nw
    except ImportError as error:
        raise MissingExtra.needed("narwhals", "cli", "reading a table") from error
    try:
        frame = nw.from_native(table)
        whole = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        if not isinstance(whole, nw.DataFrame):
            raise TypeError
        return {name: whole[name] for name in whole.columns}
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        reason = f": {str(error).partition(chr(10))[0]}" if isinstance(error, ValueError) else ""
        raise DataError(
            f"{type(table).__name__} is no table that finetti reads{reason}; give a path, a data "
            f"frame, an xarray Dataset or a dict of columns"
        ) from error


def _column(column: Any) -> Any:
    """Return a series as narwhals', anything else as it is."""
    try:
        import narwhals as nw
    except ImportError:
        return column
    return nw.from_native(column, series_only=True, pass_through=True)


def _frame(table: TableLike) -> Any:
    """Return labelled arrays as a pandas frame with a row for each place in their dimensions."""
    import xarray as xr

    if isinstance(table, xr.DataArray):
        if table.name is None:
            raise DataError("the DataArray has no name, which its column would have: name it")
        table = table.to_dataset()
    if not isinstance(table, xr.Dataset):
        raise DataError(f"a {type(table).__name__} holds several tables: give one of its groups")
    if not table.dims:
        raise DataError("the Dataset holds single numbers and no rows")
    return table.to_dataframe()


def _with_index(frame: TableLike) -> Any:
    """Return a pandas frame with the named levels of its index as columns."""
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"two columns are named `{twice[0]}`: rename one of them")
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    unnamed = [level for level, name in enumerate(frame.index.names) if name not in named]
    kept = frame.reset_index(level=unnamed, drop=True) if len(unnamed) < frame.index.nlevels else (
        frame.reset_index(drop=True)
    )  # fmt: skip
    found = kept.reset_index() if named else kept
    return found.rename(columns=str)
