"""Answer questions of a posterior: how probable a statement is, and how large a contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import ModelError
from finetti.hypertext.html import block, words
from finetti.posterior import diagnose
from finetti.posterior.digits import decimals, number
from finetti.posterior.expressions import Answer, answer
from finetti.posterior.mode import is_mode
from finetti.posterior.scalars import Scalars

if TYPE_CHECKING:
    import xarray as xr

SHARE = 0.89  # of the draws that an interval holds


@dataclass(frozen=True, eq=False)
class Probability:
    """Hold the probability of a statement, and the Monte Carlo standard error of that.

    `effective` is how many independent draws the draws are worth. Where the statement is true at
    all draws, or at none, the error is the standard deviation of what its probability may be after
    so many alike (a beta distribution, by Jeffreys' prior). `float(p)` is the probability.
    """

    statement: str
    value: float
    mcse: float
    effective: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        """Print the probability, to the digits that the draws support, with its error."""
        return f"P({self.statement}) {self._said()}"

    def _said(self) -> str:
        places = max(1, decimals(self.value, self.mcse))
        if self.value in (0.0, 1.0):
            side, edge = ("<", 2 * self.mcse) if self.value == 0 else (">", 1 - 2 * self.mcse)
            return f"{side} {number(edge, places)} (at {'no' if self.value == 0 else 'every'} draw)"
        return f"= {number(self.value, places)} (Monte Carlo error {self.mcse:.1g})"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return block(words(str(self)))


@dataclass(frozen=True, eq=False)
class Contrast:
    """Hold the draws of a quantity computed from others; print it to read it.

    `draws` have dims (chain, draw). `interval` holds `share` of them, equal tails. With a region of
    practical equivalence, `rope`, `shares` are the probabilities below, within and above it.
    """

    expression: str
    draws: xr.DataArray
    share: float
    rope: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """Return the posterior mean."""
        return float(self.draws.mean())

    @property
    def sd(self) -> float:
        """Return the posterior standard deviation."""
        return float(self.draws.std())

    @cached_property
    def mcse(self) -> float:
        """Return the Monte Carlo standard error of the mean."""
        return float(self._row["mcse_mean"])

    @property
    def interval(self) -> tuple[float, float]:
        """Return the equal-tailed interval."""
        edge = (1 - self.share) / 2
        low, high = np.quantile(self.draws.to_numpy(), (edge, 1 - edge))
        return float(low), float(high)

    @property
    def above_zero(self) -> Probability:
        """Return the probability that it is above 0."""
        return judged(f"{self.expression} > 0", self.draws.to_numpy() > 0, self.effective)

    @property
    def effective(self) -> float:
        """Return the bulk effective sample size."""
        return float(self._row["ess_bulk"])

    @cached_property
    def _row(self):
        import xarray as xr

        tree = xr.DataTree.from_dict({"posterior": self.draws.rename("x").to_dataset()})
        return diagnose.summary(tree).iloc[0]

    @property
    def shares(self) -> tuple[Probability, Probability, Probability]:
        """Return the probabilities below, within and above the region of practical equivalence."""
        if self.rope is None:
            raise ModelError(
                f"`{self.expression}` was asked for without a region of practical equivalence: "
                f"give rope=(low, high)"
            )
        (low, high), values = self.rope, self.draws.to_numpy()
        said = f"{self.expression} < {low:g}", f"{low:g} <= {self.expression} <= {high:g}"
        above = f"{self.expression} > {high:g}"
        within = (low <= values) & (values <= high)
        return (
            judged(said[0], values < low, self.effective),
            judged(said[1], within, self.effective),
            judged(above, values > high, self.effective),
        )

    @property
    def verdict(self) -> str:
        """Say where the interval lies to the region of practical equivalence (Kruschke 2018)."""
        below, within, above = self.shares
        (low, high), (start, end) = self.rope or (0, 0), self.interval
        region, held = f"{low:g} to {high:g}", f"the {100 * self.share:g}% interval"
        if low <= start and end <= high:
            return f"Practically nil: {held} lies within {region} (probability {_bare(within)})."
        if end < low or start > high:
            side, most = ("below", below) if end < low else ("above", above)
            return f"Not nil: {held} lies {side} {region} (probability {side} it {_bare(most)})."
        return (
            f"Undecided: {held} overlaps {region} in part (probability within it {_bare(within)})."
        )

    def __str__(self) -> str:
        """Print mean, interval and probabilities."""
        low, high = self.interval
        places = decimals(self.mean, self.mcse)
        ends = decimals(low, 2 * self.sd / max(self.effective, 1.0) ** 0.5)
        return "\n".join(
            [
                f"{self.expression} = {number(self.mean, places)} (sd {number(self.sd, places)}), "
                f"{100 * self.share:g}% interval {number(low, ends)} to {number(high, ends)}",
                f"P(> 0) {self.above_zero._said()}",
                *([self.verdict] if self.rope else []),
            ]
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return block(*map(words, str(self).split("\n")))


def probability(draws: xr.Dataset, statement: str) -> Probability:
    """Return the probability of a statement about scalars; see `Posterior.probability`."""
    found = answer(statement, Scalars(draws))
    if not found.is_truth:
        raise ModelError(
            f"`{found.text}` is a number, not a statement: compare it, as in `{found.text} > 0`, "
            f"or ask posterior.contrast({found.text!r})"
        )
    return judged(found.text, found.values, _worth(found))


def contrast(draws: xr.Dataset, expression: str, rope: object, share: float = SHARE) -> Contrast:
    """Return the draws of an expression of scalars; see `Posterior.contrast`."""
    import xarray as xr

    found = answer(expression, Scalars(draws))
    if found.is_truth:
        raise ModelError(
            f"`{found.text}` is a statement, not a number: ask "
            f"posterior.probability({found.text!r})"
        )
    if not 0 < share < 1:
        raise ValueError(f"share={share} is not between 0 and 1: give one such as 0.89")
    made = xr.DataArray(found.values, dims=("chain", "draw"), coords=_drawn(draws))
    return Contrast(found.text, made, share, _region(rope))


def refuse_mode(tree: xr.DataTree, verb: str) -> None:
    """Refuse a mode, which has no draws to count."""
    if is_mode(tree):
        raise ModelError(
            f"{verb} counts draws, and this run is a mode: fit by NUTS() or NormalApproximation()"
        )


def judged(statement: str, truths: np.ndarray, effective: float) -> Probability:
    """Return the share of draws, shape (chain, draw), at which a statement is true.

    `effective` is what the draws of what it speaks of are worth, for a statement that is true at
    all draws or at none, whose own tell nothing.
    """
    value = float(truths.mean())
    effective = effective if np.isfinite(effective) else 1.0  # of too few draws to tell
    if 0 < value < 1:
        own = diagnose.ess(truths.astype(float))
        worth = own if np.isfinite(own) else effective
        return Probability(statement, value, float(np.sqrt(value * (1 - value) / worth)), worth)
    # The standard deviation of a beta distribution of a and 1/2.
    a = 0.5 + effective
    error = float(np.sqrt(a * 0.5 / (a + 0.5) ** 2 / (a + 1.5)))
    return Probability(statement, value, error, effective)


def _bare(found: Probability) -> str:
    return found._said().removeprefix("= ")


def _worth(found: Answer) -> float:
    """Return the least effective sample size of what a statement names."""
    each = [n for n in diagnose.each_ess(list(found.named.values())) if np.isfinite(n)]
    return float(min(each, default=1.0))


def _drawn(draws: xr.Dataset) -> dict[str, np.ndarray]:
    return {dim: draws[dim].to_numpy() for dim in ("chain", "draw")}


def _region(rope: object) -> tuple[float, float] | None:
    """Return a region of practical equivalence given as (low, high) or as the half of its width."""
    if rope is None:
        return None
    try:
        ends = np.asarray(rope, float)
        low, high = (-float(ends), float(ends)) if ends.ndim == 0 else map(float, ends)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high:
        raise ValueError(
            f"rope={rope!r:.60} is no region: give (low, high), or one number for both sides of 0"
        )
    return low, high
