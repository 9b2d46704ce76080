"""Draw how the mean outcome changes with a column: lines with bands, or points with intervals."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.explaining.effects import Effects
from finetti.reporting.drawing import CHAINS, canvas, tidy, titled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE = 0.89  # of the draws that a band or an interval holds
ROOM = 0.6  # of the place of a label, for the points of its parts
ACROSS = 4  # panels in a row
MANY = 7  # parts, beyond which colours repeat and bands are left out


def conditional(found: Effects) -> Figure:
    """Draw the predictions of `ft.effects`, each with the 89% of its draws.

    A column of numbers has a line and a band for each part, one of names points with intervals. Of
    an outcome of several categories each has its own, and each part a panel.

    >>> @ft.model
    ... def weights(x, y):
    ...     slope = ft.sample("slope", ft.Normal(0, 5))
    ...     with ft.plate("apple", len(x)):
    ...         ft.sample("y", ft.Normal(slope * x, 1), obs=y)
    >>> bound = weights(np.arange(4.0), np.array([0.0, 3.0, 6.0, 9.0]))
    >>> posterior = ft.fit(bound, ft.NUTS(draws=100), progress=False)
    >>> figure = conditional(ft.effects(posterior, "x"))
    >>> figure.axes[0].get_ylabel()
    'mean of y'
    """
    means, lines = found.predictions, found.category or found.by
    panels = [means]
    if found.category and found.by:
        panels = [means.isel({found.by: i}) for i in range(means.sizes[found.by])]
    columns = min(len(panels), ACROSS)
    rows = ceil(len(panels) / columns)
    size = (6.4, 4.0) if len(panels) == 1 else (3.0 * columns + 1.0, 3.0 * rows)
    with canvas(*size) as figure:
        every = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, panel in zip(every.flat, panels, strict=False):
            _panel(axes, found, panel, lines)
            if len(panels) > 1:
                titled(axes, f"{found.by} {panel[found.by].item()}")
        for axes in every.flat[len(panels) :]:
            axes.remove()
        for axes in every[:, 0]:
            axes.set_ylabel(f"{found.quantity} of {means.name}")
        if lines is not None:
            title = means.name if found.category else found.by
            every[0, -1].legend(title=title, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _panel(axes: Axes, found: Effects, panel: xr.DataArray, lines: str | None) -> None:
    """Draw predictions over the column, of each part by itself where there are `lines`."""
    count = 1 if lines is None else panel.sizes[lines]
    for i in range(count):
        part = panel if lines is None else panel.isel({lines: i})
        label = "" if lines is None else f"{part[lines].item()}"
        _part(axes, part.to_numpy(), panel[found.name].to_numpy(), (i, count), label)
    axes.set_xlabel(found.name)
    tidy(axes)


def _part(
    axes: Axes, draws: np.ndarray, values: np.ndarray, place: tuple[int, int], label: str
) -> None:
    """Draw one part, draws of shape (chain, draw, value); `place` is its number among how many."""
    i, parts = place
    colour = CHAINS[i % len(CHAINS)]
    mean = draws.mean((0, 1))
    low, high = np.quantile(draws, ((1 - SHARE) / 2, (1 + SHARE) / 2), axis=(0, 1))
    if values.dtype.kind in "iuf":
        axes.plot(values, mean, color=colour, label=label or None)
        if parts <= MANY:
            axes.fill_between(values, low, high, color=colour, alpha=0.2, linewidth=0)
        return
    at = np.arange(len(values)) + ROOM * ((i + 0.5) / parts - 0.5)
    reach = np.stack([mean - low, high - mean])
    axes.errorbar(at, mean, reach, fmt="o", color=colour, label=label or None)
    axes.set_xticks(np.arange(len(values)), [str(value) for value in values])
