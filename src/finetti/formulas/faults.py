"""Refuse columns that a formula cannot use as it speaks of them, naming the column and the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError
from finetti.language.columns import (
    as_number,
    entries,
    kind,
    kinds_of,
    misspelt,
    mixed,
    without_value,
)

if TYPE_CHECKING:
    import pandas as pd

ALIKE = ({"numbers", "truth values"}, {"text", "dates"})  # kinds that may stand for one another
MANY = 10  # categories of an outcome, beyond which they are to repeat


def refuse_columns(frame: pd.DataFrame, names: Iterable[str]) -> None:
    """Refuse columns that are neither numbers nor names, or hold both, as terms of a predictor."""
    for name in names:
        column: Any = frame[name]
        code = getattr(column.dtype, "kind", "O")
        if code == "M":
            raise DataError(
                f"column `{name}` holds dates, which are no numbers: give one, such as the days "
                f"since the first, ({name} - {name}.min()).dt.days, or group by it, (1 | {name})"
            )
        if code == "m":
            raise DataError(
                f"column `{name}` holds lengths of time: give numbers in a unit of your choice, "
                f"such as {name}.dt.total_seconds()"
            )
        if code == "c":
            raise DataError(f"column `{name}` holds complex numbers: give their parts as columns")
        if column.dtype == object:
            values = entries(column)
            lacking = set(without_value(values))
            if lacking:
                values = [v for row, v in enumerate(values) if row not in lacking]
            _refuse_objects(name, values)


def _refuse_objects(name: str, values: list[Any]) -> None:
    """Refuse what Python's objects hold beside text and truth values of one kind."""
    other = mixed(values)
    if other is not None:
        place, most = other
        raise DataError(
            f"column `{name}` holds {values[place]!r} among {most}: a column holds one kind of "
            f"value; mend such rows, or leave them out"
        )
    odd = [k for k in kinds_of(values).values() if k not in ("text", "truth values")]
    if odd:
        raise DataError(
            f"column `{name}` holds {values[0]!r:.60}, of the kind {odd[0]}: a term takes numbers "
            f"or names"
        )
    if not values or not isinstance(values[0], str):
        return
    wrong = misspelt(values)
    if wrong and len(wrong) < len(values):
        raise DataError(
            f"column `{name}` holds {values[wrong[0]]!r} among numbers ({len(wrong)} such values): "
            f"mend them, or leave these rows out, and give numbers"
        )
    read = [as_number(v) for v in dict.fromkeys(values)]
    if all(v is not None for v in read) and any(v != round(v) for v in read if v is not None):
        raise DataError(
            f"column `{name}` holds numbers written as text, such as {values[0]!r}: make numbers "
            f"of them, as by pandas.to_numeric; text is taken for names"
        )


def refuse_levels(name: str, levels: list[Any], rows: int) -> None:
    """Refuse categories of an outcome that hardly repeat: they are numbers, or names of rows."""
    if len(levels) > MANY and 2 * len(levels) > rows:
        raise DataError(
            f"the outcome `{name}` has {len(levels)} different values in {rows} rows, too many for "
            f"categories: take a family of numbers, or fewer categories"
        )


def kind_of(column: Any) -> str:
    """Return the kind of a column's values: numbers, truth values, text, dates; "" without any."""
    known = column.dropna()
    if not len(known):
        return ""
    if known.dtype.kind in "mM":
        return "dates" if known.dtype.kind == "M" else "lengths of time"
    return kind(known.iloc[0])


def refuse_other_kinds(fitted: Mapping[str, str], rows: pd.DataFrame) -> None:
    """Refuse rows that hold a column's values in another kind than the fit's: "1" is not 1.

    Truth values are numbers too, and text may spell a date that names a group.
    """
    for name, was in fitted.items():
        found = kind_of(rows[name]) if name in rows else ""
        if found and not any({was, found} <= like for like in ALIKE) and was != found:
            raise DataError(
                f"column `{name}` holds {was} in the fit and {found} in these rows, such as "
                f"{entries(rows[name].dropna())[0]!r:.60}: give {was}"
            )


Make = Callable[["pd.DataFrame"], np.ndarray]


def sound(make: Make, call: str, least: float | None = None, strictly: bool = False) -> Make:
    """Return what makes numbers of a table that are finite and not below the least, or refuses.

    `strictly` refuses the least itself; `call` is how they were written, such as weights(w).
    """

    def made(frame: pd.DataFrame) -> np.ndarray:
        found = make(frame)
        lowest = -np.inf if least is None else least
        low = found <= lowest if strictly else found < lowest
        bad = np.flatnonzero(low | ~np.isfinite(found))
        if len(bad):
            above = "" if least is None else f" and {'above' if strictly else 'at least'} {least:g}"
            raise DataError(
                f"{call} is {found[bad[0]]:g} in row {bad[0] + 1} ({len(bad)} such rows): it is "
                f"to be finite{above}; mend these rows, or leave them out"
            )
        return found

    return made
