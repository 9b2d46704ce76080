"""Hold what a posterior predictive check found, print it as a table, and say what fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.criticism.checking.pit import LooPit
from finetti.hypertext.html import block, grid, items, words

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.table import Table

EXTREME = 0.01  # two-sided: of 100 quantities of a right model, one at most fails
HEADS = ("quantity", "observed", "replicated (89%)", "p", "p within")
SHOWN = 10  # members of a plate in the printed table, more where they fail


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold one test quantity of the data and of the replicated data sets.

    `observed` has shape () or, for a quantity of data and draw, (chain, draw); `replicated` has
    shape (chain, draw). `p` is P(T(replicated) > T(observed)), ties counting half, with the
    Monte-Carlo interval `p_low` to `p_high`.
    """

    site: str
    quantity: str
    member: str
    observed: np.ndarray
    replicated: np.ndarray
    p: float
    p_low: float
    p_high: float
    limit: float
    hint: str = ""

    @property
    def fails(self) -> bool:
        """Tell whether the data are extreme among the replicates.

        The whole interval of p lies within `limit` of 0 or 1. Where the draws are too few to show
        that, the data lie beyond all replicates, as far out as `limit` is on a normal tail.
        """
        from scipy.stats import norm

        if self.p_high < self.limit or self.p_low > 1 - self.limit:
            return True
        if 0 < self.p < 1:
            return False
        away = self.replicated - self.observed
        return bool(np.abs(away.mean()) > norm.isf(self.limit) * away.std())

    @property
    def name(self) -> str:
        """Return the quantity with its site and member."""
        return f"{self.quantity} of {self.site}{f'[{self.member}]' if self.member else ''}"

    def __repr__(self) -> str:
        return f"<{self.name}: p = {self.p:.3f}{', fails' if self.fails else ''}>"

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 89% interval of the replicates."""
        low, high = np.quantile(self.replicated, (0.055, 0.945))
        return float(low), float(high)

    @property
    def sentence(self) -> str:
        """Say how the data differ from what the model predicts."""
        low, high = self.interval
        above = self.p < 0.5
        share, most = (self.p, self.p_high) if above else (1 - self.p, 1 - self.p_low)
        reach = f"only {_percent(share)}" if share > 0 else f"fewer than {_percent(most)}"
        place, size = ("above", "large") if above else ("below", "small")
        remedy = f" What may help: {self.hint}." if self.hint else ""
        return (
            f"The {self.name} is {np.mean(self.observed):.4g}, {place} what the model predicts: "
            f"its replicates have {low:.4g} to {high:.4g} (89%), and {reach} of them are as "
            f"{size}.{remedy}"
        )


@dataclass(frozen=True, eq=False)
class Check:
    """Hold the outcomes of a check, one a quantity, and the LOO-PIT of each site; print it.

    `tree` has the groups posterior_predictive, observed_data and log_likelihood, ready for
    arviz-plots. `notes` say what could not be checked.
    """

    outcomes: tuple[Outcome, ...]
    pits: tuple[LooPit, ...]
    tree: xr.DataTree
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def failures(self) -> tuple[str, ...]:
        """Return a sentence for each quantity the model does not reproduce."""
        found = [o.sentence for o in self.outcomes if o.fails]
        return (*found, *(c.sentence for c in self.pits if c.fails))

    @property
    def passed(self) -> bool:
        """Tell whether no check failed."""
        return not self.failures

    def frame(self) -> pd.DataFrame:
        """Return a row for each quantity: observed, replicates' interval, p and its interval."""
        import pandas as pd

        return pd.DataFrame([_row(o) for o in self.outcomes])

    def sentences(self) -> str:
        """Say what fails, or that nothing does, and what could not be checked."""
        lines = [f"- {sentence}" for sentence in self.failures] or [self._fine]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    @property
    def _fine(self) -> str:
        count = len(self.outcomes) + len(self.pits)
        return (
            f"The model reproduces all {count} quantities that were checked. That is no proof "
            f"that it is right: check what you will use it for."
        )

    def table(self) -> Table:
        """Return the outcomes as a table for rich, of each plate the most extreme members."""
        from rich.box import SIMPLE_HEAD
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
        for title in HEADS:
            table.add_column(title, justify="left" if title == "quantity" else "right")
        rows = self._rows()
        for cells, fails in rows:
            table.add_row(*map(escape, cells), style="bold red" if fails else "")
        hidden = len(self.outcomes) + len(self.pits) - len(rows)
        if hidden:
            table.add_row(f"[dim]and {hidden} less extreme[/]")
        return table

    def _rows(self) -> list[tuple[tuple[str, ...], bool]]:
        """Return the rows of the table, and whether each fails; of a plate the most extreme."""
        whole = sum(not o.member for o in self.outcomes)
        found = []
        for o in self.shown(whole + max(SHOWN, sum(o.fails for o in self.outcomes))):
            low, high = o.interval
            numbers = f"{np.mean(o.observed):.4g}", f"{low:.4g}  {high:.4g}", f"{o.p:.3f}"
            found.append(((o.name, *numbers, f"{o.p_low:.3f}  {o.p_high:.3f}"), o.fails))
        return found + [
            ((f"LOO-PIT of {c.site}", "", "uniform?", f"{c.p:.3f}", ""), c.fails) for c in self.pits
        ]

    def shown(self, most: int) -> list[Outcome]:
        """Return at most so many outcomes: those of whole sites, then the most extreme members'."""
        whole = [o for o in self.outcomes if not o.member]
        rest = sorted((o for o in self.outcomes if o.member), key=lambda o: min(o.p, 1 - o.p))
        return (whole + rest)[:most]

    def __rich__(self) -> Any:
        """Return the table and the sentences for `rich` to print."""
        from rich.console import Group
        from rich.text import Text

        return Group(self.table(), "", Text(self.sentences()))

    def __str__(self) -> str:
        """Return the table and the sentences as plain text."""
        from rich.console import Console

        written = StringIO()
        console = Console(file=written, width=100, highlight=False, color_system=None)
        console.print(self.table(), "")
        return f"{written.getvalue()}{self.sentences()}"

    def __repr__(self) -> str:
        count, failed = len(self.outcomes) + len(self.pits), len(self.failures)
        return f"<check of {count} quantities: {f'{failed} fail' if failed else 'passed'}>"

    def _repr_html_(self) -> str:
        rows = self._rows()
        marked = {(i, j) for i, (_, fails) in enumerate(rows) if fails for j in range(len(HEADS))}
        said = items(self.failures) or words(self._fine)
        table = grid(HEADS, [cells for cells, _ in rows], "", marked)
        return block(table, said, *(words(f"Note: {note}") for note in self.notes))


def _row(o: Outcome) -> dict[str, object]:
    """Return a quantity's numbers by the names of the table's columns."""
    low, high = o.interval
    return {
        "site": o.site,
        "quantity": o.quantity,
        "member": o.member,
        "observed": float(np.mean(o.observed)),
        "replicated_mean": float(o.replicated.mean()),
        "replicated_low": low,
        "replicated_high": high,
        "p": o.p,
        "p_low": o.p_low,
        "p_high": o.p_high,
        "fails": o.fails,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%"
