"""Do for each of many fits what a single fit does: find starts, look around, arrive.

Every function has the fits on the leading axis of its arrays.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference import learn
from finetti.inference.guess import guess
from finetti.inference.start import RADIUS, ROUNDS, TRIES, chosen, points_at, random_positions
from finetti.inference.sweep import to_numpy
from finetti.inference.wide import Own, joined
from finetti.kernels.kernel import Point
from finetti.structure.form import Given
from finetti.targets.density import Density, Target
from finetti.types import Array, Key

DTYPE = "float64"


def start(
    built: Density, target: Target, shared: Given, own: Own, keys: Key
) -> tuple[Point, np.ndarray]:
    """Return a point for each chain, (fit, chain) leading, and which fits have one for all."""
    rows: list[Point] = []
    for attempt in range(ROUNDS):
        if target.layout.natural:
            number = 1000 + attempt
            each = [jax.random.split(jax.random.fold_in(k, number), TRIES) for k in keys.ravel()]
            positions = guess(built, DTYPE, jnp.concatenate(each), RADIUS)
            positions = positions.reshape(*keys.shape, TRIES, positions.shape[-1])
        else:
            positions = random(target, target.layout.dim, shared, own, keys, np.int32(attempt))
        rows.append(to_numpy(evaluated(target, shared, own, positions)))
        tries: Point = jax.tree.map(lambda *points: np.concatenate(points, 2), *rows)
        places, settled = chosen(tries)
        if settled.all():
            break
    found = jax.tree.map(lambda a: _take(a, places[..., None]), tries)
    fine = np.isfinite(found.log_density) & np.isfinite(found.gradient).all(-1)
    return found, np.asarray(fine.all(-1))


def _take(a: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.take_along_axis(a, places.reshape(*places.shape, *[1] * (a.ndim - 3)), 2)[:, :, 0]


@compiled(ONCE, "target", "dim")
def random(target: Target, dim: int, shared: Given, own: Own, keys: Key, attempt: Any) -> Array:
    def one(own: Own, keys: Key) -> Array:
        return random_positions(target, (TRIES, dim), DTYPE, joined(shared, own), keys, attempt)

    return jax.vmap(one)(own, keys)


@compiled(ONCE, "target")
def evaluated(target: Target, shared: Given, own: Own, positions: Array) -> Point:
    def one(own: Own, positions: Array) -> Point:
        return jax.vmap(lambda x: points_at(target, joined(shared, own), x))(positions)

    return jax.vmap(one)(own, positions)


@compiled(ONCE, "target")
def release(target: Target, shared: Given, own: Own, positions: Array) -> Array:
    return jax.vmap(lambda o, x: learn.release(target, joined(shared, o), x))(own, positions)


@compiled(ONCE, "target")
def curvature(target: Target, shared: Given, own: Own, positions: Array) -> Array:
    def one(own: Own, positions: Array) -> Array:
        return learn.curvature(target, joined(shared, own), positions)

    return jax.lax.map(lambda both: one(*both), (own, positions))


@compiled(ONCE, "target")
def settled(target: Target, shared: Given, own: Own, positions: Array, keys: Key) -> Array:
    def one(own: Own, positions: Array, keys: Key) -> Array:
        given = joined(shared, own)
        return learn.settled(target, given, learn.release(target, given, positions), keys)

    return jax.vmap(one)(own, positions, keys)


@compiled(ONCE, "target")
def arrived(
    target: Target, shared: Given, own: Own, both: tuple[Array, Array], keys: Key, points: Point
) -> tuple[Own, Point]:
    """Learn coordinates from the second of two arrays of unmoved points; arrive at the first.

    A fit where that fails stays as it is, at its `points`.
    """

    def one(own: Own, both: tuple[Array, Array], keys: Key, points: Point) -> tuple[Own, Point]:
        given, (plain, seen) = joined(shared, own), both
        learned = learn.look_around(target, given, seen, keys[0])
        moved = learn.arrive(target, given.learned(learned), plain)
        fine = jnp.isfinite(moved.log_density) & jnp.isfinite(moved.gradient).all(-1)
        new = (own._replace(rewrites={**own.rewrites, **learned}), moved)
        return jax.tree.map(lambda a, b: jnp.where(fine.all(), a, b), new, (own, points))

    return jax.vmap(one)(own, both, keys, points)
