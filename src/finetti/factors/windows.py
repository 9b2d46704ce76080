"""Spread beliefs over windows of places in numpy, for graphs too short-lived to be compiled for.

What bounded shifts send by maximum, as `shift` does for JAX. Beliefs of many variables lie in one
array, (node, batch, *window), in any type of number: eight bits where whole numbers are small.
After each row of a window there is room, which holds minus infinity, so that along the last axis
all windows are spread as one long row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finetti.factors.shift import runs
from finetti.types import AnyArray, DType

ROOM = 7  # places after a row of a window, which a spread along it may reach into


def empty_of(dtype: DType) -> int | float:
    """Return what stands for minus infinity."""
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf


def with_room(beliefs: AnyArray, dtype: DType) -> AnyArray:
    """Return a copy of beliefs, (..., *window), with room after the rows of each window."""
    *shape, side = beliefs.shape
    found = np.full((*shape, side + ROOM), empty_of(dtype), dtype)
    inner(found)[...] = beliefs
    return found


def inner(beliefs: AnyArray) -> AnyArray:
    """Return the windows without the room after their rows."""
    return beliefs[..., :-ROOM]


def spread(beliefs: AnyArray, reach: Sequence[int], cost: float = 0.0) -> AnyArray:
    """Return the largest belief within `reach` along each axis of each place, less its price.

    `beliefs` are (node, batch, *window with room); a price is `cost` for each place of difference,
    along the axis with the largest. The room comes back as 0, so that messages can be added up.
    """
    if cost == 0:
        found = _boxed(beliefs, reach)
    else:
        found, wider = beliefs.copy(), beliefs
        for d in range(max(reach)):
            wider = _boxed(wider, [int(r > d) for r in reach])
            inner(wider)[...] -= cost
            found = np.maximum(found, wider)
    found[..., -ROOM:] = 0
    return found


def _boxed(beliefs: AnyArray, reach: Sequence[int]) -> AnyArray:
    """Return the largest belief within `reach` along each axis of each place; the room is empty."""
    *others, last = (min(r, n - 1) for r, n in zip(reach, inner(beliefs).shape[2:], strict=True))
    empty, found = empty_of(beliefs.dtype), beliefs
    while last > 0:  # a reach beyond the room is made of smaller ones
        part = min(last, ROOM)
        row = np.full(beliefs.size + 2 * part, empty, beliefs.dtype)
        row[part:-part] = found.reshape(-1)
        found = runs(row, 2 * part + 1, 0, np.maximum, idempotent=True).reshape(beliefs.shape)
        found[..., -ROOM:] = empty
        last -= part
    for axis, part in enumerate(others, start=2):
        if part > 0:
            shape = list(beliefs.shape)
            shape[axis] += 2 * part
            tall = np.full(shape, empty, beliefs.dtype)
            tall[(*[slice(None)] * axis, slice(part, -part))] = found
            found = runs(tall, 2 * part + 1, axis, np.maximum, idempotent=True)
    return found.copy() if found is beliefs else found
