"""Hold parses of many shapes to scenes that are known, and the choice of sets to all sets."""

from itertools import combinations, permutations

import numpy as np
import pytest
from held import DIGITS, IMAGES, LABELS
from scipy.ndimage import binary_dilation
from strokes import SHAPES, learned

import finetti as ft
from finetti.vision import RCN, Sight
from finetti.vision.rcn.carrying import plate
from finetti.vision.rcn.gathering import ABSENT, ECHOED, HIDDEN, SHAPE, Crowd
from finetti.vision.rcn.seeking import claims


@pytest.fixture(scope="module")
def rcn():
    return learned()


def scene(label, corner, shape=(48, 60)):
    row, col = corner
    image = np.zeros(shape)
    image[row : row + 28, col : col + 28] = SHAPES[label]
    return image


def over(front, back, how):
    """Draw a shape over another, merged, with a dark rim, or brighter or darker than it."""
    if how == "merged":
        return np.maximum(front, back)
    if how == "outlined":
        return np.where(binary_dilation(front > 0, np.ones((3, 3))), front, back)
    levels = {"brighter": (255, 130), "darker": (130, 255)}[how]
    return np.where(front > 0, levels[0], np.where(back > 0, levels[1], 0))


def named(parse, label):
    return parse.labels.index(label)


def test_shapes_that_lie_apart_are_found_where_they_are(rcn):
    image = scene("L", (2, 1)) + scene("I", (14, 30))
    parse = rcn.parse(image)
    assert sorted(parse.labels) == ["I", "L"]
    assert parse.order == {}
    for label, corner in (("L", (2, 1)), ("I", (14, 30))):
        part = parse.parts[named(parse, label)]
        assert np.abs(np.array(part.corner) - corner).max() <= 2
        assert part.count(Sight.PRESENT) == len(part.sights)
        assert part.chance > 0.9
        assert (parse.pixels[scene(label, corner) > 0] == named(parse, label)).all()
    assert (parse.pixels[image == 0] == -1).all()
    assert (parse.explained >= 0).mean() > 0.95
    assert parse.worth > max((worth for _, worth in parse.others), default=0)


def test_an_image_moved_has_its_parse_moved(rcn):
    first, second = (
        rcn.parse(over(scene("I", (r, c)), scene("-", (r, c)), "outlined"))
        for r, c in ((2, 3), (18, 27))
    )
    assert sorted(first.labels) == sorted(second.labels) == ["-", "I"]
    for label in "-I":
        one, two = (p.parts[named(p, label)] for p in (first, second))
        away = np.array(two.middle) - one.middle
        assert np.abs(away - (16, 24)).max() <= 1


@pytest.mark.parametrize("how", ["outlined", "brighter", "darker"])
@pytest.mark.parametrize("labels", list(permutations("I-")))
def test_the_front_shape_is_told_and_hides_the_other(rcn, how, labels):
    front, back = labels
    parse = rcn.parse(over(scene(front, (10, 16)), scene(back, (10, 16)), how))
    assert sorted(parse.labels) == ["-", "I"]
    i, j = (named(parse, label) for label in labels)
    assert parse.in_front(i, j) is True
    assert parse.in_front(j, i) is False
    hidden = np.array([sight is Sight.HIDDEN for sight in parse.parts[j].sights])
    assert hidden.any()
    assert (parse.parts[j].behind[hidden] == i).all()
    assert (parse.parts[j].behind[~hidden] == -1).all()
    assert parse.parts[i].count(Sight.HIDDEN) == 0
    assert f"{i} ({front}) hides part of {j} ({back})." in str(parse)
    assert parse.pixels[24, 30] == i  # where both have ink


def test_strokes_that_merge_do_not_say_which_is_in_front(rcn):
    parse = rcn.parse(over(scene("I", (10, 16)), scene("-", (10, 16)), "merged"))
    assert sorted(parse.labels) == ["-", "I"]
    assert parse.in_front(0, 1) is parse.in_front(1, 0) is None
    assert parse.order == {(0, 1): None}
    assert all(part.count(Sight.ABSENT) == 0 for part in parse.parts)
    assert "Nothing tells which of 0" in str(parse)


def test_an_image_without_shapes_has_no_parts(rcn):
    for image in (np.zeros((30, 40)), np.full((30, 40), 255.0), np.full((3, 3), 255.0)):
        parse = rcn.parse(image)
        assert parse.labels == ()
        assert parse.worth == 0
        assert "No learned shape" in str(parse)


def test_a_shape_cut_off_or_in_a_small_image_is_still_seen(rcn):
    whole = scene("L", (10, 16))
    assert rcn.parse(whole[8:40, 20:44]).labels == ("L",)
    assert rcn.parse(whole[10:38, 10:]).labels == ("L",)


def test_digits_that_lie_apart_are_recognised_as_each_alone():
    network = RCN().fit(IMAGES, LABELS)
    digits = DIGITS["test_images"][[2, 14, 33]]
    parse = network.parse(np.hstack([np.pad(digit, (4, 2)) for digit in digits]))
    order = np.argsort([part.middle[1] for part in parse.parts])
    assert [parse.labels[i] for i in order] == network.predict(digits).tolist()
    assert all(told is None for told in parse.order.values())


def test_shapes_of_any_size_are_found_whatever_the_settings():
    images = np.stack([np.pad(shape[2:26, 2:26], ((0, 0), (2, 6))) for shape in SHAPES.values()])
    for network in (RCN(pool=21, upsampling=2), RCN(pool=31, upsampling=3)):
        learned = network.fit(images, list(SHAPES))
        parse = learned.parse(np.hstack([scene("L", (2, 1))[:, :30], scene("-", (9, 4))]))
        assert sorted(parse.labels) == ["-", "L"]


def test_a_parse_is_drawn_on_the_axes_given(rcn):
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, axes = plt.subplots()
    parse = rcn.parse(over(scene("I", (10, 16)), scene("-", (10, 16)), "outlined"))
    assert parse.picture(axes) is axes
    assert sorted(text.get_text() for text in axes.texts) == ["-", "I"]
    plt.close(figure)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rcn: RCN().parse(np.zeros((28, 28))), "has learned nothing"),
        (lambda rcn: rcn.parse(np.zeros((2, 28, 28))), r"shape \(2, 28, 28\); give one image"),
        (lambda rcn: rcn.parse(np.full((28, 28), np.nan)), "outside 0 to 255"),
        (lambda rcn: rcn.parse(np.eye(28)), "0 to 1 only"),
        (
            lambda rcn: rcn.parse(255 * np.eye(28)).in_front(0, 1),
            "part 0 was asked for; there are 0",
        ),
    ],
)
def test_refusals_say_what_to_do(rcn, call, message):
    with pytest.raises(ft.DataError, match=message):
        call(rcn)


def crowd(rng, n=6, points=30, absent=20):
    """Return hypotheses that claim, lack and hide at random."""
    whose = np.sort(rng.integers(n, size=absent))
    behind = rng.random((absent, n)) < 0.3
    behind[np.arange(absent), whose] = False
    claimed, echoed = rng.random((2, n, points)) < [[[0.5]], [[0.2]]]
    return Crowd(claimed, echoed, whose, behind)


def value(of, chosen):
    """Return what a set is worth, feature by feature."""
    worth = -SHAPE * len(chosen)
    for point in range(of.claimed.shape[1]):
        if any(of.claimed[i, point] for i in chosen):
            worth += 1
        elif any(of.echoed[i, point] for i in chosen):
            worth += ECHOED
    for feature, i in enumerate(of.whose):
        if i in chosen:
            worth -= HIDDEN if any(of.behind[feature, j] for j in chosen) else ABSENT
    return worth


@pytest.mark.parametrize("seed", range(3))
def test_sets_are_worth_what_they_explain_less_what_they_lack(seed):
    of = crowd(np.random.default_rng(seed))
    for n in range(4):
        for chosen in combinations(range(6), n):
            assert of.worth(chosen) == pytest.approx(value(of, chosen) if chosen else 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_set_is_the_best_of_all_that_grow(seed, monkeypatch):
    monkeypatch.setattr("finetti.vision.rcn.gathering.SHAPE", 1.0)
    of = crowd(np.random.default_rng(seed), points=60)
    grow, every = {(): 0.0}, {}
    while grow:
        grow = {
            tuple(sorted((*c, i))): of.worth(tuple(sorted((*c, i))))
            for c, worth in grow.items()
            for i in set(range(6)) - set(c)
            if of.worth((*c, i)) > worth
        }
        every |= grow
    sets = of.sets()
    assert set(sets) == set(every)
    assert [of.worth(c) for c in sets] == sorted((of.worth(c) for c in sets), reverse=True)


def test_claims_are_those_of_near_and_alike_features():
    rng = np.random.default_rng(0)
    points, features = (
        np.stack([rng.integers(16, size=60), *rng.integers(30, size=(2, 60))], 1) for _ in range(2)
    )
    for turned in (0, 8):
        slow = [
            any(
                min((p[0] - f[0] - turned) % 16, (f[0] + turned - p[0]) % 16) <= 1
                and np.hypot(*(p[1:] - f[1:])) <= 5
                for f in features
            )
            for p in points
        ]
        assert claims(points, features, 5.0, turned).tolist() == slow
        assert 5 < sum(slow) < 55


def test_a_plate_carries_places_as_an_affine_map_does_where_features_do():
    rng = np.random.default_rng(0)
    start, places = rng.uniform(0, 30, (2, 20, 2))
    turn, by = np.array([[0.9, 0.3], [-0.2, 1.1]]), np.array([3.0, -1.0])
    np.testing.assert_allclose(plate(start, start @ turn + by)(places), places @ turn + by)
    level = np.stack([np.full(9, 4.0), np.arange(9.0)], 1)  # on one line: no way to bend
    np.testing.assert_allclose(plate(level, level + by)(places), places + by)
    np.testing.assert_allclose(plate(level[:2], level[:2] + by)(places), places + by)
