"""Hold the table that a formula speaks of, whatever it came in: one pandas data frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError, MissingExtra, hint
from finetti.language.holes import Missing
from finetti.reading.given import columns_of
from finetti.reading.read import read

if TYPE_CHECKING:
    import pandas as pd


# What a formula can do about rows that lack values, and what its user can of rows that follow.
WAYS_OUT = (
    'say missing="drop" to leave these rows out, or missing="impute" to let what they lack be '
    "unknown"
)


def require() -> None:
    """Raise `MissingExtra` without the packages that formulas are read with."""
    for package in ("formulae", "narwhals"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtra.needed(package, "formulas", "a formula") from error


def as_frame(data: Any) -> pd.DataFrame:
    """Return a table as a data frame of pandas: a path, a mapping of columns, or a data frame.

    Of data frames every kind that narwhals knows is taken. Raises `DataError` for what is no table.
    """
    import pandas as pd

    if isinstance(data, str | PathLike):
        data = read(data)
        if data.said:
            warnings.warn(data.said, stacklevel=3)
    elif not isinstance(data, pd.DataFrame | Mapping):
        try:
            data = columns_of(data)
        except DataError as error:
            raise DataError(f"a formula takes a table: {error}") from error
    if isinstance(data, pd.DataFrame):
        named = [n for n in data.index.names if n is not None and n not in data.columns]
        frame = data.reset_index(named) if named else data
    else:
        _refuse_unlike_indices(data)
        columns = {str(name): _plain(column) for name, column in data.items()}
        dims = {name: _dims(c) for name, c in columns.items()}
        tall = {name: c for name, c in columns.items() if dims[name] == 1}
        lengths = {name: len(c) for name, c in tall.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"`{name}` {n}" for name, n in lengths.items())
            raise DataError(f"the columns of a table have a row each, and these differ: {listed}")
        single = {n: c for n, c in columns.items() if dims[n] == 0}
        if len(single) == len(columns):  # a row, written as its values
            tall, single = {n: [c] for n, c in single.items()}, {}
        rows = next(iter(lengths.values()), None)
        wide = {n: list(c) for n, c in columns.items() if dims[n] > 1 and len(c) == rows}
        frame = pd.DataFrame({**tall, **wide}).assign(**single)  # wide ones are refused if named
    if not len(frame):
        raise DataError("the table has no rows")
    frame = frame.reset_index(drop=True)
    frame.columns = [
        "_".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)
        for name in frame.columns
    ]
    twice = frame.columns[frame.columns.duplicated()].tolist()
    if twice:
        raise DataError(f"the table has several columns `{twice[0]}`: rename all but one of them")
    return _plainly(frame)


def _refuse_unlike_indices(data: Mapping[Any, Any]) -> None:
    """Refuse series of pandas whose rows have other labels: which belong together is not told."""
    import pandas as pd

    series = {name: column for name, column in data.items() if isinstance(column, pd.Series)}
    first, *others = series or [""]
    for name in others:
        if not series[name].index.equals(series[first].index):
            raise DataError(
                f"the columns `{first}` and `{name}` are series whose indices differ: give a data "
                f"frame in which their rows are put together, or arrays, column.to_numpy()"
            )


def _dims(column: Any) -> int:
    """Return the number of dimensions of a column; lists of other lengths have two."""
    if isinstance(column, Set | Iterator):
        raise DataError(
            f"a {type(column).__name__} is no column of a table, as its values have no order: give "
            f"a list"
        )
    try:
        return np.ndim(column)
    except ValueError:
        return 2


def _plain(column: Any) -> Any:
    """Return a column of polars, PyArrow or narwhals as pandas has it, others as they are."""
    import narwhals as nw
    import pandas as pd

    series = nw.from_native(column, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        return column
    if isinstance(series.to_native(), pd.Series):
        return series.to_native()
    kind = series.dtype
    if isinstance(kind, nw.Enum):
        return pd.Categorical(series.to_list(), list(kind.categories), ordered=True)
    if getattr(getattr(series.to_native(), "type", None), "ordered", False):  # Arrow's dictionaries
        return series.to_native().combine_chunks().to_pandas()
    if kind.is_integer():
        small = not series.is_null().any() and str(kind) not in ("Int128", "UInt128")
        return series.to_numpy() if small else pd.Series(series.to_list(), dtype=object)
    if not kind.is_numeric():
        return series.to_list()
    return series.cast(nw.Float64).fill_null(float("nan")).to_numpy()


def _plainly(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with numbers as numpy has them, and text as objects, missing as None.

    Categories keep an order that they state: that of text's alphabet is none.
    """
    import pandas as pd

    found = {}
    for name in frame:
        column: Any = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = _categories(column)
        if isinstance(column.dtype, pd.CategoricalDtype):
            pass
        elif pd.api.types.is_bool_dtype(column) and not column.isna().any():
            column = column.astype(bool)
        elif getattr(column.dtype, "kind", "O") in "mMc":
            pass  # refused where a term is made of it
        elif pd.api.types.is_integer_dtype(column) or _is_decimal(column):
            column = _numbers(column)
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            column = column.astype("float64")
        else:
            column = column.astype(object)
            blank = column.map(lambda v: isinstance(v, str) and not v.strip())
            column = column.where(~blank & column.notna(), None)
        found[name] = column
    return pd.DataFrame(found)


def _categories(column: Any) -> Any:
    """Return a category as one that is ordered, text where it states no order; blanks are none."""
    levels = column.cat.categories.tolist()
    blank = [v for v in levels if isinstance(v, str) and not v.strip()]
    column = column.cat.remove_categories(blank).cat.remove_unused_categories()
    levels = column.cat.categories.tolist()
    text = all(isinstance(v, str) for v in levels)
    if text and not column.cat.ordered and levels == sorted(levels):
        return column.astype(object)
    return column.cat.as_ordered()


def _numbers(column: Any) -> Any:
    """Return whole or decimal numbers as numpy has them; names where numpy's would be the same.

    So are two identifiers beyond 2 ** 53, which reals cannot tell apart.
    """
    import pandas as pd

    holes = column.isna().to_numpy()
    if pd.api.types.is_integer_dtype(column) and not holes.any() and column.max() < 2**63:
        return column.astype("int64")
    values = column[~holes].tolist()
    if all(isinstance(v, Integral) for v in values):
        least, most = min(values, default=0), max(values, default=0)
        if not holes.any() and least >= -(2**63) and most < 2**63:
            return column.astype("int64")
        if max(-least, most) > 2**53 and len(set(values)) > len(set(map(float, values))):
            names = [None if hole else str(v) for v, hole in zip(column, holes, strict=True)]
            return pd.Series(names, column.index, object)
    found = np.full(len(column), np.nan)
    found[~holes] = [float(v) for v in values]
    return pd.Series(found, column.index)


def _is_decimal(column: Any) -> bool:
    """Tell whether a column holds numbers of any kind as Python's objects, Decimals among them."""
    known = column.dropna() if column.dtype == object else ()
    return len(known) > 0 and all(
        isinstance(v, Real | Decimal) and not isinstance(v, bool | np.bool_) for v in known
    )


def is_truth(column: Any) -> bool:
    """Tell whether a column holds truth values, and perhaps none, as Python's objects."""
    known = column.dropna() if column.dtype == object else ()
    return len(known) > 0 and all(isinstance(v, bool | np.bool_) for v in known)


def need(columns: Iterable[str], names: Iterable[str], where: str) -> None:
    """Refuse names that are no columns, such as a frame's, each with the nearest that is one."""
    known = [c for c in columns if not c.startswith("(")]  # finetti's own, of sums
    for name in names:
        if name not in known:
            listed = ", ".join(f"`{n}`" for n in known)
            raise DataError(
                f"the table has no column `{name}`, of which {where!r} speaks{hint(name, known)} "
                f"(columns: {listed})"
            )


def whole_rows(
    frame: pd.DataFrame,
    names: Iterable[str],
    missing: Missing,
    spared: Iterable[str] = (),
    remedy: str = WAYS_OUT,
) -> pd.DataFrame:
    """Return the rows without a missing value among the columns named.

    Raises `DataError` that counts the others, with the `remedy`, unless they are to be dropped.
    Columns `spared` may lack values.
    """
    import pandas as pd

    bad: Any = pd.DataFrame({n: frame[n].isna() for n in names if n not in set(spared)})
    rows = bad.any(axis=1).to_numpy() if bad.shape[1] else np.zeros(len(frame), bool)
    if not rows.any():
        return frame
    counts = ", ".join(f"`{n}` {int(bad[n].sum())}" for n in bad if bad[n].any())
    if missing == "refuse":
        raise DataError(
            f"{int(rows.sum())} of {len(frame)} rows lack a value ({counts}), the first is row "
            f"{int(np.flatnonzero(rows)[0]) + 1}: {remedy}"
        )
    if rows.all():
        raise DataError(f"every row lacks a value ({counts}): nothing is left of the table")
    warnings.warn(
        f"{int(rows.sum())} of {len(frame)} rows lack a value ({counts}) and are left out",
        stacklevel=3,
    )
    kept = frame.loc[~rows].reset_index(drop=True)
    for name in kept:
        if isinstance(kept[name].dtype, pd.CategoricalDtype):
            kept[name] = kept[name].cat.remove_unused_categories()
        elif is_truth(kept[name]):
            kept[name] = kept[name].astype(bool)
    return kept
