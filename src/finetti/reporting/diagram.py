"""Draw a model's graph: sites as nodes, plates as boxes, observed shaded, taken out dashed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from finetti.hypertext.layers import Layers, Path
from finetti.hypertext.layout import HEIGHT, Layout
from finetti.models import Model
from finetti.reporting.drawing import GREY, INK, PALE, PLAIN, SMALL, canvas
from finetti.structure.graph import Graph
from finetti.structure.plan import Plan
from finetti.structure.rewrites.rewrite import Rewrite
from finetti.structure.variables import Variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.2  # inches around the picture
CAPTION = 0.3  # inches for the words below it
NARROWEST = 0.8  # inches of a node
RING = 0.04  # inches between the lines of a double one
MEANING = {
    "latent": "white: unknown",
    "observed": "shaded: observed",
    "deterministic": "square: computed",
    "factor": "black: factor",
    "fixed": "dotted: held fixed",
}


@dataclass(frozen=True)
class Marks:
    """Hold which sites a plan takes out of the sampler, which it centres, and by which rewrites."""

    dashed: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()
    meaning: tuple[str, ...] = ()

    @staticmethod
    def of(plan: Plan) -> Marks:
        """Return a plan's marks."""
        gone = [r for r in plan.rewrites if r.takes_out]
        centred = plan.form.settling
        lines = {"dashed": gone, "double": centred}
        said = [_said(line, rewrites) for line, rewrites in lines.items() if rewrites]
        return Marks(_sites(gone), _sites(centred), tuple(said))


def _sites(rewrites: Iterable[Rewrite]) -> frozenset[str]:
    return frozenset(site for r in rewrites for site in r.sites)


def _said(line: str, rewrites: Iterable[Rewrite]) -> str:
    return f"{line}: {', '.join(dict.fromkeys(r.verb for r in rewrites))}"


def graph(model: Model | Graph | Plan) -> Figure:
    """Draw which sites of a model depend on which; plates are boxes that say their size.

    Takes a model with its data, the graph of one, or a plan: then what is integrated or summed out
    is dashed, and what is centred has a double line. Raises `ModelError` where the model cannot be
    understood.

    >>> figure = graph(coin(10).condition(heads=7))
    >>> {"p", "heads"} <= {text.get_text() for text in figure.axes[0].texts}
    True
    """
    marks = Marks.of(model) if isinstance(model, Plan) else Marks()
    drawn = model.graph if isinstance(model, Plan) else model
    drawn = drawn.graph() if isinstance(drawn, Model) else drawn
    plates = {v.name: tuple(p.name for p in v.plates) for v in drawn.variables}
    titles = {path[: i + 1]: str(v.plates[i]) for v in drawn.variables
              for path in [plates[v.name]] for i in range(len(path))}  # fmt: skip
    with canvas(1.0, 1.0, layout=None) as figure:
        widths: dict[str | Path, float] = {
            v.name: max(NARROWEST, 0.3 + 1.1 * max(_width(v.name, PLAIN), _width(_below(v), SMALL)))
            for v in drawn.variables
        }
        # A title takes one half of its box's foot and leaves the middle to the edges.
        widths |= {path: 0.3 + 2 * _width(title, SMALL) for path, title in titles.items()}
        layout = Layout(Layers(drawn.parents, plates), widths)
        axes = figure.add_axes((0, 0, 1, 1))
        for path, title in titles.items():
            _box(axes, layout.rectangle(path), title)
        for child, parents in drawn.parents.items():
            for parent in parents:
                _edge(axes, layout, parent, child)
        for v in drawn.variables:
            middle = layout.x[v.name], layout.y[layout.layers.row[v.name]]
            _node(axes, v, middle, widths[v.name], marks)
        kinds = dict.fromkeys(v.kind for v in drawn.variables)
        meaning = (*(MEANING[k] for k in MEANING if k in kinds), *marks.meaning)
        _frame(figure, axes, layout, "    ".join(meaning))
    return figure


def _frame(figure: Figure, axes: Axes, layout: Layout, caption: str) -> None:
    """Make the figure as large as what is on it, an inch of it an inch of the layout."""
    edges = [layout.rectangle(box) for box in layout.layers.boxes]
    for node, path in layout.layers.home.items():
        if not path:
            x, y = layout.x[node], layout.y[layout.layers.row[node]]
            half = layout.widths[node] / 2 if isinstance(node, str) else 0.0  # a bend of an edge
            edges.append((x - half, y - HEIGHT / 2, x + half, y + HEIGHT / 2))
    lows, highs = [e[:2] for e in edges], [e[2:] for e in edges]
    left, bottom = (min(c) - MARGIN for c in zip(*lows, strict=True))
    right, top = (max(c) + MARGIN for c in zip(*highs, strict=True))
    spare = max(0.0, _width(caption, SMALL) + 2 * MARGIN - (right - left)) / 2
    left, right, bottom = left - spare, right + spare, bottom - CAPTION
    figure.set_size_inches(right - left, top - bottom)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    axes.text((left + right) / 2, bottom + MARGIN, caption, fontsize=SMALL, color=GREY, ha="center")


def _box(axes: Axes, corners: tuple[float, float, float, float], title: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, bottom, right, top = corners
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), right - left, top - bottom, style, fc="none", ec=GREY, lw=0.9,
            gid=f"plate {title}",
        )
    )  # fmt: skip
    words = axes.text(right - 0.1, bottom + 0.08, title, fontsize=SMALL, color=GREY, ha="right")
    words.set_bbox({"fc": "white", "ec": "none", "pad": 1})


def _edge(axes: Axes, layout: Layout, parent: str, child: str) -> None:
    """Draw an arrow that leaves and enters vertically, through the bends of a long edge."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    points = layout.waypoints(parent, child)
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x, y), (a, b) in pairwise(points):
        vertices += [(x, (y + b) / 2), (a, (y + b) / 2), (a, b)]
        codes += [Curve.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Curve(vertices, codes), arrowstyle="-|>,head_length=4.5,head_width=2.2",
            lw=1, ec=INK, fc=INK, gid=f"{parent} -> {child}",
        )
    )  # fmt: skip


def _node(axes: Axes, v: Variable, middle: tuple[float, float], width: float, marks: Marks) -> None:
    """Draw a site by its kind, ringed where it is centred, with its name and family."""
    from matplotlib.patches import Ellipse, FancyBboxPatch

    x, y = middle
    fill = {"observed": PALE, "factor": INK}.get(v.kind, "white")
    look: dict[str, Any] = {"fc": fill, "ec": INK, "lw": 1.1, "gid": v.name}
    dashes = (0, (4, 2.5)) if v.name in marks.dashed else "-"
    look["ls"] = ":" if v.kind == "fixed" else dashes
    if v.kind in ("deterministic", "factor"):
        corner = (x - width / 2, y - HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(corner, width, HEIGHT, "round,pad=0,rounding_size=0.04", **look)
        )
    else:
        axes.add_patch(Ellipse((x, y), width, HEIGHT, **look))
    if v.name in marks.doubled:
        look |= {"fc": "none", "gid": f"{v.name} centred"}
        axes.add_patch(Ellipse((x, y), width - 2 * RING, HEIGHT - 2 * RING, **look))
    first, second = ("white", PALE) if v.kind == "factor" else (INK, GREY)
    for text, size, colour, rise, side in (
        (v.name, PLAIN, first, 0.01, "bottom"),
        (_below(v), SMALL - 1, second, -0.03, "top"),
    ):
        axes.text(
            x, y + rise, text, size=size, color=colour, ha="center", va=side, parse_math=False
        )


def _below(v: Variable) -> str:
    """Return the words under a site's name: its family, or what else it is."""
    return v.family or v.kind


def _width(text: str, size: float) -> float:
    """Return the width of a text in inches."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72
