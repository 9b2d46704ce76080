"""Gather what a formula needs of a table that stays in place: few weighted rows that stand for it.

Their log density is that of the rows, constants included. Which sums are asked for follows from the
family: moments by cell for normal outcomes, events by exposure for counts, else how often each
different row is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from finetti.errors import ModelError
from finetti.formulas.division import Division
from finetti.formulas.families import Family
from finetti.formulas.frames import as_frame
from finetti.formulas.text import Call, Formula, words
from finetti.language.holes import Missing
from finetti.scale.arithmetic import Expression, Learned, read
from finetti.scale.events import events
from finetti.scale.look import learn, look
from finetti.scale.stand_ins import corners
from finetti.scale.sums import Added, Asking, Moments, moments, patterns
from finetti.scale.table import Table

if TYPE_CHECKING:
    import pandas as pd

WEIGHT = "(rows)"  # the column of a gathered frame with how often each row's likelihood counts
EXPOSURE = "log(rows)"  # that of counts that are added up without an offset of their own

Way = Literal["moments", "events", "patterns"]


class Brought(NamedTuple):
    """Hold rows that stand for a table's, and how many of its each does, by which they average.

    `mean` is the outcome's, where that is not its average. `shown` is what there is to see of the
    table's columns, each row as often as `seen` says: means of cells, and what lies at the ends.
    """

    frame: pd.DataFrame
    counts: np.ndarray
    added: Added
    shown: pd.DataFrame
    seen: np.ndarray
    mean: float | None = None


@dataclass(frozen=True)
class Gathered:
    """Hold rows that stand for a table's, and the formulas as they are written of them.

    `columns` are those that the formulas speak of, `features` the columns that are made of them,
    `renamed` the terms that have another name.
    `said` tells of the sums, and of the query that they came by.
    """

    brought: Brought
    mains: tuple[Formula, ...]
    extras: Mapping[str, Formula]
    columns: tuple[str, ...]
    said: str
    renamed: Mapping[str, str]
    features: Mapping[str, Expression]
    learned: Mapping[str, Learned]

    def featured(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows with the columns of features that can be made of them."""
        return _featured(rows, self.features, self.learned)


def gather(
    table: Table,
    mains: Sequence[tuple[Formula, Family]],
    extras: Mapping[str, Formula],
    missing: Missing,
) -> Gathered:
    """Ask a table for the sums that formulas need, and make rows of them that stand for its own.

    Raises `ModelError` for terms that cannot be computed where the table lies, `DataError` where
    rows lack values or too many sums would come.
    """
    if missing == "impute":
        raise ModelError(
            f"what rows of the table {table.name} lack cannot be unknown while they stay there: "
            f'say missing="drop", or give the rows themselves'
        )
    formulas = [*(m for m, _ in mains), *extras.values()]
    spoken = words(" ".join(f.text for f in formulas))
    names = [n for n in table.columns if n in spoken]
    way = _way(table, mains, extras)
    division = Division(table.kinds, table.name, way == "moments")
    exposure = _divide(division, way, formulas, names, len(mains))
    made = [replace(f, predictor=division.written(f.predictor)) for f in formulas]
    if way == "moments":
        made[0] = division.outcome(made[0])
    if way == "events":
        made[0] = _exposed(division, made[0], exposure)
    asking = _look(table, names, division, way, missing == "drop")
    outcome = made[0].response.strip("`")
    brought = _bring(division, asking, way, outcome, exposure)
    others = dict(zip(extras, made[len(mains) :], strict=True))
    return Gathered(
        brought, tuple(made[: len(mains)]), others, tuple(names),
        _words(table, asking.seen.rows, brought), division.renamed, division.features,
        asking.learned,
    )  # fmt: skip


def _way(
    table: Table, mains: Sequence[tuple[Formula, Family]], extras: Mapping[str, Formula]
) -> Way:
    """Return which sums hold all that rows say of an outcome."""
    if len(mains) > 1:
        return "patterns"
    (main, family), said = mains[0], set(mains[0][0].additions)
    link = next(iter(family.links.values()))
    if family.name == "gaussian" and link == "identity" and not said & {"cens", "trunc", "mi"}:
        return "moments"
    plain = table.kinds.get(main.response.strip("`")) == "number"
    if family.name == "poisson" and link == "log" and plain and said <= {"rate"} and not extras:
        return "events"
    return "patterns"


def _divide(
    division: Division, way: Way, formulas: Sequence[Formula], names: Sequence[str], mains: int
) -> Expression | None:
    """Say in which columns rows of a cell are alike; return the log exposure of counts."""
    for formula in formulas:
        division.keep_named(formula.predictor)
    main = formulas[0]
    if way == "moments":
        for extra in formulas[mains:]:
            division.keep(words(extra.text))
        for call in main.additions.values():
            division.keep(words(str(call)))
        return None
    if way == "patterns":
        division.keep(names)
        return None
    offsets = [", ".join(c.arguments) for c in main.predictor.special if c.name == "offset"]
    rates = [f"log({c.arguments[0]})" for c in main.additions.values()]
    texts = [*offsets, *rates]
    parts = [f"({text})" for text in texts] if len(texts) > 1 else texts
    exposure = read(" + ".join(parts), division.numbers) if parts else None
    if parts and exposure is None:
        raise ModelError(
            f"the offset {' + '.join((*offsets, *rates))} cannot be computed where the table "
            f"{division.where} lies: write a column, or log, exp, sqrt and arithmetic of columns"
        )
    rest = replace(main.predictor, special=tuple(_others(main)))
    division.cells = {}
    division.keep_named(rest)
    division.keep(words(" ".join([rest.linear, *(g.expression for g in rest.groups)])))
    return exposure


def _others(main: Formula) -> list[Call]:
    return [c for c in main.predictor.special if c.name != "offset"]


def _exposed(division: Division, main: Formula, exposure: Expression | None) -> Formula:
    """Return a formula of counts with one offset, the column of log exposures."""
    name = EXPOSURE if exposure is None else exposure.text.replace("`", "")
    found = read("0", set()) if exposure is None else exposure
    assert found is not None
    while name in division.kinds:
        name += "_"
    division.features[name] = found
    special = (*_others(main), Call("offset", (f"`{name}`",)))
    return replace(main, predictor=replace(main.predictor, special=special), additions={})


def _look(table: Table, names: Sequence[str], division: Division, way: Way, drop: bool) -> Asking:
    """Look at the table once, and once more for what functions of whole columns learn of it."""
    calls = [call for x in division.features.values() for call in x.learning]
    asked = {inner.text: inner for _, inner in calls if not inner.learning}
    if way == "moments":
        asked |= {x.text: x for x in division.features.values() if not x.learning}
    seen = look(table, names, list(asked.values()), tuple(division.cells), drop)
    return Asking(table, seen, learn(table, seen, calls))


def _bring(
    division: Division, asking: Asking, way: Way, outcome: str, exposure: Expression | None
) -> Brought:
    """Ask for the sums that suit the family, and make of them the rows that stand for the table."""
    keys = tuple(division.cells)
    if way == "moments":
        found = moments(asking, keys, list(division.features.values()))
        cell, weight, values = corners(found)
        columns = dict(zip(division.features, values.T, strict=True))
        frame = _frame(found.added, cell).assign(**columns, **{WEIGHT: weight})
        return Brought(frame, weight, found.added, *_shown(found, tuple(division.features)))
    if way == "events":
        counted = events(asking, keys, outcome, exposure)
        frame = _frame(counted.added, counted.cell)
        frame = _featured(frame, division.features, asking.learned)
        # `_exposed` has made the exposure the last feature.
        (column,) = list(division.features)[-1:]
        frame = frame.assign(**{outcome: counted.count, column: counted.log_exposure})
        shown = frame.assign(**{column: counted.log_exposure_of_each})
        rows = counted.rows
        return Brought(frame, rows, counted.added, shown, rows, counted.mean)
    added = patterns(asking, keys)
    weight = added.sums["n"]
    frame = _featured(_frame(added, np.arange(added.rows)), division.features, asking.learned)
    return Brought(frame.assign(**{WEIGHT: weight}), weight, added, frame, weight)


def _shown(found: Moments, features: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the means of cells, with the features' ends in two rows that count for nothing."""
    values = np.concatenate([found.means, found.ends])
    frame = _frame(found.added, np.r_[np.arange(found.added.rows), 0, 0])
    shown = frame.assign(**dict(zip(features, values.T, strict=True)))
    return shown, np.r_[found.counts, 0.0, 0.0]


def _frame(added: Added, cell: np.ndarray) -> pd.DataFrame:
    """Return the keys of cells as a frame, a row for each place."""
    import pandas as pd

    if not added.keys.num_columns:
        return pd.DataFrame(index=range(len(cell)))
    return as_frame(added.keys).iloc[cell].reset_index(drop=True)


def _featured(
    rows: pd.DataFrame, features: Mapping[str, Expression], learned: Mapping[str, Learned]
) -> pd.DataFrame:
    made = {
        name: x.compute(lambda n: rows[n].to_numpy(float), learned)
        for name, x in features.items()
        if x.columns <= set(rows.columns) and x.columns != {name}
    }
    return rows.assign(**made)


def _words(table: Table, rows: int, brought: Brought) -> str:
    added, came = brought.added, len(brought.frame)
    return (
        f"{rows:,} rows of {table.name} enter as {came:,} that stand for them, made of "
        f"{added.rows:,} rows of sums by this query:\n{added.query}"
    )
