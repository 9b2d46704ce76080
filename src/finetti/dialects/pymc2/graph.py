"""Write a model's graph as a text for Graphviz, as PyMC2's `graph` did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from finetti.dialects.pymc2.model import Model
from finetti.dialects.pymc2.nodes import Deterministic, Node, Potential, Stochastic, nodes_in


def dag(  # noqa: PLR0913 - PyMC2's own arguments
    model: Model,
    format: str = "raw",
    prog: str = "dot",
    path: str | Path | None = None,
    name: str | None = None,
    consts: bool = False,
    legend: bool = False,
    collapse_deterministics: bool = False,
    collapse_potentials: bool = False,
    label_edges: bool = True,
) -> str:
    """Write `name.dot` into a folder, and return its text: Graphviz makes pictures of it.

    Stochastics are ellipses, filled where observed, deterministics triangles and potentials boxes.
    """
    nodes = _ordered(model)
    kept = [n for n in nodes if not (collapse_deterministics and isinstance(n, Deterministic))]
    if collapse_potentials:
        kept = [n for n in kept if not isinstance(n, Potential)]
    lines = [_node(n) for n in kept]
    for node in kept:
        lines += _edges(node, collapse_deterministics, consts, label_edges)
    if collapse_potentials:
        lines += [
            _edge(a.__name__, b.__name__, ["arrowhead=none"])
            for p in nodes if isinstance(p, Potential)
            for i, a in enumerate(_by_name(p.extended_parents))
            for b in _by_name(p.extended_parents)[i + 1:]
        ]  # fmt: skip
    return _written(model, lines, format, path, name)


graph = dag


def moral_graph(
    model: Model,
    format: str = "raw",
    prog: str = "dot",
    path: str | Path | None = None,
    name: str | None = None,
) -> str:
    """Write the moral graph: which stochastics a stochastic depends on, or shares a child with."""
    stochastics = [n for n in _ordered(model) if isinstance(n, Stochastic)]
    lines = [_node(n) for n in stochastics]
    for i, a in enumerate(stochastics):
        near = a.moral_neighbors
        lines += [
            _edge(a.__name__, b.__name__, ["arrowhead=none"])
            for b in stochastics[i + 1 :]
            if b in near
        ]
    return _written(model, lines, format, path, name)


def _by_name(nodes: Iterable[Node]) -> list[Node]:
    return sorted(nodes, key=lambda n: n.__name__)


def _ordered(model: Model) -> list[Node]:
    """Return the model's nodes and all that they depend on, by name."""
    found: set[Node] = set()
    waiting = list(model.nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(nodes_in(node.parents))
    return _by_name(found)


def _node(node: Node) -> str:
    look = {Deterministic: "shape=invtriangle", Potential: "shape=box"}
    own = next((look[kind] for kind in look if isinstance(node, kind)), "shape=ellipse")
    filled = isinstance(node, Stochastic) and (node.observed or node.partly_observed)
    return f"{_quoted(node.__name__)} [{own}{', style=filled' if filled else ''}];"


def _edges(node: Node, collapsed: bool, consts: bool, labelled: bool) -> list[str]:
    """Return the edges from a node's parents."""
    lines: list[str] = []
    if collapsed:
        return [_edge(p.__name__, node.__name__, []) for p in _by_name(node.extended_parents)]
    for key, parent in node.parents.items():
        label = [f"label={_quoted(key)}"] if labelled else []
        above = nodes_in(parent)
        lines += [_edge(p.__name__, node.__name__, label) for p in above]
        if consts and not above:
            text = str(parent) if len(str(parent)) <= 10 else f"{node.__name__}_{key}"
            lines += [f"{_quoted(text)} [style=filled];", _edge(text, node.__name__, label)]
    return lines


def _edge(source: str, target: str, settings: list[str]) -> str:
    after = f" [{', '.join(settings)}]" if settings else ""
    return f"{_quoted(source)} -> {_quoted(target)}{after};"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written(
    model: Model, lines: list[str], format: str, path: str | Path | None, name: str | None
) -> str:
    title = name or model.__name__
    if format not in ("raw", "dot"):
        raise ValueError(
            f"a graph is written as a text for Graphviz, not as {format!r}: write it with "
            f"format='raw', and call `dot -T{format} {title}.dot`"
        )
    text = "\n".join(["digraph {", *(f"  {line}" for line in lines), "}"]) + "\n"
    (Path(path or ".") / f"{title}.dot").write_text(text, encoding="utf-8")
    return text
