"""Decide what to do with each variable of a model, and say why.

A plan today lists the constraint transforms; rewrites of the model join it as reversible values.
"""

from __future__ import annotations

from dataclasses import dataclass

from finetti.errors import ModelError
from finetti.structure.graph import Graph
from finetti.structure.program import Program, Variable


@dataclass(frozen=True)
class Row:
    """Hold one line of a plan: a site, what was seen, what will be done, and why."""

    site: str
    seen: str
    done: str
    why: str


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold what finetti saw in a model and what it will do; print it to read it."""

    program: Program
    graph: Graph

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return the model's variables in order."""
        return self.graph.variables

    @property
    def latent(self) -> tuple[Variable, ...]:
        """Return the variables the sampler moves; refuse discrete ones by name."""
        found = tuple(v for v in self.variables if v.kind == "latent")
        for v in found:
            if v.discrete:
                raise ModelError(
                    f"site `{v.name}` is discrete ({v.family}) and unobserved: gradient-based "
                    f"samplers cannot move it; sum it out of the model by hand with ft.factor "
                    f"or a mixture distribution, or observe it"
                )
        return found

    def rows(self) -> list[Row]:
        """Return the plan line by line."""
        return [_row(v, self.graph) for v in self.variables]

    def __str__(self) -> str:
        """Print the plan as a table."""
        table = [("site", "seen", "done", "why")]
        table += [(r.site, r.seen, r.done, r.why) for r in self.rows()]
        widths = [max(len(line[i]) for line in table) for i in range(3)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(line[:3], widths, strict=True)), line[3]])
            for line in table
        ]
        size = sum(_size(v.free_shape) for v in self.variables if v.kind == "latent")
        return "\n".join([*(line.rstrip() for line in lines), f"{size} dimensions to sample"])


def _row(v: Variable, graph: Graph) -> Row:
    where = " x ".join(str(p) for p in v.plates)
    seen = " in ".join(filter(None, [v.family or v.kind, where]))
    match v.kind:
        case "observed":
            size = "x".join(map(str, v.shape)) or "1"
            return Row(v.name, seen, "condition", f"observed: {size} values enter the likelihood")
        case "fixed":
            return Row(v.name, seen, "hold fixed", "substituted: its prior density still counts")
        case "deterministic":
            parents = ", ".join(graph.parents[v.name]) or "data alone"
            return Row(v.name, seen, "compute", f"from {parents}, for each draw")
        case "factor":
            return Row(v.name, seen, "add", "a term of the log joint density")
    done, why = _transform(v)
    return Row(v.name, seen, done, why)


def _transform(v: Variable) -> tuple[str, str]:
    """Name the bijection to the real numbers and the reason for it."""
    if v.discrete:
        return "refuse", "discrete: gradients cannot move it"
    if v.support == "real" or v.transform == "Identity":
        return "sample as is", "its support is the whole real line"
    before, after = _size(v.free_shape), _size(v.shape)
    why = f"support: {v.support}"
    if before != after:
        why += f", {after} numbers from {before} free ones"
    match v.support.split()[0]:
        case "positive":
            done = "take logs"
        case "above" | "below":
            done = "log of the excess"
        case "between":
            done = "scaled logit"
        case _:
            words = "".join(f" {c.lower()}" if c.isupper() else c for c in v.transform)
            done = f"transform ({words.strip()})"
    return done, why


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
