"""Select variables for factors to speak to: read values there, and add up what is sent there.

A selection that is made by slices is read by slices and written by padding, which compilers turn
into plain loops; any other is read by a gather of each variable's own slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jax import lax

from finetti.types import Array

WASTE = 4  # slots are gathered where they are at most so many times the messages


class View(NamedTuple):
    """Hold a selection as strided slices: dimension d of the variables lies along `axes[d]`.

    An axis of -1 says that the dimension has one index; an axis of the selection that no
    dimension lies along repeats the variables.
    """

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    counts: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def ends(self) -> tuple[int, ...]:
        """Return one past the last place in each dimension."""
        parts = zip(self.starts, self.steps, self.counts, strict=True)
        return tuple(a + s * (n - 1) + 1 for a, s, n in parts)


class Whole(Protocol):
    """Say what a selection needs to know of the array of variables it is made from."""

    @property
    def name(self) -> str:
        """Return the array's name."""
        ...

    @property
    def states(self) -> int:
        """Return the largest number of states."""
        ...

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Return each variable's number of states, where they differ."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the sizes of the array's dimensions."""
        ...

    @property
    def size(self) -> int:
        """Return how many variables there are."""
        ...


@dataclass(frozen=True, eq=False)
class Selection:
    """Hold some variables of one array, each perhaps many times; index it to select again.

    `index` holds their places in the flattened array. Selections are equal where they select
    the same variables in the same shape.

    >>> from finetti import factors as fg
    >>> pixel = fg.Variables("pixel", {"row": 5, "col": 4})
    >>> pixel[:-1].shape, pixel[2, 3].shape
    ((4, 4), ())
    """

    variables: Whole
    index: np.ndarray

    def __post_init__(self):
        if self.index.dtype != np.int32:
            object.__setattr__(self, "index", self.index.astype(np.int32))

    def __getitem__(self, key: Any) -> Selection:
        return Selection(self.variables, np.asarray(self.index[key]))

    def reshape(self, *shape: int) -> Selection:
        """Return the same variables in another shape."""
        return Selection(self.variables, self.index.reshape(*shape))

    def broadcast_to(self, shape: tuple[int, ...]) -> Selection:
        """Return the selection repeated to a shape, by numpy's rules."""
        return Selection(self.variables, np.broadcast_to(self.index, shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the selection."""
        return self.index.shape

    @property
    def states(self) -> int:
        """Return the number of states of each variable selected."""
        return self.variables.states

    @property
    def name(self) -> str:
        """Return the name of the array of variables."""
        return self.variables.name

    @cached_property
    def _few(self) -> np.ndarray:
        """Return the index with length one along the axes that repeat it."""
        strides = zip(self.index.strides, self.shape, strict=True)
        return np.asarray(
            self.index[tuple(slice(0, 1) if s == 0 and n else slice(None) for s, n in strides)]
        )

    @cached_property
    def _key(self) -> tuple:
        what = self.view or (self._few.shape, np.ascontiguousarray(self._few, np.int32).tobytes())
        return self.variables, self.shape, what

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and self._key == other._key

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def degrees(self) -> np.ndarray:
        """Return how often each variable is selected, in the variables' shape."""
        each = self.index.size // max(1, self._few.size)
        counts = np.bincount(self._few.ravel(), minlength=self.variables.size) * each
        return counts.reshape(self.variables.shape)

    @cached_property
    def view(self) -> View | None:
        """Return the selection as strided slices, or None where it is irregular."""
        index, shape = self._few, self.variables.shape
        if index.size == 0:
            return None
        places = np.unravel_index(index, shape) if shape else ()
        starts = [int(p.flat[0]) for p in places]
        steps, counts, axes = [1] * len(shape), [1] * len(shape), [-1] * len(shape)
        for axis, n in enumerate(index.shape):
            # One step along an axis tells which dimension of the variables lies along it, and its
            # stride; all places are checked against that below.
            second = tuple(int(n > 1 and a == axis) for a in range(index.ndim))
            moved = [d for d, p in enumerate(places) if p[second] != starts[d]]
            if len(moved) > 1 or (moved and axes[moved[0]] >= 0):
                return None
            for d in moved:
                steps[d], counts[d], axes[d] = int(places[d][second]) - starts[d], n, axis
        grids = np.indices(index.shape, sparse=True)
        for d, place in enumerate(places):
            expected = starts[d] + (steps[d] * grids[axes[d]] if axes[d] >= 0 else 0)
            if steps[d] < 1 or not np.array_equal(place, np.broadcast_to(expected, place.shape)):
                return None
        return View(tuple(starts), tuple(steps), tuple(counts), tuple(axes))

    def read(self, values: Array) -> Array:
        """Return the values, (states, *variables), of the selection: (states, *selection).

        Axes along which the variables repeat may come with length one.
        """
        if self.view is None:
            return values.reshape(len(values), -1)[:, self._few]
        view, ndim = self.view, len(self.shape)
        starts, ends, steps = (0, *view.starts), (len(values), *view.ends), (1, *view.steps)
        part = lax.slice(values, starts, ends, steps)
        along = [d for d, axis in enumerate(view.axes) if axis >= 0]
        part = part.reshape(len(values), *(view.counts[d] for d in along))
        order = sorted(range(len(along)), key=lambda i: view.axes[along[i]])
        sizes = [self.shape[a] if a in view.axes else 1 for a in range(ndim)]
        return part.transpose(0, *(1 + i for i in order)).reshape(len(values), *sizes)

    def collect(self, messages: Array) -> Array:
        """Return the sums, (states, *variables), of what was sent: (states, *selection)."""
        shape, states = self.variables.shape, len(messages)
        messages = jnp.broadcast_to(messages, (states, *self.shape))
        if self.view is None:
            repeated = zip(self._few.shape, self.shape, strict=True)
            axes = tuple(1 + a for a, (few, n) in enumerate(repeated) if few < n)
            return self._gathered(messages.sum(axes).reshape(states, -1)).reshape(states, *shape)
        view, ndim = self.view, len(self.shape)
        kept = [a for a in range(ndim) if a in view.axes]
        sums = messages.sum(tuple(1 + a for a in range(ndim) if a not in kept))
        sums = sums.transpose(0, *(1 + kept.index(a) for a in view.axes if a >= 0))
        spaces = zip(view.starts, shape, view.ends, view.steps, strict=True)
        edges = [(start, n - end, step - 1) for start, n, end, step in spaces]
        zero = jnp.zeros((), messages.dtype)
        return lax.pad(sums.reshape(states, *view.counts), zero, [(0, 0, 0), *edges])

    def _gathered(self, messages: Array) -> Array:
        """Return the sums over each variable's slots, (states, variables)."""
        if self._slots is None:
            sums = jnp.zeros((len(messages), self.variables.size), messages.dtype)
            return sums.at[:, self._few.ravel()].add(messages)
        none = jnp.zeros((len(messages), 1), messages.dtype)
        return jnp.concatenate([messages, none], 1)[:, self._slots].sum(1)

    @cached_property
    def _slots(self) -> np.ndarray | None:
        """Return the messages each variable is sent, one more than the last where it has fewer."""
        places = self._few.ravel()
        counts = np.bincount(places, minlength=self.variables.size)
        if counts.max(initial=0) * len(counts) > WASTE * (len(places) + len(counts)):
            return None
        order = np.argsort(places, kind="stable")
        rank = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = np.full((counts.max(initial=0), len(counts)), len(places), np.int32)
        slots[rank, places[order]] = order
        return slots


def flattened(selections: list[Selection], own: int = 0) -> Selection:
    """Return selections joined along one batch axis; `own` trailing axes stay as they are."""
    first = selections[0]
    trailing = first.shape[len(first.shape) - own :]
    flat = [s.index.reshape(prod(s.shape[: len(s.shape) - own]), *trailing) for s in selections]
    return Selection(first.variables, np.concatenate(flat))
