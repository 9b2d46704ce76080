"""Draw the members of a site one under the other, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import BLUE, SKY, canvas
from finetti.reporting.effects import ENDS, INTERVAL, Rows, evenly
from finetti.reporting.numbers import members

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIDDLE = (0.25, 0.75)


def forest(posterior: Posterior, name: str, most: int = 60, term: str | None = None) -> Figure:
    """Draw each member's posterior mean, its middle half and its 89% interval, highest first.

    `name` is a site in one dimension, or in one beside its own terms, of which `term` names the one
    to draw, if there are several: `Days` of `Subject[308][Days]`. Of more members than `most`, as
    many are shown, evenly by the rank of their means, and the picture says so. Raises
    `UnknownSite`, or `ShapeError` for a site in more dimensions.

    >>> @model
    ... def weights(y):
    ...     mu = sample("mu", Normal(0, 5))
    ...     with plate("apple", len(y)):
    ...         true = sample("true", Normal(mu, 1))
    ...         sample("y", Normal(true, 0.5), obs=y)
    >>> posterior = fit(weights([1.0, 2.0, 0.5]), NUTS(draws=100), progress=False)
    >>> figure = forest(posterior, "true")
    >>> len(figure.axes)
    1
    """
    draws, label, _ = members(posterior, name, term, "a forest")
    values, labels = draws.to_numpy(), draws[draws.dims[2]].to_numpy()
    mean = values.mean((0, 1))
    shown = evenly(np.argsort(-mean, kind="stable"), most)
    low, high = np.quantile(values[..., shown], ENDS, axis=(0, 1))
    lower, upper = np.quantile(values[..., shown], MIDDLE, axis=(0, 1))
    rows, y = Rows(len(shown)), np.arange(len(shown))
    with canvas(6.4, rows.height) as figure:
        axes = figure.add_subplot()
        axes.hlines(y, low, high, color=SKY, lw=rows.thick, label=f"{INTERVAL:.0%} interval")
        axes.hlines(y, lower, upper, color=BLUE, lw=rows.thick, label="middle half")
        axes.plot(mean[shown], y, "o", color=BLUE, mec="white", mew=rows.edge, ms=rows.dot,
                  label="mean")  # fmt: skip
        rows.finish(axes, [str(labels[i]) for i in shown], label, of=len(mean))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
