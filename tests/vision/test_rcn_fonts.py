"""Hold glyphs and pictures to what was drawn, and reading to words that are expected."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import finetti as ft
from finetti.cli.commands import app
from finetti.vision import Letters, Reader, Words, glyphs, ink, picture
from finetti.vision.rcn.expecting import Anything

Image = pytest.importorskip("PIL.Image")
mpl = pytest.importorskip("matplotlib")
FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@pytest.fixture(scope="module")
def reader():
    return Reader().fit(*glyphs(FONT, "OTLQ", leans=[-12.0, 0.0, 12.0]))


def drawn(text, gap=6):
    """Return a line of upright glyphs, bright on dark."""
    images, _ = glyphs(FONT, list(text), leans=[0.0])
    parts = [np.pad(image, ((0, 0), (gap, gap))) for image in images]
    return np.hstack(parts)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a file with a line of dark text on light ground."""
    path = tmp_path_factory.mktemp("lines") / "line.png"
    Image.fromarray((255 - 0.8 * drawn("LOT")).astype(np.uint8)).save(path)
    return path


def test_glyphs_are_those_of_the_font_and_lean():
    images, labels = glyphs(FONT, "Il", 50, [-20.0, 0.0, 20.0])
    assert labels == ["I", "I", "I", "l", "l", "l"]
    assert {image.shape[0] for image in images} == {80}
    assert all(image.min() >= 0 and image.max() == 255 for image in images)

    def lean(image):  # how far right the upper half's ink lies of the lower half's
        halves = (image[:40].sum(0), image[40:].sum(0))
        return np.subtract(*((h * np.arange(len(h))).sum() / h.sum() for h in halves))

    assert lean(images[0]) > 1 > abs(lean(images[1]))
    assert lean(images[2]) < -1


def test_a_picture_is_what_was_saved_whatever_its_kind(tmp_path):
    values = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    Image.fromarray(values).save(tmp_path / "grey.png")
    found = picture(tmp_path / "grey.png")
    assert found.shape == (6, 8, 3)
    assert (found == values[:, :, None]).all()
    Image.fromarray(values.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.ptp(picture(tmp_path / "deep.png")) == 255
    clear = np.dstack([values, values, values, np.where(values > 100, 255, 0)]).astype(np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (picture(tmp_path / "clear.png")[values <= 100] == 255).all()  # on white


def test_a_saved_line_is_read_in_the_shell_and_drawn(saved, tmp_path):
    arguments = ["vision", "read", str(saved), "--font", str(FONT), "--characters", "OTL"]
    run = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert run.exit_code == 0, run.output
    assert "LOT" in run.output.split()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0-line.png"]


def test_what_is_expected_tells_what_pixels_leave_open(reader):
    """Half of a Q's tail is seen: each word list reads its own word, and a strange one none."""
    line = drawn("LOT")
    tail = drawn("LQT") - line
    line = np.clip(line + 0.3 * np.maximum(tail, 0), 0, 255)
    assert reader.read(line, Words(["LQT", "TOLL"], others=0.0)).text == "LQT"
    assert reader.read(line, Words(["LOT", "TOLL"], others=0.0)).text == "LOT"
    assert reader.read(line, Words(["QQQQ"], others=0.0)).text != "LOT"
    assert reader.read(drawn("OTTO"), Words(["LOT"], others=0.5, letters=4)).text == "OTTO"


def test_probabilities_of_texts_add_up_to_one():
    """Over all texts of two letters up to 12 long; words and what is none of them."""
    words = Words({"ab": 3, "abb": 1}, others=0.2, letters=2)
    assert np.isclose(np.exp(words.log_probability("abb")), 0.8 / 4)
    assert np.isclose(np.exp(words.log_probability("ba")), 0.1 / 16)
    none = sum(2**n * 0.2 / 2 / (2 * 2) ** n for n in range(1, 40))
    assert np.isclose(none, 0.1)  # and the empty text has the other half
    pairs = Letters(["ab", "ba", "b"], "ab", more=0.5)
    for state in ("", "a", "b"):
        total = sum(np.exp(w) for c in "ab" for _, w in pairs.follow(state, c))
        assert np.isclose(total + np.exp(pairs.end(state)), 1)
    assert Anything().log_probability("abba") == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: glyphs(p / "no.ttf", "a"), "there is no font file"),
        (lambda p: glyphs(__file__, "a"), "is no font that can be read"),
        (lambda p: glyphs(FONT, "a b"), "draws nothing for the character ' '"),
        (lambda p: glyphs(FONT, "\u4e2d"), "draws nothing for the character '\u4e2d'"),
        (lambda p: glyphs(FONT, ["ab"]), "draws nothing for the character 'ab'"),
        (lambda p: glyphs(FONT, ""), "0 characters"),
        (lambda p: glyphs(FONT, "a", 0), "size is 0"),
        (lambda p: picture(p / "no.png"), "there is no file"),
        (lambda p: picture(__file__), "cannot be read as an image"),
        (lambda p: picture(p), "cannot be read as an image"),
        (lambda p: Words("rum"), "words is one text"),
        (lambda p: Words([]), "words are none"),
        (lambda p: Words({"rum": -1}), "no count above 0"),
        (lambda p: Words(["rum"], others=1.0), r"others is 1\.0"),
        (lambda p: Letters("rum", "mru"), "texts is one text"),
        (lambda p: Letters(["rum"], ""), "letters are none"),
        (lambda p: Letters(["rum"], "mru", more=0.0), "more` is not above 0"),
    ],
)
def test_refusals_say_what_to_do(tmp_path, call, message):
    with pytest.raises(ft.DataError, match=message):
        call(tmp_path)


def test_blank_pictures_say_nothing(reader):
    assert reader.read(ink(np.full((40, 60, 3), 200.0))).text == ""
