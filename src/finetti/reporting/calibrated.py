"""Show a calibration: rank histograms, ECDF differences with their bands, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.calibrating import uniform
from finetti.criticism.calibrating.calibration import Calibration
from finetti.errors import DataError
from finetti.posterior.labels import site_of
from finetti.reporting.drawing import BLUE, GREY, SKY, VERMILION, WASH, canvas, tidy, titled
from finetti.reporting.tables import plain_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

ROWS = 12  # nobody reads a picture of more
BINS, EACH = 20, 10  # bars at most, and simulations in each at least
HISTOGRAM = 0.99  # chance that all bars of a right histogram lie in the band


def calibration(found: Calibration, names: Sequence[str] | None = None) -> Figure:
    """Draw the ranks of each variable: left their histogram, right how their ECDF differs.

    `names` are variables or single numbers such as "theta[A]"; of a variable, and without names
    of every one, the number is drawn that is furthest from uniform. The grey band of a histogram
    holds all its bars with a chance of 99% if the method is right (binomial counts, Bonferroni),
    that of an ECDF the whole of it, at the level at which its verdict is passed (Säilynoja,
    Bürkner & Vehtari 2022). Bad ones are drawn in red. Raises `UnknownSite`, or `DataError` for
    more than a picture holds.

    >>> from finetti.reporting import plots
    >>> plots.calibration(calibrate(coin(10).condition(heads=7), simulations=40)).savefig(
    ...     "ranks.png"
    ... )  # doctest: +SKIP
    """
    chosen = [names] if isinstance(names, str) else list(names or found.labels)
    if not 0 < len(chosen) <= ROWS:
        raise DataError(
            f"{len(chosen)} variables asked for, a picture holds 1 to {ROWS}: name some"
        )
    with canvas(8.4, 0.8 + 1.75 * len(chosen)) as figure:
        for row, name in enumerate(chosen):
            site, label, pits = _worst(found, name)
            bad = uniform.p_value(pits) < found.threshold(site)
            left, right = (figure.add_subplot(len(chosen), 2, 2 * row + i) for i in (1, 2))
            _histogram(left, pits, bad)
            _difference(right, pits, found.threshold(site), bad)
            titled(left, label)
            titled(right, found[site].problem if bad else "", color=VERMILION)
            for axes in (left, right):
                tidy(axes)
                if row < len(chosen) - 1:
                    axes.tick_params(labelbottom=False)
            if row == len(chosen) - 1:
                left.set_xlabel(f"rank among {found.draws:,} draws (share)")
                right.set_xlabel("rank (share)")
            left.set_ylabel("density")
            right.set_ylabel("ECDF less uniform")
    return figure


def _worst(found: Calibration, name: str) -> tuple[str, str, np.ndarray]:
    """Return the variable, the label and the pits of the number to draw."""
    numbers = found.numbers(name)
    site = site_of(name.replace("/", "."), found.labels)
    if numbers.shape[1] == 1 and name not in found.labels:
        return site, name, numbers[:, 0]
    least = int(np.argmin([uniform.p_value(column) for column in numbers.T]))
    return site, found.labels[site][least], numbers[:, least]


def _histogram(axes: Axes, pits: np.ndarray, bad: bool) -> None:
    from scipy.stats import binom

    bins = int(np.clip(len(pits) // EACH, 4, BINS))
    edges, expected = np.linspace(0, 1, bins + 1), len(pits) / bins
    tail = (1 - HISTOGRAM) / (2 * bins)
    low, high = binom.ppf([tail, 1 - tail], len(pits), 1 / bins) / expected
    counts, _ = np.histogram(pits, edges)
    axes.axhspan(low, high, color=WASH, lw=0)
    axes.stairs(counts / expected, edges, fill=True, color=VERMILION if bad else SKY, alpha=0.8)
    axes.axhline(1, color=GREY, lw=0.8)
    axes.set_xlim(0, 1)


def _difference(axes: Axes, pits: np.ndarray, level: float, bad: bool) -> None:
    band = uniform.band(len(pits), 1 - level)
    below = np.searchsorted(np.sort(pits), band.points, side="right") / len(pits)
    axes.fill_between(
        band.points, band.lower - band.points, band.upper - band.points, color=WASH, lw=0,
        step="mid",
    )  # fmt: skip
    axes.axhline(0, color=GREY, lw=0.8)
    axes.step(
        band.points, below - band.points, where="mid", color=VERMILION if bad else BLUE, lw=1.1
    )
    axes.set_xlim(0, 1)


def calibration_table(found: Calibration, limit: int | None = 8) -> Table:
    """Return the table of `Calibration.table()` for `rich` to print, `limit` rows a variable."""
    from rich.markup import escape

    rows = found.table()
    table = plain_table()
    table.add_column("", no_wrap=True)
    for title in ("p", "mean rank", "50% held", "80% held", "neighbours"):
        table.add_column(title, justify="right", no_wrap=True)
    if not found.passed:
        table.add_column("problem")
    for site, labels in found.labels.items():
        ordered = sorted(labels, key=lambda label: float(rows.loc[label, "p"]))  # pyright: ignore[reportArgumentType]
        shown = set(ordered[:limit])
        for label in (label for label in labels if label in shown):
            row = rows.loc[label]
            problem = [f"[bold red]{row['problem']}[/]" if row["problem"] else ""]
            table.add_row(
                escape(label), _p(row["p"]), f"{row['mean_rank']:.2f}",
                f"{row['coverage_50']:.0%}", f"{row['coverage_80']:.0%}",
                f"{row['neighbours']:.2f}", *(problem if not found.passed else ()),
            )  # fmt: skip
        if len(shown) < len(labels):
            table.add_row(f"[dim]and {len(labels) - len(shown)} more of {escape(site)}[/]")
    return table


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "<0.001"
