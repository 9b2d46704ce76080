"""Add up counts and what they are counts of: few Poisson rows with the likelihood of many.

Of a cell with rate r the log likelihood of counts y_i of exposures e_i is Y log r - E r and
constants, with Y and E their sums. A count Y of exposure b and a count 0 of exposure E - b have
that likelihood too; b <= E is chosen so that the constants, the sum of y_i log e_i - log y_i!, are
those of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetti.errors import DataError
from finetti.scale.arithmetic import Expression
from finetti.scale.sums import Added, Asking

MOST = 2.0**53  # a sum of counts, exact up to there
FINEST = 1e-15  # a smaller share of an exposure is rounding


@dataclass(frozen=True)
class Counts:
    """Hold by cell the sums "n" of rows, "y" of their counts and "e" of exposures.

    `constants` is the sum of y log e - log y! over all rows.
    """

    added: Added
    constants: float

    def plus(self, other: Counts) -> Counts:
        """Return the sums of the rows of both."""
        return Counts(self.added.plus(other.added), self.constants + other.constants)


class Events(NamedTuple):
    """Hold rows of counts that stand for others: cell, count, log exposure and number of rows.

    `log_exposure_of_each` is that of one row of the cell; `mean` is that of the counts of all rows.
    """

    cell: np.ndarray
    count: np.ndarray
    log_exposure: np.ndarray
    log_exposure_of_each: np.ndarray
    rows: np.ndarray
    mean: float


def counts(
    asking: Asking, keys: Sequence[str], outcome: str, log_exposure: Expression | None
) -> Counts:
    """Add up counts and exposures by cell, the rows that agree in all keys.

    Raises `DataError` for what is no count, and for exposures that are 0 or less.
    """
    y = asking.seen.whole[outcome].cast("float64")
    values = {"y": y}
    if log_exposure is not None:
        values["o"] = asking.value(log_exposure)
        added = asking.add(
            keys, values,
            lambda t: {
                "y": t.y.sum(), "e": t.o.exp().sum(), "yo": (t.y * t.o).sum(), "low": t.o.min(),
            },
        )  # fmt: skip
    else:
        added = asking.add(keys, values, lambda t: {"y": t.y.sum()})
    n, total = added.sums["n"], added.sums["y"]
    exposure = added.sums.get("e", n)
    low = added.sums.get("low", np.zeros(1)).min()
    if not (np.isfinite(exposure).all() and np.isfinite(low)):
        raise DataError(
            f"the offset `{log_exposure.text if log_exposure else ''}` is not finite in some rows "
            f"of the table {asking.table.name}: what a rate is of is above 0"
        )
    if total.max() > MOST:
        raise DataError(
            f"the outcome `{outcome}` adds up to {total.max():g} in rows that are alike, more than "
            f"{MOST:g}, beyond which counts are no longer exact"
        )
    constants = _constants(asking, outcome) + float(added.sums.get("yo", np.zeros(1)).sum())
    return Counts(Added(added.keys, {"n": n, "y": total, "e": exposure}, added.query), constants)


def events(found: Counts) -> Events:
    """Return two rows of counts for each cell that have the likelihood of its rows."""
    n, total, exposure = (found.added.sums[name] for name in ("n", "y", "e"))
    most = _likeliest(total, exposure)
    # A count Y of exposure b in place of E has Y log(E / b) less: spread over all counts, `less`
    # each.
    less = max(most - found.constants, 0.0) / max(float(total.sum()), 1.0)
    split = (total > 0) & (less > FINEST)
    share = np.where(split, np.exp(-less), 1.0)
    cell = np.concatenate([np.arange(len(n)), np.flatnonzero(split)])
    order = np.argsort(cell, kind="stable")
    count = np.concatenate([total, np.zeros(int(split.sum()))])
    logs = np.log(exposure)
    rest = (logs + np.log(-np.expm1(-less)))[split] if split.any() else np.zeros(0)
    log_exposures = np.concatenate([logs + np.log(share), rest])
    rows = np.concatenate([n / np.where(split, 2, 1), n[split] / 2])
    mean = float(total.sum() / n.sum())
    cell = cell[order]
    each = np.log(exposure / n)[cell]
    return Events(cell, count[order], log_exposures[order], each, rows[order], mean)


def _likeliest(total: np.ndarray, exposure: np.ndarray) -> float:
    """Return the constants of the cells' sums as single counts: no rows could have more."""
    from scipy.special import gammaln

    return float(np.sum(total * np.log(exposure) - gammaln(total + 1.0)))


def _constants(asking: Asking, outcome: str) -> float:
    """Return minus the sum of log y! over rows, by how often each count is there."""
    from scipy.special import gammaln

    found = asking.add([outcome], {}, lambda t: {})
    y = np.asarray(found.keys[outcome].to_numpy(zero_copy_only=False), float)
    bad = y[(y < 0) | (y != np.round(y))]
    if len(bad):
        raise DataError(
            f"the outcome `{outcome}` is {bad[0]:g} in some rows of the table "
            f"{asking.table.name}, and the family poisson takes counts, 0, 1, 2, ..."
        )
    return -float(np.sum(found.sums["n"] * gammaln(y + 1.0)))
