"""Draw one effect against the log of its scale, where a funnel and its divergences show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import DataError
from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import BLUE, VERMILION, canvas, tidy
from finetti.reporting.numbers import find_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 2000


def funnel(posterior: Posterior, effect: str, scale: str) -> Figure:
    """Draw the draws of an effect against those of the log of a positive scale.

    `effect` and `scale` are single rows of the summary, such as "theta[A]" and "tau". Draws that
    diverged are crosses, all of them; of the others 2000 at most are shown. Raises
    `UnknownSite`, or `DataError` for a scale that is not positive.

    >>> @model
    ... def weights(y):
    ...     mu, tau = sample("mu", Normal(0, 5)), sample("tau", HalfNormal(1))
    ...     with plate("apple", len(y)):
    ...         true = sample("true", Normal(mu, tau))
    ...         sample("y", Normal(true, 0.5), obs=y)
    >>> posterior = fit(weights([1.0, 2.0, 0.5]), NUTS(draws=100), progress=False)
    >>> figure = funnel(posterior, "true[0]", "tau")
    >>> figure.axes[0].get_ylabel()
    'log tau'
    """
    ((_, x),) = find_numbers(posterior, [effect], most=1).items()
    ((_, sizes),) = find_numbers(posterior, [scale], most=1).items()
    if not (sizes > 0).all():
        raise DataError(f"`{scale}` is not positive in every draw: it is no scale")
    y, stats = np.log(sizes), posterior.held("sample_stats")
    diverged = (
        stats["diverging"].to_numpy().astype(bool)
        if "diverging" in stats
        else np.zeros_like(x, bool)
    )
    fine = np.flatnonzero(~diverged.ravel())
    fine = fine[:: max(1, -(-len(fine) // POINTS))]
    with canvas(6.4, 4.6) as figure:
        axes = figure.add_subplot()
        axes.plot(x.ravel()[fine], y.ravel()[fine], ".", color=BLUE, ms=3.5, mew=0, alpha=0.4,
                  label="draw")  # fmt: skip
        if diverged.any():
            axes.plot(x[diverged], y[diverged], "x", color=VERMILION, ms=5, mew=1.2,
                      label=f"diverged ({diverged.sum():,})")  # fmt: skip
        axes.set_xlabel(effect)
        axes.set_ylabel(f"log {scale}")
        tidy(axes)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
