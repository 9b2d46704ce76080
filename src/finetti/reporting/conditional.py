"""Draw how the mean outcome changes with a column: lines with bands, or points with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.explaining.effects import Effects
from finetti.reporting.drawing import CHAINS, canvas, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE = 0.89  # of the draws that a band or an interval holds
ROOM = 0.6  # of the place of a label, for the points of its parts
MANY = 7  # parts, beyond which colours repeat and bands are left out


def conditional(found: Effects) -> Figure:
    """Draw the predictions of `ft.effects`, each with the 89% of its draws.

    A column of numbers has a line and a band for each part, one of names points with intervals.

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
    means = found.predictions
    parts = [means] if found.by is None else [means.isel({found.by: i}) for i in
                                              range(means.sizes[found.by])]  # fmt: skip
    with canvas(6.4, 4.0) as figure:
        axes = figure.add_subplot()
        for i, part in enumerate(parts):
            label = "" if found.by is None else f"{part[found.by].item()}"
            _part(axes, part.to_numpy(), means[found.name].to_numpy(), (i, len(parts)), label)
        axes.set_xlabel(found.name)
        axes.set_ylabel(f"mean of {means.name}")
        if found.by is not None:
            axes.legend(title=found.by, loc="center left", bbox_to_anchor=(1, 0.5))
        tidy(axes)
    return figure


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
