"""Offer pages as notebooks: their words, their code, and what the code printed.

The pages that mkdocs.yml lists as `extra: notebooks` have a notebook beside them in the site. What
a page shows is what its blocks printed when they were run (tests/docs): so are the outputs.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PIECE = re.compile(
    r"^<!-- run first\n(?P<hidden>.*?)^-->|"
    r"^```python\n(?P<code>.*?)^```|"
    r"^<!-- prints[^>]*-->\s*^```\w*\n(?P<printed>.*?)^```|"
    r"^<!-- draws[^>]*-->\s*!\[(?P<words>[^\]]*)\]\((?P<drawn>[^)\s]+)\)",
    flags=re.DOTALL | re.MULTILINE,
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a notebook beside each page that is to have one."""
    for place in config.extra["notebooks"]:
        page = files.get_file_from_path(place)
        if page is None:
            raise ValueError(f"mkdocs.yml lists {place} as a notebook, and there is no such page")
        folder = Path(config.docs_dir, place).parent
        made = json.dumps(notebook(page.content_string, folder), indent=1, ensure_ascii=False)
        files.append(File.generated(config, _beside(place), content=made))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead to the page's notebook at its end."""
    if page.file.src_uri not in config.extra["notebooks"]:
        return markdown
    name = PurePosixPath(_beside(page.file.src_uri)).name
    return f"{markdown}\n\n---\n\n[This page as a notebook]({name}){{: download }}\n"


def notebook(text: str, folder: Path) -> dict[str, Any]:
    """Return a page in a folder as a notebook: words between blocks, blocks, outputs under them."""
    cells: list[dict[str, Any]] = []
    end = 0
    for piece in PIECE.finditer(text):
        _words(cells, text[end : piece.start()])
        end = piece.end()
        if piece["printed"] is not None and cells and cells[-1]["cell_type"] == "code":
            said = {"name": "stdout", "output_type": "stream", "text": piece["printed"]}
            cells[-1]["outputs"].append(said)
        elif piece["drawn"] is not None and cells and cells[-1]["cell_type"] == "code":
            cells[-1]["outputs"].append(_picture(folder / piece["drawn"], piece["words"]))
        elif piece["printed"] is None and piece["drawn"] is None:
            source = (piece["hidden"] or piece["code"]).strip("\n")
            cells.append({"cell_type": "code", "id": f"cell-{len(cells)}", "metadata": {},
                          "execution_count": None, "outputs": [], "source": source})  # fmt: skip
    _words(cells, text[end:])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _picture(file: Path, words: str) -> dict[str, Any]:
    """Return a picture as what a cell shows."""
    data = {"image/png": b64encode(file.read_bytes()).decode(), "text/plain": words}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _words(cells: list[dict[str, Any]], text: str) -> None:
    if text.strip():
        cells.append({"cell_type": "markdown", "id": f"cell-{len(cells)}", "metadata": {},
                      "source": text.strip()})  # fmt: skip


def _beside(place: str) -> str:
    return place.removesuffix(".md") + ".ipynb"
