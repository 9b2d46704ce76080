"""Make few weighted rows that stand for many: their likelihood is that of the rows, exactly.

A normal log likelihood with a linear mean is quadratic in the features of a row and its outcome, so
that it needs of a cell's rows their number, mean and covariance alone. The corners of a simplex
have any mean and covariance of rank r at r + 1 points, and weights that add up to the number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.scale.sums import Moments

ALIKE = 1e-15  # times a mean: values that are no further apart are one
ROUNDING = 4e-15  # of a variance: less of it, given other features, is rounding


class StandIns(NamedTuple):
    """Hold rows that stand for others: each's cell and weight, and its features (row, feature)."""

    cell: np.ndarray
    weight: np.ndarray
    values: np.ndarray


def corners(found: Moments) -> StandIns:
    """Return weighted rows with the number, mean and covariance of each cell, cell by cell."""
    factor, rank = _factor(found.covariances, found.means)
    starts = np.concatenate([[0], np.cumsum(rank + 1)])
    weight, values = np.empty(starts[-1]), np.empty((starts[-1], found.means.shape[1]))
    for r in np.unique(rank):
        here = np.flatnonzero(rank == r)
        points = found.means[here, :, None] + factor[here, :, :r] @ _simplex(int(r))
        places = starts[here][:, None] + np.arange(r + 1)
        values[places] = points.swapaxes(1, 2)
        weight[places] = (found.counts[here] / (r + 1))[:, None]
    return StandIns(np.repeat(np.arange(len(rank)), rank + 1), weight, values)


def _simplex(r: int) -> np.ndarray:
    """Return r + 1 points in r dimensions, shape (r, r + 1), of mean 0 and covariance 1."""
    from scipy.linalg import helmert

    return helmert(r + 1) * np.sqrt(r + 1) if r else np.zeros((0, 1))


def _factor(covariances: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a factor F of each covariance F F', and its rank: the columns that are not 0.

    It is Cholesky's with pivots, on the scale of correlations (Higham 2002, section 10.3).
    """
    size = covariances.shape[1]
    spread = np.sqrt(np.einsum("cii->ci", covariances))
    varies = spread > ALIKE * np.abs(means)
    scale = np.where(varies, spread, 1.0)
    covariances = np.where(varies[:, :, None] & varies[:, None, :], covariances, 0.0)
    left = covariances / (scale[:, :, None] * scale[:, None, :])
    factor, rank = np.zeros_like(left), np.zeros(len(left), int)
    for j in range(size):
        pivots = np.einsum("cii->ci", left)
        chosen = pivots.argmax(1)[:, None]
        pivot = np.take_along_axis(pivots, chosen, 1)
        sound = pivot > ROUNDING
        column = np.take_along_axis(left, chosen[:, :, None], 2)[:, :, 0]
        column = np.where(sound, column / np.sqrt(np.where(sound, pivot, 1.0)), 0.0)
        factor[:, :, j] = scale * column
        left = left - column[:, :, None] * column[:, None, :]
        rank += sound[:, 0]
    return factor, rank
