"""Make few weighted rows that stand for many: their likelihood is that of the rows, exactly.

A normal log likelihood with a linear mean is quadratic in the features of a row and its outcome, so
that it needs of a cell's rows their number, mean and covariance alone. The corners of a simplex
have any mean and covariance of rank r at r + 1 points, and weights that add up to the number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.scale.sums import Moments

ROUNDING = 4e-15  # of a variance: less of it, given the features before, is rounding


class StandIns(NamedTuple):
    """Hold rows that stand for others: each's cell and weight, and its features (row, feature)."""

    cell: np.ndarray
    weight: np.ndarray
    values: np.ndarray


def corners(found: Moments) -> StandIns:
    """Return weighted rows with the number, mean and covariance of each cell, cell by cell."""
    factor, active = _factor(found.covariances)
    rank = active.sum(1)
    first = np.argsort(~active, axis=1, kind="stable")
    factor = np.take_along_axis(factor, first[:, None, :], 2)
    total = int((rank + 1).sum())
    starts = np.concatenate([[0], np.cumsum(rank + 1)])
    cell = np.repeat(np.arange(len(rank)), rank + 1)
    weight, values = np.empty(total), np.empty((total, found.means.shape[1]))
    for r in np.unique(rank):
        here = np.flatnonzero(rank == r)
        points = found.means[here, :, None] + factor[here, :, :r] @ _simplex(int(r))
        places = starts[here][:, None] + np.arange(r + 1)
        values[places] = points.swapaxes(1, 2)
        weight[places] = (found.counts[here] / (r + 1))[:, None]
    return StandIns(cell, weight, values)


def _simplex(r: int) -> np.ndarray:
    """Return r + 1 points in r dimensions, shape (r, r + 1), of mean 0 and covariance 1."""
    from scipy.linalg import helmert

    return helmert(r + 1) * np.sqrt(r + 1) if r else np.zeros((0, 1))


def _factor(covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Cholesky's factor of each covariance, and which of its columns are not rounding."""
    size = covariances.shape[1]
    factor = np.zeros_like(covariances)
    active = np.zeros(covariances.shape[:2], bool)
    for j in range(size):
        own = factor[:, j, :j]
        left = covariances[:, j, j] - (own**2).sum(1)
        sound = left > ROUNDING * covariances[:, j, j]
        root = np.sqrt(np.where(sound, left, 1.0))
        below = covariances[:, j:, j] - np.einsum("cik,ck->ci", factor[:, j:, :j], own)
        factor[:, j:, j] = np.where(sound[:, None], below / root[:, None], 0.0)
        active[:, j] = sound
    return factor, active
