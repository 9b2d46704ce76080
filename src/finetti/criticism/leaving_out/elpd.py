"""Hold how well a model predicts what it has not seen, observation by observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finetti.hypertext.html import block, items, words
from finetti.posterior.labels import brackets
from finetti.posterior.labels import named as labelled
from finetti.structure.words import listed

if TYPE_CHECKING:
    import xarray as xr

NAMED = 6  # points named in a sentence
IMPRECISE = 0.3  # Monte-Carlo standard error of a point's score above which it is not to be trusted


@dataclass(frozen=True, eq=False)
class Elpd:
    """Hold the expected log predictive density of new data, point by point, in nats.

    `method` says what was left out at a time, such as "leave-one-out", and `folds` tells of each
    point, flat, with which others. `scores` has the dims of the points, observations or groups of
    them, and the variables `elpd`, the log predictive density of a point given the data without
    its fold; `p`, how much larger it is given all data; `mcse`, the Monte-Carlo standard error of
    `elpd`; `refitted`, whether the model was fitted without the point. Where it was not, importance
    sampling is not to be trusted where `pareto_k` is above `good_k`, or where the point is `sole`:
    the only one of its group, whose effect nothing else tells of.
    `observed` holds the data by site, those that are known and count in one dimension, and `codes`
    the point that each belongs to, -1 for none; `discrete` tells whether scores are log
    probabilities.

    Vehtari, Gelman & Gabry 2017; Vehtari, Simpson, Gelman, Yao & Gabry 2024.

    >>> scores = loo(posterior, refits=0)
    >>> scores.scores["elpd"].dims, bool(scores.elpd < 0)
    (('school',), True)
    """

    model: str
    method: str
    folds: np.ndarray
    scores: xr.Dataset
    observed: Mapping[str, np.ndarray]
    codes: Mapping[str, np.ndarray]
    discrete: bool
    good_k: float

    @property
    def pointwise(self) -> np.ndarray:
        """Return the log predictive density of each point, shape (points,)."""
        return self.scores["elpd"].to_numpy().ravel()

    @property
    def elpd(self) -> float:
        """Return the sum over all points."""
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Return the sum's standard error, as the points are a sample of those to come."""
        return float(np.sqrt(self.pointwise.size * self.pointwise.var(ddof=1)))

    @property
    def p(self) -> float:
        """Return the effective number of parameters."""
        return float(self.scores["p"].sum())

    @property
    def mcse(self) -> float:
        """Return the sum's Monte-Carlo standard error, which more draws make smaller."""
        return float(np.sqrt(np.square(self.scores["mcse"]).sum()))

    @property
    def labels(self) -> list[str]:
        """Return the label of each point, in the order of `pointwise`."""
        return self._labels(np.ones(self.pointwise.size, bool))

    @property
    def refitted(self) -> list[str]:
        """Return the labels of the points that the model was fitted without."""
        return self._labels(self.scores["refitted"].to_numpy().ravel())

    @property
    def unreliable(self) -> list[str]:
        """Return the labels of the points whose score is not to be trusted."""
        k, again, alone, error = (
            self.scores[name].to_numpy().ravel()
            for name in ("pareto_k", "refitted", "sole", "mcse")
        )
        return self._labels(~again & (~(k <= self.good_k) | alone) | ~(error <= IMPRECISE))

    def _labels(self, chosen: np.ndarray) -> list[str]:
        dims = self.scores["elpd"].dims
        axes = [self.scores[d].to_numpy() if d in self.scores.coords else None for d in dims]
        shape = self.scores["elpd"].shape
        name, groups = str(self.scores.attrs["points"]), brackets(dims, self.scores.coords)
        return [
            labelled(
                name, [i if a is None else a[i] for i, a in zip(place, axes, strict=True)], groups
            )
            for place in np.argwhere(chosen.reshape(shape))
        ]

    def notes(self) -> list[str]:
        """Return what to know of the scores, in sentences."""
        said = []
        bad = self.unreliable
        again = self.refitted if self.method == "leave-one-out" else []
        if again:
            said.append(
                f"The model was fitted without each of {named(again)}, where importance sampling "
                f"is not to be trusted (k-hat above {self.good_k:.2f}, or all there is of a group)."
            )
        if bad:
            remedy = ", raise refits=, or use ft.kfold" if self.method == "leave-one-out" else ""
            said.append(
                f"The score of {named(bad)} is not to be trusted (k-hat above {self.good_k:.2f}, "
                f"all there is of a group, or Monte-Carlo standard error above {IMPRECISE}): take "
                f"more draws{remedy}."
            )
        return said

    @property
    def sums(self) -> str:
        """Say what the sums over all points are."""
        return (
            f"{self.method} of `{self.model}`, {self.pointwise.size:,} points: elpd "
            f"{self.elpd:.1f} (standard error {self.se:.1f}), {self.p:.1f} effective parameters"
        )

    def __str__(self) -> str:
        """Print the sums and the notes."""
        return "\n".join([self.sums, *self.notes()])

    def __repr__(self) -> str:
        return f"<{self.sums}>"

    def _repr_html_(self) -> str:
        return block(words(self.sums), items(self.notes()))


def named(labels: list[str]) -> str:
    """List some labels, and how many more there are."""
    if len(labels) <= NAMED:
        return listed(labels)
    return f"{', '.join(labels[:NAMED])} and {len(labels) - NAMED:,} more"
