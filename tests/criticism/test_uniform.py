"""Check the exact test of uniformity against exact values, simulation and ArviZ's bands."""

import numpy as np
import pytest
from arviz_stats.ecdf_utils import ecdf_pit

from finetti.criticism.calibrating.uniform import band, p_value


def test_two_numbers_have_the_p_values_that_a_hand_finds():
    """At 1/2 the counts 0, 1, 2 have probability 1/4, 1/2, 1/4: only one in each half is even."""
    assert p_value(np.array([0.2, 0.8])) == pytest.approx(1)
    assert p_value(np.array([0.2, 0.3])) == pytest.approx(0.5)


@pytest.mark.parametrize("n", [20, 100])
def test_p_values_of_uniform_numbers_are_uniform_as_far_as_counts_allow(n):
    random = np.random.default_rng(n)
    found = np.array([p_value(random.uniform(size=n)) for _ in range(2000)])
    for level in (0.01, 0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / 2000)
        assert (found <= level).mean() < level + 4 * error
        assert (found <= level).mean() > 0.8 * level - 4 * error  # counts are whole numbers


def test_far_from_uniform_is_told_far_out():
    assert p_value(np.random.default_rng(0).uniform(size=200) ** 2) < 1e-9


def test_the_band_is_that_of_arviz_at_a_level_which_simulation_reaches():
    values = np.linspace(0.005, 0.995, 100)
    points, _, lower, upper = (np.asarray(a) for a in ecdf_pit(values, 0.95, 4000))
    inner = (points > 0) & (points < 1)  # later versions add the ends
    points, lower, upper = points[inner], lower[inner], upper[inner]
    found = band(100, 0.95)
    np.testing.assert_allclose(found.points, points)
    assert np.abs(found.lower - lower).max() * 100 <= 1 + 1e-9  # counts, by simulation
    assert np.abs(found.upper - upper).max() * 100 <= 1 + 1e-9


def test_the_band_holds_the_whole_ecdf_as_often_as_it_says():
    random, found, held = np.random.default_rng(1), band(50, 0.9), []
    for _ in range(2000):
        values = np.sort(random.uniform(size=50))
        ecdf = np.searchsorted(values, found.points, side="right") / 50
        held.append(((ecdf >= found.lower - 1e-9) & (ecdf <= found.upper + 1e-9)).all())
    assert np.mean(held) > 0.9 - 4 * np.sqrt(0.09 / 2000)
    assert np.mean(held) < 0.93 + 4 * np.sqrt(0.09 / 2000)
