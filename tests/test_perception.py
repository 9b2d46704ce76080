"""Check the small demonstrations of perception against Bayes' rule and enumeration."""

import importlib
import re
import sys
from itertools import product
from pathlib import Path

import jax
import numpy as np
import pytest

import finetti as ft

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "perception"
PAGE = (ROOT / "docs" / "perception.md").read_text(encoding="utf-8")
PNG = b"\x89PNG"


@pytest.fixture
def example(monkeypatch):
    """Return a function that imports one of the programs as if run in its folder."""
    monkeypatch.syspath_prepend(FOLDER)

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def exact(model):
    """Return each site's probabilities, all else summed out as the model's plan does."""
    target, given = ft.density(model, model.plan()).target()
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, jax.jit(target.probabilities)(given, np.zeros(0)))


def test_every_picture_of_the_page_is_there_and_every_program_on_it():
    pictures = re.findall(r"\(images/(\w+\.png)\)", PAGE)
    assert len(pictures) == 5
    for name in pictures:
        assert (ROOT / "docs" / "images" / name).read_bytes().startswith(PNG)
    programs = re.findall(r"`python (\w+\.py)`", PAGE)
    others = {"reflectance.py"}  # has a page of its own, docs/scene.md
    assert set(programs) == {path.name for path in FOLDER.glob("*.py")} - others


@pytest.mark.slow
def test_context_makes_a_letter_or_a_number_of_one_glyph(example, tmp_path):
    switches = np.array([0.05, 0.3])
    found = example("context").main(tmp_path, switches)
    letter = (1 - switches) ** 2 / ((1 - switches) ** 2 + switches**2)
    np.testing.assert_allclose(found["A ? C"], letter, rtol=1e-9)
    np.testing.assert_allclose(found["12 ? 14"], 1 - letter, rtol=1e-9)
    assert (tmp_path / "perception_context.png").exists()


def test_messages_between_levels_give_what_enumeration_gives(example, tmp_path):
    levels = example("levels")
    found, known = levels.main(tmp_path), levels.enumerated()
    for level, (below, above) in levels.by_level().items():
        np.testing.assert_allclose(found[level], known[level], rtol=1e-9)
        np.testing.assert_allclose(found[level], below * above / (below @ above), rtol=1e-9)
    assert (tmp_path / "perception_levels.png").exists()


def spelt(minims, frame, seen, slip):
    """Return P(reading | strokes) by adding up words and readings, one by one."""
    likely = {}
    count = len(seen) + 1
    known = minims.readings(count)
    free = {r: 4.0 ** -len(r) for r in known}
    words = [w for w in minims.LEXICON if frame and minims.minims(w) == frame]
    strange = minims.STRANGE if words else 1
    for reading in known:
        prior = strange * free[reading] / sum(free.values())
        start = frame.index("|") if frame else 0
        word = frame[:start] + reading + frame[start + count :]
        prior += (1 - strange) / len(words) if word in words else 0
        made = " ".join(minims.LETTERS[c] for c in reading)
        right = sum(a == b for a, b in zip(made, seen, strict=True))
        likely[reading] = prior * (1 - slip) ** right * (slip / 2) ** (len(seen) - right)
    return np.array([likely[r] for r in known]) / sum(likely.values())


def test_minims_are_read_by_the_word_they_stand_in(example):
    minims = example("minims")
    frames = (*minims.FRAMES, "x|||||")
    found = exact(minims.page(frames))["reading"]
    for row, frame in zip(found, ("", *frames), strict=True):
        known = spelt(minims, frame, minims.SEEN, minims.SLIP)
        np.testing.assert_allclose(row, known, rtol=1e-9)
    # No word fits the last frame, where the letters are by themselves as in the first row.
    np.testing.assert_allclose(found[-1], found[0], rtol=1e-9)
    best = [minims.readings(5)[i] for i in found.argmax(1)]
    assert best == ["mn", "um", "mu", "uni", "inn", "uin", "mn"]


def test_strokes_that_do_not_fit_are_refused(example):
    minims = example("minims")
    with pytest.raises(ft.DataError, match=r"`g\|\|` has 2 minims, but 4 hairlines"):
        minims.page(["g||"])
    with pytest.raises(ft.DataError, match="around one run of minims"):
        minims.page(["|o||||"])
    with pytest.raises(ft.DataError, match=r"'_\. \.' hold others"):
        minims.page(seen="_. .")


@pytest.mark.slow
def test_strokes_decide_where_words_do_not(example, tmp_path):
    minims, slips = example("minims"), np.array([0.1, 0.5])
    found, curves = minims.main(tmp_path, slips)
    for row, frame in zip(found, ("", *minims.FRAMES), strict=True):
        known = spelt(minims, frame, minims.SEEN, minims.SLIP)
        np.testing.assert_allclose(row, known, rtol=1e-9)
    for row, slip in zip(curves, slips, strict=True):
        known = spelt(minims, minims.FRAMES[-1], minims.SEEN, slip)
        np.testing.assert_allclose(row, known, rtol=1e-9)
    assert (tmp_path / "perception_minims.png").read_bytes().startswith(PNG)


def weighed(occluder, seen):
    """Return P(letter | seen) of one image by going through all letters and covers."""
    joint = np.empty((len(occluder.LETTERS), len(occluder.COVERS)))
    for (i, glyph), (j, hidden) in product(
        enumerate(occluder.GLYPHS), enumerate(occluder.COVERS.values())
    ):
        right = np.where(hidden, occluder.GREY, glyph) == seen
        pixels = np.where(right, 1 - occluder.SLIP, occluder.SLIP / 2)
        joint[i, j] = occluder.EXPECTED[i] * np.prod(pixels)
    return joint.sum(1) / joint.sum()


def test_a_stroke_is_an_n_or_an_s_by_where_the_occluder_lies(example):
    occluder = example("occluder")
    seen = occluder.views()
    model = occluder.scene(len(seen), occluder.GLYPHS, occluder.PLACES, occluder.SLIP, seen)
    found = exact(model)["letter"]
    known = np.array([weighed(occluder, image) for image in seen])
    np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-12)
    upright, level, both, bare = found[: len(occluder.VIEWS)]
    best = [occluder.LETTERS[row.argmax()] for row in (upright, level, bare)]
    assert best == ["N", "S", "a stroke"]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-9)


def test_what_is_seen_of_the_stroke_is_the_same_behind_both_occluders(example):
    occluder = example("occluder")
    inked = [occluder.fragment(c) == occluder.INKED for c in occluder.VIEWS]
    for image in inked[1:]:
        np.testing.assert_array_equal(image, inked[0])
    for letter, cover in (("N", "upright from 0"), ("S", "level from 0")):
        left = occluder.GLYPHS[occluder.LETTERS.index(letter)] & ~occluder.COVERS[cover]
        np.testing.assert_array_equal(left, inked[0])


@pytest.mark.slow
def test_each_pixel_laid_bare_divides_the_odds_of_an_n(example, tmp_path):
    occluder = example("occluder")
    letters = occluder.main(tmp_path)
    known = np.array([weighed(occluder, image) for image in occluder.views()])
    np.testing.assert_allclose(letters, known, rtol=1e-9)
    found, each = letters[len(occluder.VIEWS) :], occluder.SLIP / 2 / (1 - occluder.SLIP)
    line = occluder.EXPECTED[0] / occluder.EXPECTED[-1] * each ** occluder.exposed()
    # The line knows where the bars are. An N with bars that begin a row too high hides up to 3
    # pixels of it, and puts 8 pixels of grey where paper is seen: 5 slips more at the least.
    np.testing.assert_allclose(found[:, 0] / found[:, -1], line, rtol=2 * each**5)
    assert (tmp_path / "perception_occluder.png").read_bytes().startswith(PNG)


SMALL = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[1, 1, 1], [1, 0, 1], [1, 1, 1]]], float)


def all_images(side):
    """Return every black and white image of so many pixels down and across."""
    return (np.arange(2**side**2)[:, None] >> np.arange(side**2) & 1).reshape(-1, side, side)


@pytest.mark.parametrize("tied", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_pixels_are_believed_as_adding_up_all_images_has_it(example, tied):
    shapes, noise = example("shapes"), 0.3
    patterns, every = shapes.placed(SMALL, side=4), all_images(4)
    _, _, seen = shapes.drawn(patterns, noise, 3, seed=3)
    known = patterns if tied else shapes.by_pixel(patterns)
    found = exact(shapes.images(known, shapes.FLAW, np.full(3, noise), seen))
    black = shapes.FLAW + (1 - 2 * shapes.FLAW) * known.reshape(-1, 1, 4, 4)
    prior = np.where(every, black, 1 - black).prod((2, 3)).reshape(2, 4, -1)
    for i, image in enumerate(seen):
        joint = prior * np.where(every == image, 1 - noise, noise).prod((1, 2))
        joint /= joint.sum()
        believed = np.einsum("spi,irc->rc", joint, every)
        np.testing.assert_allclose(found["pixel"][i, ..., 1], believed, rtol=1e-9)
        np.testing.assert_allclose(found["shape"][i], joint.sum((1, 2)), rtol=1e-9)


def test_the_optimum_is_that_over_all_images_that_can_be_seen(example):
    shapes = example("shapes")
    patterns, every = shapes.placed(SMALL, side=4), all_images(4).reshape(-1, 16)
    least, by_pixel = shapes.optimum(patterns, 1000), shapes.least_by_pixel(patterns)
    black = shapes.FLAW + (1 - 2 * shapes.FLAW) * patterns.reshape(-1, 16)
    for i, noise in enumerate(shapes.NOISES):
        told = noise + (1 - 2 * noise) * black
        seen = np.stack([np.where(every, row, 1 - row).prod(1) for row in told]) / len(told)
        share = np.where(every[:, None], (1 - noise) * black / told, noise * black / (1 - told))
        joint = np.einsum("ki,ikp->ip", seen, share)  # P(seen image, pixel is black)
        pixel = np.minimum(joint, seen.sum(0)[:, None] - joint).sum(0).mean()
        shape = 1 - seen.reshape(2, 4, -1).sum(1).max(0).sum()
        for name, known in (("pixel", pixel), ("shape", shape)):
            assert abs(least[name].mean[i] - known) < 4 * least[name].error[i]
        alone = np.minimum(black.mean(0) * noise, (1 - black.mean(0)) * (1 - noise))
        alone += np.minimum(black.mean(0) * (1 - noise), (1 - black.mean(0)) * noise)
        assert by_pixel[i] == pytest.approx(alone.mean(), rel=1e-9)


@pytest.mark.slow
def test_rates_are_those_of_the_optimum(example, tmp_path):
    shapes = example("shapes")
    count = 60
    found = shapes.main(tmp_path, count)
    known = shapes.least_by_pixel(shapes.placed())
    alone = found["by pixel"]
    assert (np.abs(alone.mean - known) < 4 * alone.error).all()
    for name, optimum in (("pixel", "optimum"), ("shape", "least")):
        rate, best = found[name], found[optimum]
        error = np.sqrt(best.mean * (1 - best.mean) / count + best.error**2)
        error = np.where(name == "shape", error, np.hypot(rate.error, best.error))
        assert (np.abs(rate.mean - best.mean) < 4 * error).all()
    assert (tmp_path / "perception_shapes.png").read_bytes().startswith(PNG)


@pytest.mark.slow
def test_equal_greys_are_seen_as_different_paints(example, tmp_path):
    found = example("reflectance").main(tmp_path, check=2, draws=50)
    assert found.image.shape == (12, 12)
    assert (tmp_path / "scene_checks.png").exists()
