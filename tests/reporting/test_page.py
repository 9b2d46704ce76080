"""Open the report in a real browser: it says all, sorts, searches, and fits a telephone."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

import finetti as ft
from browsing import opened, violations, visit
from zoo.eight_schools import as_met

jinja2 = pytest.importorskip("jinja2", reason="the report needs the extra `report`")
MEGABYTE = 1_000_000
VOID = {"meta", "link", "input", "br", "hr", "img"}


@pytest.fixture(scope="module")
def posterior():
    model = as_met()
    written = model.plan().as_written()
    return ft.fit(model, ft.NUTS(draws=300, thin=1), plan=written, seed=1, progress=False)


@pytest.fixture(scope="module")
def page(posterior, tmp_path_factory):
    return ft.report(posterior, tmp_path_factory.mktemp("report") / "page.html")


def made_up(members: int) -> ft.Posterior:
    """Return a run of a site with many members, drawn independently."""
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(4, 50, members))
    draws = xr.Dataset(
        {"mu": (("chain", "draw"), rng.normal(size=(4, 50))),
         "theta": (("chain", "draw", "group"), theta)},
        {"chain": range(4), "draw": range(50), "group": [f"group {i}" for i in range(members)]},
    )  # fmt: skip
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 50), bool))})
    tree = xr.DataTree.from_dict({"posterior": draws, "sample_stats": stats})
    tree.attrs.update(model="made up", method="NUTS()")
    return ft.Posterior(tree)


class Tags(HTMLParser):
    """Hold a page's elements, and fail where they do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_says_everything_and_needs_no_network(page, posterior):
    text = page.read_text(encoding="utf-8")
    for words in ("Can it be believed?", "def schools(sigma)", "HalfCauchy", "theta[H]",
                  "diverged", "seed", "10 dimensions to sample"):  # fmt: skip
        assert words in text
    outside = [u for u in re.findall(r"https?://[^\s\"'<]+", text) if "www.w3.org" not in u]
    assert not outside
    assert not re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=\"(?!data:)", text)
    first = re.findall(r'<section id="(\w[\w-]*)"', text)[0]
    assert first == "advice"
    plain = re.sub("</?code>", "`", text)
    for finding in posterior.advice():
        assert finding.sentence.split(":")[0].split("'")[0] in plain


def test_every_picture_has_words_and_every_name_is_used_once(page):
    tags = Tags(page.read_text(encoding="utf-8")).seen
    pictures = [attrs for tag, attrs in tags if tag == "svg"]
    assert len(pictures) >= 4
    assert all(p["role"] == "img" and len(p["aria-label"]) > 20 for p in pictures)
    names = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(names) == len(set(names))
    linked = {attrs["href"][1:] for tag, attrs in tags if tag == "a"}
    assert linked <= set(names)


def test_text_of_the_user_is_never_taken_for_html(posterior, tmp_path):
    page = ft.report(posterior, tmp_path / "page.html", title="<script>alert(1)</script>")
    assert "<script>alert(1)" not in page.read_text(encoding="utf-8")


def test_two_hundred_parameters_are_all_there(tmp_path):
    few = ft.report(made_up(200), tmp_path / "few.html")
    assert few.stat().st_size < 5 * MEGABYTE
    assert few.read_text(encoding="utf-8").count('<th scope="row">theta[') == 200


@pytest.mark.parametrize("members", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_page_stays_small_and_says_what_it_leaves_out(tmp_path, members):
    many = ft.report(made_up(members), tmp_path / "many.html")
    text = many.read_text(encoding="utf-8")
    assert many.stat().st_size < 5 * MEGABYTE
    assert f"Of the {members:,} members of theta" in text
    assert 20 <= text.count('<th scope="row">theta[') <= 30
    assert "needs the model" in text or "without" in text


def test_a_mode_has_its_page_too(tmp_path):
    @ft.model
    def coin():
        p = ft.sample("p", ft.Beta(2, 2))
        ft.sample("heads", ft.Binomial(10, p))

    found = ft.fit(coin().condition(heads=7), ft.MAP(), progress=False)
    text = ft.report(found, tmp_path / "mode.html").read_text(encoding="utf-8")
    assert "standard error" in text
    assert "R-hat" not in text


@pytest.fixture(scope="module")
def browser():
    with opened() as driver:
        yield driver


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_overflows_and_nothing_complains(browser, page, width, scheme):
    visit(browser, page, width, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    wider = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => "
        "!e.closest('.scroll, .skip, svg, .stacked thead') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wider == []
    assert browser.get_log("browser") == []
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", ground)[:3])) < 3 * 128
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_nothing_against_wcag(browser, page, width, scheme):
    visit(browser, page, width, scheme)
    assert violations(browser) == []


def test_axe_would_find_a_picture_without_words(browser, page, tmp_path):
    mute = tmp_path / "mute.html"
    mute.write_text(re.sub(r' aria-label="[^"]*"', "", page.read_text("utf-8")), "utf-8")
    visit(browser, mute, 1200)
    assert any(v.startswith("svg-img-alt") for v in violations(browser))


def test_the_table_sorts_by_numbers_and_finds_by_name(browser, page, posterior):
    visit(browser, page, 1200)
    names = (
        "return [...document.querySelectorAll('table.sortable tbody tr')].filter(r => !r.hidden)"
    )
    names += ".map(r => r.cells[0].textContent)"
    heads = browser.find_elements("css selector", "table.sortable thead button")
    (mean,) = [head for head in heads if head.text.strip().startswith("mean")]
    mean.send_keys("\n")  # by the keyboard
    expected = posterior.summary()["mean"].sort_values(kind="stable").index.tolist()
    assert browser.execute_script(names) == expected
    assert mean.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
    mean.send_keys(" ")
    assert browser.execute_script(names) == expected[::-1]
    browser.find_element("css selector", "input[type=search]").send_keys("theta[c")
    assert browser.execute_script(names) == ["theta[C]"]
