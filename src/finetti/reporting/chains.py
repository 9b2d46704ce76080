"""Draw the chains of a run: where each has been, and whether all were in the same places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import CHAINS, GREY, INK, WASH, canvas, panels, table, titled
from finetti.reporting.numbers import find_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 24  # nobody reads a picture of more
POINTS = 1000  # nor a line of more
BINS = 20
TWO = 6.5  # inches, for two panels side by side
CONFIDENCE = 0.99


def trace(posterior: Posterior, names: Sequence[str], width: float = 8.4) -> Figure:
    """Draw the value of each chain against the draw, one panel a number.

    `names` are sites, or single rows of the summary such as "theta[A]". Ticks at the foot mark
    the draws that diverged. Long chains are thinned to at most 1000 points. `width` is in inches:
    two panels stand side by side where there is room. Raises `UnknownSite`, or `DataError` for
    more panels than a picture holds.

    >>> len(trace(posterior, ["mu", "theta[A]"]).axes)
    2
    """
    diverged = _divergences(posterior)

    def draw(axes: Axes, draws: np.ndarray) -> None:
        length = draws.shape[1]
        shown = np.arange(0, length, -(-length // POINTS))
        for chain, values in enumerate(draws):
            axes.plot(shown, values[shown], color=_colour(chain), lw=0.5, alpha=0.8)
        if len(diverged):
            foot = axes.get_xaxis_transform()
            axes.vlines(diverged, 0, 0.07, color=INK, lw=1, transform=foot, label="diverged")
        axes.set_xlim(0, length)

    return _panels(find_numbers(posterior, names, PANELS), draw, "draw", "value", width)


def ranks(posterior: Posterior, names: Sequence[str], width: float = 8.4) -> Figure:
    """Draw how the ranks of each chain's draws among all draws spread over 20 bins.

    Chains that sample the same posterior have even ranks: a density of one. The grey band
    holds every line with 99% probability (binomial counts, Bonferroni over bins and chains);
    draws are thinned by their effective sample size first, to be nearly independent. `names`
    are as for `trace`. Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, section 5.

    >>> len(ranks(posterior, ["mu", "tau"]).axes)
    2
    """
    from scipy.stats import binom, rankdata

    def draw(axes: Axes, draws: np.ndarray) -> None:
        kept = draws[:, :: _step(draws)]
        chains, length = kept.shape
        edges, expected = np.linspace(0, 1, BINS + 1), length / BINS
        tail = (1 - CONFIDENCE) / (2 * BINS * chains)
        low, high = binom.ppf([tail, 1 - tail], length, 1 / BINS) / expected
        axes.axhspan(low, high, color=WASH, lw=0, label=f"{CONFIDENCE:.0%} if chains agree")
        axes.axhline(1, color=GREY, lw=0.8)
        for chain, rank in enumerate((rankdata(kept).reshape(kept.shape) - 0.5) / kept.size):
            counts, _ = np.histogram(rank, edges)
            axes.stairs(counts / expected, edges, baseline=None, color=_colour(chain), lw=1.1)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(2.1, axes.get_ylim()[1]))

    return _panels(
        find_numbers(posterior, names, PANELS),
        draw,
        "rank among all draws (share)",
        "density",
        width,
    )


def _panels(
    numbers: dict[str, np.ndarray],
    draw: Callable[[Axes, np.ndarray], None],
    x: str,
    y: str,
    width: float,
) -> Figure:
    """Draw each number, of shape (chain, draw), in a panel of its own, two in a row if wide."""
    across, down = table(len(numbers), 2 if width >= TWO else 1)
    with canvas(width if across == 2 else min(width, 6.0), 0.7 + 1.75 * down) as figure:
        placed = panels(figure, numbers.items(), (across, down))
        for place, (axes, (label, draws)) in enumerate(placed):
            draw(axes, draws)
            titled(axes, label)
            axes.margins(y=0.08)
            if place < len(numbers) - across:
                axes.tick_params(labelbottom=False)
        figure.supxlabel(x, fontsize="medium")
        figure.supylabel(y, fontsize="medium")
        _legend(figure, max(draws.shape[0] for draws in numbers.values()))
    return figure


def _legend(figure: Figure, chains: int) -> None:
    """Name the chains as far as colours tell them apart, and what else the panels label."""
    from matplotlib.lines import Line2D

    handles, words = figure.axes[0].get_legend_handles_labels()
    if chains <= len(CHAINS):
        handles += [Line2D([], [], color=_colour(i), lw=2) for i in range(chains)]
        words += [f"chain {i}" for i in range(chains)]
    if handles:
        across = 5 if figure.get_figwidth() >= TWO else 3
        figure.legend(handles, words, loc="outside upper right", ncols=across, handlelength=1.2)


def _colour(chain: int) -> str:
    return CHAINS[chain % len(CHAINS)]


def _step(draws: np.ndarray) -> int:
    """Return the thinning that leaves about as many draws as are effective, some a bin at least.

    Each chain counts for itself: what chains disagree on must not thin itself out of sight.
    """
    ess = sum(diagnose.ess(chain[None]) for chain in draws)
    wanted = round(draws.size / ess) if np.isfinite(ess) else 1
    return int(np.clip(wanted, 1, max(1, draws.shape[1] // BINS)))


def _divergences(posterior: Posterior) -> np.ndarray:
    """Return the draws at which any chain diverged."""
    tree = posterior.tree
    if "sample_stats" not in tree.children or "diverging" not in tree["sample_stats"].dataset:
        return np.array([], int)
    return np.flatnonzero(tree["sample_stats"].dataset["diverging"].values.any(0))
