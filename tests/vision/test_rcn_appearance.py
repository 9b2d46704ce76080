"""Hold surfaces to pictures whose paint is known, and their field to what must hold of it."""

import numpy as np
import pytest
from held import DIGITS, IMAGES, LABELS
from strokes import SHAPES, drawn, learned

import finetti as ft
from finetti import factors as fg
from finetti.vision import RCN, Appearance, Poses, Reader
from finetti.vision.rcn.segmenting import Drawn, Segmentation, _field
from finetti.vision.rcn.surfaces import Palette

RED, GREEN, BLUE = np.array([[190.0, 60, 60], [60, 150, 70], [70, 80, 190]])
CHECKS = np.where(np.indices((28, 28)).sum(0) % 2 == 0, 1.0, -1.0)[..., None]


@pytest.fixture(scope="module")
def rcn():
    return learned()


def painted(label, own, ground):
    return np.where(SHAPES[label][..., None] > 0, own, ground)


def patches():
    ground = np.zeros((28, 28, 3)) + GREEN
    ground[:9], ground[:, 19:] = (150, 150, 40), BLUE
    ground[15:, :7] = (40, 150, 160)
    return ground + 12 * CHECKS


@pytest.mark.parametrize("label", list(SHAPES))
def test_a_textured_shape_over_textured_patches_is_named_and_its_pixels_told(rcn, label):
    image = painted(label, RED + (25 * CHECKS) * (1, 0, -1), patches())
    found = rcn.explain(image)
    assert found.label == label == rcn.predict(image[None])[0]
    truth = SHAPES[label] > 0
    assert ((found.surface.pixels == 0) == truth).mean() > 0.98
    assert np.abs(found.surface.colours[0] - RED).max() < 8
    assert np.abs(found.surface.grain[0] - (25, 0, 25)).max() < 8
    assert f"{label}: {(found.surface.pixels == 0).sum()} of 784 pixels" in str(found.surface)


def test_neither_brightness_nor_which_is_brighter_matters(rcn):
    grey = np.array([0.299, 0.587, 0.114])
    level = GREEN * (RED @ grey) / (GREEN @ grey)  # as bright as the red
    for own, ground in ((RED, level), (np.full(3, 30.0), np.full(3, 220.0)), (BLUE, RED)):
        images = np.stack([painted(label, own, ground) for label in SHAPES])
        assert rcn.predict(images).tolist() == list(SHAPES)
    dark = np.stack([230 - 0.8 * ink for ink in SHAPES.values()])
    assert rcn.predict(dark, appearance=Appearance()).tolist() == list(SHAPES)
    assert rcn.explain(dark[0], appearance=Appearance()).surface.colours.shape == (1, 1)


def test_the_same_paint_elsewhere_is_not_the_shapes(rcn):
    spot = drawn(((2, 9), (21, 27)))
    found = rcn.explain(np.where((SHAPES["L"] + spot)[..., None] > 0, RED, patches()))
    assert found.label == "L"
    assert (found.image[spot > 0] > 127).all()  # of the surface
    assert (found.surface.pixels[spot > 0] == -1).all()  # but not of the shape
    assert (found.surface.pixels[SHAPES["L"] > 0] == 0).mean() > 0.98


def test_digits_in_colour_are_recognised_about_as_often_as_in_grey():
    rcn, off = RCN().fit(IMAGES, LABELS), 0.1  # standard error of a share of so few
    some, labels = DIGITS["test_images"][::4], DIGITS["test_labels"][::4]
    coloured = 250 - some[..., None] / 255 * (210, 60, 130)
    assert rcn.score(coloured, labels) >= rcn.score(some, labels) - 2 * off
    chances = rcn.predict_proba(coloured[:3])
    assert ((chances > 0) & (chances.sum(1, keepdims=True) <= 1)).all()


def test_masks_are_of_the_image_whatever_the_surface(rcn):
    image, mask = painted("L", RED, patches()), np.zeros((28, 28), bool)
    image[18:26, 14:22] = BLUE
    mask[18:26, 14:22] = True
    assert rcn.explain(image, mask).label == "L"
    assert rcn.predict(image[None], mask[None])[0] == "L"


def test_an_image_of_one_colour_is_none_of_the_labels(rcn):
    flat = np.full((28, 28, 3), 90.0)
    assert rcn.blank(flat)
    assert not rcn.blank(painted("I", RED, BLUE))
    assert rcn.predict(flat[None])[0] is None
    with pytest.raises(ft.DataError, match="no contour"):
        rcn.explain(flat)


def test_a_contour_cuts_the_field():
    rng, shape = np.random.default_rng(0), (8, 9)
    image = rng.uniform(0, 255, (*shape, 3))
    ink, figure = np.zeros((1, *shape)), rng.uniform(0, 1, shape)
    ink[0, 2:6, 3:7] = 1
    right, down = (np.argwhere(np.ones(some)) for some in ((8, 8), (7, 9)))
    upright = np.column_stack([np.zeros(64), right[:, 0], right[:, 1] + 0.5])
    level = np.column_stack([np.full(63, 4), down[:, 0] + 0.5, down[:, 1]])
    everywhere, none = np.concatenate([upright, level]), np.zeros((0, 3))

    def chances(contour, smooth):
        found = Drawn(("x",), figure, ink, contour).segmented(image, Appearance(4, 1, smooth))
        return found.chances

    alone = chances(none, 0.0)
    assert np.allclose(alone.sum(0), 1, atol=1e-5)
    assert np.allclose(chances(everywhere, 3.0), alone, atol=1e-5)
    assert np.abs(chances(none, 3.0) - alone).max() > 0.2
    cut = Drawn(("x",), figure, ink, upright[upright[:, 2] == 4.5])
    assert cut._kept(1).tolist() == [[c != 4 for c in range(8)]] * 8
    assert cut._kept(0).all()


def test_the_field_on_a_chain_has_the_exact_marginals():
    rng = np.random.default_rng(1)
    weights, kept = rng.normal(size=(1, 7, 3)), np.array([[1, 1, 0, 1, 1, 1]], bool)
    graph = _field((3, 1, 7), kept, np.zeros((0, 7), bool), 1.3)
    evidence = {"owner": weights}
    exact = fg.Exact().run(graph, evidence).marginals["owner"]
    alone = np.exp(weights) / np.exp(weights).sum(-1, keepdims=True)
    found = fg.BeliefPropagation().run(graph, evidence).marginals["owner"]
    assert np.allclose(found, exact, atol=1e-6)
    assert np.abs(exact - alone).max() > 0.05


def test_colours_are_means_of_the_pixels_that_a_shape_has():
    rng = np.random.default_rng(2)
    image, owner = rng.uniform(0, 255, (6, 7, 3)), rng.integers(0, 3, (6, 7))
    found = Segmentation(image, ("a", "b"), (np.arange(3)[:, None, None] == owner) * 1.0)
    for i in (0, 1):
        own = image[owner == i + 1]
        assert np.allclose(found.colours[i], own.mean(0))
        assert np.allclose(found.grain[i], own.std(0))
    assert (found.pixels == owner - 1).all()


def test_surfaces_are_a_tree_of_the_colours_that_are_there():
    image = np.stack([np.full((10, 10), v) for v in (20.0, 90, 230)], 0).reshape(30, 10, 1)
    palette = Palette.of(image, 3)
    assert np.allclose(palette.shares, 1 / 3)
    sets = {tuple(np.flatnonzero(u)) for u in palette.unions}
    assert {len(s) for s in sets} == {1, 2}
    assert len(sets) == 6  # three, and any two of them
    assert all(np.isclose(f[5], f[6]).all() for f in palette.figures())


def test_parts_of_a_parse_have_their_own_pixels(rcn):
    front, back = (np.zeros((40, 56)) for _ in range(2))
    front[2:30, 2:30], back[8:36, 26:54] = SHAPES["L"], SHAPES["I"]
    parse = rcn.parse(np.maximum(front, back))
    ground = GREEN + 12 * np.where(np.indices((40, 56)).sum(0) % 2, 1, -1)[..., None]
    scene = np.where(front[..., None] > 0, RED, np.where(back[..., None] > 0, BLUE, ground))
    found = parse.segment(scene)
    for label, ink, colour in (("L", front, RED), ("I", back, BLUE)):
        i = parse.labels.index(label)
        assert ((found.pixels == i) == (ink > 0)).mean() > 0.98
        assert np.abs(found.colours[i] - colour).max() < 12
    empty = rcn.parse(np.zeros((40, 56))).segment(scene)
    assert (empty.pixels == -1).all()
    assert str(empty) == "All pixels are the ground's."


def test_characters_of_a_line_have_their_own_pixels():
    stroke, bar = np.zeros((40, 20)), np.zeros((40, 32))
    stroke[6:34, 7:13] = bar[17:23, 4:28] = 255
    line = np.hstack([bar, stroke])
    reading = Reader().fit([stroke, bar], ["I", "-"]).read(line)
    assert reading.text == "-I"
    scene = np.where(line[..., None] > 0, RED, GREEN)
    scene[:, 32:][stroke > 0] = BLUE
    found = reading.segment(scene)
    assert ((found.pixels >= 0) == (line > 0)).mean() > 0.98
    assert np.abs(found.colours - [RED, BLUE]).max() < 12


REFUSED = {
    "surfaces is 1": lambda rcn: Appearance(surfaces=1),
    "tried 0": lambda rcn: Appearance(tried=0),
    "smooth -1": lambda rcn: Appearance(smooth=-1.0),
    "images have shape": lambda rcn: rcn.predict(np.zeros((2, 2, 28, 28, 3))),
    "the image has shape": lambda rcn: rcn.explain(np.zeros(28)),
    "bring it to that shape": lambda rcn: rcn.predict(np.zeros((1, 30, 28, 3))),
    "in colour or with": lambda rcn: rcn.predict(np.zeros((1, 28, 28, 3)), poses=Poses()),
    "give the same, in colour or grey": lambda rcn: rcn.explain(SHAPES["I"]).segment(
        np.zeros((27, 28, 3))
    ),
    "learned nothing": lambda rcn: RCN().predict(np.zeros((1, 28, 28, 3))),
}


@pytest.mark.parametrize("says", REFUSED)
def test_refusals_say_what_to_do(rcn, says):
    with pytest.raises(ft.DataError, match=says):
        REFUSED[says](rcn)


def test_a_picture_shows_the_shapes_colours(rcn):
    axes = rcn.explain(painted("I", RED, patches())).picture()
    assert axes.images
    assert "I" in axes.get_title()
