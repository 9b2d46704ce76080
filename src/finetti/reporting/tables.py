"""Lay out a posterior's summary, with no digit that the draws do not support, and a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetti.posterior.digits import cells
from finetti.posterior.labels import site_of
from finetti.structure.account import COSTS, HEADS

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group
    from rich.table import Table

    from finetti.structure.plan import Plan

SHOWN = 8  # rows of one site


def summary_table(summary: pd.DataFrame, limit: int | None = SHOWN) -> Table:
    """Return the table of `Posterior.summary()` for `rich` to print.

    Small sites come first; of each site the first `limit` rows are shown (None: all).
    The last digit of a number is the first of twice its Monte Carlo standard error.
    """
    from rich.markup import escape

    by_size = sorted(sites(summary).values(), key=len)
    shown = [row for rows in by_size for row in rows[:limit]]
    columns = _columns(summary.loc[shown])
    texts = dict(zip(shown, zip(*columns.values(), strict=True), strict=True))
    table = plain_table()
    for title in ("", *columns):
        table.add_column(title, no_wrap=bool(title))
    for rows in by_size:
        for row in rows[:limit]:
            table.add_row(escape(row), *texts[row])
        if len(rows) > len(rows[:limit]):
            table.add_row(f"[dim]and {len(rows) - len(rows[:limit])} more[/]")
    return table


def sites(summary: pd.DataFrame) -> dict[str, list[str]]:
    """Return the names of the rows of each site: `theta[A]` belongs to `theta`."""
    found: dict[str, list[str]] = {}
    known = summary.attrs.get("sites", ())
    for name in map(str, summary.index):
        found.setdefault(site_of(name, known), []).append(name)
    return found


def plan_table(plan: Plan) -> Group:
    """Return a model's plan for `rich` to print: a row a site, then a row a rewrite.

    The last line counts the dimensions left to sample.
    """
    from rich.console import Group
    from rich.markup import escape

    rows = [(row.site, row.seen, row.done, row.why) for row in plan.rows()]
    parts = [(HEADS, rows), (COSTS, plan.costs())]
    shown = []
    for titles, lines in parts:
        table = plain_table()
        for i, title in enumerate(titles):
            table.add_column(title, ratio=None if i < len(titles) - 1 else 1)
        for line in lines:
            table.add_row(*map(escape, line))
        shown += [table, ""] if lines else []
    note = ["", escape(plan.note)] if plan.note else []
    return Group(*shown, plan.dimensions(), *note)


def plain_table() -> Table:
    """Return an empty table in finetti's look, for `rich` to print."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        caption_justify="left",
    )


def _columns(summary: pd.DataFrame) -> dict[str, list[str]]:
    """Return the text of each column by its title, padded, with what is alarming in red."""
    found = {}
    for title, (texts, _, alarming) in cells(summary).items():
        width = max(map(len, (title, *texts)))
        padded = [text.rjust(width) for text in texts]
        marked = zip(padded, alarming, strict=True)
        found[title.rjust(width)] = [f"[bold red]{t}[/]" if bad else t for t, bad in marked]
    return found
