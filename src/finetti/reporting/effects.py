"""Draw the estimates of groups: each by itself, and drawn together by their hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.criticism.separate import separate as separate_estimates
from finetti.errors import DataError, ModelError, ShapeError
from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import BLUE, GREY, INK, SKY, SMALL, VERMILION, canvas, tidy
from finetti.reporting.numbers import members

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORMAL_95 = 1.96
INTERVAL = 0.89  # as in the summary
ENDS = ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2)
TALLEST = 9.0  # inches that the rows may take
LABEL_LENGTH = 28


def effects(
    estimates: Any,
    standard_errors: Any,
    labels: Sequence[Any] | None = None,
    quantity: str = "effect",
) -> Figure:
    """Draw each group's estimate with its standard error, and the pooled estimate.

    `estimates` and `standard_errors` have shape (group,); `quantity` names what they measure,
    with its unit. Thick bars reach one standard error, thin ones the 95% interval. The pooled
    estimate weighs each group by its precision. Raises `DataError` for lengths that differ.

    >>> figure = effects([28, 8, -3], [15, 10, 16], ["A", "B", "C"], "effect (points)")
    >>> figure.axes[0].get_xlabel()
    'effect (points)'
    """
    estimate, error = _column(estimates, "estimates"), _column(standard_errors, "standard errors")
    names = [str(i) for i in (range(len(estimate)) if labels is None else labels)]
    for what, values in (("standard errors", error), ("labels", names)):
        if len(values) != len(estimate):
            raise DataError(f"{len(estimate)} estimates but {len(values)} {what}: one a group")
    if not (error > 0).all():
        raise DataError(f"standard error {error[~(error > 0)][0]:g} is not above zero")
    rows = Rows(len(names))
    y = np.arange(len(names))
    with canvas(6.4, rows.height) as figure:
        axes = figure.add_subplot()
        reach = NORMAL_95 * error
        axes.hlines(
            y, estimate - reach, estimate + reach, color=BLUE, lw=rows.thin, label="95% interval"
        )
        axes.hlines(
            y, estimate - error, estimate + error, color=BLUE, lw=rows.thick,
            label="one standard error",
        )  # fmt: skip
        axes.plot(estimate, y, "o", color="white", mec=BLUE, ms=rows.dot, mew=rows.edge)
        if len(names) > 1:
            weights = error**-2 / (error**-2).sum()
            _mark(axes, float(weights @ estimate), "pooled estimate", estimate)
        rows.finish(axes, names, quantity)
        _legend(axes)
    return figure


def shrinkage(  # noqa: PLR0913 - what is drawn, and how
    posterior: Posterior,
    name: str,
    separate: Any = None,
    mean: str | None = None,
    quantity: str | None = None,
    most: int = 500,
    term: str | None = None,
) -> Figure:
    """Draw separate estimates moving to the partially pooled ones, in order of the former.

    `name` is the site of the groups' effects, in one plate; of members with several terms `term`
    names the one to draw, such as `Days` of `Subject[308][Days]`. `separate` has an estimate for
    each member, or a column of them for each term, NaN where there is none; without it, it is what
    each member's own observations favour with all else at its posterior mean, which takes the run's
    model. `mean` is the site of the effects' mean: without it the average of the partially pooled
    estimates is drawn. `quantity` names the effect, with its unit. Dots are posterior means, bars
    89% intervals as in the summary. Of more members than `most`, as many are shown, evenly by rank.
    Raises `UnknownSite`, `ShapeError` where sizes do not fit, or `ModelError` where members share
    observations.

    >>> figure = shrinkage(posterior, "theta", [28, 8, -3, 7, -1, 1, 18, 12], "mu")
    >>> figure.axes[0].get_xlabel()
    'theta'
    """
    draws, label, place = members(posterior, name, term, "shrinkage")
    values, together = draws.values, draws.values.mean((0, 1))
    apart = np.asarray(own_estimates(posterior, name) if separate is None else separate, float)
    apart = _column(apart[:, place] if apart.ndim == 2 else apart, "separate estimates")
    if len(apart) != values.shape[2]:
        raise ShapeError(
            f"{len(apart)} separate estimates, but site `{name}` has {values.shape[2]} members of "
            f"`{draws.dims[2]}`: one a member, NaN where there is none"
        )
    centre = _scalar(posterior, mean) if mean else float(together.mean())
    order = np.argsort(np.where(np.isnan(apart), together, apart), kind="stable")[::-1]
    order = evenly(order, most)
    low, high = np.quantile(values[..., order], ENDS, axis=(0, 1))
    rows, y = Rows(len(order)), np.arange(len(order))
    with canvas(6.4, rows.height) as figure:
        axes = figure.add_subplot()
        _mark(axes, centre, "group mean" if mean else "average", together)
        axes.hlines(
            y, low, high, color=SKY, lw=rows.thick, zorder=1,
            label=f"{INTERVAL:.0%} interval",
        )  # fmt: skip
        axes.hlines(y, apart[order], together[order], color=VERMILION, lw=rows.thin, zorder=1.5)
        axes.plot(
            apart[order], y, "o", color="white", mec=VERMILION, ms=rows.dot, mew=rows.edge,
            label="separate estimate",
        )  # fmt: skip
        axes.plot(
            together[order], y, "o", color=BLUE, ms=rows.dot, mec="white", mew=0.3 * rows.edge,
            label="partially pooled",
        )  # fmt: skip
        coordinate = draws[draws.dims[2]].values
        rows.finish(axes, [str(coordinate[i]) for i in order], quantity or label, of=len(apart))
        _legend(axes)
    return figure


def own_estimates(posterior: Posterior, name: str) -> np.ndarray:
    """Return each member's own estimate, shape (member,) or (member, term).

    Raises `ModelError` where members share observations, or none has an estimate.
    """
    found = separate_estimates(posterior, name)
    if np.isnan(found).all():
        raise ModelError(f"no member of `{name}` has observations that give it an estimate")
    return found


def evenly(order: np.ndarray, most: int) -> np.ndarray:
    """Return as many of the members in order as are wanted, the first and the last among them.

    >>> evenly(np.arange(9), 3).tolist()
    [0, 4, 8]
    """
    return order[np.linspace(0, len(order) - 1, min(len(order), most)).round().astype(int)]


class Rows:
    """Size the rows of a picture so that one group or five hundred stay legible."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.height = 1.5 + min(0.36 * count, 2.0 + 0.12 * count, TALLEST)
        pitch = 72 * (self.height - 1.5) / count  # points from row to row
        self.dot = float(np.clip(0.45 * pitch, 2, 6.5))
        self.edge = float(np.clip(0.06 * pitch, 0.5, 1.4))
        self.thick = float(np.clip(0.2 * pitch, 0.6, 4))
        self.thin = float(np.clip(0.06 * pitch, 0.4, 1.3))
        self.every = int(np.ceil((SMALL + 2) / pitch))  # rows from label to label

    def finish(self, axes: Axes, labels: Sequence[str], quantity: str, of: int = 0) -> None:
        """Label the rows from the top, each or one in some; name the quantity.

        `of` is how many groups there are, where only some are shown.
        """
        tidy(axes, rows=True)
        shown = range(0, self.count, self.every)
        axes.set_yticks(shown, [_shorten(labels[i]) for i in shown], parse_math=False)
        axes.set_ylim(self.count - 0.4, -0.6)
        axes.margins(x=0.04)
        axes.set_xlabel(quantity)
        words = [f"{self.count} of {of:,} groups, evenly by rank"] if of > self.count else []
        if self.every > 1:
            words.append(f"{self.count} groups, one label in {self.every}")
        axes.set_ylabel("; ".join(words), color=GREY)


def _mark(axes: Axes, value: float, words: str, among: np.ndarray) -> None:
    """Draw a vertical line and say above it what it is, to a thousandth of what lies around."""
    axes.axvline(value, color=INK, lw=1, ls=(0, (4, 3)), zorder=0.8)
    spread = float(np.ptp(among)) or abs(value) or 1.0
    said = round(value, 3 - int(np.floor(np.log10(spread)))) + 0.0  # no negative zero
    axes.annotate(
        f"{words} {said:.3g}", (value, 1), xycoords=axes.get_xaxis_transform(),
        xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=SMALL,
    )  # fmt: skip


def _legend(axes: Axes) -> None:
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)


def _shorten(label: str) -> str:
    """Cut a long label in its middle, as its ends tell most."""
    half = LABEL_LENGTH // 2
    return label if len(label) <= LABEL_LENGTH else f"{label[:half]}…{label[1 - half :]}"


def _column(values: Any, what: str) -> np.ndarray:
    column = np.asarray(values, float)
    if column.ndim != 1 or not column.size:
        raise DataError(f"{what} need shape (group,), one at least, not {column.shape}")
    return column


def _scalar(posterior: Posterior, name: str) -> float:
    draws = posterior[name]
    if draws.ndim != 2:
        raise ShapeError(f"site `{name}` has {draws[0, 0].size} members: the mean is one number")
    return float(draws.mean())
