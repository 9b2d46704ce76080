"""Write words and tables as small HTML that notebooks show and screen readers read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape

ONE = r"[<>]? ?[-+]?(\d[\d,]*)?\.?\d*(e[-+]?\d+)?%?"
NUMBERS = re.compile(rf"(nan|[-+]?inf|{ONE})(\s+(nan|[-+]?inf|{ONE}))*")
RIGHT, LEFT = "text-align: right; white-space: pre", "text-align: left"
ALARM = "font-weight: bold; color: #d55e00"


def block(*parts: str) -> str:
    """Return pieces of HTML as one element.

    >>> block(words("1 < 2"))
    '<div class="finetti"><p>1 &lt; 2</p></div>'
    """
    return f'<div class="finetti">{"".join(parts)}</div>'


def heading(text: str) -> str:
    """Return the line that says what is shown."""
    return f"<p><strong>{escape(text)}</strong></p>"


def words(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def items(sentences: Iterable[str]) -> str:
    """Return a list of sentences, nothing where there are none."""
    found = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{found}</ul>" if found else ""


def code(text: str) -> str:
    """Return text as it was written, line by line."""
    return f"<pre>{escape(text)}</pre>"


def folded(title: str, *parts: str) -> str:
    """Return pieces that a reader unfolds by their title."""
    return f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def grid(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    caption: str = "",
    alarming: Collection[tuple[int, int]] = (),
) -> str:
    """Return a table whose first column names the rows; nothing where it has none.

    Columns of numbers are aligned to the right. `alarming` holds the places, row and column, of
    entries to be noticed.
    """
    written = [[str(cell) for cell in row] for row in rows]
    if not written:
        return ""
    columns = list(zip(*written, strict=True))
    numeric = [all(map(is_number, column)) for column in columns]
    styles = [RIGHT if n and i else LEFT for i, n in enumerate(numeric)]
    found = ["<table>", f"<caption>{escape(caption)}</caption>" if caption else "", "<thead><tr>"]
    found += [
        f'<th scope="col" style="{style}">{escape(head)}</th>'
        for head, style in zip(heads, styles, strict=True)
    ]
    found.append("</tr></thead><tbody>")
    for i, row in enumerate(written):
        found.append(f'<tr><th scope="row" style="{LEFT}">{escape(row[0])}</th>')
        for j, cell in enumerate(row[1:], 1):
            look = f"{styles[j]}; {ALARM}" if (i, j) in alarming else styles[j]
            found.append(f'<td style="{look}">{escape(cell)}</td>')
        found.append("</tr>")
    return "".join([*found, "</tbody></table>"])


def is_number(cell: str) -> bool:
    """Tell whether a cell holds a number, or two as an interval does, or nothing."""
    text = cell.strip()
    told = any(c.isdigit() for c in text) or text in ("", "nan", "inf", "-inf")
    return told and NUMBERS.fullmatch(text) is not None
