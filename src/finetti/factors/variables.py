"""Name arrays of discrete variables, and select from them as numpy selects from arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from jax.typing import ArrayLike

from finetti.errors import ModelError
from finetti.factors.selection import Selection


@dataclass(frozen=True)
class Variables:
    """Name an array of discrete variables: its named dimensions, and how many states each has.

    Index it as an array to select some: `pixel[:-1]` are all rows but the last. Where variables
    differ in their number of states, give an array of the numbers; tables then have the size of
    the largest, and what they say of states that a variable lacks counts for nothing.

    Raises `ModelError` for sizes or numbers of states below one.

    >>> from finetti import factors as fg
    >>> pixel = fg.Variables("pixel", {"row": 50, "col": 40}, states=2)
    >>> pixel[:-1].shape, pixel.isel(col=0).shape
    ((49, 40), (50,))
    """

    name: str
    sizes: Mapping[str, int] | tuple[tuple[str, int], ...] = ()
    states: int | Any = field(default=2, kw_only=True)
    counts: tuple[int, ...] | None = field(default=None, init=False)

    def __post_init__(self):
        """Keep sizes as pairs, and the largest number of states, with each one's if they differ."""
        sizes = tuple((str(d), int(n)) for d, n in dict(self.sizes).items())
        object.__setattr__(self, "sizes", sizes)
        for dim, size in sizes:
            if size < 1:
                raise ModelError(
                    f"variables `{self.name}`: dimension `{dim}` has size {size}; give at least 1"
                )
        each = np.asarray(self.states)
        if not np.issubdtype(each.dtype, np.integer) or (each < 1).any():
            raise ModelError(
                f"variables `{self.name}` have states={self.states}; give whole numbers, at least 1"
            )
        if each.ndim and each.shape != self.shape:
            raise ModelError(
                f"variables `{self.name}` have shape {self.shape} and numbers of states of shape "
                f"{each.shape}; give one number, or one for each variable"
            )
        object.__setattr__(self, "states", int(each.max()))
        if each.ndim and (each < each.max()).any():
            object.__setattr__(self, "counts", tuple(each.ravel().tolist()))

    @property
    def dims(self) -> tuple[str, ...]:
        """Return the names of the dimensions."""
        return tuple(d for d, _ in self._pairs)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the sizes of the dimensions."""
        return tuple(n for _, n in self._pairs)

    @property
    def size(self) -> int:
        """Return how many variables there are."""
        return prod(self.shape)

    @property
    def _pairs(self) -> tuple[tuple[str, int], ...]:
        return tuple(self.sizes.items()) if isinstance(self.sizes, Mapping) else self.sizes

    @property
    def all(self) -> Selection:
        """Return the selection of every variable, in the array's shape."""
        places = np.arange(self.size, dtype=np.int32).reshape(self.shape)
        whole: Any = self  # pyright takes a cached property for no property
        return Selection(whole, places)

    def __getitem__(self, key: Any) -> Selection:
        try:
            return self.all[key]
        except IndexError as error:
            where = ", ".join(f"{d}: {n}" for d, n in self._pairs) or "no dimensions"
            raise ModelError(f"variables `{self.name}` ({where}): {error}") from error

    def isel(self, **indexers: Any) -> Selection:
        """Select by the names of dimensions: whole numbers, slices or arrays, as in xarray."""
        for dim in indexers:
            if dim not in self.dims:
                known = ", ".join(f"`{d}`" for d in self.dims) or "none"
                raise ModelError(
                    f"variables `{self.name}` have no dimension `{dim}` (dimensions: {known})"
                )
        return self[tuple(indexers.get(d, slice(None)) for d in self.dims)]

    def observe(self, states: ArrayLike) -> np.ndarray:
        """Return evidence, shape (*shape, states), that variables are in the states given.

        -1 leaves a variable unobserved. Raises `ModelError` for states that do not exist.

        >>> from finetti import factors as fg
        >>> fg.Variables("x", {"i": 2}).observe([1, -1])
        array([[-inf,   0.],
               [  0.,   0.]])
        """
        values = np.broadcast_to(np.asarray(states), self.shape)
        most = np.asarray(self.states if self.counts is None else self.counts)
        wrong = (values < -1) | (
            values >= np.broadcast_to(most.reshape(-1), self.size).reshape(self.shape)
        )
        if wrong.any() or not np.issubdtype(values.dtype, np.integer):
            raise ModelError(
                f"variables `{self.name}` were observed in {values[wrong].tolist() or states}; "
                f"give whole numbers from 0 to {self.states - 1}, or -1 for what is not observed"
            )
        met = values[..., None] == np.arange(self.states)
        return np.where(met | (values[..., None] < 0), 0.0, -np.inf)

    def present(self) -> np.ndarray | None:
        """Return log weights (states, *shape) that bar the states variables lack, if any do."""
        if self.counts is None:
            return None
        lacking = np.arange(self.states)[:, None] >= np.asarray(self.counts)
        return np.where(lacking, -np.inf, 0.0).reshape(self.states, *self.shape)


def select(chosen: Variables | Selection) -> Selection:
    """Return a selection: of all variables where an array of them is given."""
    return chosen.all if isinstance(chosen, Variables) else chosen
