"""Build a finetti Model of the nodes of a PyMC2 program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from finetti.dialects.pymc2 import traced
from finetti.dialects.pymc2.nodes import (
    Deterministic,
    Node,
    Potential,
    Stochastic,
    Variable,
    nodes_in,
    resolve,
)
from finetti.language import sites
from finetti.models import Model, model

MISSING = "{} missing"


def build(nodes: Iterable[Node], name: str = "pymc2") -> Model:
    """Return the model of the nodes; stochastics that are not among them are held at their values.

    A partly observed stochastic becomes two sites: what is known, under its own name, and what is
    not.
    """
    listed = set(nodes)
    ordered = _sorted(listed)

    def statements() -> None:
        found: dict[Node, Any] = {}
        for node in ordered:
            values = resolve(node.parents, found.__getitem__)
            if isinstance(node, Stochastic):
                found[node] = _sample(node, values) if node in listed else node.value
            elif isinstance(node, Deterministic):
                found[node] = _compute(node, values, node in listed)
            elif isinstance(node, Potential) and node in listed:
                term, _ = traced.run(node.function, values, lambda n=node: n.logp)
                sites.factor(node.__name__, term)

    statements.__name__ = name
    return model(statements)()


def _sorted(listed: set[Node]) -> list[Node]:
    """Return the nodes and all their ancestors, parents first."""
    ordered: dict[Node, None] = {}

    def visit(node: Node, above: tuple[Node, ...]) -> None:
        if node in ordered:
            return
        if node in above:
            raise ValueError(f"node {node.__name__} is its own ancestor")
        held = isinstance(node, Stochastic) and node not in listed
        for parent in () if held else nodes_in(node.parents):
            visit(parent, (*above, node))
        ordered[node] = None

    for node in sorted(listed, key=lambda n: n.__name__):
        visit(node, ())
    return list(ordered)


def _sample(node: Stochastic, values: dict[str, Any]) -> Any:
    distribution = node.distribution(values)
    if node.observed:
        return sites.sample(node.__name__, distribution, obs=np.asarray(node.value))
    if node.mask is None:
        return sites.sample(node.__name__, distribution)
    return _sample_missing(node, values)


def _sample_missing(node: Stochastic, values: dict[str, Any]) -> Any:
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


def _broadcast(value: Any, shape: tuple[int, ...]) -> Any:
    value = traced.stack(value)
    return jnp.broadcast_to(value, shape) if np.ndim(value) else value


def _rows(value: Any, rows: np.ndarray, shape: tuple[int, ...]) -> Any:
    return value[rows] if np.shape(value) == shape else value


def _compute(node: Deterministic, values: dict[str, Any], kept: bool) -> Any:
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


def set_unknown(node: Stochastic, value: Any) -> None:
    """Set the part of a stochastic's value that is unknown."""
    if node.mask is None:
        node.value = np.reshape(value, node.shape)
    else:
        whole = np.array(node.value)
        whole[node.mask] = value
        node.value = whole
