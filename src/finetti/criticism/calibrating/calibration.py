"""Hold what simulation-based calibration found: the ranks, and a verdict on every variable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.calibrating import uniform
from finetti.errors import UnknownSite
from finetti.hypertext.html import block, heading, items
from finetti.posterior.labels import dotted, scalars

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FALSE_ALARM = 0.01  # the chance that any verdict on a right method is bad
CENTRAL = 0.8  # the interval whose coverage is told
CLEAR = 3.0  # standard errors of a mean or a spread that is worth a word
ALIKE = 0.15  # correlation of neighbouring draws above which they do not count as independent


@dataclass(frozen=True)
class Verdict:
    """Hold what the ranks say of one variable.

    `problem` is empty where nothing is wrong, else "too narrow", "too wide", "too low", "too high",
    two of these, or "of the wrong shape". `p` is the probability of ranks at least as far from
    uniform under a right method, the members of a variable allowed for. `members` are those
    labels for which that is clear one by one.
    """

    name: str
    problem: str
    p: float
    members: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, eq=False)
class Calibration:
    """Hold the ranks of simulated values among posterior draws; print it for the verdicts.

    `ranks` has a variable for each latent and deterministic site, for `log_likelihood` and for
    each quantity, dims (simulation, *site dims): how many of `draws` thinned posterior draws lie
    below the value that was drawn, ties broken at random. Under a right method they are uniform on
    0, ..., draws. `pits` are the ranks spread over the unit interval. `neighbours` has the
    correlation of neighbouring thinned draws, a mean over simulations. `notes` are sentences on
    the fits.

    >>> found = calibrate(coin(10).condition(heads=7), simulations=40)
    >>> found.simulations, set(found.ranks) == {"p", "log_likelihood"}
    (40, True)
    """

    ranks: xr.Dataset
    pits: xr.Dataset
    neighbours: xr.Dataset
    draws: int
    model: str
    notes: tuple[str, ...] = ()

    @property
    def simulations(self) -> int:
        """Return the number of simulations that count."""
        return self.ranks.sizes["simulation"]

    @property
    def passed(self) -> bool:
        """Tell whether all verdicts are good."""
        return not any(v.problem for v in self.verdicts)

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Return the labels of each variable's numbers, such as `theta[A]`, in order."""
        found = {}
        for name, array in self.ranks.items():
            found[str(name)] = tuple(scalars(array, 1))
        return found

    def numbers(self, name: str) -> np.ndarray:
        """Return a variable's pits, or those of one number of it, shape (simulation, number)."""
        for site, labels in self.labels.items():
            flat = self.pits[site].values.reshape(self.simulations, -1)
            if dotted(name) == site:
                return flat
            if dotted(name) in labels and labels != (site,):
                return flat[:, [labels.index(dotted(name))]]
        raise UnknownSite.among(name, self.labels, "read the ranks of")

    @cached_property
    def _p_values(self) -> dict[str, np.ndarray]:
        """Return the p-value of each number of each variable."""
        return {
            name: np.array([uniform.p_value(column) for column in self.numbers(name).T])
            for name in self.labels
        }

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return a verdict for each variable.

        The chance that any is bad though the method is right is at most 1%.
        """
        return tuple(self._judge(name) for name in self.labels)

    def threshold(self, name: str) -> float:
        """Return the p-value of one number of a variable below which its verdict is bad."""
        return FALSE_ALARM / len(self.labels) / max(len(self.labels[name]), 1)

    def _judge(self, name: str) -> Verdict:
        """Compose the verdict on a variable: by its worst number, and the ranks of all bad ones."""
        each, labels = self._p_values[name], self.labels[name]
        # Bonferroni: of as many numbers as the variable has, any may be the least.
        p = float(min(1.0, each.min(initial=1.0) * len(each)))
        bad = each < self.threshold(name)
        if not bad.any():
            said = f"`{name}` is right as far as {self.simulations:,} simulations can tell"
            return Verdict(name, "", p, (), f"{said} ({_written(p)}).")
        pits = self.numbers(name)[:, bad].ravel()
        problem, reason = _describe(pits, int(bad.sum()))
        members = tuple(np.array(labels)[bad].tolist()) if len(labels) > 1 else ()
        some = f" (in {len(members)} of {len(labels)} numbers)" if members else ""
        sentence = (
            f"The posterior of `{name}` is {problem}{some}: {reason} of {self.simulations:,} "
            f"simulations ({_written(p)})."
        )
        hang = float(np.max(self.neighbours[name].values.ravel()[bad]))
        if hang > ALIKE:
            sentence += (
                f" But neighbouring draws are correlated by {hang:.2f}, which alone makes ranks "
                f"uneven: calibrate with a method that makes more draws."
            )
        return Verdict(name, problem, p, members, sentence)

    def table(self) -> pd.DataFrame:
        """Return a table, one row a number such as `theta[A]`.

        Columns: the p-value of the number by itself, the mean of its ranks as a share (0.5 if
        right), the share of simulations whose central 50% and 80% intervals held the value drawn,
        the correlation of neighbouring thinned draws, and the problem of the variable where the
        number has it.
        """
        import pandas as pd

        rows = {}
        for verdict in self.verdicts:
            name, pits = verdict.name, self.numbers(verdict.name)
            bad = self._p_values[name] < self.threshold(name)
            for i, label in enumerate(self.labels[name]):
                rows[label] = {
                    "p": self._p_values[name][i],
                    "mean_rank": pits[:, i].mean(),
                    "coverage_50": _held(pits[:, i], 0.5),
                    "coverage_80": _held(pits[:, i], 0.8),
                    "neighbours": self.neighbours[name].values.ravel()[i],
                    "problem": verdict.problem if bad[i] else "",
                }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __getitem__(self, name: str) -> Verdict:
        """Return the verdict on one variable."""
        for verdict in self.verdicts:
            if verdict.name == dotted(name):
                return verdict
        raise UnknownSite.among(name, self.labels, "find the verdict on")

    def __str__(self) -> str:
        """Print the verdicts, bad ones first, then what is to be said of the fits."""
        return "\n".join(f"- {line}" for line in self._sentences())

    def _sentences(self) -> list[str]:
        ordered = sorted(self.verdicts, key=lambda v: not v.problem)
        return [*(v.sentence for v in ordered), *self.notes]

    def __repr__(self) -> str:
        return (
            f"<calibration of {self.model}: {self.simulations} simulations, "
            f"{'passed' if self.passed else 'failed'}>"
        )

    def _repr_html_(self) -> str:
        return block(heading(repr(self)[1:-1]), items(self._sentences()))


def _describe(pits: np.ndarray, numbers: int) -> tuple[str, str]:
    """Name what is wrong with a posterior by its pits, and say by how much.

    The members of a variable are correlated: a simulation counts as one.
    """
    simulations = len(pits) / numbers
    shift = (pits.mean() - 0.5) * np.sqrt(12 * simulations)
    spread = (np.square(pits - 0.5).mean() - 1 / 12) * np.sqrt(180 * simulations)
    words, reasons = [], []
    above = (pits > 0.5).mean()
    if abs(shift) > CLEAR:
        words.append("too low" if shift > 0 else "too high")
        side = "above" if shift > 0 else "below"
        share = above if shift > 0 else 1 - above
        reasons.append(f"the value drawn lay {side} its median in {share:.0%}")
    if abs(spread) > CLEAR:
        words.append("too narrow" if spread > 0 else "too wide")
        reasons.append(f"its {CENTRAL:.0%} interval held the value drawn in {_held(pits):.0%}")
    if not words:
        return "of the wrong shape", f"its {CENTRAL:.0%} interval held it in {_held(pits):.0%}"
    return " and ".join(words), " and ".join(reasons)


def _held(pits: np.ndarray, share: float = CENTRAL) -> float:
    return float((np.abs(pits - 0.5) <= share / 2).mean())


def _written(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-6 else "p < 0.000001"
