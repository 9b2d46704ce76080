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


class Bound(NamedTuple):
    """Hold a neighbour of a node, and what bounds their difference."""

    node: int
    edge: int  # numbers the bound, apart from others that join the same two
    reach: tuple[int, ...]
    cost: float


Messages = dict[tuple[int, int], AnyArray]  # by the bound and the node that sends


@dataclass(frozen=True, eq=False)
class Settled:
    """Hold decoded states by name, as `graph.score` takes them, and how far to trust them.

    `violated` counts the bounds that the states break; `converged` says whether the messages
    settled within `sweeps` sweeps.
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
        order, around = forest.outward.tolist(), _around(len(nodes), edges)
        silent = np.zeros((1, *own.shape[1:]), own.dtype)
        said: Messages = {(b.edge, i): silent for i, bounds in enumerate(around) for b in bounds}
        change, sweep = np.inf, 0
        while change > self.tolerance and sweep < self.sweeps:
            change, sweep = 0.0, sweep + 1
            for i in (*order[::-1], *order):
                change = max(change, _send(own, said, around, i))
        total = np.concatenate([inner(_total(own, said, around, i))[0] for i in range(len(own))])
        places = _placed(order, around, total)
        apart = np.abs(places[edges.ends[:, 0]] - places[edges.ends[:, 1]])
        violated = int((apart > edges.reach).any(1).sum())
        states = nodes.states(places[:, None], ())
        return Settled(states, violated, change <= self.tolerance, sweep)


def _around(nodes: int, edges: Edges) -> list[list[Bound]]:
    """Return each node's bounds to its neighbours."""
    found: list[list[Bound]] = [[] for _ in range(nodes)]
    bounds = zip(
        edges.ends.tolist(), map(tuple, edges.reach.tolist()), edges.cost.tolist(), strict=True
    )
    for edge, ((i, j), reach, cost) in enumerate(bounds):
        found[i].append(Bound(j, edge, reach, cost))
        found[j].append(Bound(i, edge, reach, cost))
    return found


def _total(own: AnyArray, said: Messages, around: Sequence[Sequence[Bound]], node: int) -> AnyArray:
    """Return what evidence and messages say of one node: (1, 1, *window with room)."""
    return np.asarray(sum((said[b.edge, b.node] for b in around[node]), own[[node]]))


def _send(own: AnyArray, said: Messages, around: Sequence[Sequence[Bound]], node: int) -> float:
    """Let a node send its messages, and return the greatest change of them."""
    total, change = _total(own, said, around, node), 0.0
    for bound in around[node]:
        heard = said[bound.edge, bound.node]
        # What the neighbour bars stays barred: only its own places near there hear of it.
        others = total - np.where(np.isneginf(heard), 0, heard)
        new = spread(others, bound.reach, bound.cost)
        change = max(change, _normalise(new, said[bound.edge, node]))
        said[bound.edge, node] = new
    return change


def _normalise(new: AnyArray, old: AnyArray) -> float:
    """Take the greatest from a message's entries, and return the greatest change of them."""
    top = inner(new).max()
    if np.isneginf(top):
        raise Contradiction(
            "no joint state is possible: evidence leaves some variables no states within their "
            "bounds; look for evidence that contradicts it"
        )
    inner(new)[...] -= top
    moved = np.subtract(new, old, where=new != old, out=np.zeros_like(new))
    return float(np.abs(moved).max())


def _placed(
    order: Sequence[int], around: Sequence[Sequence[Bound]], total: AnyArray
) -> Int[AnyArray, "node axis"]:
    """Place nodes one by one, each where the bounds to those already placed allow, if anywhere."""
    grid = np.indices(total.shape[1:])
    places: dict[int, AnyArray] = {}
    for i in order:
        belief = total[i]
        for bound in sorted(around[i], key=lambda b: b.reach, reverse=True):
            if bound.node in places:
                apart = np.abs(np.moveaxis(grid, 0, -1) - places[bound.node])
                bounded = np.where((apart <= bound.reach).all(-1), belief, -np.inf)
                belief = bounded if np.isfinite(bounded).any() else belief
        places[i] = np.array(np.unravel_index(belief.argmax(), belief.shape))
    return np.array([places[i] for i in range(len(total))])
