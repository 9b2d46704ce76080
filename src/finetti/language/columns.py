"""Judge the columns that come in: what is missing in them, of what kind they are, in what order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from numbers import Real
from typing import Any

import numpy as np

KINDS = {
    "text": str,
    "truth values": bool | np.bool_,
    "numbers": Real,
    "dates": date | np.datetime64,
}


def entries(column: Any) -> list[Any]:
    """Return a column's values as Python has them, whatever holds it.

    >>> entries(np.array([1.5, 2.0]))
    [1.5, 2.0]
    """
    for name in ("to_list", "to_pylist", "tolist"):
        if hasattr(column, name):
            found = getattr(column, name)()
            return found if isinstance(found, list) else [found]
    return [x.item() if isinstance(x, np.generic) else x for x in column]


def widened(value: Any) -> Any:
    """Return numbers of fewer than 64 bits with 64, which no usual arithmetic runs over.

    200 * 200 is 64 among numbers of 8 bits. Whole numbers without a sign get one, where it fits.
    All else, arrays of JAX too, stays as it is.

    >>> widened(np.array([200, 3], np.uint8)) * 200
    array([40000,   600])
    """
    if type(value) is not np.ndarray and not isinstance(value, np.generic):
        return value
    whole, short = value.dtype.kind in "iu", value.dtype.itemsize < 8
    if whole and (short or (value.dtype.kind == "u" and not (np.asarray(value) >> 63).any())):
        return value.astype(np.int64)
    return value.astype(np.float64) if short and value.dtype.kind == "f" else value


def is_missing(value: object) -> bool:
    """Tell whether a value stands for none: None, NaN, NaT, pandas' NA, or blank text.

    >>> is_missing(None), is_missing(float("nan")), is_missing(" "), is_missing(0)
    (True, True, True, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, Real | np.datetime64 | np.timedelta64) and bool(value != value)


def without_value(values: Sequence[object]) -> list[int]:
    """Return the rows whose value stands for none; what many rows share is looked at once.

    >>> without_value(["Pine", None, "Cook", ""])
    [1, 3]
    """
    try:
        distinct = set(values)
    except TypeError:  # a list, say
        distinct = values
    if not any(map(is_missing, distinct)):
        return []
    return [row for row, value in enumerate(values) if is_missing(value)]


def kind(value: object) -> str:
    """Return what kind of value this is: text, truth values, numbers, dates, or its type.

    >>> kind("Pine"), kind(True), kind(3), kind([])
    ('text', 'truth values', 'numbers', 'list')
    """
    return next((k for k, t in KINDS.items() if isinstance(value, t)), type(value).__name__)


def mixed(values: Sequence[object]) -> tuple[int, str] | None:
    """Return the first row whose kind is not the most frequent one, and that kind.

    >>> mixed([1.0, 2, "."])
    (2, 'numbers')
    """
    kinds = kinds_of(values)
    if len(kinds) < 2:
        return None
    found = [kinds[type(v)] for v in values]
    most = max(dict.fromkeys(found), key=found.count)
    return next(((row, most) for row, k in enumerate(found) if k != most), None)


def kinds_of(values: Sequence[object]) -> dict[type, str]:
    """Return the kind of each type that values have: many rows have few.

    >>> kinds_of(["Pine", "Cook"])
    {<class 'str'>: 'text'}
    """
    first = dict(zip(map(type, values), values, strict=True))
    return {of: kind(value) for of, value in first.items()}


def own_order(column: Any) -> list[Any] | None:
    """Return the categories of a column that states their order: pandas' and polars' Enum."""
    native = column.to_native() if hasattr(column, "to_native") else column
    stated = getattr(native, "dtype", None)
    if type(stated).__name__ not in ("Enum", "CategoricalDtype"):
        return None
    return entries(getattr(stated, "categories"))  # noqa: B009


def as_number(text: Any) -> float | None:
    """Return the number that text spells, or None.

    >>> as_number(" 1.5 "), as_number("1,5"), as_number("nan")
    (1.5, None, None)
    """
    try:
        found = float(text)
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) and "_" not in str(text) else None


def misspelt(values: Sequence[object]) -> list[int]:
    """Return the rows that are no numbers in a column of text most of which are.

    What many rows share is read once.

    >>> misspelt(["1", "2.5", "."]), misspelt(["A", "B", "3"])
    ([2], [])
    """
    wrong = {text: as_number(text) is None for text in dict.fromkeys(values)}
    if len(set(wrong.values())) < 2:  # all are numbers, or none is
        return []
    bad = [row for row, text in enumerate(values) if wrong[text]]
    return bad if 2 * len(bad) < len(values) else []
