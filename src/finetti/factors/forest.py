"""Find the best states of variables that bounded shifts join to trees, exactly, many at once.

One pass of messages from the leaves to the roots, each a dilation, and one decision from the roots
down. Nothing is compiled, so that a graph may be used once; all messages of one bound that are
ready are one piece of array work; and whole numbers stay whole, in as few bits as hold them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from finetti.errors import Contradiction, ModelError
from finetti.factors.graph import Graph
from finetti.factors.pairs import Edges, Nodes, read
from finetti.factors.variables import Variables
from finetti.factors.windows import empty_of, inner, spread, with_room
from finetti.types import AnyArray, Bool, DType, Float, Int

WHOLE = (np.int8, np.int16, np.int32, np.int64)  # types of whole numbers, the smallest first


@dataclass(frozen=True, eq=False)
class Step:
    """Hold the messages of one bound that can be sent together, no two to one target."""

    reach: tuple[int, ...]
    cost: float
    sources: Int[AnyArray, " message"]
    targets: Int[AnyArray, " message"]


@dataclass(frozen=True, eq=False)
class Forest:
    """Find the best joint state of variables that bounded shifts join to trees, exactly.

    Make one with `Forest.of(graph)`, or with `Forest.spanning(graph)` where there are loops. Nodes
    are the graph's variables, numbered through all arrays; `roots` are those of the trees, in the
    order of their first nodes, and `inside` tells of each pair that a factor joins, in the order of
    `graph.factors`, whether the trees keep it. A tree is rooted in the middle of its longest path.

    >>> from finetti import factors as fg
    >>> part = fg.Variables("part", {"part": 3}, states=41 * 41)
    >>> joint = fg.BoundedShift(part[:-1], part[1:], reach=2, window=(41, 41))
    >>> seen = np.zeros((3, 41, 41), np.int8)
    >>> seen[0, 20, 20] = seen[1, 21, 22] = seen[2, 40, 0] = 1  # the third out of reach
    >>> best = fg.Forest.of(fg.Graph(joint)).run({"part": seen.reshape(3, -1)})
    >>> best.scores
    array([2], dtype=int8)
    >>> [divmod(state, 41) for state in best.decode()["part"].tolist()]
    [(20, 20), (21, 22), (21, 22)]
    """

    nodes: Nodes
    roots: Int[AnyArray, " tree"]
    parents: Int[AnyArray, " node"]  # itself, at a root
    heights: Int[AnyArray, " node"]  # edges to the furthest leaf below
    reach: Int[AnyArray, "node axis"]  # of the bound to the parent
    cost: Float[AnyArray, " node"]  # of the bound to the parent
    outward: Int[AnyArray, " node"]  # the nodes, tree by tree from its root
    inside: Bool[AnyArray, " edge"]

    @staticmethod
    def of(graph: Graph) -> Forest:
        """Lay out a graph whose factors are all bounded shifts and form no loop.

        Raises `ModelError` for any other; `spanning` leaves factors out until there is no loop.
        """
        found = Forest.spanning(graph)
        if not found.inside.all():
            raise ModelError(
                f"{graph} has loops; use MaxProduct, or Forest.spanning(graph) for the best "
                "without the widest bounds"
            )
        return found

    @staticmethod
    def spanning(graph: Graph) -> Forest:
        """Keep the bounds of a graph that leave the fewest places and form no loop.

        Of equally wide ones the first stated is kept. What is left out would only lower scores:
        those of the trees are never below the graph's own. Raises `ModelError` where the graph has
        other factors than bounded shifts.
        """
        nodes, edges = read(graph)
        n, kept = len(nodes), _least(len(nodes), edges)
        ends = edges.ends[kept]
        half = coo_array((np.ones(len(kept)), (ends[:, 0], ends[:, 1])), (n, n)).tocsr()
        tree = csr_array(half + half.T)
        parents, heights, seen = np.arange(n), np.zeros(n, int), np.zeros(n, bool)
        roots, outward = [], []
        for first in range(n):
            if not seen[first]:
                root = _middle(tree, first)
                order, before = breadth_first_order(half, root, directed=False)
                parents[order[1:]] = before[order[1:]]
                # The furthest first, so that a node's height is known before it counts for its
                # parent's.
                for node in order[:0:-1]:
                    heights[before[node]] = max(heights[before[node]], heights[node] + 1)
                seen[order] = True
                roots.append(root)
                outward.append(order)
        reach, cost = np.zeros((n, len(nodes.window)), int), np.zeros(n)
        child = np.where(parents[ends[:, 0]] == ends[:, 1], ends[:, 0], ends[:, 1])
        reach[child], cost[child] = edges.reach[kept], edges.cost[kept]
        return Forest(
            nodes=nodes,
            roots=np.array(roots),
            parents=parents,
            heights=heights,
            reach=reach,
            cost=cost,
            outward=np.concatenate(outward),
            inside=np.isin(np.arange(len(edges.ends)), kept),
        )

    @staticmethod
    def joined(forests: Sequence[Forest]) -> Forest:
        """Lay forests end to end as one, without looking for trees anew.

        Each has one array of variables with one dimension, and all have the same names and window;
        the forest of all has one array as long as all together. Raises `ModelError` for others.
        """
        arrays = [v for f in forests for v in f.nodes.variables]
        alike = {(v.name, v.dims, f.nodes.window) for f in forests for v in f.nodes.variables}
        if len(alike) != 1 or len(arrays) != len(forests) or len(arrays[0].dims) != 1:
            raise ModelError(
                "forests are joined where each has one array of variables with one dimension, "
                f"under one name and in one window; these have {sorted(alike)}"
            )
        (name, (dim,), window), sizes = alike.pop(), np.array([v.size for v in arrays])
        each = list(zip(forests, np.cumsum(sizes) - sizes, strict=True))
        variables = Variables(name, {dim: int(sizes.sum())}, states=prod(window))
        return Forest(
            nodes=Nodes((variables,), window),
            roots=np.concatenate([f.roots + first for f, first in each]),
            parents=np.concatenate([f.parents + first for f, first in each]),
            heights=np.concatenate([f.heights for f in forests]),
            reach=np.concatenate([f.reach for f in forests]),
            cost=np.concatenate([f.cost for f in forests]),
            outward=np.concatenate([f.outward + first for f, first in each]),
            inside=np.concatenate([f.inside for f in forests]),
        )

    @cached_property
    def upward(self) -> tuple[Step, ...]:
        """Return the messages to the roots in order: a node sends when all below it have sent."""
        groups: dict[tuple, list[int]] = {}
        sent: Counter[tuple] = Counter()  # no two messages of one step go to the same parent
        rows = (self.heights.tolist(), map(tuple, self.reach.tolist()), self.cost.tolist())
        for node, (parent, bound) in enumerate(
            zip(self.parents.tolist(), zip(*rows, strict=True), strict=True)
        ):
            if parent != node:
                groups.setdefault((*bound, sent[bound, parent]), []).append(node)
                sent[bound, parent] += 1
        return tuple(
            Step(reach, cost, np.array(nodes), self.parents[nodes])
            for (_, reach, cost, _), nodes in sorted(groups.items())
        )

    def run(self, evidence: Mapping[str, AnyArray]) -> Best:
        """Pass messages from the leaves to the roots; return what the roots then believe.

        `evidence` gives log weights, (*batch, *shape, states), by the names of variables: axes in
        front of their own are a batch, every member of which is solved. Real numbers are added in
        their own type, whole ones in the smallest that holds all sums, unless factors cost. Raises
        `ModelError` where evidence does not fit, and `Contradiction` where no joint state is
        possible.
        """
        given, batch = self.nodes.beliefs(evidence)
        beliefs = with_room(given, self._type(given))
        for step in self.upward:
            beliefs[step.targets] += spread(beliefs[step.sources], step.reach, step.cost)
        found = Best(self, batch, beliefs)
        if np.isneginf(found.scores).any():
            raise Contradiction(
                "no joint state is possible: the evidence on some tree leaves no states within "
                "the bounds; look for evidence that contradicts it"
            )
        return found

    def _type(self, given: AnyArray) -> DType:
        """Choose the type that messages are added in."""
        if np.issubdtype(given.dtype, np.floating):
            return given.dtype
        if self.cost.any():
            return np.dtype(np.float64)
        first = np.flatnonzero(np.isin(self.outward, self.roots))
        largest = int(np.diff(first, append=len(given)).max())  # nodes of a tree
        # The least number of the type stands for minus infinity.
        most = largest * max(int(given.max(initial=0)), -int(given.min(initial=0)))
        types = (np.dtype(t) for t in WHOLE if most < np.iinfo(t).max)
        return next(types, np.dtype(np.float64))


@dataclass(frozen=True, eq=False)
class Best:
    """Hold the best scores of a forest's trees and what their roots believe; `decode` finds states.

    `beliefs` are of all nodes, (node, batch, *window with room): what each tree scores at best
    below and at a node, which at a root is all of it.

    >>> from finetti import factors as fg
    >>> part = fg.Variables("part", {"part": 2}, states=9)
    >>> joint = fg.BoundedShift(part[:1], part[1:], reach=1, window=(3, 3))
    >>> seen = np.zeros((2, 9), np.int8)
    >>> seen[0, 0] = seen[1, 4] = 1
    >>> best = fg.Forest.of(fg.Graph(joint)).run({"part": seen})
    >>> best.scores.tolist(), best.decode()["part"].tolist()
    ([2], [0, 4])
    """

    forest: Forest
    batch: tuple[int, ...]
    beliefs: AnyArray

    @property
    def at_roots(self) -> AnyArray:
        """Return each tree's best score for each place of its root, (*batch, tree, *window)."""
        found = inner(self.beliefs[self.forest.roots]).swapaxes(0, 1)
        return found.reshape(*self.batch, *found.shape[1:])

    @property
    def scores(self) -> AnyArray:
        """Return each tree's best score, (*batch, tree)."""
        window = range(-len(self.forest.nodes.window), 0)
        return self.at_roots.max(tuple(window))

    def decode(self) -> dict[str, Int[AnyArray, "..."]]:
        """Return a joint state with the best score, as `graph.score` takes it: (*batch, *shape).

        Of equally good places a root takes the one in their middle, and every other node the one
        nearest its parent's, so that neighbours shift alike.
        """
        forest, values = self.forest, inner(self.beliefs)
        window, batch = np.array(forest.nodes.window), values.shape[1]
        places = np.zeros((*values.shape[:2], len(window)), int)
        for root in forest.roots:
            for b in range(batch):
                best = np.argwhere(values[root, b] == values[root, b].max())
                places[root, b] = best[np.abs(best - best.mean(0)).sum(1).argmin()]
        each = np.arange(batch)[:, None]
        for step in reversed(forest.upward):
            steps = np.array(list(np.ndindex(*(2 * r + 1 for r in step.reach)))) - step.reach
            at = places[step.targets][:, :, None] + steps  # (message, batch, step, axis)
            inside = ((at >= 0) & (at < window)).all(-1)
            at = np.moveaxis(at.clip(0, window - 1), -1, 0)
            near = values[(step.sources[:, None, None], each, *at)]
            if step.cost:
                near = near - step.cost * np.abs(steps).max(1)
            top = near.max(-1, keepdims=True, where=inside, initial=empty_of(near.dtype))
            distance = np.where(inside & (near == top), (steps**2).sum(1), np.inf)
            places[step.sources] = places[step.targets] + steps[distance.argmin(-1)]
        return forest.nodes.states(places, self.batch)


def _least(nodes: int, edges: Edges) -> Int[AnyArray, " edge"]:
    """Return the edges of the spanning forest that leave the fewest places, in their order."""
    width = np.prod(2 * edges.reach + 1, 1, dtype=float)
    order = np.lexsort((np.arange(len(width)), width))
    ends = np.sort(edges.ends[order], 1)
    _, first = np.unique(ends, axis=0, return_index=True)  # of edges that join the same two
    first = np.sort(first)
    weights = 1.0 + first  # ranks: none is zero, which would mean no edge, and none are equal
    graph = coo_array((weights, (ends[first, 0], ends[first, 1])), (nodes, nodes)).tocsr()
    ranks = minimum_spanning_tree(graph).data.astype(int) - 1
    return np.sort(order[ranks])


def _middle(tree: csr_array, start: int) -> int:
    """Return the middle of the longest path of the tree that `start` belongs to."""
    # What is furthest from any node ends a longest path; what is furthest from that is its other
    # end.
    end = int(breadth_first_order(tree, start, directed=False)[0][-1])
    order, before = breadth_first_order(tree, end, directed=False)
    path = [int(order[-1])]
    while path[-1] != end:
        path.append(int(before[path[-1]]))
    return path[len(path) // 2]
