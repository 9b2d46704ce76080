"""Learn the coordinates that sites are moved in: at the starts, and in warm-up from draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.run import WARMUP, Chunk, Runner, collect, join
from finetti.inference.start import points_at
from finetti.kernels.alternating import Alternating
from finetti.kernels.kernel import Point
from finetti.structure.form import Given
from finetti.structure.rewrites.information import Constants, look, positive
from finetti.structure.rewrites.straighten import Straighten
from finetti.structure.rewrites.straighten import learn as learn_level
from finetti.targets.density import Target
from finetti.types import Array, Key

STEPS = 12  # of Newton's method, at the start
LONGEST = 2.0  # of one of them, in prior standard deviations
SHARES = 2.0 ** -np.arange(8)  # of a step that are tried
POINTS = 64  # draws of a window that its constants are learned from
FEWEST = 20  # points to learn a scale from


def stages(ends: tuple[int, ...], warmup: int, chains: int) -> list[int]:
    """Return the numbers of warm-up draws a chain between which constants are learned.

    >>> stages((40, 120, 280, 600, 1240, 3600), 1000, 4)
    [10, 20, 40, 80, 160, 690]
    """
    marks = [end // chains for end in ends[:-1]]
    return np.diff([0, *marks, warmup]).tolist()


def begin(
    target: Target, given: Given, points: Point, keys: Key, settle: bool
) -> tuple[Given, Point]:
    """Learn at the starts, after moving the centred sites to their mode given all else if asked."""
    positions = np.moveaxis(np.asarray(points.position), -1, 0)
    plain = release(target, given, positions)
    if settle:
        plain = settled(target, given, plain, keys)
    return _adopt(target, given, plain, plain, keys, points)


def warm_up(runner: Runner, wanted: int, report: Callable[[Chunk], None]) -> dict[str, np.ndarray]:
    """Warm the chains up; where sites are moved, learn anew as each of the metric's windows ends.

    What was drawn before does not count for the metric, whose coordinates have changed. Of the
    draws only the statistics come back: the positions would take nearly all the memory.
    """
    target, keys = runner.course.target, runner.keys
    sites = {site for move in target.form.moves for site in move.sites}
    moved = target.layout.mask(sites)
    lengths = stages(runner.course.ends, wanted, len(keys)) if sites else [wanted]
    infos: list[dict[str, np.ndarray]] = []
    drawn = np.empty(0)
    measure(runner, np.ones_like(moved))
    for number, length in enumerate(lengths):
        if number:
            points = runner.carry.states.draw
            new, points = relearn(target, runner.constants, drawn, points, keys)
            runner.move(new, points, moved)
            measure(runner, moved)
        draws = collect(runner, WARMUP + number, length, True, report)
        drawn = draws.positions
        infos.append(draws.info)
    return join(infos)


def measure(runner: Runner, places: np.ndarray) -> None:
    """Where members move by themselves, measure the rest's scale at some places (a mask).

    It is the inverse root of minus the second derivative where the chains are, their median. What
    many members tell together is known so well that a scale of 1 would be a thousand times too
    long.
    """
    if not isinstance(runner.course.kernel, Alternating):
        return
    target = runner.course.target
    tuning, points = runner.carry.tuning, runner.carry.states.draw
    place = jnp.asarray(np.moveaxis(np.asarray(points.position), -1, 0))
    bent = np.median(np.asarray(curvature(target, runner.constants, place)), 0)
    scale, rest = np.array(tuning.scale), ~target.layout.mask(target.layout.apart)
    scale[rest] = measured(scale[rest], bent, places[rest])
    runner.carry = runner.carry._replace(tuning=tuning._replace(scale=scale))


def measured(scale: np.ndarray, bent: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a scale that some places, a mask, have by minus their second derivatives."""
    known = places & (bent > 0)
    return np.where(known, 1 / np.sqrt(np.where(known, bent, 1.0)), scale)


@compiled(ONCE, "target")
def curvature(target: Target, given: Given, positions: Array) -> Array:
    """Return minus the second derivative along each coordinate that is of no member, a row each."""
    rest = np.flatnonzero(~target.layout.mask(target.layout.apart))

    def one(position: Array) -> Array:
        slope = jax.grad(lambda x: target.log_density(given, position.at[rest].set(x)))
        _, push = jax.linearize(slope, position[rest])
        unit = jnp.eye(len(rest), dtype=position.dtype)
        return -jax.lax.map(lambda i: push(unit[i])[i], jnp.arange(len(rest)))

    return jax.lax.map(one, positions)


def relearn(
    target: Target, given: Given, draws: np.ndarray, points: Point, keys: Key
) -> tuple[Given, Point]:
    """Learn from the later half of a window's draws, shape (chain, draw, dim).

    Returns the constants, and `points` in the coordinates that they make.
    """
    chosen = telling(draws)
    here = np.moveaxis(np.asarray(points.position), -1, 0)
    plain, seen = release(target, given, here), release(target, given, chosen)
    return _adopt(target, given, plain, seen, keys, points)


def telling(draws: np.ndarray) -> np.ndarray:
    """Return `POINTS` of a window's later draws, of the chains that did not stand still if any."""
    later = draws[:, draws.shape[1] // 2 :]
    moving = (later != later[:, :1]).any((1, 2))
    rows = later[moving | ~moving.any()].reshape(-1, draws.shape[2])
    return rows[np.linspace(0, len(rows) - 1, POINTS).astype(int)]


def _adopt(
    target: Target, given: Given, plain: Array, seen: Array, keys: Key, points: Point
) -> tuple[Given, Point]:
    new = given.learned(jax.tree.map(np.asarray, look_around(target, given, seen, keys[0])))
    moved = jax.tree.map(np.asarray, arrive(target, new, plain))
    if not (np.isfinite(moved.log_density) & np.isfinite(moved.gradient).all(-1)).all():
        return given, points
    return new, jax.tree.map(lambda a: np.moveaxis(a, 0, -1), moved)


@compiled(ONCE, "target")
def release(target: Target, given: Given, positions: Array) -> Array:
    return jax.vmap(partial(target.release, given))(positions)


@compiled(ONCE, "target")
def adopt(target: Target, given: Given, plain: Array) -> Array:
    return jax.vmap(partial(target.adopt, given))(plain)


def arrive(target: Target, given: Given, plain: Array) -> Point:
    return points_at(target, given, adopt(target, given, plain))


@compiled(ONCE, "target")
def look_around(target: Target, given: Given, plain: Array, key: Key) -> Constants:
    """Return the constants that the points, one a row, teach.

    Where sites are centred it is their medians over the points: no stray point moves them.
    """

    def one(x: Array, number: Any) -> Constants:
        here = jax.random.fold_in(key, number)
        return look(target.form, given, target.layout.split(x), here)

    found = jax.lax.map(lambda both: one(*both), (plain, jnp.arange(len(plain))), batch_size=8)
    middle = jax.tree.map(lambda a: jnp.median(a, 0), found)
    centred = {n: {**c, "information": positive(c["information"])} for n, c in middle.items()}
    return {**centred, **_levels(target, plain)}


def _levels(target: Target, plain: Array) -> Constants:
    """Return the constants of what is straightened, where there are draws enough to tell."""
    if len(plain) < FEWEST:
        return {}
    free = jax.vmap(target.layout.split)(plain)
    moves = (m for m in target.form.moves if isinstance(m, Straighten))
    return {m.name: learn_level(free[m.site]) for m in moves}


@compiled(ONCE, "target")
def settled(target: Target, given: Given, plain: Array, keys: Key) -> Array:
    """Return the starts, unmoved, with the centred sites at their mode given all else."""
    form, split, unite = target.form, target.layout.split, target.layout.join
    moved = {site for move in form.centred for site in move.sites}

    def one(plain: Array, key: Key) -> Array:
        def step(number: Any, plain: Array) -> Array:
            here = split(plain)
            seen = given.learned(look(form, given, here, jax.random.fold_in(key, number)))
            centred = {n: jnp.zeros_like(x) if n in moved else x for n, x in here.items()}
            unit = {n: jnp.ones_like(x) if n in moved else x for n, x in here.items()}
            mode = unite(form.release(seen, centred))
            middle, above = (unite(form.release(given, at)) for at in (centred, unit))
            longest = LONGEST * jnp.abs(above - middle)  # `given` is the non-centred form
            change = jnp.clip(mode - plain, -longest, longest)
            tried = plain + jnp.asarray(SHARES, plain.dtype)[:, None] * change
            found = jax.vmap(lambda x: form.unmoved().log_density(given, split(x)))(tried)
            found = jnp.where(jnp.isfinite(found), found, -jnp.inf)
            best = jnp.argmax(found)
            now = form.unmoved().log_density(given, here)
            return jnp.where(found[best] > now, tried[best], plain)

        return jax.lax.fori_loop(0, STEPS, step, plain)

    return jax.vmap(one)(plain, keys)
