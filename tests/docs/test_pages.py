"""Run the pages: every block of Python and every command of finetti's, page by page."""

import contextlib
import io
import re
import shutil
import sys
from pathlib import Path

import pytest
from blocks import ROOT, Block, blocks_of, words
from matplotlib.image import imread, imsave

from finetti.cli import main

OUTSIDE = ("README.md", "examples/README.md")
PAGES = [
    *(ROOT / name for name in OUTSIDE),
    *sorted(path for path in (ROOT / "docs").rglob("*.md")),
]
RUN = [
    page for page in PAGES if any(b.is_run or b.said.startswith("part of") for b in blocks_of(page))
]
SHORT = {"docs/distributions.md", "docs/dialects.md"}  # seconds each, and of both kinds
DRAW = "from matplotlib.image import imsave\nimsave('a.png', [[0.0, 1.0]])"
REASON = re.compile(r"not run: \w+")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with the examples, as one does who has the repository."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy(ROOT / "tests" / "data" / "digits.npz", tmp_path)
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "examples"))
    monkeypatch.setenv("COLUMNS", "100")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def run(page: Path) -> None:
    """Run a page's blocks in order, in one namespace, and hold what they print to what is said."""
    names, printed = {"__name__": "__page__"}, io.StringIO()
    for block in blocks_of(page):
        where = f"{name_of(page)}, line {block.line}"
        if block.said.startswith("prints"):
            _compare(printed.getvalue(), block, where)
        elif block.kind == "picture":
            _compare_pictures(Path(block.drawn), page.parent / block.text, where)
        elif block.is_run and block.said.startswith("raises "):
            with pytest.raises(Exception) as caught:
                _execute(block, page, names, printed)
            assert type(caught.value).__name__ == block.said.split()[1], where
        elif block.said.startswith("part of "):
            program = (ROOT / block.said.split()[2]).read_text(encoding="utf-8").splitlines()
            told = {line.strip() for line in program}
            assert all(line.strip() in told for line in block.text.splitlines()), where
        elif block.is_run:
            printed = io.StringIO()
            _execute(block, page, names, printed)


def _compare_pictures(drawn: Path, shown: Path, where: str) -> None:
    """Hold the picture that a block draws to the one that the page shows: it has its size."""
    assert drawn.is_file(), where
    assert shown.is_file(), where
    sizes = [imread(path).shape[:2] for path in (drawn, shown)]
    assert sizes[0] == sizes[1], where


def _execute(block: Block, page: Path, names: dict, printed: io.StringIO) -> None:
    with contextlib.redirect_stdout(printed):
        if block.kind == "python":
            code = "\n" * block.line + block.text
            exec(compile(code, str(page), "exec"), names)
            return
        for command in block.commands:
            with pytest.raises(SystemExit) as ended:
                main(command)
            assert not ended.value.code, f"finetti {' '.join(command)}"


def _compare(printed: str, block: Block, where: str) -> None:
    if block.said.startswith("prints such as"):
        first, told = (text.strip().partition("(")[0] for text in (printed, block.text))
        assert told, where
        assert words(first) == words(told), where
    elif block.said.startswith("prints about"):
        assert words(printed) == words(block.text), where
    else:
        lines = [[line.rstrip() for line in text.strip("\n").splitlines()] for text in
                 (printed, block.text)]  # fmt: skip
        assert lines[0] == lines[1], where


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, id=name_of(page), marks=() if name_of(page) in SHORT else pytest.mark.slow
        )
        for page in RUN
    ],
)
def test_every_block_runs_and_prints_what_it_says(page, folder):
    run(page)


def test_a_block_that_does_not_run_says_why():
    bare = [
        f"{name_of(page)}, line {block.line}"
        for page in PAGES
        for block in blocks_of(page)
        if block.said.startswith("not run") and not REASON.match(block.said)
    ]
    assert not bare


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("```python\nprint(1 + 1)\n```\n<!-- prints -->\n```\n2\n```\n", False),
        ("```python\nprint(1 + 1)\n```\n<!-- prints -->\n```\n3\n```\n", True),
        ("<!-- run first\na = 1\n-->\n```python\nassert a == 1\n```\n", False),
        ("```python\nundefined\n```\n", True),
        ("<!-- not run: a cluster -->\n```python\nundefined\n```\n", False),
        ("<!-- not run: a cluster -->\nWords between.\n```python\nundefined\n```\n", True),
        ("<!-- raises NameError -->\n```python\nundefined\n```\n", False),
        ("<!-- raises NameError -->\n```python\n1\n```\n", True),
        ("<!-- raises KeyError -->\n```python\nundefined\n```\n", True),
        ("```python\nprint('a 1.5')\n```\n<!-- prints about -->\n```\na 2.25\n```\n", False),
        ("```python\nprint('a 1.5')\n```\n<!-- prints about -->\n```\nb 1.5\n```\n", True),
        ("```python\nprint('a 1 (b)')\n```\n<!-- prints such as -->\n```\na 2 (c)\n```\n", False),
        ("```python\nprint('a 1 (b)')\n```\n<!-- prints such as -->\n```\nb 1 (b)\n```\n", True),
        (f"```python\n{DRAW}\n```\n<!-- draws a.png -->\n![A line](b.png)\n", False),
        (f"```python\n{DRAW}\n```\n<!-- draws a.png -->\n![A line](c.png)\n", True),
        (f"```python\n{DRAW}\n```\n<!-- draws a.png -->\n![A line](wide.png)\n", True),
        ("```python\n1\n```\n<!-- draws a.png -->\n![A line](b.png)\n", True),
        ("```\nfinetti --version\n```\n", False),
        ("```console\n$ finetti nonsense\n```\n", True),
    ],
)
def test_pages_that_are_wrong_fail(text, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("test_pages.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    imsave(tmp_path / "b.png", [[1.0, 0.5]])
    imsave(tmp_path / "wide.png", [[1.0, 0.5, 0.0]])
    if fails:
        with pytest.raises((AssertionError, NameError, pytest.fail.Exception)):
            run(page)
    else:
        run(page)
