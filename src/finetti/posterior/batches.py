"""Apply a function to many draws, some at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from finetti.types import Array

BATCH = 1000  # draws at a time, fewer if they are many numbers
BATCH_BYTES = 64_000_000


def batch_size(total: int, numbers: int) -> int:
    """Return how many of so many draws to work on at a time, about `numbers` numbers in each."""
    return int(np.clip(BATCH_BYTES // (8 * max(numbers, 1)), 1, min(BATCH, total)))


def in_batches(
    function: Callable[[np.ndarray], Mapping[str, Array]], total: int, numbers: int
) -> dict[str, np.ndarray]:
    """Return what a function makes of the draws 0 .. total - 1, arrays of shape (total, ...).

    It takes the places of some draws, always as many, and returns an array with a row for each,
    by name. About `numbers` numbers are at work in one draw.
    """
    size = batch_size(total, numbers)
    found: dict[str, np.ndarray] = {}
    for start in range(0, total, size):
        places = np.minimum(np.arange(start, start + size), total - 1)
        for name, values in function(places).items():
            new = np.asarray(values)
            whole = found.setdefault(name, np.empty((total, *new.shape[1:]), new.dtype))
            whole[start : start + size] = new[: total - start]
    return found
