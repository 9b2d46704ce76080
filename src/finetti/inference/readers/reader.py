"""Say what a reader of draws is: it takes them as they come, and has the groups of a posterior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.inference.engine.draws import Draws
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

RECOVER = 1 << 30  # far from the numbers that the sampler folds into the chains' keys


class Reader(ABC):
    """Make something of draws that come a block at a time, in order, as many of every chain."""

    @abstractmethod
    def add(self, draws: Draws) -> None:
        """Read the next draws."""

    @abstractmethod
    def finish(self) -> dict[str, xr.Dataset]:
        """Return what was made of all draws, by the group of a posterior that it belongs to."""


def recovery_key(keys: Key, chain: Array | int, number: Array) -> Key:
    """Return the key of a chain's draw by its number, to draw what was taken out of the sampler."""
    return jax.random.fold_in(keys[chain], RECOVER + jnp.asarray(number))


class Batches:
    """Cut rows that come in any number into batches of one size, so that they share one program."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.waiting: list[np.ndarray] = []

    def add(self, *columns: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Take rows in, a column an array; yield each batch that is full."""
        if self.waiting:
            both = zip(self.waiting, columns, strict=True)
            columns = tuple(np.concatenate(column) for column in both)
        whole = len(columns[0]) - len(columns[0]) % self.size
        for start in range(0, whole, self.size):
            yield [column[start : start + self.size] for column in columns]
        self.waiting = [column[whole:] for column in columns]

    def rest(self) -> Iterator[tuple[list[np.ndarray], int]]:
        """Yield what is left, filled up with its last row, and how many rows that are."""
        if self.waiting and (count := len(self.waiting[0])):
            places = np.minimum(np.arange(self.size), count - 1)
            yield [column[places] for column in self.waiting], count


def rows(draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return chain, number and position of each draw, those of a chain one after another."""
    chains, count, dim = draws.positions.shape
    chain = np.repeat(np.arange(chains, dtype=np.int32), count)
    number = np.tile(np.arange(draws.first, draws.first + count, dtype=np.int32), chains)
    return chain, number, draws.positions.reshape(chains * count, dim)
