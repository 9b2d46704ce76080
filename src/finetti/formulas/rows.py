"""Make a formula's arguments of other tables as they were made of the one it was fitted to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from finetti.errors import ModelError
from finetti.formulas.faults import kind_of, refuse_other_kinds
from finetti.formulas.frames import as_frame, need, whole_rows
from finetti.formulas.in_place import Gathered
from finetti.formulas.script import Role, Script
from finetti.language.holes import FILL_IN, LEAVE_OUT
from finetti.models import Model
from finetti.scale.opening import in_memory, in_place

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Reading:
    """Make a formula's arguments of a table as they were made of the one it was fitted to.

    `columns` are those that the formula speaks of, `holes` those of which values may be missing;
    of rows that follow, `missing` says whether those that lack others are dropped or refused.
    `categories` names those of each outcome that has some. `gathered` is what stands for a table
    that stays in place, `told` fills what rows need not say; `single` makes one trial of each row.
    """

    table: pd.DataFrame
    script: Script
    columns: tuple[str, ...]
    missing: Literal["drop", "refuse"]
    holes: frozenset[str]
    categories: Mapping[str, tuple[str, ...]]
    gathered: Gathered | None = None
    again: Callable[[Mapping[str, Any]], Model] | None = None
    told: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
    single: bool = False

    def with_priors(self, priors: Mapping[str, Any], /) -> Model:
        """Return the model of the same formula and table with other priors, the rest as it is."""
        if self.again is None:
            raise ModelError(
                "rows were added to the formula's table since its priors were scaled to it: give "
                "all rows to ft.formula, with priors="
            )
        return self.again(priors)

    def with_rows(self, rows: Any, /) -> Reading:
        """Return what reads the table with more rows after its own. Raises `DataError`.

        Those that lack values are dropped if its own were to be. Sums of them are added to those of
        a table that stays in place.
        """
        import pandas as pd

        if self.gathered is not None:
            more = in_place(rows)
            more = in_memory(as_frame(rows)) if more is None else more
            gathered = self.gathered.plus(more, self.missing)
            return replace(self, table=gathered.brought.shown, gathered=gathered, again=None)
        more = self.told(as_frame(rows))
        need(more, self.columns, "ft.update")
        refuse_other_kinds(self._kinds(), more)
        more = whole_rows(more, self.columns, self.missing, self.holes, LEAVE_OUT)
        table = pd.concat([self.table[list(self.columns)], more[list(self.columns)]])
        return replace(self, table=table.reset_index(drop=True), again=None)

    @property
    def predictors(self) -> set[str]:
        """Return the columns of its table that are not only observed, or counts of trials."""
        return {*map(str, self.table), *self.columns} - _only(self.script, "outcome", "trials")

    @property
    def of_trials(self) -> bool:
        """Tell whether outcomes are successes among trials."""
        return any(a.role == "trials" for a in self.script.arguments.values())

    def one_trial(self) -> Reading:
        """Return what makes of a table rows with one trial each."""
        return replace(self, single=True)

    @property
    def said(self) -> str:
        """Return what there is to say of the rows that the table's stand for."""
        return "" if self.gathered is None else self.gathered.said

    def arguments(self) -> dict[str, Any]:
        """Return the arguments made of its own table."""
        if self.gathered is None:
            return self(self.table)
        return self.script.make(self.gathered.brought.frame)

    @property
    def counts(self) -> np.ndarray | None:
        """Return how many rows each of the table's stands for, None for itself alone."""
        return None if self.gathered is None else self.gathered.brought.seen

    def __call__(self, table: Any, /) -> dict[str, Any]:
        """Return the arguments; outcomes may be absent. Raises `DataError` for what is missing."""
        rows = self.told(as_frame(table))
        refuse_other_kinds(self._kinds(), rows)
        spared = {*_only(self.script, "outcome"), *self.holes}
        given = [n for n in self.columns if n in rows and n not in spared]
        rows = whole_rows(rows, given, "refuse", remedy=FILL_IN)
        rows = rows if self.gathered is None else self.gathered.featured(rows)
        return self.script.make(rows, outcomes=False, single=self.single)

    def _kinds(self) -> dict[str, str]:
        """Return the kind of value that each column held in the fit."""
        if self.gathered is not None:
            named = {"number": "numbers", "truth": "truth values", "name": "text"}
            kinds = self.gathered.asked.division.kinds
            return {n: named[kinds[n]] for n in self.columns if kinds.get(n) in named}
        found = {n: kind_of(self.table[n]) for n in self.columns}
        return {n: kind for n, kind in found.items() if kind}


def _only(script: Script, *roles: Role) -> set[str]:
    """Return the columns that arguments of these roles alone are made of."""
    parts: dict[bool, set[str]] = {True: set(), False: set()}
    for argument in script.arguments.values():
        parts[argument.role in roles] |= argument.columns
    return parts[True] - parts[False]
