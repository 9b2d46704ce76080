"""Hold probabilities to how often the network is right, and to what it has not learned."""

import numpy as np
import pytest
from held import DIGITS, IMAGES, LABELS

import finetti as ft
from finetti.vision import RCN
from finetti.vision.rcn.sureness import Sureness


@pytest.fixture(scope="module")
def network():
    return RCN().fit(IMAGES[::2], LABELS[::2])


@pytest.fixture(scope="module")
def held_out(network):
    """Return how well each label agrees with each held-out digit, and which label it is."""
    found = network._recogniser.by_label(DIGITS["test_images"], None)
    return found, np.searchsorted(network.classes, DIGITS["test_labels"])


def test_digits_are_right_as_often_as_said(network, held_out):
    agreement, truth = held_out
    sureness = network.sureness or Sureness.usual(len(network.shapes) / 10)
    said = sureness.probabilities(agreement, 0.0)
    np.testing.assert_allclose(said.sum(1), 1)
    right, top = said.argmax(1) == truth, said.max(1)
    assert abs((right - top).sum()) < 4 * np.sqrt((top * (1 - top)).sum())
    assert top[right].mean() > top[~right].mean()


def test_strangers_are_less_probable_than_what_was_learned(network):
    """Neither noise nor checks nor a blank is a digit; a digit that was learned is one."""
    rng = np.random.default_rng(0)
    strange = np.stack(
        [
            np.clip(rng.normal(60, 60, (28, 28)), 0, 255),
            255.0 * (np.indices((28, 28)).sum(0) // 7 % 2),
            np.full((28, 28), 255.0),
            np.zeros((28, 28)),
        ]
    )
    images = np.concatenate([strange, IMAGES[:1]])
    said = network.predict_proba(images)
    assert said.shape == (5, 10)
    assert (said.sum(1)[:4] < 0.5).all()  # a stranger more probably than not
    assert said.sum(1)[4] > 0.9
    assert list(network.predict(images, reject=0.5)) == [None] * 4 + [LABELS[0]]
    assert not said[3].any()


def test_probabilities_rise_with_agreement_and_fall_with_strangers():
    agreement = np.array([[1.9, 1.2, -np.inf], [1.2, 1.2, 1.2], [-np.inf] * 3])
    few, many = (Sureness(8.0, 1.6).probabilities(agreement, s) for s in (0.01, 0.5))
    np.testing.assert_allclose(few.sum(1), 1)
    assert (few[:2, -1] < many[:2, -1]).all()
    assert few[0].argmax() == 0
    assert (few[1, :3] == few[1, 0]).all()
    assert few[2].tolist() == [0, 0, 0, 1]
    alone = Sureness(8.0, 1.6).probabilities(agreement, 0.0)
    np.testing.assert_allclose(alone[:, -1], [0, 0, 1])


def test_calibration_makes_what_was_seen_likelier(held_out):
    agreement, truth = held_out

    def likelihood(sureness):
        each = np.arange(len(truth))
        strange = agreement.copy()
        strange[each, truth] = -np.inf
        known = np.log(sureness.probabilities(agreement, 0.1)[each, truth])
        return 0.9 * known.mean() + 0.1 * np.log(sureness.probabilities(strange, 0.1)[:, -1]).mean()

    best = Sureness.learned(agreement, truth, 0.1)
    at = likelihood(best)
    for slope, least in ((1.1, 1.0), (0.9, 1.0), (1.0, 1.05), (1.0, 0.95)):
        assert likelihood(Sureness(best.slope * slope, best.least * least)) < at


def test_a_tie_is_said():
    network = RCN().fit(IMAGES[[0, 0, 5]], ["b", "a", "c"])
    with pytest.warns(UserWarning, match=r"1 images \(such as 0\) agree equally with several"):
        assert list(network.predict(IMAGES[:1])) == ["a"]
    assert network.predict(IMAGES[:1], reject=0.5)[0] is None
    assert "as of b: a is only the first of them" in str(network.explain(IMAGES[0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: n.predict(IMAGES[:1], reject=1.0), r"reject is 1\.0; give a number from 0"),
        (lambda n: n.predict(IMAGES[:1], reject=-0.1), r"reject is -0\.1"),
        (lambda n: n.predict(IMAGES[:1], reject=np.nan), "reject is nan"),
        (lambda n: RCN(strangers=1.0), r"strangers is 1\.0"),
        (lambda n: RCN().predict_proba(IMAGES[:1]), "has learned nothing"),
        (lambda n: n.calibrate(IMAGES[:3], LABELS[:3]), "3 images with contours are too few"),
        (lambda n: n.calibrate(IMAGES[:3], LABELS[:3] + 50), "label 50 was never learned"),
        (lambda n: n.calibrate(IMAGES[:3], LABELS[:2]), r"labels have shape \(2,\)"),
    ],
)
def test_refusals_say_what_to_do(network, call, message):
    with pytest.raises(ft.DataError, match=message):
        call(network)
