"""Pass max-product messages over pools of shifts, whose pairwise factors bound their differences.

A variable is a feature's shift in its pool, a square of states; an edge says that two shifts differ
by at most its radius in rows and in columns. Its message is then a grey dilation: the largest
belief within the radius of each state. A tree is solved exactly by one pass from the leaves to the
root. Many trees go through together: all messages of one radius that are ready are one piece of
array work. Agreement is counted in whole features, so that eight bits hold a belief.

`dilate`, `spanning_forest`, `collect` and `decode` are all that recognition asks of an inference
engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from finetti.types import AnyArray, Bool, DType, Int

TIE = 1e-4  # features: what a squared pixel from the parent's state costs, to choose among equals
ROOM = 7  # empty columns between a pool's rows, which a dilation may reach into


@dataclass(frozen=True)
class Step:
    """Hold the messages of one radius that can be sent together, no two to one target."""

    radius: int
    sources: Int[AnyArray, " message"]
    targets: Int[AnyArray, " message"]


@dataclass(frozen=True)
class Forest:
    """Hold the spanning trees of many graphs, with the order in which messages go to the roots."""

    roots: Int[AnyArray, " tree"]
    parents: Int[AnyArray, " node"]  # itself, at a root
    radii: Int[AnyArray, " node"]  # of the edge to the parent
    heights: Int[AnyArray, " node"]  # edges to the furthest leaf below
    upward: tuple[Step, ...]
    inside: Bool[AnyArray, " edge"]  # which edges the trees keep


def empty_of(dtype: DType) -> int | float:
    """Return what stands for minus infinity."""
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf


def pools(n: int, side: int, dtype: DType) -> AnyArray:
    """Return `n` pools of no belief, (pool, row, col), with room after each row for dilations."""
    return np.full((n, side, side + ROOM), empty_of(dtype), dtype)


def inner(beliefs: AnyArray) -> AnyArray:
    """Return the pools without the room after their rows."""
    return beliefs[:, :, :-ROOM]


def dilate(beliefs: AnyArray, radius: int) -> AnyArray:
    """Return the largest belief within `radius` rows and columns of each state of each pool."""
    empty = empty_of(beliefs.dtype)
    while radius > ROOM:  # windows that reach beyond the room are made of smaller ones
        beliefs = dilate(beliefs, ROOM)
        radius -= ROOM
    if radius == 0:
        return beliefs.copy()
    # Along columns everything is one long row: what lies between two rows is empty.
    n, side, width = beliefs.shape
    flat = np.full(beliefs.size + 2 * ROOM, empty, beliefs.dtype)
    flat[ROOM:-ROOM] = beliefs.reshape(-1)
    flat = _windows(flat, 2 * radius + 1, axis=0)[ROOM - radius :][: beliefs.size]
    tall = np.full((n, side + 2 * radius, width), empty, beliefs.dtype)
    tall[:, radius:-radius] = flat.reshape(beliefs.shape)
    dilated = _windows(tall, 2 * radius + 1, axis=1)
    dilated[:, :, -ROOM:] = empty
    return dilated


def _windows(values: AnyArray, length: int, axis: int) -> AnyArray:
    """Return the largest of each run of `length` values, by windows that double."""
    reach = 1
    while reach < length:
        apart = min(reach, length - reach)
        stop = values.shape[axis] - apart
        if axis == 0:
            values = np.maximum(values[:stop], values[apart:])
        else:
            values = np.maximum(values[:, :stop], values[:, apart:])
        reach += apart
    return values


def collect(forest: Forest, beliefs: AnyArray) -> None:
    """Send messages from the leaves to the roots, adding to `beliefs` in place.

    After it a root's belief is its max-marginal: its largest value is the tree's best score.
    """
    for step in forest.upward:
        message = dilate(beliefs[step.sources], step.radius)
        message[:, :, -ROOM:] = 0
        beliefs[step.targets] += message


def decode(forest: Forest, beliefs: AnyArray) -> Int[AnyArray, "node 2"]:
    """Return the states (row, col) of most belief, from the roots down, after `collect`.

    A root takes the middle of its best states. Every other node takes the best state its edge
    allows, of equals the one nearest its parent's state, so that neighbours shift alike.
    """
    values = inner(beliefs)
    side = values.shape[1]
    states = np.zeros((len(values), 2), int)
    for root in forest.roots:
        best = np.argwhere(values[root] == values[root].max())
        states[root] = best[np.abs(best - best.mean(0)).sum(1).argmin()]
    for step in reversed(forest.upward):
        reach = np.arange(-step.radius, step.radius + 1)
        rows, cols = (states[step.targets, axis][:, None] + reach for axis in (0, 1))
        inside = ((rows >= 0) & (rows < side))[:, :, None] & ((cols >= 0) & (cols < side))[:, None]
        at = (rows.clip(0, side - 1)[:, :, None], cols.clip(0, side - 1)[:, None])
        near = values[(step.sources[:, None, None], *at)].astype(np.float32)
        near -= TIE * (reach[:, None] ** 2 + reach**2)
        best = np.where(inside, near, -np.inf).reshape(len(near), -1).argmax(1)
        down, across = np.divmod(best, len(reach))
        each = np.arange(len(best))
        states[step.sources] = np.stack([rows[each, down], cols[each, across]], 1)
    return states


def spanning_forest(
    sizes: Sequence[int], edges: Int[AnyArray, "edge 2"], radii: Int[AnyArray, " edge"]
) -> Forest:
    """Choose each graph's spanning tree of least radii, which bounds shifts the most.

    Nodes are numbered through all graphs, `sizes` nodes to each. A tree is rooted in the middle of
    its longest path, so that messages take the fewest steps. Raises ValueError for one in parts.
    """
    n = int(sum(sizes))
    # No weight may be zero, since that means no edge; of equal radii the earlier edge is kept.
    weights = radii + 1 + np.arange(len(edges)) / (2 * len(edges) + 1)
    graph = coo_array((weights, (edges[:, 0], edges[:, 1])), (n, n)).tocsr()
    half = minimum_spanning_tree(graph)
    tree = csr_array(half + half.T)
    parents, bounds, height = np.arange(n), np.zeros(n, int), np.zeros(n, int)
    roots, first = [], 0
    for size in sizes:
        if size:
            root = _middle(tree, first)
            order, before = breadth_first_order(tree, root, directed=False)
            if len(order) != size:
                raise ValueError(f"a graph of {size} features is in parts: add edges between them")
            parents[order[1:]] = before[order[1:]]
            for node in order[:0:-1]:
                height[before[node]] = max(height[before[node]], height[node] + 1)
            roots.append(root)
        first += size
    child = np.where(parents[edges[:, 0]] == edges[:, 1], edges[:, 0], edges[:, 1])
    inside = parents[child] == edges.sum(1) - child
    bounds[child[inside]] = radii[inside]
    upward = _upward(parents, bounds, height)
    return Forest(np.array(roots, int), parents, bounds, height, upward, inside)


def joined(forests: Sequence[Forest]) -> Forest:
    """Return forests laid end to end as one, their nodes numbered through."""
    sizes = np.array([len(f.parents) for f in forests])
    first = np.cumsum(sizes) - sizes
    roots = np.concatenate([f.roots + n for f, n in zip(forests, first, strict=True)])
    parents = np.concatenate([f.parents + n for f, n in zip(forests, first, strict=True)])
    radii, heights, inside = (
        np.concatenate([getattr(f, name) for f in forests])
        for name in ("radii", "heights", "inside")
    )
    return Forest(roots, parents, radii, heights, _upward(parents, radii, heights), inside)


def _middle(tree: csr_array, start: int) -> int:
    """Return the middle of the longest path of the tree that `start` belongs to."""
    end = int(breadth_first_order(tree, start, directed=False)[0][-1])
    order, before = breadth_first_order(tree, end, directed=False)
    path = [int(order[-1])]
    while path[-1] != end:
        path.append(int(before[path[-1]]))
    return path[len(path) // 2]


def _upward(
    parents: Int[AnyArray, " node"], radii: Int[AnyArray, " node"], height: Int[AnyArray, " node"]
) -> tuple[Step, ...]:
    """Order the messages to the roots: a node sends when all below it have sent."""
    groups: dict[tuple[int, int, int], list[int]] = {}
    sent: dict[tuple[int, int, int], int] = {}
    for node in np.flatnonzero(parents != np.arange(len(parents))).tolist():
        ready = int(height[node]), int(radii[node])
        turn = sent[*ready, int(parents[node])] = sent.get((*ready, int(parents[node])), -1) + 1
        groups.setdefault((*ready, turn), []).append(node)
    return tuple(
        Step(radius, np.array(nodes), parents[nodes])
        for (_, radius, _), nodes in sorted(groups.items())
    )
