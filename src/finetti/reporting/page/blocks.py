"""Name what a page is made of: sections of words, pictures, tables and code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Hold a paragraph."""

    text: str
    kind: str = "words"


@dataclass(frozen=True)
class Note:
    """Hold a sentence to be noticed: `tone` is "good", "warn" or "plain"."""

    text: str
    tone: str = "plain"
    head: str = ""
    kind: str = "note"


@dataclass(frozen=True)
class Code:
    """Hold text as it was written, such as the model's source."""

    text: str
    kind: str = "code"


@dataclass(frozen=True)
class Picture:
    """Hold a drawn picture as SVG, what it shows in words, and a caption."""

    svg: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Cell:
    """Hold one entry of a table: its text, and the number to sort by if it is one."""

    text: str
    value: float | None = None
    alarming: bool = False


@dataclass(frozen=True)
class Grid:
    """Hold a table: the first column names the row; `sortable` offers sorting and a search."""

    heads: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    caption: str
    sortable: bool = False
    stacked: bool = False  # as cards where the page is narrow: for columns of sentences
    kind: str = "grid"

    @property
    def numeric(self) -> list[bool]:
        """Tell which columns hold numbers."""
        return [any(c.value is not None for c in column) for column in zip(*self.rows, strict=True)]


Block = Words | Note | Code | Picture | Grid


@dataclass(frozen=True)
class Section:
    """Hold a section: its anchor, its title, and its blocks in order."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
