"""Choose how to find a graph's beliefs: exactly where that fits into memory, else by messages."""

from __future__ import annotations

from finetti.errors import TooWide
from finetti.factors.beliefs import Beliefs
from finetti.factors.eliminate import Exact
from finetti.factors.graph import Evidence, Graph
from finetti.factors.propagate import BeliefPropagation


def solve(
    graph: Graph,
    evidence: Evidence | None = None,
    *,
    exact: Exact | None = None,
    otherwise: BeliefPropagation | None = None,
) -> Beliefs:
    """Return a graph's beliefs: exact where elimination fits, else by belief propagation.

    `exact` bounds the memory; `otherwise` says how messages are passed. The beliefs' `exact`
    tells which it was. Raises `Contradiction` where no joint state is possible.

    >>> from finetti import factors as fg
    >>> spin = fg.Variables("spin", {"row": 40, "col": 40})
    >>> agree = [[0.3, -0.3], [-0.3, 0.3]]
    >>> down = fg.Table(spin[:-1], spin[1:], log_potentials=agree)
    >>> across = fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=agree)
    >>> fg.solve(fg.Graph(down)).exact, fg.solve(fg.Graph(down, across)).exact
    (True, False)
    """
    try:
        return (exact or Exact()).run(graph, evidence)
    except TooWide:
        return (otherwise or BeliefPropagation()).run(graph, evidence)
