"""Follow nodes to their relatives through determined ones, and draw as PyMC2 programs seed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Protocol, TypeVar

import jax
import numpy as np

from finetti.dialects.pymc2.traced import stack
from finetti.types import AnyArray, Tree


class Determinable(Hashable, Protocol):
    """Be a node, which others determine or not."""

    determined: bool


Node = TypeVar("Node", bound=Determinable)


def through(nodes: Iterable[Node], step: Callable[[Node], Iterable[Node]]) -> set[Node]:
    """Return the nodes that are not determined, and those that determined ones step to."""
    found, seen, waiting = set[Node](), set[Node](), list(nodes)
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.determined:
            waiting.extend(step(node))
        else:
            found.add(node)
    return found


def arranged(parts: list[Tree], shape: tuple[int, ...]) -> AnyArray:
    """Return values in the places of an array of nodes: one array, or an array of such."""
    try:
        flat = stack(parts)
        return flat.reshape(shape + np.shape(flat)[1:])
    except ValueError:
        found = np.empty(len(parts), object)
        found[:] = parts
        return found.reshape(shape)


def draw_key() -> jax.Array:
    """Return a key from numpy's global generator: PyMC2 programs seed that one."""
    return jax.random.key(int(np.random.randint(2**31 - 1)))  # noqa: NPY002
