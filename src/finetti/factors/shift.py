"""State that two variables on a grid of places lie near each other: a dilation, not a table.

A variable's state is a place in a window, row by row. Its message says, of each place, how good
the best (or all) of the places within reach are: a grey dilation, or a box sum, of the window,
made axis by axis in about 2 log2(reach) shifts. The table it replaces has places squared entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from finetti.errors import ModelError
from finetti.factors.factor import Factor, Piece, check_distinct, pytree, shared_shape
from finetti.factors.selection import Selection, flattened
from finetti.factors.semiring import Semiring
from finetti.factors.variables import Variables, select
from finetti.types import Array


@pytree
@dataclass(frozen=True, eq=False)
class BoundedShift(Factor):
    """State that two places differ by at most `reach` along each axis of their window.

    Both selections have prod(window) states: the places of the window, the last axis fastest, so
    that in a window of (25, 25) state 25 r + c is row r, column c. `reach` is one whole number or
    one for each axis. Where pairs differ in reach, state a factor for each.

    Raises `ModelError` where states and window do not agree.

    >>> from finetti import factors as fg
    >>> part = fg.Variables("part", {"part": 70}, states=25 * 25)
    >>> fg.BoundedShift(part[:-1], part[1:], reach=2, window=(25, 25)).batch
    (69,)
    """

    first: Variables | Selection
    second: Variables | Selection
    reach: Any
    window: Any
    scopes: tuple[Selection, ...] = field(init=False)
    batch: tuple[int, ...] = field(init=False)
    hard: bool = field(init=False)

    def __post_init__(self):
        window = tuple(int(n) for n in self.window)
        reach = np.broadcast_to(np.asarray(self.reach), (len(window),))
        first, second = select(self.first), select(self.second)
        for scope in (first, second):
            if scope.states != prod(window) or scope.variables.counts is not None:
                raise ModelError(
                    f"`{scope.name}` has {scope.states} states and the window {window} "
                    f"{prod(window)} places; give the variables a state for each place"
                )
        if (reach < 0).any() or not np.issubdtype(reach.dtype, np.integer):
            raise ModelError(
                f"`{first.name}` and `{second.name}` have reach {self.reach}; give whole numbers, "
                "at least 0"
            )
        batch = shared_shape([first, second], [0, 0])
        first, second = first.broadcast_to(batch), second.broadcast_to(batch)
        check_distinct([first, second], [0, 0])
        settled = {"first": first, "second": second, "scopes": (first, second), "batch": batch}
        settled |= {"reach": tuple(int(r) for r in reach), "window": window}
        settled["hard"] = any(r + 1 < n for r, n in zip(settled["reach"], window, strict=True))
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    @property
    def likeness(self) -> tuple:
        first, second = self.scopes
        return BoundedShift, first.variables, second.variables, self.reach, self.window

    def scaled(self, inverse_temperature: Any) -> BoundedShift:
        return self

    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        return [self._spread(incoming[1], semiring), self._spread(incoming[0], semiring)]

    def score(self, states: Sequence[Array]) -> Array:
        near = jnp.asarray(True)
        stride = prod(self.window)
        for reach, n in zip(self.reach, self.window, strict=True):
            stride //= n
            first, second = (s // stride % n for s in states)
            near = near & (abs(first - second) <= reach)
        return jnp.broadcast_to(jnp.where(near, 0.0, -jnp.inf), self.batch)

    def pieces(self, name: str) -> list[Piece]:
        places = np.indices(self.window).reshape(len(self.window), -1)
        apart = abs(places[:, :, None] - places[:, None, :])
        near = (apart <= np.reshape(self.reach, (-1, 1, 1))).all(0)
        return [Piece(self.scopes, np.where(near, 0.0, -np.inf))]

    def joined(self, others: Sequence[BoundedShift]) -> BoundedShift:
        each = [self, *others]
        first, second = (flattened([f.scopes[i] for f in each]) for i in range(2))
        return BoundedShift(first, second, self.reach, self.window)

    def _spread(self, weights: Array, semiring: Semiring) -> Array:
        spread = weights.reshape(*self.window, *weights.shape[1:])
        for axis, reach in enumerate(self.reach):
            spread = dilate(spread, reach, axis, semiring)
        return spread.reshape(weights.shape)


def dilate(weights: Array, reach: int, axis: int, semiring: Semiring) -> Array:
    """Combine the log weights of all places at most `reach` away along an axis.

    Runs of 1, 2, 4, ... places are combined from two of half the length, and those that make up
    2 reach + 1 places are combined.
    """
    size = weights.shape[axis]
    reach = min(reach, size - 1)
    if reach == 0:
        return weights
    pad = [(0, 0)] * weights.ndim
    pad[axis] = (reach, reach)
    run = jnp.pad(weights, pad, constant_values=-jnp.inf)  # run[i]: the places i to i + length - 1
    length, done, found = 1, 0, None
    while True:
        if (2 * reach + 1) & length:
            part = _from(run, done, size, axis)
            found = part if found is None else semiring.add(found, part)
            done += length
        if done == 2 * reach + 1:
            return found  # type: ignore[return-value]
        shorter = run.shape[axis] - length
        run = semiring.add(_from(run, 0, shorter, axis), _from(run, length, shorter, axis))
        length *= 2


def _from(values: Array, start: int, count: int, axis: int) -> Array:
    return values[(*[slice(None)] * axis, slice(start, start + count))]
