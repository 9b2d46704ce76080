"""Place the layers of a graph on paper, its plates as boxes that never overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from math import fsum
from statistics import fmean

from finetti.hypertext.layers import Layers, Node, Path, prefixes

HEIGHT, GAP = 0.5, 0.22  # inches: of a node, and between neighbours
RISE, PAD, FOOT = 0.34, 0.16, 0.3  # between layers; a box's margin, and where its title stands
PASSES, PUSHES = 60, 20


@dataclass(frozen=True)
class Layout:
    """Hold where the parts of a graph stand, in inches, y upwards.

    `widths` maps sites and boxes to the room they need. Nodes move to the mean of their
    neighbours; a box is packed first and then moves as one.
    """

    layers: Layers
    widths: Mapping[str | Path, float]

    @cached_property
    def x(self) -> dict[Node, float]:
        """Map every site and bend to its middle: of all that was tried, what crosses least."""
        near = self.layers.near
        x: dict[Node, float] = {node: float(i) for i, node in enumerate(self.layers.row)}
        tried = []
        for _ in range(PASSES):
            # Half way only: were all to move the whole way at once, neighbours would swap places.
            wish = {n: (x[n] + fmean([x[m] for m in near[n]] or [x[n]])) / 2 for n in near}
            x, _ = self._pack((), wish)
            tried.append(x)
        return min(tried, key=self._cost)

    def _weight(self, node: Node) -> int:
        """Return the number of neighbours: so weighed, moving to their means keeps the middle."""
        return max(len(self.layers.near[node]), 1)

    def _pack(self, box: Path, wish: Mapping[Node, float]) -> tuple[dict[Node, float], float]:
        """Place what is in a box side by side; return places about its middle and width."""
        blocks = []
        for node in (n for n in self.layers.row if self.layers.home[n] == box):
            width = self.widths[node] if isinstance(node, str) else 0.0
            row = self.layers.row[node]
            blocks.append(_Block({node: 0.0}, width, row, row, wish[node], self._weight(node)))
        for inner in (b for b in self.layers.boxes if b[:-1] == box):
            places, width = self._pack(inner, wish)
            weights = [self._weight(node) for node in places]
            middle = fmean((wish[node] - shift for node, shift in places.items()), weights)
            blocks.append(_Block(places, width, *self.layers.span[inner], middle, sum(weights)))
        centres = _spread(sorted(blocks, key=lambda b: b.wish))
        left = min(c - b.width / 2 for b, c in centres)
        right = max(c + b.width / 2 for b, c in centres)
        middle = (left + right) / 2 if box else 0.0
        found = {n: c + shift - middle for b, c in centres for n, shift in b.places.items()}
        return found, max(right - left + 2 * PAD, self.widths.get(box, 0.0))

    def _cost(self, x: Mapping[Node, float]) -> tuple[int, float]:
        """Count the crossings, and add up how far edges lean."""
        pieces = [(self.layers.row[a], x[a], x[b]) for a, b in self.layers.links]
        crossings = sum(
            row == other and (a - c) * (b - d) < 0
            for (row, a, b), (other, c, d) in combinations(pieces, 2)
        )
        return crossings, fsum((a - b) ** 2 for _, a, b in pieces)

    @cached_property
    def y(self) -> list[float]:
        """Return the height of each layer's middle, with room for the boxes that begin and end."""
        last = max(self.layers.row.values())
        heights = [0.0]
        for row in range(last):
            ends = max(self._count(site, 1, row) for site in self.layers.parents)
            starts = max(self._count(site, 0, row + 1) for site in self.layers.parents)
            heights.append(heights[-1] - HEIGHT - RISE - ends * FOOT - starts * PAD)
        return heights

    def _count(self, site: str, side: int, row: int) -> int:
        """Count the boxes around a site that begin (side 0) or end (side 1) in a layer."""
        return sum(self.layers.span[box][side] == row for box in prefixes(self.layers.plates[site]))

    def rectangle(self, box: Path) -> tuple[float, float, float, float]:
        """Return a box's left, bottom, right and top."""
        inside = [self.rectangle(b) for b in self.layers.boxes if b[:-1] == box]
        for node in (n for n in self.layers.row if self.layers.home[n] == box):
            half = self.widths.get(node, 0.0) / 2 if isinstance(node, str) else 0.0
            x, y, rise = self.x[node], self.y[self.layers.row[node]], HEIGHT / 2
            inside.append((x - half, y - rise, x + half, y + rise))
        left, bottom, right, top = (pick(c) for pick, c in zip(
            (min, min, max, max), zip(*inside, strict=True), strict=True
        ))  # fmt: skip
        spare = max(PAD, (self.widths.get(box, 0.0) - (right - left)) / 2)
        return left - spare, bottom - FOOT, right + spare, top + PAD

    def waypoints(self, parent: str, child: str) -> list[tuple[float, float]]:
        """Return where an edge turns: it passes rows and the feet of boxes vertically."""
        points: list[tuple[float, float]] = []
        for node, after in pairwise(self.layers.route(parent, child)):
            x, y = self.x[node], self.y[self.layers.row[node]]
            points += [(x, y + HEIGHT / 2)] if node != parent else []
            points.append((x, y - HEIGHT / 2))
            left = set(prefixes(self.layers.home[node])) - set(prefixes(self.layers.home[after]))
            points += [(x, self.rectangle(min(left, key=len))[1])] if left else []
        return [*points, (self.x[child], self.y[self.layers.row[child]] + HEIGHT / 2)]


@dataclass(frozen=True)
class _Block:
    """Hold what moves as one, a node or a whole box: its layers, its wish, its weight."""

    places: Mapping[Node, float]
    width: float
    first: int
    last: int
    wish: float
    weight: int

    def meets(self, other: _Block) -> bool:
        """Tell whether they share a layer."""
        return self.first <= other.last and other.first <= self.last

    def clear_of(self, other: _Block) -> float:
        """Return how far apart two middles must be."""
        return (self.width + other.width) / 2 + GAP


def _spread(blocks: list[_Block]) -> list[tuple[_Block, float]]:
    """Place blocks in the order given, near their wishes and clear of one another.

    Pairs that overlap push each other apart, the lighter the further, which keeps their common
    middle in place; a last pass to the right makes up what is left to push.
    """
    x = [block.wish for block in blocks]
    pairs = [
        (i, j, blocks[i].clear_of(blocks[j]))
        for j in range(len(blocks))
        for i in range(j)
        if blocks[i].meets(blocks[j])
    ]
    for _ in range(PUSHES):
        for i, j, need in pairs:
            overlap = max(0.0, need - (x[j] - x[i]))
            share = blocks[j].weight / (blocks[i].weight + blocks[j].weight)
            x[i] -= overlap * share
            x[j] += overlap * (1 - share)
    for i, j, need in pairs:
        x[j] = max(x[j], x[i] + need)
    return list(zip(blocks, x, strict=True))
