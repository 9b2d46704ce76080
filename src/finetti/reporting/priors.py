"""Draw the posterior of single parameters over their priors, to see what the data taught."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import DataError
from finetti.reporting.drawing import BLUE, GREY, PALE, canvas, panels, table, titled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 12
ACROSS = 2
BINS = 40
REACH = 4.0  # posterior ranges, within which the prior is shown


def prior_posterior(
    before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], width: float | None = None
) -> Figure:
    """Draw each parameter's prior draws and posterior draws, by name, as densities.

    Arrays have any shape; `width` is in inches. A prior much wider than the posterior is cut where
    it leaves the panel, and the panel says how much of it that is. Raises `DataError` for none or
    too many panels.

    >>> figure = prior_posterior({"mu": np.arange(100.0)}, {"mu": np.arange(40.0, 60.0)})
    >>> len(figure.axes)
    1
    """
    names = [name for name in after if name in before]
    if not 0 < len(names) <= PANELS:
        raise DataError(f"{len(names)} panels asked for, a picture holds 1 to {PANELS}")
    across, down = table(len(names), ACROSS)
    with canvas(width or 2.6 * across, 0.7 + 1.6 * down) as figure:
        for axes, name in panels(figure, names, (across, down)):
            prior, posterior = np.ravel(before[name]), np.ravel(after[name])
            low, high = _window(prior, posterior)
            bins = np.linspace(low, high, BINS + 1)
            step = bins[1] - bins[0]
            for draws, colour, words in ((prior, PALE, "prior"), (posterior, BLUE, "posterior")):
                share = np.histogram(draws, bins)[0] / (draws.size * step)
                filled = words == "prior"
                axes.stairs(share, bins, fill=filled, color=colour, lw=1.3, label=words)
            outside = np.mean((prior < low) | (prior > high))
            titled(axes, name)
            if outside > 0.005:
                axes.set_xlabel(f"{outside:.0%} of the prior lies outside", color=GREY)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        handles, words = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside upper right", ncols=2, handlelength=1.4)
    return figure


def _window(prior: np.ndarray, posterior: np.ndarray) -> tuple[float, float]:
    """Return the interval to show: the prior's bulk, but no more than some posterior ranges."""
    low, high = np.quantile(posterior, [0.001, 0.999])
    middle, half = (low + high) / 2, max((high - low) / 2, 1e-12)
    wide_low, wide_high = np.quantile(prior, [0.01, 0.99])
    return (
        float(max(min(low, wide_low), middle - REACH * half)),
        float(min(max(high, wide_high), middle + REACH * half)),
    )
