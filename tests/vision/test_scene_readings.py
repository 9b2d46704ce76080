"""Hold readings of an image to exact masses, and say where two explain about as well."""

from itertools import product

import numpy as np
import pytest
from tests.vision.test_scene_colour import by_waves, differences

import finetti as ft
from finetti.vision import Patches, Scene, Shading
from finetti.vision.scene.readings import Reading, mixed, undecided

SCALE, SIZE = 0.3, (3, 3)
PAINT = Patches(0.1, contrast=12.0, texture=0.05)
NOISE = 0.02 * np.random.default_rng(0).normal(size=SIZE)


def stepped(height):
    """Return a scene of an image that steps between two columns."""
    log_image = np.where(np.arange(3) > 1, height, 0.0) * np.ones((3, 1)) + NOISE
    return Scene(np.exp(log_image), Shading(scale=SCALE), PAINT)


def enumerated(known, found):
    """Return each reading's mass by a sum over all 4,096 joint labels of the edges.

    Given the labels all is Gaussian; a label's mass counts for the reading nearest to its mean.
    """
    lean, stepping = by_waves(known.shape, SIZE, SCALE), differences(*SIZE)
    push, wanted = stepping @ lean, stepping @ np.log(known.image).ravel()
    labels = np.array(list(product((0, 1), repeat=len(push))))
    wide = PAINT.texture * np.where(labels, PAINT.contrast, 1.0)
    covariance = push @ push.T + wide[..., None] ** 2 * np.eye(len(push))
    solved = np.linalg.solve(covariance, np.broadcast_to(wanted, wide.shape)[..., None])[..., 0]
    log = -(solved @ wanted + np.linalg.slogdet(covariance)[1]) / 2
    log += np.log(np.where(labels, PAINT.edges, 1 - PAINT.edges)).sum(-1)
    mass = np.exp(log - log.max())
    means = solved @ push @ lean.T
    modes = np.stack([np.log(reading.shading).ravel() for reading in found])
    nearest = ((means[:, None] - modes) ** 2).sum(-1).argmin(-1)
    return np.bincount(nearest, mass, len(found)) / mass.sum()


@pytest.mark.parametrize("height", [0.36, 0.39, 0.42])
def test_readings_have_about_their_exact_probabilities(height):
    known = stepped(height)
    found = known.readings()
    assert len(found) == 2
    exact = enumerated(known, found)
    odds = np.diff(np.log([reading.probability for reading in found]))[0]
    assert abs(odds - np.diff(np.log(exact))[0]) < 0.7  # nats


def test_two_readings_that_explain_as_well_are_both_told():
    """The same step is read as shading or as paint; a low one is shading, a high one is paint."""
    said = undecided(stepped(0.39).readings())
    assert said is not None
    assert said.startswith("Cannot decide between readings of the image")
    assert said.count("(probability 0.") == 2
    low, high = stepped(0.25).readings(), stepped(0.6).readings()
    assert undecided(low) is None
    assert undecided(high) is None
    assert np.log(low[0].shading).std() > 5 * np.log(high[0].shading).std()


def test_draws_of_all_readings_have_their_shares_about_their_means():
    rng = np.random.default_rng(0)
    light = rng.normal(0, 0.1, (4000, 3, 3))
    other = np.exp(np.add.outer(np.zeros(3), [-1.0, 0.0, 1.0]))
    flat = np.exp(light.mean(0))
    found = [Reading(0.75, other, flat), Reading(0.25, flat, other)]
    draws = mixed(light, found)
    assert abs(draws[:, 1, 2].mean() - 0.25) < 4 * draws[:, 1, 2].std() / np.sqrt(4000)
    far = draws[:, 1, 2] > 0.5
    assert draws[far, 1, 2].std() == pytest.approx(0.1, rel=0.1)


@pytest.mark.slow
def test_a_summary_and_deviations_count_the_other_reading():
    known = stepped(0.39)
    found = known.fit(ft.NUTS(draws=60, warmup=100, thin=1), progress=False)
    assert "Cannot decide between readings" in str(found)
    both = [np.log(reading.shading) for reading in found.readings]
    apart = np.abs(both[0] - both[1])
    assert (found.trusting.log_shading_sd > 0.2 * apart).all()
