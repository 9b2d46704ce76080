"""Tell what the fits of a batch share from what each has for itself; one fit is a batch of one.

The fits are of one model to different data. Outside the sampler's loop they are the first axis of
what each has for itself: its data, what its warm-up learned, the keys and points of its chains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.form import Given
from finetti.types import AnyArray, Constants, Tree

R = TypeVar("R")


class Own(NamedTuple):
    """Hold the constants that each fit has for itself, every array with a leading axis of fits.

    `data` are the last of the program's constants; `rewrites` has by name those of a rewrite's that
    the data determine, or warm-up learns.
    """

    data: tuple[AnyArray, ...] = ()
    rewrites: dict[str, Constants] = {}  # noqa: RUF012 - never changed in place


def joined(shared: Given, own: Own) -> Given:
    """Return the constants of one fit: the shared ones with its own in their places."""
    kept = shared.data[: len(shared.data) - len(own.data)]
    rewrites: dict[str, Constants] = {
        n: {**c, **own.rewrites.get(n, {})} for n, c in shared.rewrites.items()
    }
    return Given((*kept, *own.data), rewrites)


def by_fit(function: Callable[..., R]) -> Callable[..., R]:
    """Return the function that takes and returns arrays with a leading axis of fits.

    A batch of one is not mapped: its matrix products would become batched ones, which are slower
    and may round otherwise.
    """

    def mapped(*args: Tree) -> R:
        if len(jax.tree.leaves(args)[0]) > 1:
            return jax.vmap(function)(*args)
        alone = jax.tree.map(lambda a: jnp.squeeze(jnp.asarray(a), 0), args)
        return jax.tree.map(lambda a: jnp.asarray(a)[None], function(*alone))

    return mapped


def spread(constants: Tree, fits: int) -> Tree:
    """Return constants, the same for all fits, as what each has for itself."""
    return jax.tree.map(lambda a: np.repeat(np.asarray(a)[None], fits, 0), constants)


def alone(own: Own) -> Own:
    """Return what the first fit has for itself, without the axis of fits."""
    return jax.tree.map(lambda a: a[0], own)
