"""Hold the reader to lines whose text is known."""

import numpy as np
import pytest

import finetti as ft
from finetti.vision import Reader, ink


def blank(width):
    return np.zeros((40, width))


def drawn(*strokes, width=28):
    image = blank(width)
    for rows, columns in strokes:
        image[slice(*rows), slice(*columns)] = 255
    return image


GLYPHS = {
    "I": drawn(((6, 34), (5, 11)), width=16),
    "-": drawn(((17, 23), (3, 25))),
    "L": drawn(((6, 34), (4, 10)), ((28, 34), (4, 24))),
    "T": drawn(((6, 34), (11, 17)), ((6, 12), (2, 26))),
}


@pytest.fixture(scope="module")
def reader():
    return Reader().fit(list(GLYPHS.values()), list(GLYPHS))


@pytest.mark.parametrize("text", ["T", "LI", "TIL", "I-LT"])
def test_a_line_of_learned_glyphs_is_read_whatever_its_length(reader, text):
    line = np.hstack([blank(9), *(GLYPHS[c] for c in text), blank(14)])
    reading = reader.read(line)
    assert reading.text == text
    assert [c.left for c in reading.characters] == sorted(c.left for c in reading.characters)


def test_each_pixel_is_explained_by_one_character_where_it_lies(reader):
    line = np.hstack([GLYPHS["T"], np.roll(GLYPHS["I"], 2, 0), GLYPHS["L"]])
    reading = reader.read(line)
    assert reading.text == "TIL"
    which = reading.explained
    assert (which[line == 0] == -1).all()
    assert (which[line > 0] >= 0).mean() > 0.95
    for i, left in enumerate((0, 28, 44)):
        columns = np.nonzero(which == i)[1]
        assert columns.min() >= left
    assert reading.value > max((value for _, value in reading.others), default=0)


def test_a_reading_is_drawn_on_the_axes_given(reader):
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, axes = plt.subplots()
    assert reader.read(np.hstack([GLYPHS["T"], GLYPHS["L"]])).picture(axes) is axes
    assert [text.get_text() for text in axes.texts] == ["T", "L"]
    plt.close(figure)


def test_an_empty_line_says_nothing(reader):
    assert reader.read(blank(60)).text == ""


def test_ink_is_the_same_whatever_the_colours_and_drops_hairlines_and_specks():
    text = GLYPHS["T"] > 0
    picture = np.full((*text.shape, 3), (240, 250, 245.0))
    picture[text] = (30, 90, 60)
    clean = ink(picture)
    assert clean[text].min() == 255
    assert clean[~text].max() == 0
    picture[20, 20:] = (30, 90, 60)  # a hairline
    picture[35:38, 22:25] = (30, 90, 60)  # a speck
    spoilt = ink(picture)
    assert (spoilt[text] == 255).all()
    assert spoilt[~text].max() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Reader().read(blank(9)), "has learned nothing"),
        (lambda: Reader(pool=20).fit([GLYPHS["I"]], ["I"]), "pool is 20"),
        (lambda: Reader().fit([blank(9)], ["x"]), "glyph for 'x' has no contour"),
        (lambda: Reader().fit([blank(9)], []), "0 labels for 1 glyphs"),
        (lambda: ink(np.zeros(3)), r"shape \(3,\)"),
    ],
)
def test_refusals_say_what_to_do(call, message):
    with pytest.raises(ft.DataError, match=message):
        call()
