"""Lay out the rows on which a model is asked for its mean: a grid of columns, the others held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from numbers import Real
from typing import Any, Literal

import numpy as np

from finetti.criticism.predicting.rows import arguments
from finetti.errors import DataError
from finetti.language.dims import Groups
from finetti.language.reader import Reader
from finetti.models import Model
from finetti.structure.words import listed
from finetti.types import TableLike, Value, Values

POINTS = 25  # of a column of numbers
LEVELS = 12  # of different numbers, up to which all are taken
FEW = 3  # numbers that predictions are parted by
MOST = 2_000_000  # rows to predict at once
STEP = 1e-4  # of a column's range: for slopes

At = Literal["mean", "data"]


@dataclass(frozen=True, eq=False)
class Grid:
    """Hold values that columns go over, the last the fastest, and the rows the others have there.

    `steps` are added to the last column: nothing, and for slopes a little either way. `counts` are
    the rows that each of these stands for, None for itself alone.
    """

    values: Mapping[str, np.ndarray]
    rows: Mapping[str, np.ndarray]
    steps: np.ndarray
    counts: np.ndarray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns that go over values."""
        return tuple(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of steps, then of values of each column."""
        return (len(self.steps), *map(len, self.values.values()))

    @property
    def held(self) -> int:
        """Return the number of rows at each place."""
        return len(next(iter(self.rows.values())))

    def table(self) -> dict[str, np.ndarray]:
        """Return the columns, shape (step x values x row,), or refuse too many rows."""
        total = prod(self.shape) * self.held
        if total > MOST:
            raise DataError(
                f"{total:,} rows would be predicted, more than {MOST:,}: give fewer rows of data, "
                f"or leave at='data' out"
            )
        places = np.indices((*self.shape, self.held)).reshape(len(self.shape) + 1, -1)
        found = {name: column[places[-1]] for name, column in self.rows.items()}
        for axis, (name, values) in enumerate(self.values.items(), 1):
            found[name] = values[places[axis]]
        if len(self.steps) > 1:
            found[self.names[-1]] = found[self.names[-1]] + self.steps[places[0]]
        return found


def grid_over(
    columns: Mapping[str, np.ndarray],
    chosen: Sequence[str],
    at: At | Values,
    orders: Mapping[str, Sequence[Any]],
    counts: np.ndarray | None = None,
) -> Grid:
    """Return the grid of a column, the last chosen, and of one to part it by, if there are two.

    `orders` are those that columns of names state, `counts` the rows that each of the columns'
    stands for, None for itself alone. Raises `DataError` for what is no column.
    """
    name = chosen[-1]
    for one in chosen:
        if one not in columns:
            known = listed(f"`{c}`" for c in columns) or "none"
            raise DataError(f"the data have no column `{one}` of rows (columns: {known})")
    if len(set(chosen)) < len(chosen):
        raise DataError(f"`{name}` cannot be parted by itself: give another column as by=")
    names = {n: _in_order(c, orders.get(n)) for n, c in columns.items() if not _is_number(c)}
    values = {
        one: np.array(names[one], object)
        if one in names
        else _grid(columns[one], POINTS if one == name else FEW)
        for one in chosen
    }
    middle = {n: names[n][0] if n in names else _middle(c, counts) for n, c in columns.items()}
    rows = _rows(columns, at, chosen, middle)
    return Grid(values, rows, _steps(columns[name]), counts if at == "data" else None)


def columns_of(model: Model, data: TableLike, name: str) -> dict[str, np.ndarray]:
    """Return the columns of rows by name: of the data given, or the model's arguments."""
    known = _given(model, data)
    if model.reader is not None:  # nothing depends on other columns
        used = model.reader.predictors
        known = {name: column for name, column in known.items() if name in used}
    found = {}
    for key, value in known.items():
        column = np.array(value.labels, object)[np.asarray(value)] if isinstance(
            value, Groups) else np.asarray(value)  # fmt: skip
        if column.ndim == 1 and len(column) > 1:
            found[key] = column
    length = len(found[name]) if name in found else 0
    found = {key: c for key, c in found.items() if not length or len(c) == length}
    named = [set(map(str, p.labels)) for v in model.variables for p in v.plates if p.labels]
    return {key: _kept(key, found, named, model.reader) for key in found}


def _given(model: Model, data: TableLike) -> dict[str, Any]:
    """Return the columns of the data given, or of the model's own, as they are."""
    if data is None and model.reader is not None:
        data = model.reader.table
    if data is None:
        return arguments(model)
    return {str(n): data[n] for n in (data.columns if hasattr(data, "columns") else data)}


def orders_of(model: Model, data: TableLike) -> dict[str, list[Any]]:
    """Return the order of names that columns state, the fit's before that of the data given."""
    found = {}
    for known in ([] if data is None else [data]) + [None]:
        for name, column in _given(model, known).items():
            kind: Any = getattr(column, "dtype", None)
            if isinstance(column, Groups):
                found[name] = list(column.labels)
            elif getattr(kind, "ordered", False):
                found[name] = kind.categories.tolist()
    return found


def whole_rows(
    columns: Mapping[str, np.ndarray], outcome: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return the rows that lack no value of any column but the outcome; raise where none is."""
    lacking = {n: np.isnan(c) for n, c in columns.items() if c.dtype.kind == "f"}
    same = [n for n in lacking if np.array_equal(columns[n], outcome, equal_nan=True)] if (
        outcome is not None and outcome.dtype.kind in "biuf") else []  # fmt: skip
    holes = [rows for n, rows in lacking.items() if n not in same and rows.any()]
    if not holes:
        return dict(columns)
    keep = ~np.logical_or.reduce(holes)
    if not keep.any():
        raise DataError("every row lacks a value of some column: give rows as data=")
    return {n: c[keep] if len(c) == len(keep) else c for n, c in columns.items()}


def _kept(
    name: str, columns: Mapping[str, np.ndarray], named: list[set[str]], reader: Reader | None
) -> np.ndarray:
    """Return whole numbers as names where they are used so, as fractions in formulas.

    They name a plate's members, or a formula takes no others: of C(k), of steps, of censoring.
    """
    column = columns[name]
    if column.dtype.kind not in "iu":
        return column
    if any(set(map(str, np.unique(column).tolist())) <= labels for labels in named):
        return column.astype(object)
    if reader is None:
        return column
    row = {n: c[:1] for n, c in columns.items()}
    between = {**row, name: row[name] + 0.5}
    names = _is_read(reader, row) and not _is_read(reader, between)
    return column.astype(object if names else float)


def _is_read(reader: Reader, rows: Mapping[str, np.ndarray]) -> bool:
    """Tell whether a formula can be asked of these rows."""
    try:
        with np.errstate(all="ignore"):
            reader(rows)
    except DataError:
        return False
    return True


def _in_order(column: np.ndarray, stated: Sequence[Any] | None) -> list[Any]:
    """Return names once each: as stated, or numbers by their size, others by the alphabet."""
    distinct = list(dict.fromkeys(column.tolist()))
    if stated is not None and set(distinct) <= set(stated):
        return [v for v in stated if v in set(distinct)]
    numbers = all(isinstance(v, Real) for v in distinct)
    return sorted(distinct, key=None if numbers else str)


def _is_number(column: np.ndarray) -> bool:
    return column.dtype.kind in "iuf"


def _grid(column: np.ndarray, points: int) -> np.ndarray:
    """Return the values that a column of numbers goes over: all, or so many of its range."""
    distinct = np.unique(column)
    if len(distinct) <= LEVELS:
        return distinct
    if points < LEVELS:  # few: around the mean
        return column.mean() + column.std() * np.arange(-(points // 2), points // 2 + 1.0)
    return np.linspace(column.min(), column.max(), points)


def _rows(
    columns: Mapping[str, np.ndarray],
    at: At | Values,
    chosen: Sequence[str],
    middle: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Return the rows that the other columns are held at: one, or those of the data."""
    if isinstance(at, str) and at == "data":
        return dict(columns)
    if isinstance(at, str) and at != "mean":
        raise ValueError(f'at={at!r} is neither "mean", "data" nor values of columns')
    given: Values = {} if isinstance(at, str) else at
    for name in given:
        if name not in columns or name in chosen:
            known = listed(f"`{c}`" for c in columns if c not in chosen) or "none"
            raise DataError(f"`{name}` of at= is no other column of the data (others: {known})")
    return {n: np.array([given.get(n, middle[n])], c.dtype if n not in given else None)
            for n, c in columns.items()}  # fmt: skip


def _middle(column: np.ndarray, counts: np.ndarray | None) -> Value:
    """Return where a column of numbers is held: at the mean, whole ones at the median."""
    if column.dtype.kind == "f":
        return np.average(column, weights=counts)
    if column.dtype.kind in "iu" and counts is not None:
        order = np.argsort(column, kind="stable")
        reached = np.cumsum(counts[order])
        return column[order][np.searchsorted(reached, reached[-1] / 2)]
    return np.sort(column)[(len(column) - 1) // 2]


def _steps(column: np.ndarray) -> np.ndarray:
    """Return what is added to a column: nothing, and a little either way for slopes."""
    if column.dtype.kind != "f":
        return np.zeros(1)
    step = STEP * (np.ptp(column) or 1.0)
    return np.array([0.0, step, -step])


def coordinate(grid: np.ndarray) -> np.ndarray:
    """Return a grid as a coordinate: text as text, numbers short enough to read."""
    if grid.dtype == object:
        return np.array([str(value) for value in grid])
    return np.array([float(f"{value:.6g}") for value in grid]) if grid.dtype.kind == "f" else grid
