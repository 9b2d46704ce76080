"""Write one table as text, HTML, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetti.hypertext.html import block, grid, is_number

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


@dataclass(frozen=True)
class Table:
    """Hold the heads of a table and its rows of texts; the first column names the rows.

    `alarming` holds the places, row and column, of entries to be noticed.

    >>> print(Table(("", "mean"), (("mu", "4.2"), ("theta[A]", "-11.0"))))
               mean
    mu          4.2
    theta[A]  -11.0
    """

    heads: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    alarming: frozenset[tuple[int, int]] = frozenset()

    @property
    def right(self) -> list[bool]:
        """Tell which columns hold numbers, which are aligned to the right."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.heads)
        return [i > 0 and all(map(is_number, c)) for i, c in enumerate(columns)]

    def __str__(self) -> str:
        """Return aligned columns."""
        lines = [self.heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, self.right, strict=True)
            ).rstrip()
            for line in lines
        )

    def grid(self) -> str:
        """Return the table as a part of a page."""
        return grid(self.heads, self.rows, self.caption, self.alarming)

    def _repr_html_(self) -> str:
        return block(self.grid())

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown."""
        marks = ["---:" if right else "---" for right in self.right]
        lines = [[_barred(cell) for cell in line] for line in (self.heads, *self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], marks, *lines[1:]))

    def latex(self) -> str:
        """Return the table as a LaTeX tabular, for the package booktabs."""
        columns = "".join("r" if right else "l" for right in self.right)
        head, *body = [" & ".join(map(_latex, line)) + r" \\" for line in (self.heads, *self.rows)]
        lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def records(rows: Sequence[Any], heads: Sequence[str], caption: str = "") -> Table:
    """Return a table of rows of any values, written as they print."""
    return Table(tuple(heads), [tuple(map(str, row)) for row in rows], caption)


def _barred(cell: str) -> str:
    """Return a cell for Markdown, whose own marks stay letters."""
    escaped = "".join(f"\\{c}" if c in "|*_`<[\\" else c for c in cell)
    return " ".join(escaped.split())


def _latex(cell: str) -> str:
    """Return a cell for LaTeX: letters that mean something there escaped, minus signs as such."""
    text = " ".join("".join(LATEX.get(c, c) for c in cell).split())
    if not is_number(cell):
        return text
    return " ".join(f"${part}$" if part.startswith("-") else part for part in text.split())
