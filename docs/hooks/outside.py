"""Bring into the site what its pages name outside docs/: the README, examples, folders of them.

On the forge a page's links lead to the files themselves. In the site a file lies under `project/`,
as the page it is (Markdown) or as a page that shows its text (programs, tables).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
INSIDE, UNDER = "docs", "project"
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\|.*\|$", flags=re.MULTILINE)
SPAN = re.compile(r"`[^`\n]+`")
LINES = 60  # of a program's or a table's text that is shown
TEXTS = {
    ".py": "python",
    ".csv": "text",
    ".txt": "text",
    ".toml": "toml",
    ".cff": "yaml",
    "": "text",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what those pages link to in their turn."""
    waiting = [f"{INSIDE}/{file.src_uri}" for file in files.documentation_pages()]
    waiting.append("README.md")
    done = set(waiting)
    while waiting:
        path = waiting.pop()
        if posixpath.splitext(path)[1] != ".md":
            continue
        for target in _linked(path):
            if target not in done and (ROOT / target).exists():
                done.add(target)
                waiting.append(_page_of(target))
    for path in sorted(done | set(map(_page_of, done))):
        if not path.startswith(f"{INSIDE}/") and (ROOT / path).exists():
            files.append(_made(path, config))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to what lies outside docs/ to where the site has it."""
    here = _source(page.file.src_uri)

    def led(found: re.Match[str]) -> str:
        text, target, place = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        path = _place(_page_of(posixpath.normpath(posixpath.join(posixpath.dirname(here), target))))
        led = posixpath.relpath(path, posixpath.dirname(page.file.src_uri) or ".")
        return f"{text}{led}{place or ''})"

    def changed(prose: str) -> str:
        return ROW.sub(_bars, LINK.sub(led, prose))

    pieces, end = [], 0
    for fence in FENCE.finditer(markdown):
        pieces += [changed(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*pieces, changed(markdown[end:])])


def _bars(row: re.Match[str]) -> str:
    """Write the bars of code in a table's row as they are: the forge wants a backslash there."""
    return SPAN.sub(lambda code: code[0].replace("\\|", "|"), row[0])


def _linked(path: str) -> list[str]:
    """Return the files that a page links to, by their place in the repository."""
    text = FENCE.sub("", (ROOT / path).read_text(encoding="utf-8"))
    targets = [unquote(found[2]) for found in LINK.finditer(text)]
    base = posixpath.dirname(path)
    return [
        posixpath.normpath(posixpath.join(base, target))
        for target in targets
        if "://" not in target
    ]


def _page_of(path: str) -> str:
    """Return the page that stands for a folder: its README, or itself."""
    readme = posixpath.join(path, "README.md")
    return readme if (ROOT / path).is_dir() and (ROOT / readme).exists() else path


def _place(path: str) -> str:
    """Return where the site has a file of the repository, as the source of a page or as a file."""
    if path.startswith(f"{INSIDE}/"):
        return path.removeprefix(f"{INSIDE}/")
    shown = (ROOT / path).is_dir() or posixpath.splitext(path)[1] in TEXTS
    return f"{UNDER}/{path}.md" if shown else f"{UNDER}/{path}"


def _source(place: str) -> str:
    """Return the file of the repository that a page of the site is made of."""
    if not place.startswith(f"{UNDER}/"):
        return f"{INSIDE}/{place}"
    path = place.removeprefix(f"{UNDER}/")
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def _made(path: str, config: MkDocsConfig) -> File:
    file, place = ROOT / path, _place(path)
    if file.is_dir():
        names = sorted(child.name for child in file.iterdir() if child.suffix in TEXTS)
        inside = "\n".join(f"- `{name}`" for name in names)
        return _page(config, place, f"# {path}\n\n{inside}\n")
    if file.suffix == ".md":
        return _page(config, place, file.read_text(encoding="utf-8"))
    if file.suffix not in TEXTS:
        return File.generated(config, place, abs_src_path=str(file))
    lines = file.read_text(encoding="utf-8").splitlines()
    most = len(lines) if file.suffix == ".py" else LINES
    rest = f"\n{len(lines) - most:,} lines more are in the file.\n" if len(lines) > most else ""
    shown = "\n".join(lines[:most])
    return _page(config, place, f"# {path}\n\n````{TEXTS[file.suffix]}\n{shown}\n````\n{rest}")


def _page(config: MkDocsConfig, place: str, content: str) -> File:
    return File.generated(config, place, content=content, inclusion=InclusionLevel.NOT_IN_NAV)
