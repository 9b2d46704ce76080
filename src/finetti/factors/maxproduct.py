"""Find the best states of variables that bounded shifts join with loops, by messages in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetti.errors import Contradiction, ModelError
from finetti.factors.forest import Forest
from finetti.factors.graph import Graph
from finetti.factors.pairs import Edges, read
from finetti.factors.windows import inner, spread, with_room
from finetti.types import AnyArray, Int


class Outlet(NamedTuple):
    """Hold the neighbours of a node that are bounded alike, and the numbers of messages to them.

    Message 2 e goes along edge e from its first end to its second, and 2 e + 1 comes back.
    """

    reach: tuple[int, ...]
    cost: float
    neighbours: list[int]
    messages: list[int]


@dataclass(frozen=True, eq=False)
class Settled:
    """Hold decoded states by name, as `graph.score` takes them, and how far to trust them.

    `violated` counts the bounds that the states break; `converged` says whether the messages
    settled within `sweeps` sweeps.

    >>> from finetti import factors as fg
    >>> part = fg.Variables("part", {"part": 2}, states=9)
    >>> joint = fg.BoundedShift(part[:1], part[1:], reach=1, window=(3, 3))
    >>> seen = np.zeros((2, 9))
    >>> seen[0, 0] = seen[1, 4] = 1
    >>> placed = fg.MaxProduct().run(fg.Graph(joint), {"part": seen})
    >>> placed.states["part"].tolist(), placed.violated, placed.converged
    ([0, 4], 0, True)
    """

    states: Mapping[str, Int[AnyArray, "..."]]
    violated: int
    converged: bool
    sweeps: int


@dataclass(frozen=True)
class MaxProduct:
    """Pass max-product messages between variables that bounded shifts join, one node after another.

    A sweep goes from the leaves of the spanning forest to its roots and back, so that a tree is
    solved by the first. Messages are passed until none changes by `tolerance`, in at most `sweeps`
    sweeps. Then nodes are placed one by one, roots first, each at its best place among those that
    the bounds to nodes already placed allow. Nothing is compiled, and each message hears what was
    just said: on graphs that are used once, and on long ones, this takes less than
    `BeliefPropagation` at temperature 0, whose fixed points are the same.

    Exact on a tree, and, if the messages converged to beliefs without ties, with one loop (Weiss
    2000, "Correctness of local probability propagation in graphical models with loops").

    Raises `ModelError` for settings out of range.

    >>> from finetti import factors as fg
    >>> part = fg.Variables("part", {"part": 3}, states=9)
    >>> ring = fg.Graph(
    ...     fg.BoundedShift(part[[0, 1, 2]], part[[1, 2, 0]], reach=1, window=(9,), cost=0.1)
    ... )
    >>> seen = np.zeros((3, 9))
    >>> seen[[0, 1, 2, 2], [2, 3, 5, 3]] = 1.0, 1.0, 1.0, 0.5
    >>> found = fg.MaxProduct().run(ring, {"part": seen})
    >>> found.states["part"].tolist(), found.violated, found.converged
    ([2, 3, 3], 0, True)
    """

    sweeps: int = 20
    tolerance: float = 1e-3

    def __post_init__(self):
        if self.sweeps < 1 or not self.tolerance >= 0:
            raise ModelError(
                f"MaxProduct has sweeps={self.sweeps} and tolerance={self.tolerance}; give at "
                "least 1 and at least 0"
            )

    def run(self, graph: Graph, evidence: Mapping[str, AnyArray]) -> Settled:
        """Return the states of most belief under all bounds.

        `evidence` gives log weights, (*shape, states), by the names of variables. Real numbers are
        added in their own type, whole ones in float64. Raises `ModelError` where evidence does not
        fit or the graph has other factors, and `Contradiction` where no joint state is possible.
        """
        forest, (nodes, edges) = Forest.spanning(graph), read(graph)
        given, batch = nodes.beliefs(evidence)
        if batch:
            raise ModelError(
                f"MaxProduct solves one graph at a time, and the evidence is a batch of {batch}; "
                "run it for each"
            )
        floating = np.issubdtype(given.dtype, np.floating)
        own = with_room(given, given.dtype if floating else np.dtype(np.float64))
        order, outlets = forest.outward.tolist(), _outlets(len(nodes), edges)
        said = np.zeros((2 * len(edges.ends), *own.shape[1:]), own.dtype)
        change, sweep = np.inf, 0
        while change > self.tolerance and sweep < self.sweeps:
            change, sweep = 0.0, sweep + 1
            for i in (*order[::-1], *order):
                change = max(change, _send(own[i], said, outlets[i]))
        total = np.concatenate([_total(own[i], said, outlets[i]) for i in range(len(own))])
        places = _placed(order, outlets, inner(total))
        apart = np.abs(places[edges.ends[:, 0]] - places[edges.ends[:, 1]])
        violated = int((apart > edges.reach).any(1).sum())
        states = nodes.states(places[:, None], ())
        return Settled(states, violated, change <= self.tolerance, sweep)


def _outlets(nodes: int, edges: Edges) -> list[list[Outlet]]:
    """Return each node's messages to its neighbours."""
    found: list[dict[tuple, Outlet]] = [{} for _ in range(nodes)]
    bounds = zip(edges.ends.tolist(), map(tuple, edges.reach.tolist()), edges.cost, strict=True)
    for edge, (ends, reach, cost) in enumerate(bounds):
        for way, (i, j) in enumerate((ends, ends[::-1])):
            outlet = found[i].setdefault((reach, cost), Outlet(reach, float(cost), [], []))
            outlet.neighbours.append(j)
            outlet.messages.append(2 * edge + way)
    return [list(of.values()) for of in found]


def _back(outlet: Outlet) -> list[int]:
    """Return the numbers of the messages that the neighbours send."""
    return [message ^ 1 for message in outlet.messages]


def _total(own: AnyArray, said: AnyArray, outlets: Sequence[Outlet]) -> AnyArray:
    """Return what evidence and messages say of one node: (1, *window with room)."""
    return np.asarray(sum((said[_back(outlet)].sum(0) for outlet in outlets), own))


def _send(own: AnyArray, said: AnyArray, outlets: Sequence[Outlet]) -> float:
    """Let a node send its messages, and return the greatest change of them."""
    total, change = _total(own, said, outlets), 0.0
    for outlet in outlets:
        # What a neighbour bars stays barred: only its own places near there hear of it.
        heard = np.maximum(said[_back(outlet)], np.finfo(said.dtype).min)
        new = spread(total - heard, outlet.reach, outlet.cost)
        top = inner(new).max(tuple(range(2, new.ndim)), keepdims=True)
        if np.isneginf(top).any():
            raise Contradiction(
                "no joint state is possible: evidence leaves some variables no states within "
                "their bounds; look for evidence that contradicts it"
            )
        inner(new)[...] -= top
        old = said[outlet.messages]
        moved = np.subtract(new, old, where=new != old, out=np.zeros_like(new))
        change = max(change, float(np.abs(moved).max()))
        said[outlet.messages] = new
    return change


def _placed(
    order: Sequence[int], outlets: Sequence[Sequence[Outlet]], total: AnyArray
) -> Int[AnyArray, "node axis"]:
    """Place nodes one by one, each where the bounds to those already placed allow, if anywhere."""
    grid = np.moveaxis(np.indices(total.shape[1:]), 0, -1)
    places: dict[int, AnyArray] = {}
    for i in order:
        belief = total[i]
        for outlet in sorted(outlets[i], key=lambda o: o.reach, reverse=True):
            for near in (places[j] for j in outlet.neighbours if j in places):
                bounded = np.where((np.abs(grid - near) <= outlet.reach).all(-1), belief, -np.inf)
                belief = bounded if np.isfinite(bounded).any() else belief
        places[i] = np.array(np.unravel_index(belief.argmax(), belief.shape))
    return np.array([places[i] for i in range(len(total))])
