"""Hold new instances of a shape to the bounds and the prior that they are drawn from."""

import held
import numpy as np
import pytest

import finetti as ft
from finetti.vision import RCN
from finetti.vision.rcn.sampling import GIVE, SPREAD, shifts
from finetti.vision.rcn.template import Template

IMAGES, LABELS = held.IMAGES.astype(float), held.LABELS


@pytest.fixture(scope="module")
def network():
    return RCN().fit(IMAGES[::5], LABELS[::5])


def test_no_shift_breaks_a_bound_and_shapes_do_move(network):
    rng = np.random.default_rng(0)
    for shape in network.shapes[:3]:
        drawn = shifts(shape.template, rng)
        first, second = shape.template.edges.T
        apart = np.abs(drawn[first] - drawn[second]).max(1)
        assert (apart <= shape.template.radii).all()
        assert apart.max() > 0.5


def test_shifts_of_a_pair_have_the_moments_of_their_prior():
    """Differences are normal cut at the bound, and independent of how the pair moves together."""
    pair = Template(np.array([[0, 10, 10], [0, 10, 20]]), np.array([[0, 1]]), np.array([5]))
    drawn = np.stack([shifts(pair, np.random.default_rng(seed)) for seed in range(150)])
    apart, middle = drawn[:, 0] - drawn[:, 1], drawn.mean(1)
    sd = 1 / np.sqrt(1 / (GIVE * 5) ** 2 + 1 / (4 * SPREAD**2))  # the spread holds it too
    grid = np.linspace(-5, 5, 2001)
    density = np.exp(-((grid / sd) ** 2) / 2)
    variance = (density * grid**2).sum() / density.sum()
    for found, true in ((apart, variance), (middle, SPREAD**2)):
        square = found.ravel() ** 2
        assert abs(square.mean() - true) < 4 * square.std() / np.sqrt(square.size)


def test_new_instances_are_new_and_have_their_label(network):
    """A network that learned other examples recognises them as it does their originals."""
    drawn = network.sample(3, 4, seed=1)
    assert drawn.shape == (4, 28, 28)
    assert 0 <= drawn.min() < drawn.max() <= 255
    assert (drawn == network.sample(3, 4, seed=1)).all()
    assert not (drawn[0] == drawn[1]).all()
    assert list(network.predict(drawn)) == [3] * 4
    ink = network.shapes[3].pixels.sum()
    assert (np.abs(drawn.sum((1, 2)) / ink - 1) < 0.5).all()


def test_a_dot_of_one_feature_moves_whole():
    dot = np.zeros((28, 28))
    dot[13:15, 13:15] = 255
    network = RCN().fit(dot[None], ["dot"])
    drawn = network.sample("dot", 3)
    assert (drawn.max((1, 2)) > 60).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: n.sample(12), r"label 12 was never learned; give one of 0, 1, 2"),
        (lambda n: n.sample("3"), "label '3' was never learned"),
        (lambda n: n.sample(3, 0), "count is 0"),
        (lambda n: RCN().sample(3), "has learned nothing"),
    ],
)
def test_refusals_say_what_to_do(network, call, message):
    with pytest.raises(ft.DataError, match=message):
        call(network)
