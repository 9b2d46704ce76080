"""Read the dependency graph of a model's sites off its traced program, and print or draw it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetti.hypertext.html import block
from finetti.hypertext.picture import Node, picture
from finetti.jaxprs import is_literal
from finetti.structure.equations import read_tag, variables
from finetti.types import Atom, Jaxpr

if TYPE_CHECKING:
    from finetti.structure.variables import Variable


@dataclass(frozen=True)
class Graph:
    """Hold a model's sites and, for each, its parents: the sites its definition mentions.

    A parent is direct: dependence through a deterministic site counts for that site alone.
    """

    variables: tuple[Variable, ...]
    parents: Mapping[str, tuple[str, ...]]

    def children(self, name: str) -> tuple[str, ...]:
        """Return the sites that have `name` as a parent."""
        return tuple(v.name for v in self.variables if name in self.parents[v.name])

    def __str__(self) -> str:
        """Print the sites, indented by their plates, with their parents."""
        lines, opened = [], ()
        for v in self.variables:
            names = tuple(str(p) for p in v.plates)
            for depth, name in enumerate(names):
                if opened[: depth + 1] != names[: depth + 1]:
                    lines.append("  " * depth + f"plate {name}")
            opened = names
            lines.append("  " * len(names) + describe(v, self.parents[v.name]))
        return "\n".join(lines)

    def dot(self, dashed: Collection[str] = (), doubled: Collection[str] = ()) -> str:
        """Return the graph in Graphviz's language: plates as boxes, observed sites shaded.

        The sites named are drawn with a dashed line, or with a double one; `Plan.dot` names those
        that are taken out of the sampler, and those that are centred.
        """
        lines = ["digraph {", '  rankdir=TB; node [shape=ellipse, fontname="sans-serif"];']
        marks = dict.fromkeys(doubled, "peripheries=2") | dict.fromkeys(dashed, "style=dashed")
        lines += _plate_boxes(self.variables, (), marks)
        for child, parents in self.parents.items():
            lines += [f'  "{parent}" -> "{child}";' for parent in parents]
        return "\n".join([*lines, "}"])

    def svg(self, dashed: Collection[str] = (), doubled: Collection[str] = ()) -> str:
        """Return the graph drawn as SVG, for web pages and notebooks; marked as by `dot`."""
        titles = {
            tuple(p.name for p in v.plates[: depth + 1]): str(plate)
            for v in self.variables
            for depth, plate in enumerate(v.plates)
        }
        nodes = [_node(v, v.name in dashed, v.name in doubled) for v in self.variables]
        return picture(nodes, self.parents, titles)

    def __repr__(self) -> str:
        return f"<graph of {len(self.variables)} sites>"

    def _repr_html_(self) -> str:
        return block(self.svg())


def _node(v: Variable, dashed: bool, doubled: bool) -> Node:
    """Return what is drawn of a site: computed ones square, factors dark, held ones dotted."""
    return Node(
        v.name,
        v.family or v.kind,
        tuple(p.name for p in v.plates),
        {"deterministic": "square", "factor": "black"}.get(v.kind, "round"),
        v.kind == "observed",
        "1 2" if v.kind == "fixed" else "4 3" if dashed else "",
        doubled,
    )


def describe(v: Variable, parents: Sequence[str]) -> str:
    """Compose one line of the printed graph."""
    of = f"({', '.join(parents)})" if parents else ""
    match v.kind:
        case "deterministic":
            return f"{v.name} = f{of}"
        case "factor":
            return f"{v.name}: factor{of}"
        case "observed":
            return f"{v.name} ~ {v.family}{of} [observed]"
        case "fixed":
            return f"{v.name} ~ {v.family}{of} [fixed]"
    return f"{v.name} ~ {v.family}{of}"


def _plate_boxes(
    variables: Sequence[Variable], path: tuple[str, ...], marks: Mapping[str, str]
) -> list[str]:
    """Write the nodes at one nesting of plates, then a box for each plate inside."""
    pad, lines, inner = "  " * (len(path) + 1), [], {}
    for v in variables:
        names = tuple(p.name for p in v.plates)
        if names == path:
            lines.append(f'{pad}"{v.name}" [{marks.get(v.name, _style(v))}];')
        elif names[: len(path)] == path:
            inner.setdefault(names[len(path)], v.plates[len(path)])
    for name, plate in inner.items():
        lines.append(f'{pad}subgraph "cluster_{"/".join((*path, name))}" {{')
        lines.append(f'{pad}  label="{plate}"; labeljust=r; labelloc=b;')
        lines += _plate_boxes(variables, (*path, name), marks)
        lines.append(f"{pad}}}")
    return lines


def _style(v: Variable) -> str:
    match v.kind:
        case "observed":
            return 'style=filled, fillcolor="#d0d0d0"'
        case "deterministic":
            return "shape=box, style=rounded"
        case "factor":
            return "shape=square, style=filled, fillcolor=black, fontcolor=white"
        case "fixed":
            return "style=dotted"
    return ""


def read_parents(jaxpr: Jaxpr, outputs: Mapping[str, Sequence[int]]) -> dict[str, tuple[str, ...]]:
    """Find each site's parents by following the tagged values through a jaxpr.

    `outputs` maps a site to the positions of the jaxpr's outputs that define it.
    """
    sources: dict[Atom, frozenset[str]] = {}
    parents: dict[str, frozenset[str]] = {}
    _follow(jaxpr, sources, parents)
    for name, positions in outputs.items():
        found = [sources.get(v, frozenset()) for v in _variables(jaxpr.outvars, positions)]
        parents[name] = frozenset().union(*found) - {name}
    return {name: tuple(sorted(found)) for name, found in parents.items()}


def _variables(outvars: Sequence[Atom], positions: Sequence[int]) -> list[Atom]:
    return [outvars[i] for i in positions if not is_literal(outvars[i])]


def _follow(
    jaxpr: Jaxpr, sources: dict[Atom, frozenset[str]], parents: dict[str, frozenset[str]]
) -> None:
    """Trace which sites each variable is made of; a tag starts anew with the site itself."""
    for equation in jaxpr.eqns:
        inputs = variables(equation.invars)
        reached = frozenset().union(*(sources.get(v, frozenset()) for v in inputs))
        name = read_tag(equation)
        if name:
            parents[name] = reached
            reached = frozenset([name])
        for v in equation.outvars:
            sources[v] = reached
