"""Read the report as a screen reader does, and compute its colours' contrast and the plots'."""

import re
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from made_runs import posterior

import finetti as ft
from finetti.reporting import drawing
from finetti.reporting.page import page as pages

pytest.importorskip("jinja2", reason="the report needs the extra `report`")
STYLE = (Path(pages.__file__).parent / "page.css").read_text(encoding="utf-8")
TEXT, SHAPE = 4.5, 3.0  # WCAG 2.2, success criteria 1.4.3 and 1.4.11
VOID = {"meta", "link", "input", "br", "hr", "img"}

# What is written or drawn on what, in the page's style.
WRITTEN = {
    "paper": ("ink", "quiet", "blue", "warn", "good"),
    "ground": ("ink", "quiet", "blue"),
    "good-wash": ("ink",),
    "warn-wash": ("ink",),
}
DRAWN = {"paper": ("blue", "vermilion", "quiet", "ink")}

# Linear sRGB as those see it who lack one kind of cone: Machado, Oliveira & Fernandes 2009.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip
APART = 10.0  # CIE76; about 2 can just be told side by side, lines lie apart


def linear(colour: str) -> np.ndarray:
    """Return linear sRGB of a colour such as #0072b2."""
    digits = colour.removeprefix("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    value = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, by WCAG 2."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB (D65) of linear sRGB."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.clip(xyz @ rgb / [0.9505, 1.0, 1.089], 1e-4, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def schemes() -> dict[str, dict[str, str]]:
    """Return the page's colours by name: in the light, in the dark, in print."""
    found = re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)
    light, dark, printed = (dict(re.findall(r"--([\w-]+): (#\w+)", text)) for text in found)
    return {"light": light, "dark": light | dark, "print": light | printed}


def test_contrast_is_that_of_the_standard():
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WebAIM's checker


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_the_reports_colours_can_be_read(scheme):
    colours = schemes()[scheme]
    for pairs, least in ((WRITTEN, TEXT), (DRAWN, SHAPE)):
        for ground, names in pairs.items():
            for name in names:
                found = contrast(colours[name], colours[ground])
                assert found >= least, f"{name} on {ground}: {found:.2f}"


def test_the_plots_words_can_be_read_and_their_shapes_seen():
    for colour in (drawing.INK, drawing.GREY):
        assert contrast(colour, "#ffffff") >= TEXT
    for colour in (drawing.BLUE, drawing.VERMILION, drawing.GREEN):
        assert contrast(colour, "#ffffff") >= SHAPE


@pytest.mark.parametrize("kind", BLIND)
def test_the_chains_are_told_apart_by_the_colour_blind(kind):
    seen = {c: lab(np.clip(np.array(BLIND[kind]) @ linear(c), 0, 1)) for c in drawing.CHAINS}
    for one, other in combinations(seen, 2):
        found = np.linalg.norm(seen[one] - seen[other])
        assert found > APART, f"{one} and {other}: {found:.1f}"


class Page(HTMLParser):
    """Hold a page's elements in order, each with its attributes, its ancestors and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, **dict(attrs), "in": [e["tag"] for e in self.open], "text": ""}
        self.seen.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, *tags):
        return [e for e in self.seen if e["tag"] in tags]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = ft.report(posterior(), tmp_path_factory.mktemp("report") / "page.html")
    return Page(path.read_text(encoding="utf-8"))


def test_the_report_has_landmarks_and_headings_in_order(page):
    (html,), (title,) = page.all("html"), page.all("title")
    assert html["lang"] == "en"
    assert title["text"].strip()
    for landmark in ("header", "nav", "main"):
        assert len(page.all(landmark)) == 1
    assert page.all("nav")[0]["aria-label"]
    assert page.all("a")[0]["href"] == f"#{page.all('main')[0]['id']}"  # to skip what is above
    levels = [int(e["tag"][1]) for e in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = {e["id"] for e in page.seen if "id" in e}
    assert all(e["aria-labelledby"] in names for e in page.all("section"))


def test_the_reports_tables_have_heads_and_captions(page):
    tables = page.all("table")
    assert len(tables) >= 2
    assert len(page.all("caption")) == len(tables)
    assert all(e["text"].strip() for e in page.all("caption"))
    assert {e.get("scope") for e in page.all("th")} == {"col", "row"}
    assert all("data-head" in e for e in page.all("td"))


def test_all_of_the_report_is_reached_by_the_keyboard(page):
    assert all(e.get("tabindex", "0") == "0" for e in page.seen)
    scrolled = [e for e in page.seen if "scroll" in e.get("class", "").split()]
    assert scrolled
    assert all(e["tabindex"] == "0" and e["aria-label"] for e in scrolled)
    assert all(e["text"].strip() for e in page.all("button", "a"))
    assert all("label" in e["in"] for e in page.all("input"))
    clicked = re.findall(r"on(?:click|mouse\w+)=", " ".join(map(str, page.seen)))
    assert not clicked
