"""Choose how to find a graph's beliefs: exactly where that fits into memory, else by messages."""

from __future__ import annotations

from finetti.errors import ModelError, TooWide
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
    tells which it was. Raises `Contradiction` where no joint state is possible, and `ModelError`
    for another temperature than 1, at which the two would answer different questions.

    >>> from finetti import factors as fg
    >>> spin = fg.Variables("spin", {"row": 20, "col": 20})
    >>> agree = [[0.3, -0.3], [-0.3, 0.3]]
    >>> down = fg.Table(spin[:-1], spin[1:], log_potentials=agree)
    >>> across = fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=agree)
    >>> fg.solve(fg.Graph(down)).exact, fg.solve(fg.Graph(down, across)).exact
    (True, False)
    """
    if otherwise is not None and otherwise.temperature != 1:
        raise ModelError(
            f"solve finds probabilities, and was given temperature {otherwise.temperature}; use "
            "BeliefPropagation itself, or Exact().best for the best state"
        )
    try:
        return (exact or Exact()).run(graph, evidence)
    except TooWide:
        return (otherwise or BeliefPropagation()).run(graph, evidence)
