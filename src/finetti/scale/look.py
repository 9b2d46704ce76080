"""Look at a table once: how many rows there are, which lack values, and where its columns lie."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, frexp, isfinite, ldexp

from finetti.errors import DataError
from finetti.scale.arithmetic import Expression, Learned
from finetti.scale.table import Expr, Table, is_nan


@dataclass(frozen=True)
class Seen:
    """Hold what one look at a table found: `rows` that are whole, and expressions' mean and sd.

    `distinct` says about how many different values each of some columns has; `whole` is the
    expression of the table without rows that lack a value.
    """

    rows: int
    whole: Expr
    means: Mapping[str, float]
    sds: Mapping[str, float]
    distinct: Mapping[str, int] = field(default_factory=dict)

    def column(self, table: Table, name: str) -> Expr:
        """Return a column of the whole rows, as `Table.column` does of all rows."""
        found = self.whole[name]
        return found.cast("float64") if table.kinds[name] == "number" else found

    def shift(self, text: str) -> float:
        """Return a round number near an expression's mean, which its values are taken less.

        Sums of squares of what lies far from 0 would lose the digits that tell values apart.
        """
        mean, sd = self.means[text], self.sds[text]
        if not sd > 0:
            return mean
        step = ldexp(1.0, frexp(sd)[1])
        return floor(mean / step + 0.5) * step


def look(
    table: Table,
    names: Sequence[str],
    expressions: Sequence[Expression],
    keys: Sequence[str],
    drop: bool,
    remedy: str = 'say missing="drop" to leave these rows out',
) -> Seen:
    """Count rows, and those that lack a value of columns named; average expressions of the rest.

    `expressions` know no whole column. Raises `DataError` for an empty table, for rows that lack
    values, with the `remedy`, unless they are to be dropped, and for values that are not finite.
    """
    lacking = {name: _lacks(table, name) for name in names}
    whole = None
    for lack in lacking.values():
        whole = ~lack if whole is None else whole & ~lack
    rows = table.rows
    asked = {"n": rows.count()} | {f"l{i}": x.sum() for i, x in enumerate(lacking.values())}
    if whole is not None:
        asked["w"] = whole.sum()
    for i, x in enumerate(expressions):
        value = x.compute(table.column, {})
        asked |= {f"m{i}": value.mean(where=whole), f"s{i}": value.std(how="pop", where=whole)}
    if table.can("ApproxCountDistinct"):
        asked |= {f"d{i}": rows[k].approx_nunique() for i, k in enumerate(keys)}
    found = table.fetch(rows.aggregate(**asked), "its counts and means").to_pylist()[0]
    counts = {name: int(found[f"l{i}"] or 0) for i, name in enumerate(names)}
    _refuse_missing(table, found["n"], found.get("w"), counts, "" if drop else remedy)
    means = {x.text: found[f"m{i}"] for i, x in enumerate(expressions)}
    sds = {x.text: found[f"s{i}"] for i, x in enumerate(expressions)}
    for text in means:
        if not all(v is not None and isfinite(v) for v in (means[text], sds[text])):
            shown = text.replace("`", "")
            raise DataError(
                f"`{shown}` is not finite in some rows of the table {table.name}: look at what it "
                f"is computed from"
            )
    distinct = {k: int(found[f"d{i}"]) for i, k in enumerate(keys) if f"d{i}" in found}
    kept = rows if whole is None or not any(counts.values()) else rows.filter(whole)
    return Seen(int(found["n"] if whole is None else found["w"]), kept, means, sds, distinct)


def learn(table: Table, seen: Seen, calls: Sequence[tuple[str, Expression]]) -> dict[str, Learned]:
    """Return what scale(...) and center(...) learn of the whole rows, innermost first."""
    known: dict[str, Learned] = {}
    for text, inner in calls:
        if text in known:
            continue
        if inner.text in seen.means:
            mean, sd = seen.means[inner.text], seen.sds[inner.text]
        else:
            value = inner.compute(lambda name: seen.column(table, name), known)
            mean, sd = _moments(table, seen, value, inner.text)
        near = seen.shift(inner.text) if inner.text in seen.means else mean
        if abs(mean) > 1e4 * sd > 0:  # once more, nearer: the digits of what lies far from 0
            value = inner.compute(lambda name: seen.column(table, name), known) - near
            off, sd = _moments(table, seen, value, inner.text)
            mean = near + off
        if not sd > 0 and not text.startswith("center"):
            raise DataError(f"`{text}` divides by 0: `{inner.text}` has one value only")
        known[text] = Learned(mean, 1.0 if text.startswith("center") else sd)
    return known


def _moments(table: Table, seen: Seen, value: Expr, text: str) -> tuple[float, float]:
    asked = seen.whole.aggregate(m=value.mean(), s=value.std(how="pop"))
    found = table.fetch(asked, f"the mean of `{text}`").to_pylist()[0]
    if not all(v is not None and isfinite(v) for v in found.values()):
        raise DataError(f"`{text}` is not finite in some rows of the table {table.name}")
    return found["m"], found["s"]


def _lacks(table: Table, name: str) -> Expr:
    """Tell of a column's values whether they are missing: null, no number, or text without any."""
    column, dtype = table.rows[name], table.rows[name].type()
    if dtype.is_floating():
        return column.isnull() | is_nan(column)
    if dtype.is_string():
        return column.isnull() | (column.strip() == "").fill_null(False)
    return column.isnull()


def _refuse_missing(
    table: Table, rows: int, whole: int | None, counts: Mapping[str, int], remedy: str
) -> None:
    """Refuse rows without a value with a remedy; without one say how many are left out."""
    if not rows:
        raise DataError(f"the table {table.name} has no rows")
    lack = 0 if whole is None else rows - whole
    if not lack:
        return
    listed = ", ".join(f"`{name}` {n:,}" for name, n in counts.items() if n)
    if remedy:
        raise DataError(f"{lack:,} of {rows:,} rows lack a value ({listed}): {remedy}")
    if lack == rows:
        raise DataError(f"every row lacks a value ({listed}): nothing is left of the table")
    warnings.warn(
        f"{lack:,} of {rows:,} rows lack a value ({listed}) and are left out", stacklevel=4
    )
