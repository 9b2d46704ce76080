"""Rank the draws of many numbers at once, and read quantiles and normal scores off the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

BLOM = 3 / 8  # the offset of ranks from the ends (Blom 1958)


@dataclass(frozen=True)
class Ranked:
    """Hold rows of values, shape (row, draw), with the order of each, from the least on.

    `alike` has the places in `order`, counted over all rows, whose value equals the next in its
    row.
    """

    values: np.ndarray
    order: np.ndarray
    alike: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> Ranked:
        """Sort rows of float64 that have no negative zero.

        The lowest bits of each number give way to its place, and the numbers are sorted so: several
        times faster than an argsort. Rows where those bits tell values apart are sorted again.
        """
        rows, draws = values.shape
        low = (1 << (draws - 1).bit_length()) - 1
        keys = values.view(np.int64) & ~low
        keys |= np.arange(draws)
        keys.view(float).sort(axis=1)
        same = np.zeros((rows, draws), bool)
        np.less_equal((keys[:, 1:] ^ keys[:, :-1]).view(np.uint64), low, out=same[:, :-1])
        again = np.isnan(keys[:, -1].view(float))  # an infinity became NaN by its place
        keys &= low
        alike = np.flatnonzero(same)
        row, place = np.divmod(alike, draws)
        first, second = (values[row, keys[row, place + step]] for step in (0, 1))
        again[row[first != second]] = True
        found = Ranked(values, keys, alike)
        return found._sorted_again(np.flatnonzero(again)) if again.any() else found

    def _sorted_again(self, rows: np.ndarray) -> Ranked:
        """Sort some rows by all their bits."""
        draws = self.values.shape[1]
        self.order[rows] = np.argsort(self.values[rows], axis=1)
        inside = np.take_along_axis(self.values[rows], self.order[rows], 1)
        row, place = np.nonzero(inside[:, 1:] == inside[:, :-1])
        others = self.alike[~np.isin(self.alike // draws, rows)]
        alike = np.sort(np.concatenate([others, rows[row] * draws + place]))
        return Ranked(self.values, self.order, alike)

    def nth(self, place: int) -> np.ndarray:
        """Return each row's value at a place of its order."""
        return self.values[np.arange(len(self.values)), self.order[:, place]]

    def quantile(self, probability: np.floating, kind: np.dtype) -> np.ndarray:
        """Return a quantile of each row, as `numpy.quantile` does for values of a kind.

        The place between two values has the precision of `probability`.
        """
        last = self.values.shape[1] - 1
        place = last * probability
        below = int(place)
        low, high = (self.nth(min(below + step, last)).astype(kind) for step in (0, 1))
        share, gap = place - type(place)(below), high - low
        return high - gap * (1 - share) if share >= 0.5 else low + gap * share

    def median(self, kind: np.dtype) -> np.ndarray:
        """Return the median of each row, as `numpy.median` does for values of a kind."""
        draws = self.values.shape[1]
        middle = [self.nth(place).astype(kind) for place in ((draws - 1) // 2, draws // 2)]
        return np.mean(middle, axis=0)

    def scores(self, out: np.ndarray) -> None:
        """Write the standard normal quantiles of the ranks to an array of shape (row, draw).

        Equal values share the mean of their ranks (Vehtari et al. 2021, equation 14).
        """
        draws = self.values.shape[1]
        table = _scores(draws)
        for scores, order in zip(out, self.order, strict=True):
            scores[order] = table[::2]
        if self.alike.size:
            places, doubled = self._shared()
            row, place = np.divmod(places, draws)
            out[row, self.order[row, place]] = table[doubled]

    def _shared(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of values that have equals, and twice their ranks from zero."""
        first = np.flatnonzero(np.diff(self.alike, prepend=-2) != 1)
        starts, sizes = self.alike[first], np.diff(first, append=len(self.alike)) + 1
        before = np.cumsum(sizes) - sizes
        places = np.repeat(starts - before, sizes) + np.arange(sizes.sum())
        return places, np.repeat(2 * (starts % self.values.shape[1]) + sizes - 1, sizes)


@lru_cache(maxsize=8)
def _scores(draws: int) -> np.ndarray:
    """Return the normal scores of the ranks 1, 1.5, 2 and so on to `draws`."""
    ranks = np.arange(2, 2 * draws + 1) / 2
    return ndtri((ranks - BLOM) / (draws - 2 * BLOM + 1))
