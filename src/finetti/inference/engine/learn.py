"""Learn the coordinates that sites are moved in: at the starts, and in warm-up from draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.engine.batch import Own, by_fit, joined
from finetti.inference.engine.run import Run, Sampler
from finetti.inference.engine.start import points_at
from finetti.inference.engine.sweep import to_numpy
from finetti.kernels.alternating import Alternating
from finetti.kernels.kernel import Point
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import AnyArray, Array, Constants, Key, Value

STEPS = 12  # of Newton's method, at the start
LONGEST = 2.0  # of one of them, in prior standard deviations
SHARES = 2.0 ** -np.arange(8)  # of a step that are tried
POINTS = 64  # draws of a window that its constants are learned from
FEWEST = 20  # points to learn a scale from


def lengths(ends: tuple[int, ...], warmup: int, chains: int) -> list[int]:
    """Return the numbers of warm-up draws a chain between which constants are learned.

    >>> lengths((40, 120, 280, 600, 1240, 3600), 1000, 4)
    [10, 20, 40, 80, 160, 690]
    """
    marks = [end // chains for end in ends[:-1]]
    return np.diff([0, *marks, warmup]).tolist()


@dataclass(frozen=True, eq=False)
class Places:
    """Learn where a target's moved sites lie, and the first scale of what is moved beside members.

    Draws made before coordinates change do not count for the metric. `chains` is the number of
    each fit's.
    """

    target: Target
    chains: int

    @property
    def moved(self) -> np.ndarray:
        """Return which coordinates are those of moved sites."""
        return self.target.layout.mask({s for m in self.target.form.moves for s in m.sites})

    @property
    def learned(self) -> bool:
        """Tell whether any site is moved."""
        return bool(self.target.form.moves)

    def start(
        self, shared: Given, own: Own, keys: Key, points: Point, settle: bool
    ) -> tuple[Own, Point]:
        """Return the constants and points, (fit, chain) leading, to start from.

        Constants are what the points teach, after centred sites were taken to their mode given all
        else if `settle`. Without centred sites all stays.
        """
        if not self.target.form.settling:
            return own, points
        if settle:
            plain = settled(self.target, shared, own, points.position, keys)
        else:
            plain = release(self.target, shared, own, points.position)
        return arrived(self.target, shared, own, (plain, plain), keys, points)

    def begin(self, sampler: Sampler, run: Run) -> Run:
        """Return the run with its scales measured where the chains start."""
        return self._measure(sampler, run, np.ones(self.target.layout.dim, bool))

    def relearn(self, sampler: Sampler, run: Run) -> Run:
        """Learn from a window's draws, and go on in those coordinates."""
        target, shared, own = self.target, sampler.shared, run.own
        assert own is not None
        here: Point = jax.tree.map(self._apart, run.carry.states.draw)
        window = run.window.reshape(-1, self.chains, *run.window.shape[1:])
        chosen = np.stack([telling(draws) for draws in window])
        both = (
            release(target, shared, own, here.position),
            release(target, shared, own, chosen),
        )
        keys = run.keys.reshape(-1, self.chains)
        new, points = arrived(target, shared, own, both, keys, here)
        run = sampler.move(run, new, beside(points), self.moved)
        return self._measure(sampler, run, self.moved)

    def _apart(self, a: Value) -> np.ndarray:
        """Return an array with leading axes (fit, chain) for its last, of all chains."""
        a = np.moveaxis(np.asarray(a), -1, 0)
        return a.reshape(-1, self.chains, *a.shape[1:])

    def _measure(self, sampler: Sampler, run: Run, places: np.ndarray) -> Run:
        """Where members move by themselves, measure the rest's scale at some places (a mask).

        It is the inverse root of minus the second derivative where the chains are, their median.
        What many members tell together is known so well that a scale of 1 would be a thousand
        times too long.
        """
        if not isinstance(sampler.course.kernel, Alternating):
            return run
        positions = self._apart(run.carry.states.draw.position)
        bent = np.asarray(curvature(self.target, sampler.shared, run.own, positions))
        tuning, rest = run.carry.tuning, ~self.target.layout.mask(self.target.layout.apart)
        scale = np.array(tuning.scale)
        scale[rest] = measured(scale[rest], np.median(bent, 1).T, places[rest, None])
        return run._replace(carry=run.carry._replace(tuning=tuning._replace(scale=scale)))


def measured(scale: np.ndarray, bent: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a scale that some places, a mask, have by minus their second derivatives."""
    known = places & (bent > 0)
    return np.where(known, 1 / np.sqrt(np.where(known, bent, 1.0)), scale)


def telling(draws: np.ndarray) -> np.ndarray:
    """Return `POINTS` of a window's draws, of the chains that did not stand still if any."""
    moving = np.array([(chain != chain[:1]).any() for chain in draws])
    chains = np.flatnonzero(moving | ~moving.any())
    count = draws.shape[1]
    places = np.linspace(0, len(chains) * count - 1, POINTS).astype(int)
    return draws[chains[places // count], places % count]


def beside(points: Point) -> Point:
    """Return points of leading axes (fit, chain) with all chains on the last axis."""
    return jax.tree.map(
        lambda a: np.moveaxis(np.reshape(a, (a.shape[0] * a.shape[1], *a.shape[2:])), 0, -1),
        to_numpy(points),
    )


def arrived(
    target: Target, shared: Given, own: Own, both: tuple[Array, Array], keys: Key, points: Point
) -> tuple[Own, Point]:
    """Learn coordinates from the second of two arrays of unmoved points; arrive at the first.

    All have the fits on their leading axis. A fit where that fails stays as it is, at its `points`.
    """
    plain, seen = both
    taught = to_numpy(look_around(target, shared, own, seen, keys[:, 0]))
    new = own._replace(rewrites={**own.rewrites, **taught})
    moved: Point = to_numpy(points_at(target, shared, new, adopt(target, shared, new, plain)))
    fine = np.isfinite(moved.log_density) & np.isfinite(moved.gradient).all(-1)

    def chosen(new: AnyArray, old: AnyArray) -> np.ndarray:
        return np.where(fine.all(-1).reshape(-1, *[1] * (np.ndim(new) - 1)), new, old)

    return jax.tree.map(chosen, (new, moved), (own, points))


@compiled(ONCE, "target")
def curvature(target: Target, shared: Given, own: Own, positions: Array) -> Array:
    """Return minus the second derivative along each coordinate that is of no member, a row each."""
    rest = np.flatnonzero(~target.layout.mask(target.layout.apart))

    def of_fit(own: Own, positions: Array) -> Array:
        given = joined(shared, own)

        def at(position: Array) -> Array:
            slope = jax.grad(lambda x: target.log_density(given, position.at[rest].set(x)))
            _, push = jax.linearize(slope, position[rest])
            unit = jnp.eye(len(rest), dtype=position.dtype)
            return -jax.lax.map(lambda i: push(unit[i])[i], jnp.arange(len(rest)))

        return jax.lax.map(at, positions)

    return jax.lax.map(lambda both: of_fit(*both), (own, positions))


@compiled(ONCE, "target")
def release(target: Target, shared: Given, own: Own, positions: Array) -> Array:
    """Return the positions, (fit, point, dim), at which no site has been moved."""
    return by_fit(lambda o, x: jax.vmap(partial(target.release, joined(shared, o)))(x))(
        own, positions
    )


@compiled(ONCE, "target")
def adopt(target: Target, shared: Given, own: Own, plain: Array) -> Array:
    """Return the positions of points, (fit, point, dim), given when no site has been moved."""
    return by_fit(lambda o, x: jax.vmap(partial(target.adopt, joined(shared, o)))(x))(own, plain)


@compiled(ONCE, "target")
def look_around(target: Target, shared: Given, own: Own, plain: Array, keys: Key) -> Constants:
    """Return the constants that each fit's points, (fit, point, dim), teach.

    No stray point moves what they agree on.
    """

    def of_fit(own: Own, plain: Array, key: Key) -> Constants:
        given = joined(shared, own)

        def one(x: Array, number: Value) -> Constants:
            here = jax.random.fold_in(key, number)
            return target.form.look(given, target.layout.split(x), here)

        numbers = jnp.arange(len(plain))
        found = jax.lax.map(lambda both: one(*both), (plain, numbers), batch_size=8)
        moves = {m.name: m for m in target.form.moves}
        agreed = {name: moves[name].agree(constants) for name, constants in found.items()}
        return {**agreed, **_learned(target, plain)}

    return by_fit(of_fit)(own, plain, keys)


def _learned(target: Target, plain: Array) -> Constants:
    """Return the constants that moves learn from draws, where there are enough."""
    if len(plain) < FEWEST:
        return {}
    free = jax.vmap(target.layout.split)(plain)
    found = {m.name: m.learn(free) for m in target.form.moves}
    return {name: constants for name, constants in found.items() if constants}


@compiled(ONCE, "target")
def settled(target: Target, shared: Given, own: Own, positions: Array, keys: Key) -> Array:
    """Return the starts, (fit, chain, dim), unmoved, centred sites at their mode given all else."""
    form, split, unite = target.form, target.layout.split, target.layout.join
    settling = [move.name for move in form.settling]
    moved = {site for move in form.settling for site in move.sites}

    def of_chain(given: Given, plain: Array, key: Key) -> Array:
        def step(number: Value, plain: Array) -> Array:
            here = split(plain)
            found = form.look(given, here, jax.random.fold_in(key, number))
            seen = given.learned({name: found[name] for name in settling})
            # In coordinates that this point teaches z = 0 is the mode of what the point tells:
            # Newton's step.
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

    def of_fit(own: Own, positions: Array, keys: Key) -> Array:
        given = joined(shared, own)
        plain = jax.vmap(partial(target.release, given))(positions)
        return jax.vmap(partial(of_chain, given))(plain, keys)

    return by_fit(of_fit)(own, positions, keys)
