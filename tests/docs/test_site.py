"""Build the site, and look at each of its pages: landmarks, words for pictures, no network."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from blocks import ROOT, blocks_of

from browsing import opened, violations, visit

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
pytest.importorskip("mkdocstrings", reason="the site needs the extra `docs`")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def all(self, name):
        return [attrs for tag, attrs in self.seen if tag == name]


def test_every_page_is_read_aloud_and_needs_no_network(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text(encoding="utf-8")
        tags = Tags(text)
        assert tags.all("html")[0]["lang"] == "en", page
        assert len(tags.all("main")) == 1, page
        assert tags.all("nav"), page
        assert any("width=device-width" in m.get("content", "") for m in tags.all("meta")), page
        assert all(image.get("alt", "").strip() for image in tags.all("img")), page
        loaded = [m.get("src") or m.get("href") for m in tags.all("script") + tags.all("link")]
        outside = [a for a in loaded if a and re.match(r"(https?:)?//", a)]
        assert not outside, page


def test_bars_in_the_code_of_tables_are_bars(site):
    text = (site / "howto" / "repeated.html").read_text(encoding="utf-8")
    assert "(1 | Subject)</code></td>" in text
    for page in site.rglob("*.html"):
        cells = re.findall(r"<td[^>]*>.*?</td>", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not [cell for cell in cells if "\\|" in cell], page


def test_what_is_asked_for_is_found_without_a_network(site):
    index = next((site / "search").glob("search_index.js*")).read_text(encoding="utf-8")
    for words in ("crossed", "leave-one-out", "funnel", "finetti doctor", "finetti.fit"):
        assert words.lower() in index.lower()


def test_pages_are_offered_as_notebooks_with_what_they_printed(site):
    made = sorted(site.rglob("*.ipynb"))
    assert len(made) >= 6
    for file in made:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        source = (ROOT / "docs" / file.relative_to(site)).with_suffix(".md")
        blocks = [b for b in blocks_of(source) if b.kind == "python"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert [c["source"] for c in code] == [b.text.strip("\n") for b in blocks], file
        printed = [output["text"] for cell in code for output in cell["outputs"]]
        shown = [b.text for b in blocks_of(source) if b.said.startswith("prints")]
        assert printed == shown, file
        assert file.name in file.with_suffix(".html").read_text(encoding="utf-8")


def test_every_public_name_is_on_a_page_of_the_reference(site):
    import finetti as ft
    from finetti.distributions import NAMES

    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    lacking = [n for n in ft.__all__ if n not in NAMES and f'id="finetti.{n}"' not in text]
    assert lacking == ["constraints"]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1300, "light")])
def test_axe_finds_nothing_against_wcag_on_any_page(site, width, scheme):
    found = []
    with opened() as browser:
        for page in sorted(set(site.rglob("*.html")) - {site / "404.html"}):  # it needs a server
            visit(browser, page, width, scheme)
            found += [f"{page.relative_to(site)}: {said}" for said in violations(browser)]
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, page
    assert not found, "\n".join(found)
