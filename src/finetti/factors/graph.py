"""Hold a factor graph: variables with finite states, and the factors that speak to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from finetti.errors import ModelError, UnknownSite
from finetti.factors.factor import Factor, log_numbers
from finetti.factors.table import Table
from finetti.factors.variables import Variables
from finetti.types import AnyArray, Array, Scalar, Tree, Value

Evidence = Mapping[str, ArrayLike]


class Graph:
    """Hold factors, and the variables they speak to; `variables` adds any they do not.

    The weight of a joint state is exp of the sum of the factors' log potentials there. A graph is
    a pytree whose leaves are its tables, so that `jax.vmap` and `jax.grad` go through it.
    Factors that are stated one by one are joined to batches of their kind.

    Raises `ModelError` where two arrays of variables share a name.

    >>> from finetti import factors as fg
    >>> spin = fg.Variables("spin", {"row": 3, "col": 3})
    >>> agree = [[0.4, -0.4], [-0.4, 0.4]]
    >>> fg.Graph(
    ...     fg.Table(spin[:-1], spin[1:], log_potentials=agree),
    ...     fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=agree),
    ... )
    Graph(spin: (row 3, col 3) of 2 states; 12 factors in 2 batches)
    """

    def __init__(self, *factors: Factor, variables: Sequence[Variables] = ()):
        spoken = (s.variables for f in factors for s in f.scopes)
        found: dict[str, Variables] = {}
        for v in [*spoken, *variables]:
            if found.setdefault(v.name, v) != v:
                raise ModelError(
                    f"two arrays of variables are named `{v.name}`, {_describe(found[v.name])} and "
                    f"{_describe(v)}; give one another name"
                )
        joined = _joined(factors)
        self.variables = tuple(found.values())
        self.unary = tuple(f for f in joined if isinstance(f, Table) and len(f.scopes) == 1)
        self.factors = tuple(f for f in joined if not any(f is u for u in self.unary))

    def __getitem__(self, name: str) -> Variables:
        known = {v.name: v for v in self.variables}
        if name not in known:
            raise UnknownSite.among(name, known, "find variables")
        return known[name]

    def __repr__(self) -> str:
        named = ", ".join(f"{v.name}: {_describe(v)}" for v in self.variables)
        batches = [*self.unary, *self.factors]
        count = sum(int(np.prod(f.batch)) for f in batches)
        return f"Graph({named}; {count} factors in {len(batches)} batches)"

    @property
    def hard(self) -> bool:
        """Tell whether a factor of several variables gives joint states weight zero."""
        return any(f.hard for f in self.factors)

    def scaled(self, inverse_temperature: Value) -> Graph:
        """Return the graph with its log potentials multiplied; what is impossible stays so."""
        if isinstance(inverse_temperature, (int, float)) and inverse_temperature == 1:
            return self
        found = object.__new__(Graph)
        found.variables = self.variables
        found.unary = tuple(f.scaled(inverse_temperature) for f in self.unary)
        found.factors = tuple(f.scaled(inverse_temperature) for f in self.factors)
        return found

    def checked(self, evidence: Evidence | None) -> dict[str, AnyArray]:
        """Return evidence, log weights of shape (*shape, states), as arrays by name.

        Raises `ModelError` where shapes or numbers do not fit, `UnknownSite` for unknown names.
        """
        found = {}
        for name, given in (evidence or {}).items():
            v = self[name]
            found[name] = log_numbers(given, f"the log weights of the evidence on `{name}`")
            shape, full = np.shape(found[name]), (*v.shape, v.states)
            if not _broadcasts(shape, full):
                raise ModelError(
                    f"the evidence on `{name}` has shape {shape}; give log weights of shape "
                    f"{full}, the states last"
                )
        return found

    def log_weights(self, evidence: Mapping[str, AnyArray]) -> dict[str, Array]:
        """Return what factors of one variable and evidence say: (states, *shape) by name."""
        dtype = jnp.result_type(float)
        found = {}
        for v in self.variables:
            weights = jnp.zeros((v.states, *v.shape), dtype)
            if (present := v.present()) is not None:
                weights = weights + present.astype(dtype)
            if v.name in evidence:
                given = jnp.asarray(evidence[v.name], dtype)
                given = jnp.broadcast_to(given, (*v.shape, v.states))
                weights = weights + jnp.moveaxis(given, -1, 0)
            found[v.name] = weights
        for f in self.unary:
            scope = f.scopes[0]
            found[scope.name] = found[scope.name] + scope.collect(jnp.asarray(f.table, dtype))
        return found

    def score(self, states: Mapping[str, ArrayLike]) -> Scalar:
        """Return the sum of the log potentials at a joint state: an array for each name.

        Raises `UnknownSite` where variables are missing.
        """
        for v in self.variables:
            if v.name not in states:
                raise UnknownSite.among(v.name, states, "score without the states of")
        total = jnp.zeros(())
        for f in [*self.unary, *self.factors]:
            at = [jnp.asarray(states[s.name]).reshape(-1)[s.index] for s in f.scopes]
            total = total + f.score(at).sum()
        return total


def _flatten(graph: Graph) -> tuple[list[Tree], tuple[Variables, ...]]:
    return [graph.unary, graph.factors], graph.variables


def _unflatten(variables: tuple[Variables, ...], children: Sequence[Tree]) -> Graph:
    found = object.__new__(Graph)
    found.variables, (found.unary, found.factors) = variables, children
    return found


jax.tree_util.register_pytree_node(Graph, _flatten, _unflatten)


def _joined(factors: Sequence[Factor]) -> list[Factor]:
    """Join single factors that are alike to batches, each where the first of them stood."""
    alike: dict[tuple, list[Factor]] = {}
    for i, f in enumerate(factors):
        alike.setdefault(f.likeness if f.batch == () else (i,), []).append(f)
    return [f[0].joined(f[1:]) if len(f) > 1 else f[0] for f in alike.values()]


def _describe(v: Variables) -> str:
    dims = ", ".join(f"{d} {n}" for d, n in zip(v.dims, v.shape, strict=True))
    states = v.states if v.counts is None else f"at most {v.states}"
    return f"({dims}) of {states} states"


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return len(shape) <= len(to) and all(
        k in (1, n) for k, n in zip(reversed(shape), reversed(to), strict=False)
    )
