"""Follow the links of every page of the repository: to files, and to headings of pages."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from blocks import ROOT

SKIPPED = {".venv", ".git", "node_modules", "runs", "site", "build", "dist", ".pytest_cache"}
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if SKIPPED.isdisjoint(path.relative_to(ROOT).parts)
)
FENCE = re.compile(r"^(`{3,}).*?^\1", flags=re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", flags=re.MULTILINE)
PICTURE = re.compile(r"!\[([^\]]*)\]\(")


def prose(page: Path) -> str:
    return SPAN.sub("`code`", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the names that a forge and the site give a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in HEADING.findall(text))
    return {re.sub(r"[ ]", "-", title) for title in plain}


def dead(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for target in LINK.findall(prose(page)):
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        known = file.suffix == ".md" and file.exists() and "reference" not in file.parts
        if not file.exists() or (anchor and known and anchor not in anchors(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_link_is_dead_and_every_picture_has_words(page):
    assert not dead(page)
    assert all(words.strip() for words in PICTURE.findall(prose(page)))


@pytest.mark.parametrize("link", ["gone.md", "page.md#nowhere", "#nowhere", "../gone/"])
def test_a_dead_link_is_found(link, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Head\n\n[alive](page.md#head) and [dead]({link})\n", encoding="utf-8")
    assert dead(page) == [link]
