"""Say what readers of draws are: they take them as they come, for the groups of a posterior.

Draws come in blocks of a fixed number, but for the last, so that what is made of them does not
depend on how long the sampler's chunks were.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.inference.engine.draws import Draws
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

RECOVER = 1 << 30  # far from the numbers that the sampler folds into the chains' keys
BLOCK_BYTES = 8_000_000  # of one array
BLOCK = 2000  # draws a chain


class Rows(ABC):
    """Make rows of draws, one of each, for some group of a posterior."""

    group: str

    @abstractmethod
    def read(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return what is made of each draw, arrays (chain, draw, ...) by name."""

    @abstractmethod
    def label(self, rows: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Name and label rows, as many as there may be, as the group has them."""


class Reader(ABC):
    """Make something of all draws, which come a block at a time, in order."""

    @abstractmethod
    def add(self, draws: Draws) -> None:
        """Read the next draws."""

    @abstractmethod
    def finish(self) -> dict[str, xr.Dataset]:
        """Return what was made of all draws, by the group of a posterior that it belongs to."""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Return what was made so far, as arrays by name."""

    @abstractmethod
    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""


def block_length(chains: int, numbers: int) -> int:
    """Return of how many draws a chain a block is, where each has so many numbers.

    >>> block_length(4, 10), block_length(4, 10_000)
    (2000, 25)
    """
    return int(np.clip(BLOCK_BYTES // (8 * chains * max(numbers, 1)), 1, BLOCK))


def recovery_key(keys: Key, chain: Array | int, number: Array) -> Key:
    """Return the key of a chain's draw by its number, to draw what was taken out of the sampler."""
    return jax.random.fold_in(keys[chain], RECOVER + jnp.asarray(number))


def batches(size: int, *columns: np.ndarray) -> Iterator[tuple[list[np.ndarray], int]]:
    """Cut rows, a column an array, into batches of one size, so that they share one program.

    Yields each with its number of rows; the last is filled up with its last row.
    """
    count = len(columns[0])
    for start in range(0, count, size):
        places = np.minimum(np.arange(start, start + size), count - 1)
        yield [column[places] for column in columns], min(size, count - start)


def rows(draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return chain, number and position of each draw, those of a chain one after another."""
    chains, count, dim = draws.positions.shape
    chain = np.repeat(np.arange(chains, dtype=np.int32), count)
    number = np.tile(np.arange(draws.first, draws.first + count, dtype=np.int32), chains)
    return chain, number, draws.positions.reshape(chains * count, dim)
