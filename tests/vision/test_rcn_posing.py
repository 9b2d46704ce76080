"""Hold shapes and lines to what is read of them at another size, and turned."""

import held
import numpy as np
import pytest

import finetti as ft
from finetti.vision import RCN, Poses, Reader, ink
from finetti.vision.rcn.posing import Pose, extent, framed, line_poses, longer_side, posed, slope

IMAGES, LABELS = held.IMAGES.astype(float), held.LABELS


def line(size=1.0, turn=0.0):
    """Return I T L I as strokes, of a size and turned clockwise, with nothing around."""
    upright = np.zeros((60, 170))
    for rows, cols in (
        ((10, 50), (10, 17)), ((10, 50), (50, 57)), ((10, 17), (38, 69)),
        ((10, 50), (90, 97)), ((43, 50), (90, 120)), ((10, 50), (140, 147)),
    ):  # fmt: skip
        upright[slice(*rows), slice(*cols)] = 255
    return posed(np.pad(upright, 20), Pose(1 / size, -turn))


@pytest.fixture(scope="module")
def reader():
    whole = line()[20:-20]
    parts = [whole[:, 22:44], whole[:, 50:96], whole[:, 102:150]]
    return Reader().fit(parts, ["I", "T", "L"])


@pytest.mark.parametrize(("size", "turn"), [(1.0, 0.0), (0.6, 15.0), (1.7, -15.0)])
def test_a_line_is_read_at_another_size_and_turned(reader, size, turn):
    found = reader.read(line(size, turn), poses=Poses())
    assert found.text == "ITLI"
    assert abs(np.log(found.pose.size / size)) < np.log(1.2)
    assert abs(found.pose.turn - turn) < 6


def test_to_turn_back_what_was_turned_is_to_leave_it():
    image = IMAGES[17]
    back = posed(posed(image, Pose(0.5, -20.0)), Pose(2.0, 20.0))
    rows, cols = (np.array(back.shape) - image.shape) // 2
    same = back[rows : rows + 28, cols : cols + 28]
    assert np.corrcoef(same.ravel(), image.ravel())[0, 1] > 0.97
    assert (posed(image, Pose())[1:29, 1:29] == image).all()
    assert back.sum() == pytest.approx(image.sum(), rel=0.05)


def test_ink_tells_the_slope_and_the_size_of_a_line():
    for size, turn in ((1.0, 0.0), (0.5, 12.0), (2.0, -18.0)):
        given = line(size, turn)
        assert abs(slope(given) - turn) < 6
        found = line_poses(given, np.array([40.0, 40.0]), Poses())
        assert min(abs(np.log(pose.size / size)) for pose in found) < np.log(1.2)
    assert extent(np.zeros((4, 4))) == 1
    assert longer_side(np.zeros((4, 4))) == 0


def test_digits_are_recognised_in_other_poses():
    network = RCN().fit(IMAGES[::5], LABELS[::5])
    images = [posed(np.pad(IMAGES[i], 8), Pose(1 / 1.6, -15.0)) for i in (10, 20, 35, 45)]
    found = network.predict(np.stack(images), poses=Poses())
    assert (found == LABELS[[10, 20, 35, 45]]).all()
    chances = network.predict_proba(np.stack(images), poses=Poses())
    assert (network.classes[chances.argmax(1)] == found).all()
    assert network.predict(np.zeros((1, 50, 60)), poses=Poses())[0] is None
    tiny = np.pad(posed(IMAGES[10], Pose(4.0)), 10)
    assert network.predict(tiny[None], poses=Poses())[0] is None  # smaller than poses allow


def test_a_framed_shape_has_the_size_and_the_middle_of_those_learned():
    image = posed(np.pad(IMAGES[5], 20), Pose(0.6, 10.0))
    found = framed(image, -10.0, 20.0, (28, 28), Poses())
    assert found is not None
    assert found.shape == (28, 28)
    assert abs(longer_side(found) - 20) <= 2
    middle = [(found.sum(1 - a) * np.arange(28)).sum() / found.sum() for a in (0, 1)]
    np.testing.assert_allclose(middle, 14, atol=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Poses(0.0, 2.0), r"sizes run from 0\.0 to 2\.0"),
        (lambda: Poses(2.0, 0.5), r"sizes run from 2\.0 to 0\.5"),
        (lambda: Poses(turn=90.0), r"turn is 90\.0"),
        (lambda: Poses(turns=0), "turns 0"),
        (lambda: Poses(np.nan, 2.0), "sizes run from nan"),
        (lambda: RCN().predict(IMAGES[:1], poses=Poses()), "has learned nothing"),
        (
            lambda: RCN().fit(IMAGES[:1], [0]).predict(
                IMAGES[:1], IMAGES[:1] > 0, poses=Poses()
            ),
            "give `hidden` or `poses`",
        ),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(call, message):
    with pytest.raises(ft.DataError, match=message):
        call()


def test_a_blank_line_says_nothing_in_any_pose(reader):
    assert reader.read(ink(np.zeros((30, 40))), poses=Poses()).text == ""
