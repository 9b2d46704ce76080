"""Rules for JAX's random keys and bits, to the bit.

They are those of Threefry 2x32 (Salmon, Moraes, Dror & Shaw 2011). A key is held as one number of
64 bits, its first word the upper half, so that keys are moved about as numbers are. Rules hold for
JAX's default of counting elements (`jax_threefry_partitionable`).
"""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import numpy as np

from finetti.host.rule import Numpy, Rule, Step, Unknown, is_key
from finetti.types import Equation

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = np.uint32(0x1BD11BDA)
HALF = np.uint64(32)
LOWER = np.uint64(0xFFFFFFFF)
KIND = "key<fry>"


def taken(value: Any) -> np.ndarray:
    """Return an array as numpy's, JAX's keys as numbers of 64 bits."""
    if is_key(getattr(value, "dtype", None)):
        return _joined(np.asarray(jax.random.key_data(value)))
    return np.asarray(value)


def given(numbers: Numpy) -> Any:
    """Return numbers of 64 bits as JAX's keys."""
    words: Any = _words(numbers)
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _joined(words: np.ndarray) -> np.ndarray:
    upper, lower = words[..., 0].astype(np.uint64), words[..., 1].astype(np.uint64)
    return (upper << HALF) | lower


def _words(numbers: Numpy) -> np.ndarray:
    upper, lower = _halves(np.asarray(numbers))
    return np.stack([upper, lower], -1)


def _halves(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (numbers >> HALF).astype(np.uint32), (numbers & LOWER).astype(np.uint32)


def threefry(
    first: np.ndarray, second: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what 20 rounds make of pairs of words (x, y) under keys of two words."""
    keys = first, second, first ^ second ^ PARITY
    x, y = x + keys[0], y + keys[1]
    for number in range(5):
        for by in ROTATIONS[number % 2]:
            x = x + y
            y = x ^ ((y << np.uint32(by)) | (y >> np.uint32(32 - by)))
        x = x + keys[(number + 1) % 3]
        y = y + keys[(number + 2) % 3] + np.uint32(number + 1)
    return x, y


def _hashed(keys: Numpy, counts: np.ndarray) -> np.ndarray:
    """Return what keys make of counts of 64 bits, the axes of both side by side."""
    wide = np.reshape(np.asarray(keys), np.shape(keys) + (1,) * counts.ndim)
    upper, lower = threefry(*_halves(wide), *_halves(counts))
    return (upper.astype(np.uint64) << HALF) | lower.astype(np.uint64)


def _counts(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(prod(shape), dtype=np.uint64).reshape(shape)


def _known(rule: Rule) -> Rule:
    """Return a rule for keys of the kind that is known here, counted in the way that is known."""

    def checked(equation: Equation) -> Step:
        for v in (*equation.invars, *equation.outvars):
            if is_key(v.aval.dtype) and str(v.aval.dtype) != KIND:
                raise Unknown(f"keys of {v.aval.dtype}")
        if not getattr(jax.config, "jax_threefry_partitionable", False):
            raise Unknown("bits are counted in another way")
        return rule(equation)

    return checked


def _seeded(equation: Equation) -> Step:
    wide = np.dtype(equation.invars[0].aval.dtype).itemsize == 8
    unsigned = np.uint64 if wide else np.uint32
    return lambda seed: np.asarray(seed).astype(unsigned).astype(np.uint64)


def _folded(equation: Equation) -> Step:
    def fold(key: Numpy, number: Numpy) -> Numpy:
        counts = np.asarray(number).astype(np.uint32).astype(np.uint64)
        upper, lower = threefry(*_halves(np.asarray(key)), *_halves(counts))
        return (upper.astype(np.uint64) << HALF) | lower.astype(np.uint64)

    return fold


def _split(equation: Equation) -> Step:
    counts = _counts(tuple(equation.params["shape"]))
    return lambda key: _hashed(key, counts)


def _bits(equation: Equation) -> Step:
    width, counts = equation.params["bit_width"], _counts(tuple(equation.params["shape"]))
    if width == 64:
        return lambda key: _hashed(key, counts)
    dtype = np.dtype(f"u{width // 8}")

    def narrow(key: Numpy) -> Numpy:
        upper, lower = _halves(_hashed(key, counts))
        return (upper ^ lower).astype(dtype)

    return narrow


RULES: dict[str, Rule] = {
    name: _known(rule)
    for name, rule in {
        "random_seed": _seeded,
        "random_fold_in": _folded,
        "random_split": _split,
        "random_bits": _bits,
        "random_wrap": lambda equation: _joined,
        "random_unwrap": lambda equation: _words,
        "threefry2x32": lambda equation: threefry,
    }.items()
}
