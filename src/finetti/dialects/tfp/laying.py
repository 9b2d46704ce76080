"""Lay the parts of states in vectors, and give log densities of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tfp.bijectors import Each, Identity
from finetti.dialects.tfp.kernels import LogProb, Moves, Sizes
from finetti.dialects.tfp.pinned import JointBijector
from finetti.kernels.kernel import Point, evaluate
from finetti.types import AnyArray, Array


@dataclass(frozen=True, eq=False)
class Shapes:
    """Hold the shapes of a state's parts, and how they lie in one vector."""

    shapes: tuple[tuple[int, ...], ...]

    def join(self, parts: Sequence[Array]) -> Array:
        """Return the parts of one chain's state as a vector."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(p, float)) for p in parts])

    def split(self, vector: Array) -> list[Array]:
        """Return a vector's parts; leading axes stay."""
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes])
        pieces = jnp.split(vector, ends[:-1], axis=-1)
        lead = vector.shape[:-1]
        return [p.reshape(*lead, *s) for p, s in zip(pieces, self.shapes, strict=True)]

    def spread(self, sizes: Sizes) -> np.ndarray:
        """Return step sizes, one for all or a list of one a part, as one for each coordinate."""
        return self.spread_over((), sizes)

    def spread_over(self, lead: tuple[int, ...], sizes: Sizes) -> np.ndarray:
        """Return step sizes for each coordinate of states that have some axes more, (*lead, dim).

        Sizes broadcast with each part's shape, the axes more before it.
        """
        each = sizes if isinstance(sizes, list | tuple) else [sizes] * len(self.shapes)
        if len(each) != len(self.shapes):
            raise ValueError(f"there are {len(each)} step sizes for {len(self.shapes)} parts")
        if not all((np.asarray(e) > 0).all() for e in each):
            raise ValueError(f"step sizes are positive, not {sizes!r}")
        full = [_over(lead, e, s) for e, s in zip(each, self.shapes, strict=True)]
        return np.concatenate(full, -1)


def _over(lead: tuple[int, ...], sizes: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    given = np.asarray(sizes, float)
    try:
        return np.broadcast_to(given, lead + shape).reshape(*lead, -1)
    except ValueError as error:
        raise ValueError(
            f"step sizes of shape {given.shape} do not broadcast with states of {lead + shape}"
        ) from error


@dataclass(frozen=True, eq=False)
class Target:
    """Give the log density of a vector by a function of a state's parts.

    `batched` tells that the function expects a leading axis of chains.
    """

    function: LogProb
    parts: Shapes
    batched: bool

    def log_density(self, constants: None, position: Array) -> Array:
        """Return the log density at a vector."""
        return self.at(position)

    def at(self, position: Array) -> Array:
        """Return the log density at a vector."""
        parts = self.parts.split(position)
        if self.batched:
            return jnp.reshape(self.function(*(p[None] for p in parts)), (1,))[0]
        return jnp.reshape(jnp.asarray(self.function(*parts), float), ())


@dataclass(frozen=True, eq=False)
class Laid:
    """Hold chains' states as vectors, (chain, dim), and how a state's parts lie in one."""

    shapes: Shapes
    batched: bool
    start: Array

    def points(self, function: LogProb) -> Point:
        """Return the points to start from; raise `ValueError` where the density is not finite."""
        target = Target(function, self.shapes, self.batched)
        found = jax.jit(jax.vmap(lambda x: evaluate(target.at, x)))(self.start)
        if not np.isfinite(found.log_density).all():
            raise ValueError("the target's log density is not finite at current_state")
        return found


def laid(target: LogProb, free: list[Array]) -> Laid:
    """Lay states' parts in vectors; raise `ValueError` where axes of chains do not agree.

    The target's value tells whether chains lead: it has an axis of them then, and else none.
    """
    value = jax.eval_shape(target, *free).shape
    if len(value) > 1:
        raise ValueError(f"one axis of chains can lead, not {len(value)}: {value}")
    for place, part in enumerate(free if value else []):
        if part.shape[:1] != value:
            raise ValueError(
                f"the target's value has shape {value}, one a chain, and part {place} of the state "
                f"has shape {part.shape}: sum the log density over all but chains"
            )
    shapes = Shapes(tuple(x.shape[len(value) :] for x in free))
    rows = free if value else [x[None] for x in free]
    return Laid(shapes, bool(value), jax.vmap(lambda *x: shapes.join(x))(*rows))


def states_of(maps: Each | JointBijector, free: list[Array]) -> list[AnyArray]:
    """Return the program's own states of free ones, which all have a first axis more."""
    if isinstance(maps, Each):
        return maps.onto(free)[0]
    return jax.vmap(lambda *parts: maps.onto(parts)[0])(*free)


def maps_of(moves: Moves, count: int) -> Each | JointBijector:
    """Return the map of a state's parts; raise `ValueError` where it is of another number."""
    maps = moves.maps or Each((Identity(),) * count)
    expected = len(maps.bijectors) if isinstance(maps, Each) else len(maps.pinned.names)
    if expected != count:
        raise ValueError(f"there are {expected} bijectors for {count} parts of the state")
    return maps
