"""Turn a matplotlib figure into SVG that takes the colours and the type of the page around it."""

from __future__ import annotations

import re
from html import escape
from io import StringIO
from itertools import count
from typing import TYPE_CHECKING

from finetti.reporting.drawing import BLUE, GREY, INK, PALE, SKY, VERMILION, WASH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What the page sets for light and for dark.
COLOURS = {
    INK: "--ink",
    GREY: "--quiet",
    PALE: "--pale",
    WASH: "--wash",
    SKY: "--sky",
    BLUE: "--blue",
    VERMILION: "--vermilion",
    "#ffffff": "--paper",
    "#000000": "--ink",
}
WIDTH = 4.3  # inches
_numbers = count(1)


def inline(figure: Figure, words: str, width: float = WIDTH) -> str:
    """Return a figure as an inline SVG element, read out to those who cannot see it as `words`.

    Pictures are narrow, `width` inches, so that a telephone shows their words in a size to read.
    """
    import matplotlib as mpl

    if width and figure.get_layout_engine() is not None:
        figure.set_figwidth(width)
    written = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "finetti"}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    text = _own_names(text, f"f{next(_numbers)}-")
    for colour, variable in COLOURS.items():
        text = re.sub(re.escape(colour), f"var({variable})", text, flags=re.I)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px; font-family: inherit", text)
    # Hundredths of a point are enough for what is drawn; words stay as they are.
    text = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\.\d{2})\d+", r"\1", tag[0]), text)
    view = re.search(r'viewBox="[^"]*"', text)
    head = (
        f'<svg class="drawn" role="img" aria-label="{escape(words, quote=True)}" '
        f'style="--width: {72 * figure.get_figwidth():.0f}" {view[0] if view else ""} '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    text = re.sub(r"<svg[^>]*>", lambda _: head, text, count=1, flags=re.S)
    return re.sub(r"\s*\n\s*", " ", text)


def _own_names(text: str, prefix: str) -> str:
    """Prefix the names within a figure, so that many can stand in one page.

    Names that nothing refers to go: matplotlib gives the same to each figure.
    """
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))

    def rename(found: re.Match[str]) -> str:
        return f' id="{prefix}{found[1]}"' if found[1] in used else ""

    text = re.sub(r'\sid="([^"]+)"', rename, text)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}", text)
