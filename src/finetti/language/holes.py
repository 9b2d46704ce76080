"""Read where columns lack values, whatever holds them, and leave out the rows that do."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Any, Literal

import jax
import numpy as np

from finetti.errors import MissingValue
from finetti.language.columns import entries, is_missing, kind, own_order
from finetti.language.groups import Groups, groups, regroup
from finetti.types import Value, Values

Missing = Literal["refuse", "drop", "impute"]
WAYS: tuple[Missing, ...] = ("refuse", "drop", "impute")
NUMBERS = {"numbers", "truth values", "Decimal"}
REMEDIES = (
    'say model.missing("drop")(...) to leave such rows out, or model.missing("impute")(...) to let '
    "what observed variables lack be unknown"
)

# What can be done about rows of data that lack values, where nothing stands for these.
LEAVE_OUT = "leave these rows out"
FILL_IN = f"{LEAVE_OUT}, or fill them in"


def with_nan(value: Any) -> Any:
    """Return numbers that lack some as a float array with NaN there; all else as it is.

    Masked arrays, None and pandas' NA among numbers are read, in arrays of any dimensions.

    >>> with_nan([1, None, 3]).tolist(), with_nan(np.ma.masked_equal([1, -1], -1)).tolist()
    ([1.0, nan, 3.0], [1.0, nan])
    >>> with_nan(["a", None])
    ['a', None]
    """
    if isinstance(value, Groups | jax.Array):
        return value
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        if not mask.any():
            return np.ma.getdata(value)
        plain = np.ma.getdata(value)
        return np.where(mask, np.nan, plain.astype(float)) if plain.dtype.kind in "biuf" else value
    if not isinstance(value, list | np.ndarray) and not hasattr(value, "to_numpy"):
        return value
    cells = _cells(value)
    if cells is None:
        return value
    flat = cells.ravel().tolist()
    lacking = [is_missing(cell) for cell in flat]
    if not any(lacking) or not all(
        kind(cell) in NUMBERS for cell, hole in zip(flat, lacking, strict=True) if not hole
    ):
        return value
    numbers = [np.nan if hole else float(c) for c, hole in zip(flat, lacking, strict=True)]
    return np.array(numbers).reshape(cells.shape)


def _cells(value: Value) -> np.ndarray | None:
    """Return what a column or a table holds as an array of objects; None for arrays of numbers."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind == "O" else None
    if hasattr(value, "to_numpy") and np.ndim(value) != 2:
        value = entries(value)
    try:
        plain = np.asarray(value, dtype=object)
    except ValueError:  # lists of several lengths
        return None
    return plain if plain.size else None


def rows_lacking(value: Any) -> np.ndarray | None:
    """Tell of each row of a column or a table whether it lacks a value; None for what has no rows.

    >>> rows_lacking(["a", None]).tolist(), rows_lacking(3.0)
    ([False, True], None)
    """
    column = isinstance(value, list | np.ndarray | jax.Array) or hasattr(value, "to_numpy")
    if isinstance(value, Groups) or not column:
        return None if np.ndim(value) == 0 else np.zeros(len(value), bool)
    read = with_nan(value)
    if isinstance(read, np.ma.MaskedArray):
        lacking = np.ma.getmaskarray(read)
    elif isinstance(read, np.ndarray | jax.Array) and np.asarray(read).dtype.kind in "biuf":
        lacking = np.isnan(np.asarray(read, float))
    else:
        cells = _cells(read)
        cells = np.asarray(read) if cells is None else cells
        lacking = np.array([is_missing(c) for c in cells.ravel().tolist()]).reshape(cells.shape)
    return np.any(lacking.reshape(len(lacking), -1), 1) if lacking.ndim else None


def without_rows(columns: Values) -> dict[str, Any]:
    """Return columns without the rows that one of them lacks a value in, and warn how many.

    What has as many rows as a column that lacks values loses the same ones; all else stays. Groups
    of which no row is left are no groups any more, unless something has a value for each. Raises
    `MissingValue` where no row is left, and where columns of several lengths lack values.
    """
    lacking = {name: rows_lacking(value) for name, value in columns.items()}
    holed = {name: rows for name, rows in lacking.items() if rows is not None and rows.any()}
    if not holed:
        return dict(columns)
    lengths = sorted({len(rows) for rows in holed.values()})
    listed = ", ".join(f"`{name}` {int(rows.sum())}" for name, rows in holed.items())
    if len(lengths) > 1:
        raise MissingValue(
            f"columns of {' and '.join(map(str, lengths))} rows lack values ({listed}), and which "
            f"rows belong together cannot be told: leave them out of your data yourself"
        )
    keep = ~np.logical_or.reduce(list(holed.values()))
    if not keep.any():
        raise MissingValue(f"every row lacks a value ({listed}): nothing is left of the data")
    sharing = [n for n, rows in lacking.items() if rows is not None and len(rows) == len(keep)]
    warnings.warn(
        f"{int((~keep).sum())} of {len(keep)} rows lack a value ({listed}) and are left out of "
        f"{', '.join(f'`{name}`' for name in sharing)}",
        stacklevel=3,
    )
    left = {name: _kept(v, keep) if name in sharing else v for name, v in columns.items()}
    lengths = {len(v) for n, v in columns.items() if n not in sharing and np.ndim(v)}
    return _regrouped(columns, left, lengths)


def _regrouped(whole: Values, left: Values, lengths: set[int]) -> dict[str, Any]:
    """Return what is left of columns, groups without the labels of those that lost all rows.

    Columns of the same labels keep the same. Of what has `lengths`, a value may be for each label.
    """
    told: dict[tuple[Any, ...], list[str]] = {}
    for name, value in left.items():
        labels = value.labels if isinstance(value, Groups) else own_order(value)
        if labels is not None and len(labels) not in lengths:
            told.setdefault(tuple(labels), []).append(name)
    found = dict(left)
    for labels, names in told.items():
        before, after = (set().union(*(_members(c[n]) for n in names)) for c in (whole, left))
        stay = [label for label in labels if label in after or label not in before]
        if len(stay) < len(labels):
            found |= {name: _relabelled(left[name], labels, stay) for name in names}
    return found


def _members(value: Value) -> set[Hashable]:
    """Return the names that some row of a column of groups has."""
    if isinstance(value, Groups):
        return {value.labels[code] for code in np.unique(value.codes)}
    return set(entries(value))


def _relabelled(value: Any, labels: Sequence[Hashable], stay: Sequence[Hashable]) -> Groups:
    """Return groups, all of which are among `stay`, by these labels."""
    place = {label: code for code, label in enumerate(stay)}
    codes = groups(value, labels).codes
    return regroup(np.array([place.get(n, -1) for n in labels], np.int32)[codes], tuple(stay))


def _kept(value: Any, keep: np.ndarray) -> Any:
    """Return the rows of a column or a table that are kept."""
    if isinstance(value, np.ndarray | jax.Array):
        return value[keep]
    if isinstance(value, list):
        return [row for row, kept in zip(value, keep, strict=True) if kept]
    if hasattr(value, "iloc"):
        return value.iloc[np.flatnonzero(keep)]
    if hasattr(value, "filter"):
        try:
            return value.filter(keep.tolist())
        except TypeError:  # a table of another library
            pass
    return _kept(entries(value), keep)
