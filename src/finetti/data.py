"""Read a table from a file, and hand its columns to a model as its arguments."""

from __future__ import annotations

import codecs
import inspect
import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from finetti.errors import DataError, MissingExtra
from finetti.language.columns import misspelt
from finetti.language.dims import groups
from finetti.models import Model

ENDINGS = (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".json", ".jsonl", ".ndjson")
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")  # how text files write a missing value

Columns = Mapping[str, Any]


def read(path: str | Path) -> Columns:
    """Read the columns of a table by name: narwhals series, or from JSON single values too.

    The ending of the name tells the format: .csv, .tsv, .parquet, .arrow or .feather, .jsonl or
    .ndjson (a record a line), .json. A .json file holds a list of records, or an object whose
    entries are columns, of any lengths, and single values.

    Raises `DataError` if there is no such file, its ending is not known, it cannot be read or
    holds no rows, and `MissingExtra` without the extra `cli`.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "coins.json")
    >>> _ = file.write_text('{"tosses": 10, "heads": [7, 4]}')
    >>> read(file)["tosses"]
    10
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"finetti does not read {path}: save it as {', '.join(ENDINGS)}")
    for package in ("polars", "narwhals"):
        _require(package)
    import narwhals as nw
    import polars as pl

    try:
        table = _table(path)
    except RecursionError as error:
        raise DataError(f"cannot read {path}: it is nested deeper than a table is") from error
    except MemoryError as error:
        raise DataError(f"cannot read {path}: it takes more memory than there is") from error
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        ValueError,
        TypeError,
        OverflowError,
    ) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"cannot read {path} as {path.suffix[1:]}: {reason}") from error
    if all(isinstance(column, pl.Series) and column.is_empty() for column in table.values()):
        raise DataError(f"{path} holds no rows")
    return {
        name: nw.from_native(column, series_only=True) if isinstance(column, pl.Series) else column
        for name, column in table.items()
    }


def arguments(model: Model, columns: Columns) -> dict[str, Any]:
    """Return the columns that the model's parameters name, as it takes them.

    Numbers become arrays of shape (row,), float64 or int64, truth values 0 and 1; text,
    categories and dates become `ft.groups`, in sorted order or that of an ordered category, and so
    do whole numbers that the model opens a plate with; lists of equal length become arrays of
    shape (row, ...). A parameter with a default may be absent.

    Raises `DataError` for a parameter that has neither column nor default, and for a column with
    missing values, with numbers but for a few cells, or of a kind that no model takes. Columns that
    no parameter names are not looked at.
    """
    parameters = inspect.signature(model.function).parameters.values()
    wanted = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for parameter in wanted:
        if parameter.name not in columns and parameter.default is parameter.empty:
            near = get_close_matches(parameter.name, columns, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise DataError(
                f"model `{model.name}` needs `{parameter.name}`, and the data have no such column"
                f"{hint} (columns: {', '.join(f'`{name}`' for name in columns)})"
            )
    found = {p.name: as_argument(p.name, columns[p.name]) for p in wanted if p.name in columns}
    return _grouped_by_use(model, found)


def _grouped_by_use(model: Model, found: dict[str, Any]) -> dict[str, Any]:
    """Make groups of the columns of whole numbers that the model opens a plate with."""
    whole = {n for n, a in found.items() if isinstance(a, np.ndarray) and a.dtype.kind in "iu"}
    while whole and model.arguments is None:
        bound = model(**found)
        _, held = bound.arguments or ((), {})
        try:
            _ = bound.variables
        except Exception as refusal:  # noqa: BLE001 - whoever runs the model is told
            ids = {n for n in whole if held[n] is getattr(refusal, "members", None)}
            if not ids:
                return found
            found.update({n: groups(found[n]) for n in ids})
            whole -= ids
        else:
            return found
    return found


def as_argument(name: str, column: Any) -> Any:
    """Return one column as a model takes it; see `arguments`."""
    import narwhals as nw

    if column is None:
        raise DataError(f"`{name}` is missing: the data give it as null")
    if not isinstance(column, nw.Series):
        return column
    kind = column.dtype
    _refuse_missing(name, column)
    if kind.is_nested() and not isinstance(kind, nw.Struct):
        return _stack(name, column.to_list())
    if kind.is_float() or kind.is_decimal():
        return column.cast(nw.Float64).to_numpy()
    if kind.is_integer() or isinstance(kind, nw.Boolean):
        return column.cast(nw.Int64).to_numpy()
    if isinstance(kind, nw.Enum | nw.Categorical):
        return groups(column)
    if isinstance(kind, nw.String):
        _refuse_misspelt(name, column.to_list())
        return groups(column)
    if isinstance(kind, nw.Date | nw.Datetime):
        return groups(column.cast(nw.String))
    raise DataError(f"column `{name}` holds {kind}: a model takes numbers or names of groups")


def _refuse_missing(name: str, column: Any) -> None:
    absent = column.is_null()
    if column.dtype.is_float():
        absent = absent | column.is_nan().fill_null(True)
    if str(column.dtype) == "String":
        absent = absent | (column.str.strip_chars() == "").fill_null(True)
    rows = np.flatnonzero(absent.to_numpy())
    if len(rows):
        raise DataError(
            f"column `{name}` lacks {len(rows)} of its {len(column)} values, the first in row "
            f"{rows[0] + 1}: leave these rows out, or fill them in"
        )


def _refuse_misspelt(name: str, cells: list[str]) -> None:
    bad = misspelt(cells)
    if bad:
        raise DataError(
            f"column `{name}` holds numbers, but for {len(bad)} of its {len(cells)} cells, the "
            f"first {cells[bad[0]]!r} in row {bad[0] + 1}: mend them or leave the rows out; where "
            f"they are names of groups, write them so that they cannot be read as numbers"
        )


def _stack(name: str, rows: list[Any]) -> np.ndarray:
    try:
        array = np.asarray(rows)
    except ValueError:
        raise DataError(f"the lists in `{name}` differ in length: make them equal") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"the lists in `{name}` hold something else than numbers")
    return array


def _table(path: Path) -> Mapping[str, Any]:
    """Read the file by its ending: polars series, and from JSON arrays and single values."""
    import polars as pl

    whole = None  # infer the kind of a column from all of its rows
    match path.suffix.lower():
        case ".csv" | ".tsv" as ending:
            separator = "," if ending == ".csv" else "\t"
            nulls = list(MISSING)
            return pl.read_csv(
                _text(path).encode(),
                separator=separator,
                null_values=nulls,
                infer_schema_length=whole,
            ).to_dict()
        case ".parquet":
            return pl.read_parquet(path).to_dict()
        case ".arrow" | ".feather":
            return pl.read_ipc(path).to_dict()
        case ".jsonl" | ".ndjson":
            return pl.read_ndjson(_text(path).encode(), infer_schema_length=whole).to_dict()
    content = json.loads(_text(path))
    if isinstance(content, dict):
        return {name: _entry(name, value) for name, value in content.items()}
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        return pl.from_dicts(content, infer_schema_length=whole).to_dict() if content else {}
    raise DataError("it holds neither a list of records nor an object of columns")


def _text(path: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 where its first bytes say so."""
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"it is no text in UTF-8 (in line {row}): save it as UTF-8") from None
    if "\0" in text:
        raise DataError("it holds null characters, as no text in UTF-8 does: save it as UTF-8")
    return text


def _entry(name: str, value: Any) -> Any:
    """Return one entry of a JSON object: a series, an array of more dimensions or a value."""
    import polars as pl

    if isinstance(value, dict):  # as pandas writes a column: {row: value}
        value = list(value.values())
    if not isinstance(value, list):
        return value
    if any(isinstance(row, list) for row in value):
        return _stack(name, value)
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
