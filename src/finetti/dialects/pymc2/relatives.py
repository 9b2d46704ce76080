"""Follow nodes to their relatives through determined ones, and draw as PyMC2 programs seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np


def through(nodes: Iterable[Any], step: Callable[[Any], Iterable[Any]]) -> set[Any]:
    """Return the nodes that are not determined, and those that determined ones step to."""
    found, seen, waiting = set[Any](), set[Any](), list(nodes)
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


def draw_key() -> jax.Array:
    """Return a key from numpy's global generator: PyMC2 programs seed that one."""
    return jax.random.key(int(np.random.randint(2**31 - 1)))  # noqa: NPY002
