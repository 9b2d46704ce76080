"""Add log weights by log-sum-exp, for probabilities, or by maximum, for the best state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import lax

from finetti.types import Array

UNROLLED = 16  # alternatives up to so many are combined one by one, which the compiler fuses


class Semiring(ABC):
    """Say how the log weights of alternatives combine.

    `idempotent` tells whether a value combined with itself is itself.
    """

    idempotent: ClassVar[bool]

    @abstractmethod
    def add(self, a: Array, b: Array) -> Array:
        """Combine two arrays of log weights entry by entry."""

    @abstractmethod
    def combine(self, alternatives: Sequence[Array]) -> Array:
        """Combine a few arrays of log weights entry by entry."""

    @abstractmethod
    def reduce(self, weights: Array, axes: tuple[int, ...]) -> Array:
        """Combine the log weights along axes."""


@dataclass(frozen=True)
class Sum(Semiring):
    """Combine as log(sum(exp)); what is -inf throughout stays -inf, with derivative zero."""

    idempotent = False

    def add(self, a: Array, b: Array) -> Array:
        return self.combine([a, b])

    def combine(self, alternatives: Sequence[Array]) -> Array:
        top = _finite(lax.stop_gradient(reduce(jnp.maximum, alternatives)))
        return _log(reduce(jnp.add, (jnp.exp(a - top) for a in alternatives))) + top

    def reduce(self, weights: Array, axes: tuple[int, ...]) -> Array:
        if prod(weights.shape[a] for a in axes) <= UNROLLED:
            return self.combine(_parts(weights, axes))
        top = _finite(lax.stop_gradient(weights.max(axes, keepdims=True)))
        return _log(jnp.exp(weights - top).sum(axes)) + top.squeeze(axes)


@dataclass(frozen=True)
class Max(Semiring):
    """Combine as the maximum."""

    idempotent = True

    def add(self, a: Array, b: Array) -> Array:
        return jnp.maximum(a, b)

    def combine(self, alternatives: Sequence[Array]) -> Array:
        return reduce(jnp.maximum, alternatives)

    def reduce(self, weights: Array, axes: tuple[int, ...]) -> Array:
        if prod(weights.shape[a] for a in axes) <= UNROLLED:
            return self.combine(_parts(weights, axes))
        return weights.max(axes)


def _finite(top: Array) -> Array:
    """Return the greatest log weights, or 0 where there is none."""
    return jnp.where(jnp.isneginf(top), jnp.zeros_like(top), top)


def _log(total: Array) -> Array:
    """Return the logarithm, -inf of zero, there with derivative zero."""
    some = total > 0
    return jnp.where(some, jnp.log(jnp.where(some, total, jnp.ones_like(total))), -jnp.inf)


def _parts(weights: Array, axes: tuple[int, ...]) -> list[Array]:
    """Return the alternatives along axes as arrays without those axes."""
    found = []
    for place in np.ndindex(*(weights.shape[a] for a in axes)):
        at = dict(zip(axes, place, strict=True))
        found.append(weights[tuple(at.get(a, slice(None)) for a in range(weights.ndim))])
    return found
