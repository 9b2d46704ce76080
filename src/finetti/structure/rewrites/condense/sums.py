"""Form sufficient statistics of normal observations by counting, in time linear in their number.

A column of the design gives each observation one member of a source and a weight, so that products
of columns are sums over the observations of a member, or of a pair of members.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finetti.structure.rewrites.condense.condense import Pair, Source
from finetti.types import Constants

DENSE = 500  # numbers in all: up to it the normal equations are solved at once
ROUNDS = 3  # of least squares, each on what the one before left
ITERATIONS = 100
CLOSE = 1e-10


class Column(NamedTuple):
    """Hold a source's part of L: observation i has `weight[i]` times the member `member[i]`."""

    source: Source
    size: int
    member: np.ndarray
    weight: np.ndarray

    def times(self, values: np.ndarray) -> np.ndarray:
        """Return what each observation gets from the source's values."""
        return self.weight * values[self.member]

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Return for each member the weighted sum of its observations' values."""
        return np.bincount(self.member, self.weight * values, self.size)


Entries = dict[str, np.ndarray]


def statistics(
    columns: Sequence[Column], y: np.ndarray, weights: np.ndarray
) -> tuple[tuple[Pair, ...], Constants]:
    """Form G, q and the residual sum of squares about least-squares values.

    `weights` has shape (observation,) or (1,).
    """
    stored = [
        _block(columns, i, j, weights) for i in range(len(columns)) for j in range(i, len(columns))
    ]
    kept = [(pair, entries) for pair, entries in stored if np.any(entries["values"])]
    centres = [np.zeros(c.size) for c in columns]
    left = np.array(y, float)
    slopes = [c.gather(weights * left) for c in columns]
    for _ in range(ROUNDS):
        for c, centre, step in zip(columns, centres, _solve(kept, slopes), strict=True):
            centre += step
            left -= c.times(step)
        slopes = [c.gather(weights * left) for c in columns]
    constants = {
        "centres": centres,
        "slopes": slopes,
        "rss": np.sum(weights * left**2),
        "entries": [entries for _, entries in kept],
    }
    return tuple(pair for pair, _ in kept), constants


def _block(columns: Sequence[Column], i: int, j: int, weights: np.ndarray) -> tuple[Pair, Entries]:
    """Form one block of G, and choose how to keep it."""
    left, right = columns[i], columns[j]
    product = weights * left.weight * right.weight
    # An observation that one of the two gives no weight is of no member.
    same = i == j or ((left.member == right.member) | (product == 0)).all()
    if left.size == right.size and same:
        return Pair(i, j, "aligned"), {"values": np.bincount(left.member, product, left.size)}
    cells = left.size * right.size
    place = left.member.astype(np.int64) * right.size + right.member
    # A table of all cells is counted in if it is not much larger than the observations, and kept if
    # a quarter of it is not zero.
    if cells <= 4 * len(place):
        found = np.bincount(place, product, cells).reshape(left.size, right.size)
        if cells <= 4 * np.count_nonzero(found):
            return Pair(i, j, "dense"), {"values": found}
        rows, places = np.nonzero(found)
        values = found[rows, places]
    else:
        cell, inverse = np.unique(place, return_inverse=True)
        values = np.bincount(inverse, product)
        rows, places = np.divmod(cell, right.size)
    sparse = {"values": values, "rows": rows.astype(np.int32), "columns": places.astype(np.int32)}
    return Pair(i, j, "sparse"), sparse


def _solve(blocks: Sequence[tuple[Pair, Entries]], slopes: list[np.ndarray]) -> list[np.ndarray]:
    """Return a solution of G x = slopes, as near as rounding lets it be.

    Where there are many numbers it is found by conjugate gradients, scaled by the diagonal.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    bounds = np.cumsum([s.size for s in slopes])
    right, total = np.concatenate(slopes), int(bounds[-1])

    def multiply(vector: np.ndarray) -> np.ndarray:
        parts = np.split(vector, bounds[:-1])
        found = [np.zeros(s.size) for s in slopes]
        for pair, entries in blocks:
            found[pair.left] += _times(pair, entries, parts[pair.right], slopes[pair.left].size)
            if pair.left != pair.right:
                turned = slopes[pair.right].size
                found[pair.right] += _times(pair, entries, parts[pair.left], turned, True)
        return np.concatenate(found)

    diagonal = np.zeros(total)
    starts = [0, *bounds[:-1]]
    for pair, entries in blocks:
        if pair.left == pair.right:
            start = starts[pair.left]
            diagonal[start : start + slopes[pair.left].size] = entries["values"]
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    if len(blocks) == len(slopes):  # each source by itself
        solution = np.divide(right, diagonal, out=np.zeros(total), where=diagonal > 0)
    elif total <= DENSE:
        matrix = np.stack([multiply(e / scale) for e in np.eye(total)], 1) / scale[:, None]
        solution = np.linalg.lstsq(matrix, right / scale, rcond=1e-14)[0] / scale
    else:
        operator = LinearOperator((total, total), lambda x: multiply(np.ravel(x) / scale) / scale)
        # The sums hold about any centres. Where the iterations do not suffice, the next round goes
        # on with what they left.
        found, _ = cg(operator, right / scale, rtol=CLOSE, maxiter=ITERATIONS)
        solution = found / scale
    return np.split(solution, bounds[:-1])


def _times(
    pair: Pair, entries: Entries, vector: np.ndarray, size: int, turned: bool = False
) -> np.ndarray:
    """Return one block of G, or its transpose, times a vector; `size` is the result's."""
    values = entries["values"]
    if pair.kind == "aligned":
        return values * vector
    if pair.kind == "dense":
        return (values.T if turned else values) @ vector
    rows, columns = entries["rows"], entries["columns"]
    rows, columns = (columns, rows) if turned else (rows, columns)
    return np.bincount(rows, values * vector[columns], size)
