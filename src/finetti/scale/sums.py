"""Ask an engine for sums: counts by pattern, moments by cell, and events by exposure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import DataError
from finetti.scale.arithmetic import Expression, Learned
from finetti.scale.look import Seen
from finetti.scale.table import Expr, Table, is_nan

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 20_000_000  # rows of sums that may come into Python
ROOM = 1.3  # times as many may be counted approximately, before they are counted


@dataclass(frozen=True)
class Added:
    """Hold sums that came: `keys` with their columns by name, `sums` by name, and the query."""

    keys: pa.Table
    sums: Mapping[str, np.ndarray]
    query: str

    @property
    def rows(self) -> int:
        """Return the number of rows that came."""
        return len(next(iter(self.sums.values())))

    def cells(self, other: Added) -> tuple[pa.Table, np.ndarray]:
        """Return the keys of both, each once, and which of them each row of the two has.

        Raises `DataError` where a column holds numbers in one and names in the other.
        """
        import pyarrow as pa

        size = self.rows + other.rows
        if not self.keys.num_columns:
            return self.keys, np.zeros(size, int)
        try:
            both = pa.concat_tables([self.keys, other.keys], promote_options="permissive")
        except pa.ArrowTypeError as error:
            raise DataError(
                f"the rows added do not go on as the table does: {str(error).partition(chr(10))[0]}"
            ) from error
        place = both.to_pandas().groupby(both.column_names, sort=False, dropna=False).ngroup()
        return both.take(np.unique(place, return_index=True)[1]), place.to_numpy()

    def plus(self, other: Added) -> Added:
        """Return the sums of the rows of both."""
        keys, place = self.cells(other)
        both = {n: np.concatenate([self.sums[n], other.sums[n]]) for n in self.sums}
        added = {n: np.bincount(place, column) for n, column in both.items()}
        return Added(keys, added, self.query)


@dataclass(frozen=True)
class Asking:
    """Hold what sums are asked of: a table, what was seen of it, and what functions learned."""

    table: Table
    seen: Seen
    learned: Mapping[str, Learned]

    def value(self, expression: Expression) -> Expr:
        """Return an expression's value in the rows that are whole."""
        return expression.compute(lambda name: self.seen.column(self.table, name), self.learned)

    def shift(self, expression: Expression) -> float:
        """Return what an expression's values are taken less, so that no digits are lost."""
        return self.seen.shift(expression.text) if expression.text in self.seen.means else 0.0

    def add(
        self,
        keys: Sequence[str],
        values: Mapping[str, Expr],
        sums: Callable[[Expr], dict[str, Expr]],
    ) -> Added:
        """Group rows by columns and add up values, which have short names; refuse too many.

        `sums` returns the sums asked for of a table that has the values as columns; `n` counts
        rows. Raises `DataError` where a value is not known in some row, or sums are too many.
        """
        short = {f"k{i}": self.seen.whole[key] for i, key in enumerate(keys)}
        base = self.seen.whole.select(**short, **values) if short or values else self.seen.whole
        asked = {"n": base.count(), **sums(base)}
        unknown = None
        for name in values:
            bad = base[name].isnull() | is_nan(base[name])
            unknown = bad if unknown is None else unknown | bad
        if unknown is not None:
            asked["unknown"] = unknown.sum()
        grouped = (
            base.group_by(list(short)).aggregate(**asked) if short else base.aggregate(**asked)
        )
        self._refuse_many(keys, grouped)
        found = self.table.fetch(grouped.order_by(list(short)) if short else grouped, "its sums")
        columns = {n: np.asarray(found[n].to_numpy(zero_copy_only=False), float) for n in asked}
        bad = columns.pop("unknown", np.zeros(1)).sum()
        if bad:
            raise DataError(
                f"what the formula computes is not a number in {int(bad):,} rows of the table "
                f"{self.table.name}: look at logarithms and roots of what is not positive"
            )
        named = found.select(list(short)).rename_columns(list(keys))
        return Added(named, columns, self.table.sql(grouped))

    def _refuse_many(self, keys: Sequence[str], grouped: Expr) -> None:
        """Refuse to fetch more sums than fit, by what is known, or else by counting them."""
        about = [self.seen.distinct.get(key, self.seen.rows) for key in keys]
        if self.seen.rows <= MOST or float(np.prod(np.asarray(about, float))) <= MOST:
            return
        widest = max(zip(about, keys, strict=True))
        many = widest[0]
        if widest[0] <= ROOM * MOST:
            counted = self.table.fetch(grouped.count().as_table(), "the number of its sums")
            many = counted[0][0].as_py()
        if many > MOST:
            listed = ", ".join(f"`{k}` about {self.seen.distinct[k]:,}" if k in self.seen.distinct
                               else f"`{k}`" for k in keys)  # fmt: skip
            raise DataError(
                f"the {self.seen.rows:,} rows of the table {self.table.name} would come as "
                f"{many:,} sums, more than {MOST:,}: the values of {listed} hardly repeat. Round "
                f"what need not be so fine, use fewer columns, or give a sample of the rows"
            )


@dataclass(frozen=True)
class Moments:
    """Hold by cell the number of rows, and the mean and covariance of features.

    `ends` are the least and the largest value of each feature, shape (2, feature).
    """

    added: Added
    means: np.ndarray
    covariances: np.ndarray
    ends: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """Return the number of rows of each cell."""
        return self.added.sums["n"]

    def plus(self, other: Moments) -> Moments:
        """Return the moments of the rows of both: those within cells, and between their parts."""
        added = self.added.plus(other.added)
        _, place = self.added.cells(other.added)
        counts = np.concatenate([self.counts, other.counts])
        means = np.concatenate([self.means, other.means])
        within = np.concatenate([self.covariances, other.covariances])

        def average(values: np.ndarray) -> np.ndarray:
            share = (counts / added.sums["n"][place]).reshape(-1, *(1,) * (values.ndim - 1))
            found = np.zeros((added.rows, *values.shape[1:]))
            np.add.at(found, place, share * values)
            return found

        near = means[np.unique(place, return_index=True)[1]]  # no digits are lost far from 0
        centre = near + average(means - near[place])
        off = means - centre[place]
        covariances = average(within + off[:, :, None] * off[:, None, :])
        both = np.stack([self.ends, other.ends])
        ends = np.stack([both[:, 0].min(0), both[:, 1].max(0)])
        return Moments(added, centre, covariances, ends)


def moments(asking: Asking, keys: Sequence[str], features: Sequence[Expression]) -> Moments:
    """Return means and covariances of features by cell, the rows that agree in all keys."""
    shifts = [asking.shift(x) for x in features]
    values = {
        f"f{i}": asking.value(x) - s for i, (x, s) in enumerate(zip(features, shifts, strict=True))
    }
    exact = asking.table.can("Covariance")

    def sums(base: Expr) -> dict[str, Expr]:
        found = {}
        for name in values:
            own = base[name]
            found |= {f"mean_{name}": own.mean(), f"var_{name}": own.var(how="pop")}
            found |= {f"low_{name}": own.min(), f"high_{name}": own.max()}
        for a, b in combinations(values, 2):
            both = base[a].cov(base[b], how="pop") if exact else (base[a] + base[b]).var(how="pop")
            found[f"{'cov' if exact else 'var'}_{a}_{b}"] = both
        return found

    added = asking.add(keys, values, sums)
    got, size = added.sums, len(features)
    means = np.stack([got[f"mean_f{i}"] + shifts[i] for i in range(size)], 1)
    covariances = np.empty((added.rows, size, size))
    for i in range(size):
        covariances[:, i, i] = got[f"var_f{i}"]
    for i, j in combinations(range(size), 2):
        if exact:
            both = got[f"cov_f{i}_f{j}"]
        else:
            # Where the engine has no covariances, the variance of a sum tells them.
            both = (got[f"var_f{i}_f{j}"] - got[f"var_f{i}"] - got[f"var_f{j}"]) / 2
        covariances[:, i, j] = covariances[:, j, i] = both
    if not (np.isfinite(means).all() and np.isfinite(covariances).all()):
        bad = ~(np.isfinite(means).all(0) & np.isfinite(covariances).all((0, 2)))
        text = features[int(np.flatnonzero(bad)[0])].text
        raise DataError(f"`{text}` is not finite in some rows of the table {asking.table.name}")
    low = [got[f"low_f{i}"].min() + shifts[i] for i in range(size)]
    high = [got[f"high_f{i}"].max() + shifts[i] for i in range(size)]
    counted = Added(added.keys, {"n": got["n"]}, added.query)
    return Moments(counted, means, covariances, np.array([low, high]))


def patterns(asking: Asking, keys: Sequence[str]) -> Added:
    """Return the different rows of some columns, and how often each is there."""
    return asking.add(keys, {}, lambda base: {})
