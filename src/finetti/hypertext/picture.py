"""Draw a graph of names as SVG in the colours of the page: nodes, arrows, plates as boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count, pairwise

from finetti.hypertext.layers import Layers, Path
from finetti.hypertext.layout import HEIGHT, Layout

INCH = 72  # units of the picture
PLAIN, SMALL = 10.0, 8.0  # points
LETTER = 0.6  # widths of a letter by its height, more than most take
NARROWEST, MARGIN, RING = 0.8, 0.15, 0.04  # inches
SHADE = 'fill="currentColor" fill-opacity="0.18"'
_numbers = count(1)


@dataclass(frozen=True)
class Node:
    """Hold what is drawn of one site: its name, the words below it, its plates, its look.

    `shape` is "round", "square" or "black"; `dash` is the pattern of its line.
    """

    name: str
    words: str
    plates: Path = ()
    shape: str = "round"
    shaded: bool = False
    dash: str = ""
    double: bool = False

    @property
    def width(self) -> float:
        """Return the room it takes, in inches."""
        return max(NARROWEST, 0.3 + _width(self.name, PLAIN), 0.3 + _width(self.words, SMALL))


def picture(
    nodes: Sequence[Node], parents: Mapping[str, tuple[str, ...]], titles: Mapping[Path, str]
) -> str:
    """Return a graph as an SVG element that says in words what it shows.

    `parents` maps each node's name to those of its parents, `titles` each plate's path to what
    stands in its corner. Lines and letters have the colour of the text around.
    """
    if not nodes:
        return ""
    known = {node.name: node for node in nodes}
    widths: dict[str | Path, float] = {node.name: node.width for node in nodes}
    widths |= {path: 0.3 + 2 * _width(title, SMALL) for path, title in titles.items()}
    layout = Layout(Layers(parents, {node.name: node.plates for node in nodes}), widths)
    tip = f"finetti-tip-{next(_numbers)}"
    drawn = [_box(layout.rectangle(path), title) for path, title in titles.items()]
    drawn += [
        _edge(layout.waypoints(parent, child), tip)
        for child, found in parents.items()
        for parent in found
    ]
    middles = {n: (layout.x[n], layout.y[layout.layers.row[n]]) for n in known}
    drawn += [_node(node, *middles[name]) for name, node in known.items()]
    left, bottom, right, top = _extent(layout, middles, known)
    view = f"{_n(left)} {_n(-top)} {_n(right - left)} {_n(top - bottom)}"
    size = f'width="{_n(right - left)}" height="{_n(top - bottom)}"'
    marker = (
        f'<defs><marker id="{tip}" markerWidth="7" markerHeight="6" refX="6" refY="3" '
        f'orient="auto"><path d="M0,0 L7,3 L0,6 z" fill="currentColor"/></marker></defs>'
    )
    label = escape(_said(nodes, parents), quote=True)
    return (
        f'<svg role="img" aria-label="{label}" viewBox="{view}" {size} '
        f'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" style="max-width: 100%">'
        f"{marker}{''.join(drawn)}</svg>"
    )


def _said(nodes: Sequence[Node], parents: Mapping[str, tuple[str, ...]]) -> str:
    """Say which node comes from which."""
    lines = []
    for node in nodes:
        above = ", ".join(parents.get(node.name, ()))
        lines.append(f"{node.name} ({node.words})" + (f" from {above}" if above else ""))
    return f"graph of {len(nodes)} sites: {'; '.join(lines)}"


def _extent(
    layout: Layout, middles: Mapping[str, tuple[float, float]], known: Mapping[str, Node]
) -> tuple[float, float, float, float]:
    """Return the left, bottom, right and top of all that is drawn, in inches."""
    edges = [layout.rectangle(box) for box in layout.layers.boxes]
    for name, (x, y) in middles.items():
        half = known[name].width / 2
        edges.append((x - half, y - HEIGHT / 2, x + half, y + HEIGHT / 2))
    for node, row in layout.layers.row.items():
        if not isinstance(node, str):  # a bend of an edge
            edges.append((layout.x[node], layout.y[row], layout.x[node], layout.y[row]))
    left, bottom, right, top = zip(*edges, strict=True)
    return min(left) - MARGIN, min(bottom) - MARGIN, max(right) + MARGIN, max(top) + MARGIN


def _box(corners: tuple[float, float, float, float], title: str) -> str:
    left, bottom, right, top = corners
    return (
        f'<rect x="{_n(left)}" y="{_n(-top)}" width="{_n(right - left)}" '
        f'height="{_n(top - bottom)}" rx="6" fill="none" stroke="currentColor" '
        f'stroke-opacity="0.5"/>{_text(right - 0.1, bottom + 0.08, title, "end", SMALL)}'
    )


def _edge(points: Sequence[tuple[float, float]], tip: str) -> str:
    """Draw an arrow that leaves and enters vertically, through its bends."""
    path = [f"M{_n(points[0][0])},{_n(-points[0][1])}"]
    for (x, y), (a, b) in pairwise(points):
        middle = _n(-(y + b) / 2)
        path.append(f"C{_n(x)},{middle} {_n(a)},{middle} {_n(a)},{_n(-b)}")
    return (
        f'<path d="{" ".join(path)}" fill="none" stroke="currentColor" marker-end="url(#{tip})"/>'
    )


def _node(node: Node, x: float, y: float) -> str:
    """Return a node as SVG, whose y runs down where the picture's runs up."""
    dash = f' stroke-dasharray="{node.dash}"' if node.dash else ""
    fill = SHADE if node.shaded else 'fill="none"'
    fill = 'fill="currentColor" fill-opacity="0.45"' if node.shape == "black" else fill
    drawn = []
    for inward in (0.0, RING) if node.double else (0.0,):
        wide, high = node.width / 2 - inward, HEIGHT / 2 - inward
        if node.shape == "round":
            drawn.append(f'<ellipse cx="{_n(x)}" cy="{_n(-y)}" rx="{_n(wide)}" ry="{_n(high)}"')
        else:
            drawn.append(
                f'<rect x="{_n(x - wide)}" y="{_n(-y - high)}" width="{_n(2 * wide)}" '
                f'height="{_n(2 * high)}" rx="3"'
            )
        drawn.append(f' {fill} stroke="currentColor"{dash}/>')
        fill = 'fill="none"'
    drawn.append(_text(x, y + 0.03, node.name, "middle", PLAIN))
    drawn.append(_text(x, y - 0.13, node.words, "middle", SMALL))
    return "".join(drawn)


def _text(x: float, y: float, text: str, anchor: str, size: float) -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(-y)}" text-anchor="{anchor}" font-size="{size:g}" '
        f'fill="currentColor">{escape(text)}</text>'
    )


def _width(text: str, size: float) -> float:
    """Return about how wide a text is, in inches."""
    return LETTER * size * len(text) / INCH


def _n(inches: float) -> str:
    """Write a length in the picture's units."""
    return f"{inches * INCH:.1f}"
