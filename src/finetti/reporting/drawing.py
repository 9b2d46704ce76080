"""Give every picture one look: its palette, its type, its canvas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeVar

from finetti.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

# Okabe & Ito's colours, which the colour-blind tell apart; greys for what is not data.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
SKY = "#B2D4E8"  # blue, at rest
CHAINS = (BLUE, "#E69F00", GREEN, "#CC79A7", "#56B4E9", VERMILION, "#661100")
INK, GREY, PALE, WASH = "#222222", "#6E6E6E", "#D4D4D4", "#ECECEC"
SMALL, PLAIN, TITLE = 8.5, 9.5, 11  # points
LETTER, MARGIN = 0.55, 0.3  # the width of a letter in its height; inches of a panel beside it

STYLE: Mapping[str, Any] = {
    "figure.dpi": 160,
    "savefig.dpi": "figure",
    "font.size": PLAIN,
    "text.color": INK,
    "text.parse_math": False,  # names are shown as they are, with a dollar too
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": PLAIN,
    "axes.linewidth": 0.8,
    "axes.titlesize": TITLE,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
}


@contextmanager
def canvas(width: float, height: float, layout: str | None = "constrained") -> Iterator[Figure]:
    """Yield an empty figure of a size in inches, to be drawn on in finetti's look.

    The user's own settings and windows stay as they are. Raises `MissingExtra` without matplotlib.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra.needed("matplotlib", "plots", "drawing") from error
    with style.context(["default", dict(STYLE)]):
        yield Figure(figsize=(width, height), layout=layout)  # pyright: ignore[reportArgumentType]


def table(count: int, across: int) -> tuple[int, int]:
    """Return how many columns and rows so many panels make, at most so many across.

    >>> table(5, 3), table(2, 3)
    ((3, 2), (2, 1))
    """
    across = min(across, count)
    return across, -(-count // across)


def panels(figure: Figure, things: Iterable[T], size: tuple[int, int]) -> Iterator[tuple[Axes, T]]:
    """Yield a panel for each thing, of a table of columns and rows, and tidy it once drawn."""
    across, down = size
    for place, thing in enumerate(things):
        axes = figure.add_subplot(down, across, place + 1)
        yield axes, thing
        tidy(axes)


def titled(axes: Axes, words: str, size: float = TITLE, **style: Any) -> None:
    """Give a panel its title, in lines that are no longer than the panel is wide."""
    spec, figure = axes.get_subplotspec(), axes.figure
    columns = spec.get_gridspec().ncols if spec is not None else 1
    width = figure.get_figwidth() / columns - MARGIN  # pyright: ignore[reportAttributeAccessIssue]
    letters = max(8, round(72 * width / (LETTER * size)))
    axes.set_title(fill(words, letters), pad=5, fontsize=size, **style)


def tidy(axes: Axes, rows: bool = False) -> None:
    """Make the ticks of one panel quiet; `rows` hides the vertical axis but keeps its labels."""
    # Ticks are made late, when the style is no longer in force, so that each is told here.
    axes.tick_params(colors=GREY, labelcolor=INK, labelsize=SMALL, length=3, width=0.8)
    if rows:
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, pad=6)
        axes.grid(axis="x", color=WASH, linewidth=0.8)
