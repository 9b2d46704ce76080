"""Hand the columns of a table to a model as its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from finetti.errors import DataError, hint
from finetti.language.columns import misspelt
from finetti.language.dims import groups
from finetti.language.holes import without_rows
from finetti.models import Model
from finetti.reading.columns import stack

Columns = Mapping[str, Any]


def arguments(model: Model, columns: Columns) -> dict[str, Any]:
    """Return the columns that the model's parameters name, as it takes them.

    Numbers become arrays of shape (row,), float64 or int64, truth values 0 and 1; text,
    categories and dates become `ft.groups`, in sorted order or that of an ordered category, and so
    do whole numbers that the model opens a plate with; lists of equal length become arrays of
    shape (row, ...). A parameter with a default may be absent.

    Raises `DataError` for a parameter that has neither column nor default, and for a column with
    missing values, with numbers but for a few cells, or of a kind that no model takes. Columns that
    no parameter names are not looked at. Of a model that drops missing values, or imputes them,
    rows that lack one are left out with a warning, or numbers have NaN there.
    """
    parameters = inspect.signature(model.function).parameters.values()
    wanted = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for parameter in wanted:
        if parameter.name not in columns and parameter.default is parameter.empty:
            nearest = hint(parameter.name, columns)
            raise DataError(
                f"model `{model.name}` needs `{parameter.name}`, and the data have no such column"
                f"{nearest} (columns: {', '.join(f'`{name}`' for name in columns)})"
            )
    given = {p.name: columns[p.name] for p in wanted if p.name in columns}
    given = without_rows(given) if model.lacking == "drop" else given
    holes = model.lacking == "impute"
    found = {name: as_argument(name, column, holes) for name, column in given.items()}
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


def as_argument(name: str, column: Any, holes: bool = False) -> Any:
    """Return one column as a model takes it; see `arguments`. With `holes` numbers may be NaN."""
    import narwhals as nw

    if column is None:
        raise DataError(f"`{name}` is missing: the data give it as null")
    if not isinstance(column, nw.Series):
        return column
    kind = column.dtype
    numeric = kind.is_float() or kind.is_decimal() or kind.is_integer()
    if holes and (numeric or isinstance(kind, nw.Boolean)) and _absent(column).any():
        return column.cast(nw.Float64).fill_null(float("nan")).to_numpy()
    _refuse_missing(name, column)
    if kind.is_nested() and not isinstance(kind, nw.Struct):
        return stack(name, column.to_list())
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


def _absent(column: Any) -> np.ndarray:
    absent = column.is_null()
    if column.dtype.is_float():
        absent = absent | column.is_nan().fill_null(True)
    if str(column.dtype) == "String":
        absent = absent | (column.str.strip_chars() == "").fill_null(True)
    return absent.to_numpy()


def _refuse_missing(name: str, column: Any) -> None:
    rows = np.flatnonzero(_absent(column))
    if len(rows):
        raise DataError(
            f"column `{name}` lacks {len(rows)} of its {len(column)} values, the first in row "
            f"{rows[0] + 1}: say missing drop to leave such rows out, or impute to let what "
            f"observed variables lack be unknown (--missing, or model.missing)"
        )


def _refuse_misspelt(name: str, cells: list[str]) -> None:
    bad = misspelt(cells)
    if bad:
        raise DataError(
            f"column `{name}` holds numbers, but for {len(bad)} of its {len(cells)} cells, the "
            f"first {cells[bad[0]]!r} in row {bad[0] + 1}: mend them or leave the rows out; where "
            f"they are names of groups, write them so that they cannot be read as numbers"
        )
