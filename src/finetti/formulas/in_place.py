"""Gather what a formula needs of a table that stays in place: few weighted rows that stand for it.

Their log density is that of the rows, constants included. Which sums are asked for follows from the
family: moments by cell for normal outcomes, events by exposure for counts, else how often each
different row is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finetti.errors import DataError, ModelError
from finetti.formulas.brought import Asked, Brought, Sums, Way, added, bring, cells_of, featured
from finetti.formulas.division import Division
from finetti.formulas.families import Family
from finetti.formulas.text import Call, Formula, words
from finetti.language.holes import LEAVE_OUT, Missing
from finetti.scale.arithmetic import Expression, Learned, read
from finetti.scale.look import learn, look
from finetti.scale.sums import Asking
from finetti.scale.table import Table

if TYPE_CHECKING:
    import pandas as pd

EXPOSURE = "log(rows)"  # that of counts that are added up without an offset of their own


@dataclass(frozen=True)
class Gathered:
    """Hold rows that stand for a table's, and the formulas as they are written of them.

    `columns` are those that the formulas speak of, `features` the columns that are made of them,
    `renamed` the terms that have another name. `learned` is what functions of whole columns have
    learned. `said` tells of the sums, and of the query that they came by.
    """

    brought: Brought
    mains: tuple[Formula, ...]
    extras: Mapping[str, Formula]
    columns: tuple[str, ...]
    said: str
    asked: Asked
    learned: Mapping[str, Learned]
    sums: Sums
    rows: int

    @property
    def renamed(self) -> Mapping[str, str]:
        """Return the names of terms that are written otherwise."""
        return self.asked.division.renamed

    def featured(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows with the columns of features that can be made of them."""
        return featured(rows, self.asked.division.features, self.learned)

    def plus(self, table: Table, missing: Missing) -> Gathered:
        """Return what stands for these rows and for those of another table: their sums are added.

        What functions of whole columns have learned stays. Raises `DataError` where the other's
        columns are of other kinds or absent, or lack values of rows that are not to be dropped.
        """
        division = self.asked.division
        table.need(list(self.columns), "ft.update")
        for name in self.columns:
            if table.kinds[name] != division.kinds[name]:
                raise DataError(
                    f"`{name}` holds {_KINDS[division.kinds[name]]} in the fit and "
                    f"{_KINDS[table.kinds[name]]} in the table {table.name}"
                )
        averaged, cells = _looked(self.asked), tuple(division.cells)
        seen = look(table, self.columns, averaged, cells, missing == "drop", LEAVE_OUT)
        more = self.asked.sums(Asking(table, seen, self.learned))
        sums, rows = added(self.sums, more), self.rows + seen.rows
        brought = bring(self.asked, sums, self.learned)
        where = f"{division.where}, {seen.rows:,} of them added of the table {table.name},"
        said = _words(where, rows, brought, sums)
        return replace(self, brought=brought, said=said, sums=sums, rows=rows)


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
    asked = Asked(division, way, made[0].response.strip("`"), exposure)
    asking = _look(table, names, asked, missing == "drop")
    sums, rows = asked.sums(asking), asking.seen.rows
    brought = bring(asked, sums, asking.learned)
    others = dict(zip(extras, made[len(mains) :], strict=True))
    said = _words(table.name, rows, brought, sums)
    return Gathered(
        brought, tuple(made[: len(mains)]), others, tuple(names), said, asked, asking.learned, sums,
        rows,
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


def _look(table: Table, names: Sequence[str], asked: Asked, drop: bool) -> Asking:
    """Look at the table once, and once more for what functions of whole columns learn of it."""
    seen = look(table, names, _looked(asked), tuple(asked.division.cells), drop)
    return Asking(table, seen, learn(table, seen, _learning(asked)))


def _learning(asked: Asked) -> list[tuple[str, Expression]]:
    return [call for x in asked.division.features.values() for call in x.learning]


def _looked(asked: Asked) -> list[Expression]:
    """Return the expressions that a look averages."""
    found = {inner.text: inner for _, inner in _learning(asked) if not inner.learning}
    if asked.way == "moments":
        found |= {x.text: x for x in asked.division.features.values() if not x.learning}
    return list(found.values())


def _words(where: str, rows: int, brought: Brought, sums: Sums) -> str:
    cells, came = cells_of(sums), len(brought.frame)
    return (
        f"{rows:,} rows of the table {where} enter as {came:,} that stand for them, made of "
        f"{cells.rows:,} rows of sums by this query:\n{cells.query}"
    )


_KINDS = {"number": "numbers", "name": "names", "truth": "truth values", "other": "other values"}
