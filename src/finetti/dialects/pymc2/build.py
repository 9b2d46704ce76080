"""Build a finetti Model of the nodes of a PyMC2 program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain, count

import jax.numpy as jnp
import numpy as np

from finetti.dialects.pymc2 import host, traced
from finetti.dialects.pymc2.nodes import (
    Deterministic,
    Node,
    Potential,
    Stochastic,
    Variable,
    nodes_in,
    resolve,
)
from finetti.dialects.written import log_density
from finetti.language import sites
from finetti.models import Model, model
from finetti.types import AnyArray, Array, Tree

State = tuple[dict[str, Tree], AnyArray]  # the values of the parents, and its own
MISSING = "{} missing"


def build(nodes: Iterable[Node], name: str = "pymc2") -> Model:
    """Return the model of the nodes; stochastics that are not among them are held at their values.

    Children of theirs count though they are not among them, as in PyMC2's steps. A partly observed
    stochastic becomes two sites: what is known, under its own name, and what is not.
    """
    listed = set(nodes)
    counted = left_out(listed)
    ordered = _sorted(listed | counted)
    names = _names(listed, counted)

    def statements() -> None:
        """State the nodes in order, parents first, as finetti's own statements."""
        found: dict[Node, Tree] = {}
        given = Given({}, {})
        for node in ordered:
            values = resolve(node.parents, found.__getitem__)
            met = given.above(node)
            with host.only_where(partial(given.possible, met)):
                if isinstance(node, Stochastic):
                    stated = node in names
                    held = node in counted
                    found[node] = _sample(node, names[node], values, held) if stated else node.value
                elif isinstance(node, Deterministic):
                    found[node] = _compute(node, values, node in listed)
                elif isinstance(node, Potential):
                    term, _ = traced.run(node.function, values, lambda n=node: n.logp)
                    sites.factor(names[node], term)
            unknown = isinstance(node, Stochastic) and node in listed and not node.observed
            given.take(node, met, (values, found[node]) if unknown else None)

    statements.__name__ = name
    return model(statements)()


def left_out(listed: set[Node]) -> set[Node]:
    """Return what is not listed and yet counts: the children of the unknown."""
    return set[Node]().union(*(node.extended_children for node in latent(listed))) - listed


def held(listed: set[Node]) -> dict[Node, np.ndarray]:
    """Return the values of the stochastics that the model of some nodes holds where they are."""
    ordered = _sorted(listed | left_out(listed))
    return {n: n.value for n in ordered if isinstance(n, Stochastic) and n not in listed}


def names_of(nodes: Iterable[Node]) -> dict[Node, str]:
    """Return the name of the site, or the first of the sites, of each node that counts."""
    listed = set(nodes)
    return _names(listed, left_out(listed))


def _names(listed: set[Node], counted: set[Node]) -> dict[Node, str]:
    """Return the name of each node's site: one left out may have that of another."""
    named = {n: n.__name__ for n in listed}
    taken = set(named.values())
    for node in sorted(counted, key=lambda n: n.__name__):
        tries = chain([node.__name__], (f"{node.__name__} left out {i}" for i in count(1)))
        named[node] = next(name for name in tries if name not in taken)
        taken.add(named[node])
    return named


@dataclass(frozen=True)
class Given:
    """Follow which unknowns each node depends on, and tell whether their values are possible."""

    unknowns: dict[Node, frozenset[Stochastic]]
    states: dict[Stochastic, State]  # parents' values and its own

    def take(self, node: Node, met: frozenset[Stochastic], state: State | None) -> None:
        """Note what a node depends on, and its state if it is unknown itself."""
        if state is not None and isinstance(node, Stochastic):
            self.states[node] = state
            met = met | {node}
        self.unknowns[node] = met

    def above(self, node: Node) -> frozenset[Stochastic]:
        """Return the unknowns that a node depends on."""
        parents = [p for p in nodes_in(node.parents) if p in self.unknowns]
        return frozenset[Stochastic]().union(*(self.unknowns[p] for p in parents))

    def possible(self, unknowns: frozenset[Stochastic]) -> AnyArray:
        """Tell whether all of some unknowns have values that their own densities allow."""
        allowed: AnyArray = np.array(True)
        for node in sorted(unknowns, key=lambda n: n.__name__):
            values, value = self.states[node]
            others = self.unknowns[node] - {node}
            with host.only_where(partial(self.possible, others)):
                term = log_density(node.distribution(values), value)
            allowed = allowed & jnp.isfinite(jnp.sum(term))
        return allowed


def _sorted(listed: set[Node]) -> list[Node]:
    """Return the nodes and all their ancestors, parents first."""
    ordered: dict[Node, None] = {}

    def visit(node: Node, above: tuple[Node, ...]) -> None:
        if node in ordered:
            return
        if node in above:
            raise ValueError(f"node {node.__name__} is its own ancestor")
        constant = isinstance(node, Stochastic) and node not in listed
        for parent in () if constant else nodes_in(node.parents):
            visit(parent, (*above, node))
        ordered[node] = None

    for node in sorted(listed, key=lambda n: n.__name__):
        visit(node, ())
    return list(ordered)


def _sample(node: Stochastic, name: str, values: dict[str, Tree], held: bool) -> AnyArray:
    distribution = node.distribution(values)
    if node.observed or held:
        return sites.sample(name, distribution, obs=np.asarray(node.value))
    if node.mask is None:
        return sites.sample(name, distribution)
    return _sample_missing(node, values)


def _sample_missing(node: Stochastic, values: dict[str, Tree]) -> Array:
    """Observe the elements that are known and sample the others."""
    mask = np.asarray(node.mask)
    whole = {k: _broadcast(v, mask.shape) for k, v in values.items()}
    parts = [
        node.distribute({k: _rows(v, rows, mask.shape) for k, v in whole.items()})
        for rows in (~mask, mask)
    ]
    known, unknown = (
        d.expand((int(rows.sum()),)) if d.batch_shape == () else d
        for d, rows in zip(parts, (~mask, mask), strict=True)
    )
    data = np.asarray(node.value)
    sites.sample(node.__name__, known, obs=data[~mask])
    drawn = sites.sample(MISSING.format(node.__name__), unknown)
    return jnp.asarray(data).at[np.nonzero(mask)].set(jnp.asarray(drawn, data.dtype))


def _broadcast(value: Tree, shape: tuple[int, ...]) -> AnyArray:
    value = traced.stack(value)
    return jnp.broadcast_to(value, shape) if np.ndim(value) else value


def _rows(value: AnyArray, rows: np.ndarray, shape: tuple[int, ...]) -> AnyArray:
    return value[rows] if np.shape(value) == shape else value


def _compute(node: Deterministic, values: dict[str, Tree], kept: bool) -> Tree:
    found, _ = traced.run(node.function, values, lambda: node.value)
    if kept and node.keep_trace and np.ndim(found) >= 0 and not isinstance(found, dict | list):
        sites.deterministic(node.__name__, jnp.asarray(found))
    return found


def latent(nodes: Iterable[Node]) -> list[Stochastic]:
    """Return the stochastics whose values are unknown, in whole or in part, in order of names."""
    found = [n for n in nodes if isinstance(n, Stochastic) and not n.observed]
    return sorted(found, key=lambda n: n.__name__)


def site_of(node: Variable) -> str:
    """Return the name of the site that holds a variable's unknown values."""
    partly = isinstance(node, Stochastic) and node.mask is not None
    return MISSING.format(node.__name__) if partly else node.__name__


def unknown(node: Stochastic) -> np.ndarray:
    """Return the part of a stochastic's current value that is unknown."""
    value = np.asarray(node.value)
    return value if node.mask is None else value[node.mask]


def set_unknown(node: Stochastic, value: AnyArray) -> None:
    """Set the part of a stochastic's value that is unknown."""
    if node.mask is None:
        node.value = np.reshape(value, node.shape)
    else:
        whole = np.array(node.value)
        whole[node.mask] = value
        node.value = whole
