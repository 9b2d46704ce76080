"""Find which evidence cannot hold together, where no joint state is possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from finetti.errors import Contradiction
from finetti.types import AnyArray

if TYPE_CHECKING:
    from finetti.factors.graph import Graph

SHOWN = 6  # pieces of evidence named in a sentence
Weights = dict[str, np.ndarray]


class Piece(NamedTuple):
    """Hold a piece of evidence: the variable it speaks of, its place, and the states it leaves."""

    name: str
    place: tuple[int, ...]
    states: tuple[int, ...]

    def __str__(self) -> str:
        place = list(map(int, self.place)) if self.place else ""
        if len(self.states) == 1:
            return f"`{self.name}`{place} in {self.states[0]}"
        if not self.states:
            return f"`{self.name}`{place} in no state"
        more = ", ..." if len(self.states) > SHOWN else ""
        return f"`{self.name}`{place} in one of {', '.join(map(str, self.states[:SHOWN]))}{more}"


def contradiction(
    graph: Graph, evidence: Mapping[str, AnyArray], possible: Callable[[Weights], bool]
) -> Contradiction:
    """Return the error that names the least evidence that cannot hold together.

    `possible` tells whether a joint state is left under other evidence. Of every named piece it is
    true that without it the others could hold; there may be other clashes beside.
    """
    whole = _whole(graph, evidence)
    if not possible({name: np.zeros_like(w) for name, w in whole.items()}):
        return Contradiction(
            "no joint state is possible: the factors rule out every joint state by themselves, "
            "whatever the evidence; look for factors whose log potentials are minus infinity"
        )
    pieces = [
        Piece(name, place, tuple(np.flatnonzero(np.isfinite(w[place])).tolist()))
        for name, w in whole.items()
        for place in np.ndindex(w.shape[:-1])
        if np.isneginf(w[place]).any()
    ]
    named = _least(pieces, lambda chosen: possible(_only(whole, chosen)))
    said = [str(piece) for piece in named[:SHOWN]]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    if len(named) == 1:
        return Contradiction(
            f"no joint state is possible: evidence puts {said[0]}, which the factors rule out; "
            f"change that evidence, or the factors that speak of it"
        )
    return Contradiction(
        f"no joint state is possible: evidence puts {', '.join(said[:-1])} and {said[-1]}{more}, "
        f"which cannot hold together; any one of these given up, the others can"
    )


def _whole(graph: Graph, evidence: Mapping[str, AnyArray]) -> Weights:
    """Return evidence in its full shape, (*shape, states)."""
    found: Weights = {}
    for v in graph.variables:
        if v.name in evidence:
            found[v.name] = np.broadcast_to(np.asarray(evidence[v.name]), (*v.shape, v.states))
    return found


def _only(whole: Weights, chosen: list[Piece]) -> Weights:
    """Return the evidence with nothing but the chosen pieces."""
    found = {name: np.zeros_like(w) for name, w in whole.items()}
    for piece in chosen:
        found[piece.name][piece.place] = whole[piece.name][piece.place]
    return found


def _least(pieces: list[Piece], possible: Callable[[list[Piece]], bool]) -> list[Piece]:
    """Return pieces that are impossible together, of which none can be spared.

    The last piece of the shortest impossible beginning is one of them; so on with those before it.
    """
    needed: list[Piece] = []
    while pieces and possible(needed):
        low, high = 1, len(pieces)
        while low < high:
            middle = (low + high) // 2
            if possible(needed + pieces[:middle]):
                low = middle + 1
            else:
                high = middle
        needed.append(pieces[high - 1])
        pieces = pieces[: high - 1]
    return needed[::-1]
