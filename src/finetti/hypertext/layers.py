"""Sort the sites of a graph into layers, parents above children, each plate a run of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

Path = tuple[str, ...]  # the plates around a site, outermost first
Node = str | tuple[str, str, int]  # a site, or the bend of an edge (parent, child) in a layer


@dataclass(frozen=True)
class Layers:
    """Hold a graph: `parents` maps sites to their parents, `plates` to the plates around them.

    Longest paths make the layers, and long edges bend once a layer (Sugiyama, Tagawa & Toda
    1981). A box is a plate in its place among plates, named by its path.
    """

    parents: Mapping[str, tuple[str, ...]]
    plates: Mapping[str, Path]

    @cached_property
    def row(self) -> dict[Node, int]:
        """Map every site and bend to its layer, 0 at the top."""
        below, depth = self._below(), {}
        for site in _sorted(below):
            depth.setdefault(site, 0)
            for lower in below[site]:
                depth[lower] = max(depth.get(lower, 0), depth[site] + 1)
        mentioned = set().union(*below.values())
        for site in self.parents:
            if site not in mentioned and below[site]:
                depth[site] = min(depth[lower] for lower in below[site]) - 1
        bends = {
            (parent, child, row): row
            for child, found in self.parents.items()
            for parent in found
            for row in range(depth[parent] + 1, depth[child])
        }
        return {**{site: depth[site] for site in self.parents}, **bends}

    def _below(self) -> dict[str, set[str]]:
        """Map each site to those that stand lower: its children, and whole plates where it can.

        A plate's box begins below what its members come from, and ends above what they lead to.
        """
        below: dict[str, set[str]] = {site: set() for site in self.parents}
        edges = [(parent, child) for child, found in self.parents.items() for parent in found]
        for parent, child in edges:
            below[parent].add(child)
        wishes = [
            (parent, site)
            for parent, child in edges
            for box in prefixes(self.plates[child])
            if self.plates[parent][: len(box)] != box
            for site in self.members(box)
        ] + [
            (site, child)
            for parent, child in edges
            for box in prefixes(self.plates[parent])
            if self.plates[child][: len(box)] != box
            for site in self.members(box)
        ]
        for upper, lower in wishes:
            if upper not in _reached(below, lower):
                below[upper].add(lower)
        return below

    def members(self, box: Path) -> list[str]:
        """Return the sites inside a box, those of the boxes within among them."""
        return [site for site, path in self.plates.items() if path[: len(box)] == box]

    @cached_property
    def boxes(self) -> list[Path]:
        """Return every plate's path, outer ones first."""
        found = dict.fromkeys(box for path in self.plates.values() for box in prefixes(path))
        return sorted(found, key=len)

    @cached_property
    def span(self) -> dict[Path, tuple[int, int]]:
        """Map each box to its first and its last layer."""
        rows = {box: [self.row[site] for site in self.members(box)] for box in self.boxes}
        return {box: (min(found), max(found)) for box, found in rows.items()}

    @cached_property
    def home(self) -> dict[Node, Path]:
        """Map every site and bend to the innermost box around it."""
        return {node: self._home(node) for node in self.row}

    def _home(self, node: Node) -> Path:
        if isinstance(node, str):
            return self.plates[node]
        parent, child, row = node
        inside = [box for box in prefixes(self.plates[child]) if self.span[box][0] <= row]
        inside += [box for box in prefixes(self.plates[parent]) if row <= self.span[box][1]]
        return max(inside, key=len, default=())

    @cached_property
    def links(self) -> list[tuple[Node, Node]]:
        """Return the pieces of all edges, from layer to layer."""
        return [
            pair
            for child, found in self.parents.items()
            for parent in found
            for pair in pairwise(self.route(parent, child))
        ]

    def route(self, parent: str, child: str) -> list[Node]:
        """Return the nodes that an edge passes, from parent to child."""
        rows = range(self.row[parent] + 1, self.row[child])
        return [parent, *((parent, child, row) for row in rows), child]

    @cached_property
    def near(self) -> dict[Node, list[Node]]:
        """Map every site and bend to its neighbours."""
        near: dict[Node, list[Node]] = {node: [] for node in self.row}
        for upper, lower in self.links:
            near[upper].append(lower)
            near[lower].append(upper)
        return near


def prefixes(path: Path) -> list[Path]:
    """Return the boxes that a path leads through, outermost first."""
    return [path[: depth + 1] for depth in range(len(path))]


def _reached(below: Mapping[str, Iterable[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        new = set(below[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def _sorted(below: Mapping[str, set[str]]) -> list[str]:
    """Return the sites, each before all that stand below it."""
    order: list[str] = []
    waiting = list(below)
    while waiting:
        free = [s for s in waiting if not any(s in below[other] for other in waiting)]
        order += free
        waiting = [s for s in waiting if s not in free]
    return order
