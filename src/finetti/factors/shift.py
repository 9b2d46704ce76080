"""State that two variables on a grid of places lie near each other: a dilation, not a table.

A variable's state is a place in a window, row by row. Its message says, of each place, how good
the best (or all) of the places within reach are: a grey dilation, or a box sum, of the window,
made axis by axis in about 2 log2(reach) shifts. The table it replaces has places squared entries.
Where a difference has its price, boxes of every size up to the reach make up the message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import prod
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from finetti.errors import ModelError
from finetti.factors.factor import (
    Factor,
    Piece,
    check_distinct,
    pytree,
    shared_shape,
    traced,
)
from finetti.factors.selection import Selection, flattened
from finetti.factors.semiring import Semiring
from finetti.factors.variables import Variables, select
from finetti.types import AnyArray, Array, Value

Values = TypeVar("Values", bound=AnyArray)


@pytree
@dataclass(frozen=True, eq=False)
class BoundedShift(Factor):
    """State that two places differ by at most `reach` along each axis of their window.

    Both selections have prod(window) states: the places of the window, the last axis fastest, so
    that in a window of (25, 25) state 25 r + c is row r, column c. `reach` is one whole number or
    one for each axis. Where pairs differ in reach, state a factor for each. `cost`, if given, is
    what each place of difference takes from the log potential, along the axis where they differ
    most.

    Raises `ModelError` where states and window do not agree, and for a negative reach or cost.

    >>> from finetti import factors as fg
    >>> part = fg.Variables("part", {"part": 70}, states=25 * 25)
    >>> fg.BoundedShift(part[:-1], part[1:], reach=2, window=(25, 25)).batch
    (69,)
    """

    first: Variables | Selection
    second: Variables | Selection
    reach: Any
    window: Any
    cost: Value = None
    scopes: tuple[Selection, ...] = field(init=False)
    batch: tuple[int, ...] = field(init=False)
    hard: bool = field(init=False)
    leaves: ClassVar[tuple[str, ...]] = ("cost",)

    def __post_init__(self):
        """Check and settle the fields: selections of one shape, reach an axis, None for no cost."""
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
        if self.cost is not None and not traced(self.cost):
            if not 0 <= self.cost < np.inf:
                raise ModelError(
                    f"`{first.name}` and `{second.name}` have cost {self.cost}; give a finite "
                    "number, at least 0, or None"
                )
            object.__setattr__(self, "cost", float(self.cost) or None)
        batch = shared_shape([first, second], [0, 0])
        first, second = first.broadcast_to(batch), second.broadcast_to(batch)
        check_distinct([first, second], [0, 0])
        settled = {"first": first, "second": second, "scopes": (first, second), "batch": batch}
        settled |= {"reach": tuple(int(r) for r in reach), "window": window}
        # Soft where every place is within reach of every other.
        settled["hard"] = any(r + 1 < n for r, n in zip(settled["reach"], window, strict=True))
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    @property
    def likeness(self) -> tuple:
        first, second = self.scopes
        cost = id(self.cost) if traced(self.cost) else self.cost
        return BoundedShift, first.variables, second.variables, self.reach, self.window, cost

    def scaled(self, inverse_temperature: Value) -> BoundedShift:
        if self.cost is None:
            return self
        return jax.tree.map(lambda cost: cost * inverse_temperature, self)

    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        return [self._spread(incoming[1], semiring), self._spread(incoming[0], semiring)]

    def score(self, states: Sequence[Array]) -> Array:
        near, furthest = jnp.asarray(True), jnp.asarray(0)
        stride = prod(self.window)
        for reach, n in zip(self.reach, self.window, strict=True):
            stride //= n
            first, second = (s // stride % n for s in states)
            apart = abs(first - second)
            near, furthest = near & (apart <= reach), jnp.maximum(furthest, apart)
        return jnp.broadcast_to(jnp.where(near, self._price(furthest), -jnp.inf), self.batch)

    def pieces(self, name: str) -> list[Piece]:
        places = np.indices(self.window).reshape(len(self.window), -1)
        apart = abs(places[:, :, None] - places[:, None, :])
        near = (apart <= np.reshape(self.reach, (-1, 1, 1))).all(0)
        where: Any = jnp.where if traced(self.cost) else np.where
        return [Piece(self.scopes, where(near, self._price(apart.max(0)), -np.inf))]

    def joined(self, others: Sequence[BoundedShift]) -> BoundedShift:
        each = [self, *others]
        first, second = (flattened([f.scopes[i] for f in each]) for i in range(2))
        return BoundedShift(first, second, self.reach, self.window, self.cost)

    def _price(self, apart: Value) -> Value:
        return 0.0 if self.cost is None else -self.cost * apart

    def _spread(self, weights: Array, semiring: Semiring) -> Array:
        spread = weights.reshape(*self.window, *weights.shape[1:])
        if self.cost is None:
            found = self._box(spread, max(self.reach), semiring)
        else:
            found = self._priced(spread, semiring)
        return found.reshape(weights.shape)

    def _priced(self, weights: Array, semiring: Semiring) -> Array:
        """Combine all places within reach, each less its price: boxes of all sizes, one in another.

        A box of size d counts what its price is above that of the next: exp(-c d) - exp(-c (d + 1))
        where they are summed. Of a maximum the nearest box that has it counts the most.
        """
        sizes = range(min(max(self.reach), max(self.window) - 1) + 1)
        more = 0.0 if semiring.idempotent else jnp.log(-jnp.expm1(-jnp.asarray(self.cost)))
        boxes = [
            self._box(weights, d, semiring) + self._price(d) + (more if d < sizes[-1] else 0.0)
            for d in sizes
        ]
        return reduce(semiring.add, boxes)

    def _box(self, weights: Array, size: int, semiring: Semiring) -> Array:
        """Combine all places at most `size`, and within reach, away along each axis."""
        for axis, reach in enumerate(self.reach):
            weights = dilate(weights, min(reach, size), axis, semiring)
        return weights


def dilate(weights: Array, reach: int, axis: int, semiring: Semiring) -> Array:
    """Combine the log weights of all places at most `reach` away along an axis."""
    reach = min(reach, weights.shape[axis] - 1)
    if reach == 0:
        return weights
    pad = [(0, 0)] * weights.ndim
    pad[axis] = (reach, reach)
    padded = jnp.pad(weights, pad, constant_values=-jnp.inf)
    return runs(padded, 2 * reach + 1, axis, semiring.add, semiring.idempotent)


def runs(
    values: Values,
    length: int,
    axis: int,
    combine: Callable[[Values, Values], Values],
    idempotent: bool,
) -> Values:
    """Combine each run of `length` neighbours along an axis; entry i begins at place i.

    Runs of 1, 2, 4, ... are combined from two of half the length. Where a value may be combined
    with itself, two that overlap make up the whole; else those that make up `length` are combined.
    """
    count, size, done, found = values.shape[axis] - length + 1, 1, 0, None
    while True:
        if idempotent and 2 * size >= length:
            first = _from(values, 0, count, axis)
            return combine(first, _from(values, length - size, count, axis))
        if not idempotent and length & size:
            part = _from(values, done, count, axis)
            found = part if found is None else combine(found, part)
            done += size
            if done == length:
                return found
        shorter = values.shape[axis] - size
        values = combine(_from(values, 0, shorter, axis), _from(values, size, shorter, axis))
        size *= 2


def _from(values: Values, start: int, count: int, axis: int) -> Values:
    return values[(*[slice(None)] * axis, slice(start, start + count))]  # type: ignore[return-value]
