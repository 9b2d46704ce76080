"""Draw what priors say of outcomes: the data that they would give, with the data there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import DataError
from finetti.reporting.drawing import GREY, INK, SKY, SMALL, canvas, panels, table, titled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 40
FAR = 20.0  # times the median, beyond which what is not negative is drawn by its logarithm
FEW = 30  # different values, each of which has a bar
INSIDE = 0.98  # of the draws are in the picture
SHARE = 0.89
ACROSS = 3


def outcomes(drawn: xr.DataTree) -> Figure:
    """Draw the outcomes that priors give, as `ft.prior(model)` returns them, and the data's.

    A panel an observed site: the share of prior draws of its values, all rows and draws together,
    between their 1% and 99% quantiles or the data's ends, and that of the data as a line. What lies
    further out is counted beneath. Priors that put much of their weight where no data could be say
    more than they were meant to (Gabry, Simpson, Vehtari, Betancourt & Gelman 2019). Raises
    `DataError` for what holds no draws from a prior.

    >>> tree = ft.prior(coin(10).condition(heads=7))
    >>> outcomes(tree).axes[0].get_title(loc="left")
    'heads'
    """
    if "prior_predictive" not in getattr(drawn, "children", {}):
        raise DataError("there are no prior draws of outcomes to draw: give what ft.prior returns")
    sites = drawn["prior_predictive"].dataset
    seen = drawn["observed_data"].dataset if "observed_data" in drawn.children else {}
    names = [str(name) for name in sites.data_vars if sites[name].dtype.kind in "biuf"]
    if not names:
        raise DataError("the model observes nothing of which priors could say anything")
    across, down = table(len(names), ACROSS)
    with canvas(1.2 + 3.4 * across, 0.8 + 2.3 * down) as figure:
        for axes, name in panels(figure, names, (across, down)):
            data = np.asarray(seen[name]).ravel() if name in seen else np.empty(0)
            _panel(axes, sites[name].to_numpy().ravel(), data[~np.isnan(data.astype(float))])
            named = list(sites[name].attrs.get("categories", ()))
            if 0 < len(named) <= FEW:
                turn = 20 if len(named) > 3 else 0
                axes.set_xticks(range(len(named)), named, rotation=turn, parse_math=False)
                axes.set_xlabel("")
            titled(axes, name)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, handlelength=1.4)
    return figure


def _panel(axes: Axes, prior: np.ndarray, data: np.ndarray) -> None:
    """Draw prior draws as bars and data as a line, over all data and most of the draws."""
    known = prior[np.isfinite(prior)]
    if not known.size:
        raise DataError("no prior draw of the outcomes is finite: give narrower priors")
    edge = (1 - INSIDE) / 2
    low, high = np.quantile(known, (edge, 1 - edge), method="nearest")
    low, high = min(low, data.min(initial=low)), max(high, data.max(initial=high))
    inside = known[(known >= low) & (known <= high)]
    # Tails far beyond the median leave nothing to see but on a log scale.
    far = low >= 0 and high > FAR * max(np.median(known), 1.0)
    edges = _edges(inside, low, high, far)
    if far:
        axes.set_xscale("symlog", linthresh=1.0)
    shares = np.histogram(inside, edges)[0] / prior.size
    axes.stairs(shares, edges, fill=True, color=SKY, label="prior draws")
    if data.size:
        shares = np.histogram(data, edges)[0] / data.size
        axes.stairs(shares, edges, color=INK, lw=1.4, label="data")
    least, most = np.quantile(known, ((1 - SHARE) / 2, (1 + SHARE) / 2))
    out = 1 - inside.size / prior.size
    axes.set_xlabel(
        f"{SHARE:.0%} of draws in {least:.3g} to {most:.3g}, {out:.1%} outside",
        fontsize=SMALL,
        color=GREY,
    )
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _edges(values: np.ndarray, low: float, high: float, far: bool) -> np.ndarray:
    """Return the edges of bars: around each value of few, else equally far apart, or their logs."""
    if far:
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), BINS + 1))
        return np.unique(np.round(edges)) if values.dtype.kind in "biu" else edges
    whole = values.dtype.kind in "biu"
    if whole and high - low < FEW:
        return np.arange(low, high + 2) - 0.5
    if whole:
        step = np.ceil((high - low + 1) / BINS)
        return np.arange(low - 0.5, high + step, step)
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)
