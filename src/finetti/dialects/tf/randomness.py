"""Count off random numbers from a seed, as TensorFlow's global generator does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.tensors import extents, settled, value_of
from finetti.types import AnyArray, Array, DType, Key

Seed = int | Sequence[int] | np.ndarray | Key | None


class Randomness:
    """Count off keys from a seed, as TensorFlow's global generator does."""

    def __init__(self) -> None:
        """Start from 0."""
        self.turn: Array | None = None
        self.start(0)

    def start(self, seed: int) -> None:
        """Start from a seed."""
        self.root, self.numbers = int(seed), count()

    def key(self, seed: Seed = None) -> Key:
        """Return the key of an operation's own seed, or the next key."""
        if seed is None:
            found = jax.random.fold_in(jax.random.key(self.root), next(self.numbers))
            return found if self.turn is None else jax.random.fold_in(found, self.turn)
        if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
            return seed
        numbers = [int(s) for s in np.ravel(np.asarray(seed))]
        key = jax.random.key(numbers[0])
        for number in numbers[1:]:
            key = jax.random.fold_in(key, number)
        return key

    @contextmanager
    def turned(self, turn: Array) -> Iterator[None]:
        """Let keys depend on the number of a turn too, in a block that is traced once for many."""
        before, self.turn = self.turn, turn
        try:
            yield
        finally:
            self.turn = before


RANDOMNESS = Randomness()


def set_random_seed(seed: int) -> None:
    """Start random numbers from a seed."""
    RANDOMNESS.start(seed)


def random_normal(
    shape: Sequence[int] | int = (), mean: ArrayLike = 0.0, stddev: ArrayLike = 1.0,
    dtype: DType = np.float32, seed: Seed = None, name: str | None = None,
) -> AnyArray:  # fmt: skip
    """Return normal random numbers."""
    drawn = jax.random.normal(RANDOMNESS.key(seed), extents(shape))
    return settled((value_of(mean) + value_of(stddev) * drawn).astype(dtype))


def random_uniform(
    shape: Sequence[int] | int = (), minval: ArrayLike = 0.0, maxval: ArrayLike = 1.0,
    dtype: DType = np.float32, seed: Seed = None, name: str | None = None,
) -> AnyArray:  # fmt: skip
    """Return uniform random numbers, whole ones below `maxval` where `dtype` is of such."""
    key, size = RANDOMNESS.key(seed), extents(shape)
    low, high = value_of(minval), value_of(maxval)
    if np.dtype(dtype).kind in "iu":
        return settled(jax.random.randint(key, size, int(low), int(high), np.dtype(dtype)))
    return settled((low + (high - low) * jax.random.uniform(key, size)).astype(dtype))


def random_shuffle(value: ArrayLike, seed: Seed = None, name: str | None = None) -> AnyArray:
    """Return the rows of a value in a random order."""
    return settled(jax.random.permutation(RANDOMNESS.key(seed), jnp.asarray(value_of(value))))
