"""Hold drawing and parsing to warps that are known and to sequences tried one by one."""

from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from finetti.vision import Reader
from finetti.vision.rcn.drawing import Drawing, Warp, draw, explained, improve
from finetti.vision.rcn.expecting import Anything
from finetti.vision.rcn.matching import Bank
from finetti.vision.rcn.parsing import APART, Prices, sequences, settle, together
from finetti.vision.rcn.proposing import Glyph, Line, Proposal, Scale, Search
from finetti.vision.rcn.template import Template

PRICES = Prices(0.5, 8.0, 1.0)


BANK = Bank.of([Template(np.zeros((1, 3), int), np.zeros((0, 2), int), np.zeros(0, int))], 3)
PLAIN = Glyph("x", np.ones((10, 8)), (10, 8), BANK)


@pytest.fixture(scope="module")
def glyph():
    image = np.zeros((40, 30))
    image[6:34, 6:11] = image[6:11, 6:24] = image[18:22, 6:18] = 1
    return gaussian_filter(image, 0.7)


def known():
    """Return a warp that leans, squeezes and tapers by a few pixels."""
    weights = np.array([[1.0, 2.0], [3.0, -6.0], [-4.0, 8.0], [1.0, 2.0]])  # pixels
    return Warp(np.array([20.0, 15.0]), weights)


def sources(warp, places):
    row, col = (places - warp.centre).T / 40
    return places + np.stack([np.ones_like(row), row, col, row * col], 1) @ warp.weights


def test_a_warp_is_found_from_the_shifts_of_features():
    places = np.random.default_rng(0).uniform((0, 0), (40, 30), (60, 2))
    present = np.ones(60, bool)
    present[:6] = False
    homes = sources(known(), places)
    homes[:6] += 9  # what is absent says little
    found = Warp.through(places, homes, present)
    wrong = np.abs(sources(found, places) - sources(known(), places)).max()
    assert wrong < 0.2 * np.abs(places - sources(known(), places)).max()


def test_a_glyph_put_beside_its_place_is_moved_there_by_the_pixels(glyph):
    window = (slice(0, 40), slice(0, 30))
    line = draw(glyph, known(), window).ink
    beside = known().weights + np.array([[1.5, -2.0], [0, 0], [0, 0], [0, 0]])
    start = Warp(known().centre, beside)
    found = improve(line, glyph, start, window)
    all_of_it = explained(line, line)
    left, before = (all_of_it - d.gain(line) for d in (found, draw(glyph, start, window)))
    assert left < 0.02 * before
    np.testing.assert_allclose(found.warp.weights[0], known().weights[0], atol=0.1)


def test_what_others_draw_need_not_be_explained_again(glyph):
    window = (slice(0, 40), slice(0, 30))
    start = Warp(known().centre, np.zeros((4, 2)))
    line = np.maximum(glyph, np.roll(glyph, (3, 9), (0, 1)))
    whole = improve(line, glyph, start, window, np.asarray(line))
    assert (whole.warp.weights == start.weights).all()  # nothing is left to explain


def blocks(rng, line):
    """Return proposals that draw blocks, no three of which share a pixel."""
    found = []
    for left in range(0, 36, 6):
        ink = rng.uniform(0.3, 1, (10, 8))
        drawing = Drawing(ink, (0, left), known())
        nothing = np.zeros((0, 3), int)
        found.append(Proposal(PLAIN, np.zeros(2, int), nothing, 0, drawing, drawing.gain(line.ink)))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_best_sequences_are_those_of_all(seed):
    rng = np.random.default_rng(seed)
    line = Line(rng.uniform(0, 1, (10, 44)), np.zeros((16, 2, 2), np.int8), 0, Scale(2, 40))
    proposals = blocks(rng, line)
    worthy = [p for p in proposals if PRICES.worth(p) > 0]
    values = [
        PRICES.value(line, some)
        for n in range(1, len(worthy) + 1)
        for some in combinations(worthy, n)
    ]
    middles = [p.drawing.middle for p in worthy]
    assert (np.diff(middles) > APART * 8).all()
    found = [
        PRICES.value(line, parse) for parse in sequences(line, proposals, PRICES, 5, Anything())
    ]
    np.testing.assert_allclose(found, sorted(values, reverse=True)[: len(found)])
    assert len(found) == min(5, len(values))


def test_no_proposals_make_no_sequence(glyph):
    line = Line(glyph, np.zeros((16, 2, 2), np.int8), 0, Scale(2, 40))
    assert sequences(line, [], PRICES, 5, Anything()) == []


def test_ink_drawn_twice_counts_once(glyph):
    line = Line(glyph, np.zeros((16, 2, 2), np.int8), 0, Scale(2, 40))
    window = (slice(0, 40), slice(0, 30))
    drawing = draw(glyph, Warp(np.zeros(2), np.zeros((4, 2))), window)
    one = Proposal(PLAIN, np.zeros(2, int), np.zeros((0, 3), int), 0, drawing, drawing.gain(glyph))
    union, total = together(line, [drawing, drawing])
    np.testing.assert_allclose(total, 2 * union)
    assert PRICES.value(line, [one, one]) < PRICES.value(line, [one])


def test_joint_inference_never_lowers_what_a_parse_explains(glyph):
    reader = Reader().fit([255 * glyph], ["F"])
    picture = 255 * np.maximum(np.pad(glyph, ((0, 0), (0, 18))), np.pad(glyph, ((0, 0), (18, 0))))
    evidence = reader._scale.see(picture)
    search = Search(reader.pool, 40, 20, reader.banks, reader.glyphs)
    line = Line.seen(picture, evidence, search.room, reader._scale)
    for parse in sequences(line, search.propose(line), PRICES, 3, Anything()):
        value, settled = settle(line, parse, search, PRICES, 1)
        assert value >= PRICES.value(line, parse)
        assert value == pytest.approx(PRICES.value(line, settled))
