"""Have numpy run a traced program where it has the answer before XLA had compiled it."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import jax
import numpy as np

from finetti.host import keys
from finetti.host.program import Program, program
from finetti.host.rule import Unknown, is_key
from finetti.types import Tree

# Microseconds: what a step of numpy takes beside its numbers, what a number takes more than by XLA,
# what XLA takes to compile an equation, and a program at all.
STEP, NUMBER = 3.0, 0.002
COMPILED, AT_ALL = 600.0, 15_000.0


class Hosted:
    """Run a program by numpy: called as the function that was traced, it returns what that would.

    Arrays that come out are numpy's, random keys JAX's.
    """

    def __init__(self, ready: Program, traced: Any) -> None:
        self.ready, self.tree = ready, jax.tree.structure(traced.out_info)
        self.held = frozenset(map(id, ready.held))
        self.taken = [v.dtype for v in traced.jaxpr.in_avals]
        self.given = [v.dtype for v in traced.jaxpr.out_avals]

    def __call__(self, *given: Tree) -> Tree:
        """Return what the program yields."""
        leaves = zip(jax.tree.leaves(given), self.taken, strict=True)
        values = [
            keys.taken(value) if is_key(dtype) else np.asarray(value, dtype)
            for value, dtype in leaves
        ]
        with np.errstate(all="ignore"):
            found = self.ready(*values)
        lasting = self.held.union(map(id, values))
        return jax.tree.unflatten(
            self.tree, [_out(*each, lasting) for each in zip(found, self.given, strict=True)]
        )


def _out(value: Any, dtype: Any, lasting: Set[int]) -> Any:
    """Return what is the caller's own: no part of an array that he, or the program, holds."""
    if is_key(dtype):
        return keys.given(value)
    array = np.asarray(value, dtype)
    return array if array.flags.owndata and id(array) not in lasting else array.copy()


def hosted(traced: Any, calls: int) -> Hosted | None:
    """Return the program for numpy, for about so many calls; None if XLA is to have it.

    `traced` is what `jax.jit(f).trace(...)` returns. It depends on the program alone, so that the
    same call has the same answer in any process.
    """
    if jax.default_backend() != "cpu" or getattr(jax.config, "jax_debug_nans", False):
        return None
    try:
        ready = program(traced.jaxpr)
    except (Unknown, LookupError, AttributeError, TypeError, ValueError):
        return None  # not known, or written otherwise by another version of JAX
    equations, steps, numbers = ready.work
    here = calls * (steps * STEP + numbers * NUMBER)
    return Hosted(ready, traced) if here < equations * COMPILED + AT_ALL else None
