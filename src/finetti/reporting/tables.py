"""Lay out a posterior's summary, with no digit that the draws do not support, and a plan."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from finetti.posterior.advise import RHAT_LIMIT
from finetti.posterior.labels import site_of
from finetti.structure.account import COSTS, HEADS

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group
    from rich.table import Table

    from finetti.structure.plan import Plan

SHOWN = 8  # rows of one site
SIGNIFICANT = 4  # digits of a number whose Monte Carlo error is nil or unknown


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
    return Group(*shown, plan.dimensions())


def decimals(value: float, error: float) -> int:
    """Return how many decimals of a value its Monte Carlo standard error supports.

    The last is where twice the error has its first digit, so below zero tens and hundreds are
    rounded off.

    >>> decimals(3.14159, error=0.004)
    3
    """
    if isfinite(error) and error > 0:
        return -floor(log10(2 * error))
    return SIGNIFICANT - 1 - (floor(log10(abs(value))) if value and isfinite(value) else 0)


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


def cells(summary: pd.DataFrame) -> dict[str, tuple[list[str], list[float], list[bool]]]:
    """Return each column's texts, the numbers they stand for, and which of them are alarming.

    Of an interval the number is its lower end. Of a mode: the mode and its standard error.
    """
    fine = [False] * len(summary)
    if "mode" in summary:
        titles = {"mode": "mode", "standard_error": "standard error"}
        written = {
            title: _numbers(summary[name], summary["standard_error"] / 20)
            for name, title in titles.items()
        }
        return {
            title: (written[title], summary[name].tolist(), fine) for name, title in titles.items()
        }
    low, high = (str(name) for name in summary.columns if str(name).endswith(("_lb", "_ub")))
    # An end of the interval has about twice the error of a normal sample's mean.
    ends = 2 * summary["sd"] / summary["ess_tail"] ** 0.5
    lower, upper = (_numbers(summary[name], ends) for name in (low, high))
    share = re.sub(r"\D", "", low)
    interval = [f"{a}  {b}" for a, b in zip(lower, upper, strict=True)]
    rhat = [f"{r:.3f}" if isfinite(r) else "" for r in summary["r_hat"]]
    bad = [r > RHAT_LIMIT for r in summary["r_hat"]]
    columns = {
        "mean": ("mean", _numbers(summary["mean"], summary["mcse_mean"]), fine),
        "sd": ("sd", _numbers(summary["sd"], summary["mcse_sd"]), fine),
        f"{share}% interval": (low, interval, fine),
        "ESS": ("ess_bulk", [_count(n) for n in summary["ess_bulk"]], fine),
        "tail ESS": ("ess_tail", [_count(n) for n in summary["ess_tail"]], fine),
        "R-hat": ("r_hat", rhat, bad),
    }
    return {
        title: (texts, summary[name].tolist(), alarming)
        for title, (name, texts, alarming) in columns.items()
    }


def _columns(summary: pd.DataFrame) -> dict[str, list[str]]:
    """Return the text of each column by its title, padded, with what is alarming in red."""
    found = {}
    for title, (texts, _, alarming) in cells(summary).items():
        width = max(map(len, (title, *texts)))
        padded = [text.rjust(width) for text in texts]
        marked = zip(padded, alarming, strict=True)
        found[title.rjust(width)] = [f"[bold red]{t}[/]" if bad else t for t, bad in marked]
    return found


def _numbers(values: Iterable[float], errors: Iterable[float]) -> list[str]:
    """Write numbers to the digits their errors support, aligned at the decimal point."""
    written = [_number(v, decimals(v, e)) for v, e in zip(values, errors, strict=True)]
    after = [len(text.partition(".")[2]) + ("." in text) for text in written]
    padded = [text + " " * (max(after) - n) for text, n in zip(written, after, strict=True)]
    width = max(map(len, padded))
    return [text.rjust(width) for text in padded]


def _number(value: float, places: int) -> str:
    if not isfinite(value):
        return str(value)
    rounded = round(value, places) + 0.0  # no negative zero
    return f"{rounded:.3e}" if abs(rounded) >= 1e9 else f"{rounded:.{max(places, 0)}f}"


def _count(n: float | int) -> str:
    return f"{int(n):,}" if isfinite(n) else ""
