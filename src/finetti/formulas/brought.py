"""Make rows that stand for a table's of the sums that came, and add sums of more rows to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from finetti.formulas.division import Division
from finetti.formulas.frames import as_frame
from finetti.scale.arithmetic import Expression, Learned
from finetti.scale.events import Counts, counts, events
from finetti.scale.stand_ins import corners
from finetti.scale.sums import Added, Asking, Moments, moments, patterns

if TYPE_CHECKING:
    import pandas as pd

WEIGHT = "(rows)"  # the column of a gathered frame with how often each row's likelihood counts

Way = Literal["moments", "events", "patterns"]
Sums = Moments | Counts | Added


class Asked(NamedTuple):
    """Say what is asked of a table: how its rows are divided, and which sums hold them.

    `exposure` is the log of what counts are of, `outcome` the outcome's column.
    """

    division: Division
    way: Way
    outcome: str
    exposure: Expression | None

    def sums(self, asking: Asking) -> Sums:
        """Ask for the sums that suit the family."""
        keys, features = tuple(self.division.cells), list(self.division.features.values())
        if self.way == "moments":
            return moments(asking, keys, features)
        if self.way == "events":
            return counts(asking, keys, self.outcome, self.exposure)
        return patterns(asking, keys)


class Brought(NamedTuple):
    """Hold rows that stand for a table's, and how many of its each does, by which they average.

    `mean` is the outcome's, where that is not its average. `shown` is what there is to see of the
    table's columns, each row as often as `seen` says: means of cells, and what lies at the ends.
    """

    frame: pd.DataFrame
    counts: np.ndarray
    shown: pd.DataFrame
    seen: np.ndarray
    mean: float | None = None


def bring(asked: Asked, sums: Sums, learned: Mapping[str, Learned]) -> Brought:
    """Make of the sums the rows that stand for those that were added up."""
    features = asked.division.features
    if isinstance(sums, Moments):
        cell, weight, values = corners(sums)
        columns = dict(zip(features, values.T, strict=True))
        frame = _frame(sums.added, cell).assign(**columns, **{WEIGHT: weight})
        return Brought(frame, weight, *_shown(sums, tuple(features)))
    if isinstance(sums, Counts):
        found = events(sums)
        frame = featured(_frame(sums.added, found.cell), features, learned)
        (column,) = list(features)[-1:]  # the exposure has been made the last feature
        frame = frame.assign(**{asked.outcome: found.count, column: found.log_exposure})
        shown = frame.assign(**{column: found.log_exposure_of_each})
        return Brought(frame, found.rows, shown, found.rows, found.mean)
    weight = sums.sums["n"]
    frame = featured(_frame(sums, np.arange(sums.rows)), features, learned)
    return Brought(frame.assign(**{WEIGHT: weight}), weight, frame, weight)


def added(first: Sums, second: Sums) -> Sums:
    """Return the sums of the rows of both, which were asked for alike."""
    return first.plus(second)  # pyright: ignore[reportArgumentType] - of one kind


def cells_of(sums: Sums) -> Added:
    """Return the cells that sums are of."""
    return sums if isinstance(sums, Added) else sums.added


def _shown(found: Moments, features: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the means of cells, with the features' ends in two rows that count for nothing."""
    values = np.concatenate([found.means, found.ends])
    frame = _frame(found.added, np.r_[np.arange(found.added.rows), 0, 0])
    shown = frame.assign(**dict(zip(features, values.T, strict=True)))
    return shown, np.r_[found.counts, 0.0, 0.0]


def _frame(added: Added, cell: np.ndarray) -> pd.DataFrame:
    """Return the keys of cells as a frame, a row for each place."""
    import pandas as pd

    if not added.keys.num_columns:
        return pd.DataFrame(index=range(len(cell)))
    return as_frame(added.keys).iloc[cell].reset_index(drop=True)


def featured(
    rows: pd.DataFrame, features: Mapping[str, Expression], learned: Mapping[str, Learned]
) -> pd.DataFrame:
    """Return rows with the columns of features that can be made of them."""
    made = {
        name: x.compute(lambda n: rows[n].to_numpy(float), learned)
        for name, x in features.items()
        if x.columns <= set(rows.columns) and x.columns != {name}
    }
    return rows.assign(**made)
