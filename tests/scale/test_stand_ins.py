"""Weighted rows that stand for a cell's have its number, mean and covariance, and are few."""

from types import SimpleNamespace

import numpy as np
import pytest

from finetti.scale.stand_ins import corners


def cell(kind: str, rng) -> np.ndarray:
    """Return rows (row, feature) of one cell."""
    many = rng.normal(size=(50, 3))
    return {
        "full": many,
        "one row": many[:1],
        "two rows": many[:2],
        "a constant": many * [1.0, 0.0, 1.0],
        "all alike": np.repeat(many[:1], 9, 0),
        "a sum of others": np.c_[many[:, :2], many[:, 0] - 2 * many[:, 1]],
        "scales far apart": many * [1e6, 1.0, 1e-6],
        "nearly alike": np.c_[many[:, 0], many[:, 0] + 1e-5 * many[:, 1], many[:, 1]],
        "far from 0": many + np.array([1e6, 0.0, -1e6]),
    }[kind]


RANK = {
    "one row": 0,
    "two rows": 1,
    "a constant": 2,
    "all alike": 0,
    "a sum of others": 2,
    "nearly alike": 2,
}
KINDS = (
    "full", "one row", "two rows", "a constant", "all alike", "a sum of others",
    "scales far apart", "nearly alike", "far from 0",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_corners_have_the_moments_of_the_rows(kind):
    rng = np.random.default_rng(2)
    own = [cell(kind, rng), rng.normal(size=(7, 3))]
    means = np.stack([x.mean(0) for x in own])
    covariances = np.stack([np.cov(x.T, ddof=0) for x in own])
    counts = np.array([len(x) for x in own], float)
    made = corners(SimpleNamespace(means=means, covariances=covariances, counts=counts))
    for i, x in enumerate(own):
        weight, values = made.weight[made.cell == i], made.values[made.cell == i]
        assert weight.sum() == pytest.approx(len(x), rel=1e-14)
        size = np.abs(x).max(0)
        np.testing.assert_allclose(weight @ values / len(x), x.mean(0), atol=1e-14 * size.max())
        found = np.cov(values.T, ddof=0, aweights=weight) if len(weight) > 1 else np.zeros((3, 3))
        spread = np.where(x.std(0) > 1e-12 * size, x.std(0), np.maximum(size, 1.0))
        error = np.abs(found - np.cov(x.T, ddof=0)) / np.outer(spread, spread)
        assert error.max() < (1e-9 if kind == "far from 0" else 1e-13)
    assert (made.cell == 0).sum() == RANK.get(kind, 3) + 1
