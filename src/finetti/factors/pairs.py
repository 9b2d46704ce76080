"""Read a graph of bounded shifts as numbered nodes, and edges between those that a bound joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from finetti.errors import ModelError, UnknownSite
from finetti.factors.factor import traced
from finetti.factors.graph import Graph
from finetti.factors.shift import BoundedShift
from finetti.factors.variables import Variables
from finetti.types import AnyArray, Float, Int


@dataclass(frozen=True)
class Nodes:
    """Hold arrays of variables, all of whose states are places of one window, as numbered nodes."""

    variables: tuple[Variables, ...]
    window: tuple[int, ...]

    def __len__(self) -> int:
        return sum(v.size for v in self.variables)

    @property
    def firsts(self) -> dict[str, int]:
        """Return the number of each array's first node, by name."""
        found, first = {}, 0
        for v in self.variables:
            found[v.name] = first
            first += v.size
        return found

    def beliefs(self, evidence: Mapping[str, AnyArray]) -> tuple[AnyArray, tuple[int, ...]]:
        """Return evidence, (*batch, *shape, states) by name, as beliefs, and the batch's shape.

        Beliefs are (node, batch, *window). Arrays without evidence are zero. Raises `ModelError`
        where shapes or numbers do not fit.
        """
        shapes = {v.name: (*v.shape, v.states) for v in self.variables}
        if traced(dict(evidence)):
            raise ModelError(
                "the evidence is traced by JAX, and numpy adds these messages; use "
                "BeliefPropagation inside jit and vmap"
            )
        given, lead = {}, None
        for name, values in evidence.items():
            if name not in shapes:
                raise UnknownSite.among(name, shapes, "find variables")
            given[name], full = np.asarray(values), shapes[name]
            shape = given[name].shape
            own = shape[: max(0, len(shape) - len(full))]
            if shape[len(own) :] != full or (lead is not None and own != lead):
                raise ModelError(
                    f"the evidence on `{name}` has shape {shape}; give log weights of shape {full},"
                    " the states last, after the axes of a batch, the same for all names"
                )
            if np.issubdtype(given[name].dtype, np.inexact) and not (given[name] < np.inf).all():
                raise ModelError(
                    f"the log weights of the evidence on `{name}` hold NaN or +inf; give finite "
                    "numbers, or -inf for what cannot be"
                )
            lead = own
        batch = lead or ()
        parts = [
            given.get(name, np.zeros((*batch, *shape), np.int8))
            .reshape(prod(batch), -1, *self.window)
            .swapaxes(0, 1)
            for name, shape in shapes.items()
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts), batch

    def states(
        self, places: Int[AnyArray, "node batch axis"], batch: tuple[int, ...]
    ) -> dict[str, Int[AnyArray, "..."]]:
        """Return places of the nodes as states, (*batch, *shape), by name."""
        axes = tuple(places[..., axis] for axis in range(len(self.window)))
        flat = np.asarray(np.ravel_multi_index(axes, self.window))
        return {
            v.name: flat[first : first + v.size].T.reshape((*batch, *v.shape))
            for v, first in zip(self.variables, self.firsts.values(), strict=True)
        }


@dataclass(frozen=True, eq=False)
class Edges:
    """Hold which nodes bounded shifts join, how far along each axis, and at what cost."""

    ends: Int[AnyArray, "edge 2"]
    reach: Int[AnyArray, "edge axis"]
    cost: Float[AnyArray, " edge"]


def read(graph: Graph) -> tuple[Nodes, Edges]:
    """Return the nodes and the edges of a graph of bounded shifts.

    Raises `ModelError` where it has other factors, or more than one window.
    """
    shifts = [f for f in graph.factors if isinstance(f, BoundedShift)]
    if graph.unary or len(shifts) < len(graph.factors) or not shifts:
        raise ModelError(
            f"{graph} is to have bounded shifts alone; use Exact or BeliefPropagation, and where "
            "all other factors are of one variable, give what they say as evidence"
        )
    window = shifts[0].window
    for f in shifts:
        if f.window != window:
            raise ModelError(
                f"the graph has windows {window} and {f.window}; give all variables one window, or "
                "use BeliefPropagation"
            )
        if traced(f.cost):
            raise ModelError("the cost of a bounded shift is traced by JAX; use BeliefPropagation")
    for v in graph.variables:
        if v.states != prod(window) or v.counts is not None:
            raise ModelError(
                f"`{v.name}` has {v.states} states and the window {window} {prod(window)} places; "
                "give its variables a state for each place, or solve for them apart"
            )
    nodes = Nodes(graph.variables, window)
    firsts, counts = nodes.firsts, [f.scopes[0].index.size for f in shifts]
    ends = [np.stack([firsts[s.name] + s.index.reshape(-1) for s in f.scopes], 1) for f in shifts]
    reach = np.repeat([f.reach for f in shifts], counts, 0)
    cost = np.repeat([f.cost or 0.0 for f in shifts], counts)
    return nodes, Edges(np.concatenate(ends), reach, cost)
