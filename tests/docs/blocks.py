"""Read a page's blocks of code, and what its comments say of them.

A block is run unless a comment before it says `not run:` and why. A comment `run first` holds lines
that readers are spared; `part of FILE` says that the block's lines are all in a program; `raises
NAME`, that the block is refused so; `prints` before a block of text, that the last block run prints
it; `prints about`, that its words are the same and its numbers those of another machine's draws;
`prints such as`, that so are its first words, up to a parenthesis, and draws decide on the rest;
`draws FILE` before a picture, that the last block run draws it into the file.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIECE = re.compile(
    r"^<!--\s*(?P<said>.*?)\s*-->|^(?P<fence>`{3,})(?P<kind>[\w+-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)",
    flags=re.DOTALL | re.MULTILINE,
)
PICTURE = re.compile(r"\s*!\[[^\]]*\]\(([^)\s]+)\)")
SHELL = ("console", "sh", "")
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """Hold one block: its kind, its text, the line it begins at, and what is said of it."""

    kind: str
    text: str
    line: int
    said: str

    @property
    def commands(self) -> list[list[str]]:
        """Return the words of each command of finetti's in a block of the shell."""
        lines = self.text.replace("\\\n", " ").splitlines()
        split = (shlex.split(line.removeprefix("$ "), comments=True) for line in lines)
        return [words[1:] for words in split if words and words[0] == "finetti"]

    @property
    def is_run(self) -> bool:
        """Tell whether it is Python or has a command, and nothing says that it is not run."""
        code = self.kind == "python" or (self.kind in SHELL and bool(self._first))
        return code and not self.said.startswith(("not run", "part of"))

    @property
    def drawn(self) -> str:
        """Return the file that a picture is drawn into."""
        return self.said.removeprefix("draws ")

    @property
    def _first(self) -> bool:
        return self.text.lstrip().removeprefix("$ ").startswith("finetti ")


def blocks_of(page: Path) -> list[Block]:
    """Return a page's blocks in order; hidden ones are Python."""
    text, found, said, end = page.read_text(encoding="utf-8"), [], "", 0
    for piece in PIECE.finditer(text):
        if text[end : piece.start()].strip():
            said = ""
        line, end = text.count("\n", 0, piece.start()) + 1, piece.end()
        if piece["said"] is None:
            found.append(Block(piece["kind"], piece["text"], line, said))
            said = ""
        elif piece["said"].startswith("draws "):
            shown = PICTURE.match(text, end)
            found.append(Block("picture", shown[1] if shown else "", line, piece["said"]))
            said = ""
        elif piece["said"].startswith("run first"):
            found.append(Block("python", piece["said"].partition("\n")[2], line + 1, ""))
        else:
            said = piece["said"]
    return found


def words(text: str) -> list[str]:
    """Return what a text says, without its numbers and the blanks and rules that these need."""
    return re.sub("─+", "─", NUMBER.sub("0", text)).split()
