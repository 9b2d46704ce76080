"""Find groups that are alike, by their sufficient statistics, and choose representatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.structure.form import Form, Given
from finetti.structure.program import Program
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.condense.condense import Condense, Pair
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.structure.rewrites.narrow import Unlike
from finetti.structure.rewrites.rewrite import Found, Made, Sight
from finetti.structure.rewrites.tally.tally import Tally
from finetti.structure.variables import Variable
from finetti.types import Constants

LEAST = 500  # groups: fewer are not worth counting together
SHARED = 16  # numbers of the border that a group's statistics may be tied to
DIGITS = 12  # to which the blocks of groups that are alike agree
CLOSE = 1e-9


@dataclass(frozen=True)
class _Standing:
    """Hold weighted representatives: which kind each is of, and its statistics, a row each."""

    kind: np.ndarray
    weights: np.ndarray
    statistics: np.ndarray


def find(sight: Sight) -> Found:
    """Return a rewrite for each integral whose groups can be counted together.

    It is checked against the integral over all groups at a generic point.
    """
    condensed = sight.of(Condense)
    found = [
        _tallied(sight.program, sight.variables, marginal, condensed)
        for marginal in sight.of(Integrate)
        if sight.refused.isdisjoint(marginal[0].sites)
    ]
    return Found(tuple(f for f in found if f is not None))


def _tallied(
    program: Program,
    variables: tuple[Variable, ...],
    marginal: tuple[Integrate, Constants],
    condensed: Sequence[tuple[Condense, Constants]],
) -> tuple[Tally, Constants] | None:
    """Return the rewrite that counts an integral's groups together, with its constants, if any."""
    whole, own = marginal
    count = whole.frame.count
    plates = {v.plates for v in variables if v.name in dict(whole.frame.groups)}
    if count < LEAST or len(next(iter(plates), ())) != 1:
        return None
    mine = [(rewrite, found) for rewrite, found in condensed if rewrite.sites[0] in whole.terms]
    try:
        tables = [_Table.of(program, whole, rewrite, found) for rewrite, found in mine]
        keys = np.concatenate([t.keys for t in tables] or [np.zeros((count, 0))], 1)
        kind, kinds = _classify(keys)
        # `_classify` stops counting there.
        if 4 * kinds > count:
            return None
        statistics = [t.statistics for t in tables] or [np.zeros((count, 0))]
        standing = _represent(kind, kinds, np.concatenate(statistics, 1))
        if 2 * len(standing.weights) > count:
            return None
        # Members of a kind agree to DIGITS; their mean stands for them.
        blocks = _means(kind, kinds, keys)[standing.kind]
        made = _tally(whole, own, standing, kinds, _means(kind, kinds, own["groups"]))
        return _filled(program, made, (whole, own), tables, (blocks, standing))
    except Unlike:
        return None


@dataclass(frozen=True)
class _Table:
    """Hold the statistics of one condensed site, a row a group.

    `keys` are those that the precision's blocks are made of, `statistics` the others. `inside`
    and `outside` number the sources that belong to the groups and those shared by all.
    """

    rewrite: Condense
    constants: Constants
    inside: tuple[int, ...]
    outside: tuple[int, ...]
    keys: np.ndarray
    statistics: np.ndarray

    @classmethod
    def of(cls, program: Program, whole: Integrate, rewrite: Condense, found: Constants) -> _Table:
        """Sort a condensed site's statistics into those of its groups and shared ones."""
        count = whole.frame.count
        read = program.degrees(name for name, _ in whole.frame.groups)
        equations = program.jaxpr.eqns
        of_groups = [bool(read(equations[s.equation].outvars[s.output])) for s in rewrite.sources]
        inside = tuple(i for i, mine in enumerate(of_groups) if mine)
        outside = tuple(i for i, mine in enumerate(of_groups) if not mine)
        if any(found["centres"][i].size != count for i in inside):
            raise Unlike("a source has other members")
        keys, ties = [], []
        for pair, entries in zip(rewrite.pairs, found["entries"], strict=True):
            sides = (pair.left in inside, pair.right in inside)
            if all(sides):
                if pair.kind != "aligned":
                    raise Unlike("groups are tied to one another")
                keys.append(entries["values"])
            elif any(sides):
                ties.append(_rows(pair, entries, sides[0], count))
        own = [found[name][i] for i in inside for name in ("centres", "slopes")]
        columns = [np.reshape(x, (count, -1)) for x in (*own, *ties)]
        none = np.zeros((count, 0))
        stacked = np.stack(keys, 1) if keys else none
        return cls(rewrite, found, inside, outside, stacked, np.concatenate([none, *columns], 1))

    def narrowed(
        self, keys: np.ndarray, statistics: np.ndarray, weights: np.ndarray
    ) -> tuple[Condense, Constants]:
        """Return the rewrite of the representatives, their weights in the sums."""
        # In the order in which `of` stacks them: centres and slopes source by source, then the
        # ties. A weight multiplies what is summed over groups, but not a centre.
        columns = list(statistics.T)
        centres, slopes = list(self.constants["centres"]), list(self.constants["slopes"])
        for i in self.inside:
            centres[i], slopes[i] = columns.pop(0), weights * columns.pop(0)
        pairs, entries, blocks = [], [], list(keys.T)
        for pair, old in zip(self.rewrite.pairs, self.constants["entries"], strict=True):
            sides = (pair.left in self.inside, pair.right in self.inside)
            if all(sides):
                pairs.append(pair)
                entries.append({"values": weights * blocks.pop(0)})
            elif any(sides):
                shared = self.constants["centres"][pair.right if sides[0] else pair.left].size
                tie = weights[:, None] * np.stack([columns.pop(0) for _ in range(shared)], 1)
                pairs.append(Pair(pair.left, pair.right, "dense"))
                entries.append({"values": tie if sides[0] else tie.T})
            else:
                pairs.append(pair)
                entries.append(old)
        made = {**self.constants, "centres": centres, "slopes": slopes, "entries": entries}
        return replace(self.rewrite, pairs=tuple(pairs)), made


def _rows(pair: Pair, entries: Constants, first: bool, count: int) -> np.ndarray:
    """Return the block between groups and shared numbers, a row a group."""
    values = entries["values"]
    if pair.kind == "dense":
        found = values if first else values.T
        if found.shape[1] <= SHARED:
            return found
    elif pair.kind == "sparse":
        rows, columns = entries["rows"], entries["columns"]
        rows, columns = (rows, columns) if first else (columns, rows)
        if columns.max() < SHARED:
            found = np.zeros((count, columns.max() + 1))
            np.add.at(found, (rows, columns), values)
            return found
    raise Unlike("groups are tied to many shared numbers")


def _classify(keys: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the kinds of rows that agree to so many digits; return each row's, and how many."""
    kind, kinds = np.zeros(len(keys), np.int64), 1
    for column in keys.T:
        scale = np.abs(column).max(initial=0) or 1.0
        values, place = np.unique(np.round(column / scale, DIGITS), return_inverse=True)
        if len(values) > 1:
            found, kind = np.unique(kind * len(values) + place, return_inverse=True)
            kinds = len(found)
        if 4 * kinds > len(keys):
            break
    return kind, kinds


def _means(kind: np.ndarray, kinds: int, rows: np.ndarray) -> np.ndarray:
    """Return the mean row of each kind."""
    sizes = np.bincount(kind, minlength=kinds)
    sums = [np.bincount(kind, column, kinds) for column in rows.T]
    return np.stack(sums, 1) / sizes[:, None] if sums else np.zeros((kinds, 0))


def _represent(kind: np.ndarray, kinds: int, statistics: np.ndarray) -> _Standing:
    """Choose weighted rows of each kind with the mean and the covariance of its members."""
    k = statistics.shape[1]
    scale = statistics.std(0)
    scale[scale == 0] = 1.0
    means, sizes = _means(kind, kinds, statistics), np.bincount(kind, minlength=kinds)
    left = (statistics - means[kind]) / scale
    products = np.empty((kinds, k, k))
    for i in range(k):
        for j in range(i + 1):
            found = np.bincount(kind, left[:, i] * left[:, j], kinds) / sizes
            products[:, i, j] = products[:, j, i] = found
    members = np.split(np.argsort(kind, kind="stable"), np.cumsum(sizes)[:-1])
    chosen, weights, rows = [], [], []
    for one in range(kinds):
        # As few as would stand for them stand for themselves.
        if sizes[one] <= 2 * k:
            found, share = statistics[members[one]], 1.0
        else:
            values, vectors = np.linalg.eigh(products[one])
            kept = values > 0
            rank = int(kept.sum())
            away = np.sqrt(rank) * (vectors[:, kept] * np.sqrt(values[kept])).T * scale
            found = means[one] + (np.concatenate([away, -away]) if rank else away[:0])
            found = found if rank else means[one][None]
            share = sizes[one] / len(found)
        rows.append(found)
        weights.append(np.full(len(found), share))
        chosen.append(np.full(len(found), one))
    return _Standing(*map(np.concatenate, (chosen, weights, rows)))


def _tally(
    whole: Integrate, own: Constants, standing: _Standing, kinds: int, modes: np.ndarray
) -> tuple[Tally, Constants]:
    """Return the rewrite without its condensed sites."""
    few, frame = len(standing.weights), whole.frame
    groups = tuple((name, (few, *shape[1:])) for name, shape in frame.groups)
    colours = tuple(range(frame.breadth))
    narrow = Frame(few, groups, frame.border)
    small = replace(whole, frame=narrow, colours=colours, curved=())
    constants = {
        "weights": standing.weights,
        "standing": {"groups": modes[standing.kind], "border": own["border"]},
    }
    return Tally(whole, small, (), kinds), constants


def _filled(
    program: Program,
    made: tuple[Tally, Constants],
    marginal: tuple[Integrate, Constants],
    tables: list[_Table],
    narrow: tuple[np.ndarray, _Standing],
) -> tuple[Tally, Constants] | None:
    """Add the condensed sites; None if the integral is not that over all groups."""
    (rewrite, constants), (blocks, standing) = made, narrow
    found, block, column = [], 0, 0
    for t in tables:
        block, keys = block + t.keys.shape[1], blocks[:, block : block + t.keys.shape[1]]
        end = column + t.statistics.shape[1]
        statistics, column = standing.statistics[:, column:end], end
        found.append(t.narrowed(keys, statistics, standing.weights))
    rewrite = replace(rewrite, condensed=tuple(r for r, _ in found))
    constants = {**constants, **{r.name: own for r, own in found}}
    originals = [(t.rewrite, t.constants) for t in tables]
    whole = _generic(program, [marginal, *originals])
    ours = _generic(program, [marginal, *originals, (rewrite, constants)])
    return (rewrite, constants) if np.isclose(ours, whole, rtol=CLOSE, atol=0) else None


def _generic(program: Program, rewrites: Sequence[Made]) -> float:
    """Return the log density at a generic point."""
    form = Form(program, tuple(rewrite for rewrite, _ in rewrites))
    (marginal,) = form.marginals
    random = np.random.default_rng(1933)
    inputs = {n: v for n, v in program.inputs.items() if n not in marginal.sites}
    free = {n: random.uniform(0.2, 0.8, v.aval.shape) for n, v in inputs.items()}
    free = {n: x.astype(program.dtype) for n, x in free.items()}
    given = Given(program.constants, {r.name: constants for r, constants in rewrites})
    return float(compiled(ONCE)(partial(form.log_marginal, marginal))(given, free))
