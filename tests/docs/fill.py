"""Write what pages print into the blocks that say so: `python tests/docs/fill.py docs/page.md ...`.

Look at what has changed before it is committed: the page's words stand around these numbers.
Pictures that blocks draw are put where the page shows them.
"""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from blocks import PIECE, ROOT, blocks_of
from test_pages import _execute


def filled(page: Path) -> str:
    """Return a page's text with what its blocks print, run in the folder at hand."""
    names, printed, outputs = {"__name__": "__page__"}, io.StringIO(), {}
    for block in blocks_of(page):
        if block.said.startswith("prints"):
            shown = "\n".join(line.rstrip() for line in printed.getvalue().strip("\n").splitlines())
            outputs[block.line] = f"{shown}\n"
        elif block.kind == "picture":
            shutil.copy(block.drawn, page.parent / block.text)
        elif block.is_run and not block.said.startswith("raises"):
            printed = io.StringIO()
            _execute(block, page, names, printed)
    text, found, end = page.read_text(encoding="utf-8"), [], 0
    for piece in PIECE.finditer(text):
        line = text.count("\n", 0, piece.start()) + 1
        if piece["fence"] and line in outputs:
            found += [text[end : piece.start("text")], outputs[line]]
            end = piece.end("text")
    return "".join([*found, text[end:]])


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    for name in sys.argv[1:]:
        page = (ROOT / name).resolve()
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "examples", Path(folder, "examples"))
            shutil.copy(ROOT / "tests" / "data" / "digits.npz", folder)
            Path(folder, "runs").mkdir()
            os.chdir(folder)
            sys.path.insert(0, str(Path(folder, "examples")))
            page.write_text(filled(page), encoding="utf-8")
            os.chdir(ROOT)
