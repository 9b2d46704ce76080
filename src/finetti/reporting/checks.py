"""Draw what a posterior predictive check found: the data among the replicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.checking.checked import Check, Outcome
from finetti.criticism.checking.pit import LooPit
from finetti.errors import DataError
from finetti.reporting.drawing import (
    BLUE,
    GREY,
    INK,
    SKY,
    SMALL,
    VERMILION,
    WASH,
    canvas,
    panels,
    table,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3
PANELS = 24  # nobody reads a picture of more
BINS = 30
CONFIDENCE = 0.99
SIMULATIONS = 1000


def checks(found: Check, across: int = ACROSS, width: float | None = None) -> Figure:
    """Draw each quantity of the replicates, with the data's as a line, and each LOO-PIT.

    `across` panels stand in a row, `width` inches wide. A line in red fails. Of the members of a
    plate the most extreme are drawn. The LOO-PIT's panel shows by how much the share of
    observations below each level differs from what calibrated predictions give; the band holds the
    whole line with 99% probability (Saeilynoja, Buerkner & Vehtari 2022), by simulation. Raises
    `DataError` for a check that holds nothing.

    >>> found = ft.check(posterior, {"largest": lambda y: y.max()}, seed=1)
    >>> len(checks(found).axes)
    2
    """
    drawn = panels_of(found)
    if not drawn:
        raise DataError("the check holds nothing to draw")
    across, down = table(len(drawn), across)
    with canvas(width or 1.2 + 2.7 * across, 0.8 + 1.9 * down) as figure:
        for axes, panel in panels(figure, drawn, (across, down)):
            if isinstance(panel, Outcome):
                _draw_outcome(axes, panel)
            else:
                _draw_pit(axes, panel)
            titled(axes, panel_name(panel), SMALL + 1)
        figure.legend(*_key(figure), loc="outside upper right", ncols=4, handlelength=1.4)
    return figure


def panels_of(found: Check) -> list[Outcome | LooPit]:
    """Return what a picture of a check shows, a panel each: the most extreme, and each LOO-PIT."""
    return [*found.shown(PANELS - len(found.pits)), *found.pits]


def panel_name(panel: Outcome | LooPit) -> str:
    """Return what a panel shows: the quantity, or whose LOO-PIT."""
    return panel.name if isinstance(panel, Outcome) else f"LOO-PIT of {panel.site}"


def _draw_outcome(axes: Axes, outcome: Outcome) -> None:
    """Draw the replicates' quantity as a histogram, and the data's as a line.

    Where the data's quantity depends on the draw, the difference is drawn, and a line at nought.
    """
    paired = bool(outcome.observed.ndim)
    values = outcome.replicated - outcome.observed if paired else outcome.replicated
    observed = 0.0 if paired else float(outcome.observed)
    shown, counts = np.unique(values, return_counts=True)
    if len(shown) <= BINS:
        width = 0.8 * np.diff(shown).min() if len(shown) > 1 else 0.8
        axes.bar(shown, counts / values.size, width, color=SKY, label="replicated")
    else:
        weights = np.full(values.size, 1 / values.size)
        axes.hist(values.ravel(), BINS, weights=weights, color=SKY, label="replicated")
    colour, words = (VERMILION, "data, which fail") if outcome.fails else (INK, "data")
    axes.axvline(observed, color=colour, lw=1.6, label=words)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        f"{'replicated - data, ' if paired else ''}{_p(outcome)}", fontsize=SMALL, color=GREY
    )


def _draw_pit(axes: Axes, pit: LooPit) -> None:
    values = np.sort(pit.values)
    levels = np.linspace(0, 1, min(len(values), 200) + 1)
    below = np.searchsorted(values, levels, side="right") / len(values) - levels
    low, high = _band(len(values), levels)
    axes.fill_between(levels, low, high, color=WASH, lw=0, label=f"{CONFIDENCE:.0%} if calibrated")
    axes.axhline(0, color=GREY, lw=0.8)
    axes.plot(levels, below, color=VERMILION if pit.fails else BLUE, lw=1.3)
    axes.set_xlabel(f"level, p = {pit.p:.3f}", fontsize=SMALL, color=GREY)
    axes.set_xlim(0, 1)


def _band(count: int, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the band that holds the whole of a uniform sample's line with 99% probability.

    Its pointwise coverage is the same at every level, and found by simulation.
    """
    from scipy.stats import binom

    random = np.random.default_rng(0)
    lowest = np.empty(SIMULATIONS)
    for i in range(SIMULATIONS):
        counts = np.searchsorted(np.sort(random.uniform(size=count)), levels, side="right")
        tails = np.minimum(binom.cdf(counts, count, levels), binom.sf(counts - 1, count, levels))
        lowest[i] = tails[1:-1].min(initial=1.0)
    tail = np.quantile(lowest, 1 - CONFIDENCE)
    low, high = binom.ppf(tail, count, levels), binom.ppf(1 - tail, count, levels)
    return low / count - levels, high / count - levels


def _p(outcome: Outcome) -> str:
    for p, words in ((outcome.p, "p = {:.3f}"), (outcome.p_high, "p < {:.3f}")):
        if 0.0005 <= p < 0.9995:
            return words.format(p)
    return "p < 0.001" if outcome.p < 0.5 else "p > 0.999"


def _key(figure: Figure) -> tuple[list, list[str]]:
    """Return each thing that the panels label, once."""
    found: dict[str, object] = {}
    for axes in figure.axes:
        for handle, words in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(words, handle)
    return list(found.values()), list(found)
