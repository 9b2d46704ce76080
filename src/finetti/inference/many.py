"""Fit one model to many sets of data at once, each fit as `fit` would make it.

Every fit has chains, a step size, a metric and centring of its own, learned from its own draws; all
run in one compiled program. What a plan counts ahead in the data (pooled rows, groups of a kind)
differs from set to set in its shape, so those rewrites, which only save time, are not made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.errors import SamplingError
from finetti.inference import each, learn, warmup
from finetti.inference.assemble import RECOVER, width
from finetti.inference.each import DTYPE
from finetti.inference.methods import Chains
from finetti.inference.run import SAMPLING, WARMUP
from finetti.inference.start import chain_keys
from finetti.inference.sweep import Carry, Course, Orders, to_numpy
from finetti.inference.wide import Own, Wide, joined, launch_wide, sweep_wide
from finetti.kernels.alternating import Alternating
from finetti.kernels.kernel import Point
from finetti.models import Model
from finetti.posterior.batches import in_batches
from finetti.structure.form import Given
from finetti.structure.plan import Plan
from finetti.structure.program import write_program
from finetti.structure.rewrites import sufficient
from finetti.structure.rewrites.alike import Tally
from finetti.structure.rewrites.condense import Condense
from finetti.structure.rewrites.pool import Pool
from finetti.targets.density import Density, Target
from finetti.targets.layout import Layout
from finetti.types import Array, Key

AHEAD = frozenset({Pool.verb, Tally.verb})  # what is counted ahead in the data
CHUNK_BYTES, CHUNK_STEPS = 32_000_000, 256


@dataclass(frozen=True)
class Fits:
    """Hold the draws of many fits: positions (fit, chain, draw, dim), divergences (fit, chain).

    `found` are the places of the data sets that were fitted, of those given: the others had no
    start with a finite density.
    """

    target: Target
    shared: Given
    own: Own
    keys: Key
    positions: np.ndarray
    divergences: np.ndarray
    found: np.ndarray

    def values(self, names: tuple[str, ...], draws: int) -> dict[str, np.ndarray]:
        """Return the sites named at evenly spaced draws of each fit, shape (fit, draw, ...).

        Chains come one after another. What the plan took out is drawn back.
        """
        fits, chains, length, dim = self.positions.shape
        chosen = np.linspace(0, chains * length - 1, draws).round().astype(int)
        thinned = self.positions.reshape(fits, chains * length, dim)[:, chosen]
        numbers = draws * width(self.target, names)
        function = partial(_values, self.target, names, self.shared)

        def some(places: np.ndarray) -> dict[str, Array]:
            own = jax.tree.map(lambda a: a[places], self.own)
            return function(own, self.keys[places, 0], thinned[places])

        with jax.enable_x64(True):
            return in_batches(some, fits, numbers)


@compiled(ONCE, "target", "names")
def _values(
    target: Target, names: tuple[str, ...], shared: Given, own: Own, keys: Key, positions: Array
) -> dict[str, Array]:
    def one(own: Own, key: Key, positions: Array) -> dict[str, Array]:
        given, numbers = joined(shared, own), RECOVER + jnp.arange(len(positions))
        each = jax.vmap(partial(jax.random.fold_in, key))(numbers)
        return jax.vmap(lambda k, x: target.values(k, given, x, names))(each, positions)

    return jax.vmap(one)(own, keys, positions)


def fit_many(
    model: Model, data: Mapping[str, np.ndarray], method: Chains, plan: Plan, seed: int
) -> Fits:
    """Fit a model to each of many sets of data, arrays (fit, *site shape) by observed site.

    `plan` says which rewrites to make. A fit that has no start with a finite density is left
    out; raises `SamplingError` where all are.
    """
    first = {name: np.asarray(a[0]) for name, a in data.items()}
    with jax.enable_x64(True):
        plan = replan(model, first, plan)
        kept = natural(model, method)
        layout = Layout.of(plan.left, kept, plan.form.alternating)
        built = Density(model.condition(**first), plan.refused, plan.wish, kept)
        target, shared = Target(plan.form, layout), plan.given
        count, method = len(next(iter(data.values()))), method.suited(layout.dim)
        keys = chain_keys(np.int64(seed), count * method.chains).reshape(count, method.chains)
        moved = {m.name: shared.rewrites[m.name] for m in target.form.moves}
        spread = partial(jax.tree.map, lambda a: np.repeat(np.asarray(a)[None], count, 0))
        condensed = {
            r.name: sufficient.again(plan.program, r, data[r.sites[0]])
            for r in target.form.rewrites
            if isinstance(r, Condense) and r.sites[0] in data
        }
        own = Own(tuple(data[name] for name in sorted(data)), {**condensed, **spread(moved)})
        points, fine = each.start(built, target, shared, own, keys)
        found = np.flatnonzero(fine)
        if not len(found):
            raise SamplingError(
                f"no start with a finite log density for any of {count} sets of data made by "
                f"model `{model.name}`: look for values that overflow, or take narrower priors"
            )
        own, points, keys = jax.tree.map(lambda a: a[found], (own, points, keys))
        if target.form.centred:
            plain = each.settled(target, shared, own, points.position, keys)
            own, points = each.arrived(target, shared, own, (plain, plain), keys, points)
        runner = Runner(target, shared, own, points, keys, method)
        runner.warm_up()
        thin = method.thin or 1
        positions, diverging = runner.collect(SAMPLING, method.draws * thin, False)
        divergences = diverging.sum(-1)
        return Fits(
            target, shared, runner.own, keys, positions[:, :, thin - 1 :: thin], divergences, found
        )


def replan(model: Model, first: Mapping[str, np.ndarray], plan: Plan) -> Plan:
    """Return the plan for data that are not fixed, of the shapes and types of `first`."""
    program, graph = write_program(model.run, model.variables, DTYPE, first)
    return Plan(program, graph, plan.refused | AHEAD, plan.wish)


def natural(model: Model, method: Chains) -> frozenset[str]:
    """Name the sites that the method moves as they are."""
    moved = method.moves_discrete
    return frozenset(v.name for v in model.variables if moved and v.kind == "latent" and v.discrete)


class Runner:
    """Drive the chains of many fits through warm-up and sampling."""

    def __init__(
        self, target: Target, shared: Given, own: Own, points: Point, keys: Key, method: Chains
    ) -> None:
        """Start the chains at `points`, of leading axes (fit, chain)."""
        self.target, self.shared, self.own, self.keys = target, shared, own, keys
        self.method, (self.fits, self.chains) = method, keys.shape
        kernel = method.kernel(target.layout)
        ends = warmup.schedule(method.warmup, method.chains)
        room = CHUNK_BYTES // (8 * keys.size * (2 * target.layout.dim + 12))
        course = Course(kernel, target, ends, int(np.clip(room, 1, CHUNK_STEPS)))
        self.wide = Wide(course, method.chains)
        step = np.full(self.fits, method.first_step)
        self.carry: Carry = launch_wide(kernel, self.fits, self._flat(points), step)

    def _flat(self, points: Point) -> Point:
        """Return points with all chains on the last axis."""
        return jax.tree.map(
            lambda a: np.moveaxis(np.reshape(a, (self.keys.size, *np.shape(a)[2:])), 0, -1), points
        )

    def _apart(self, a: Any) -> np.ndarray:
        """Return an array with leading axes (fit, chain) for its last, of all chains."""
        a = np.moveaxis(np.asarray(a), -1, 0)
        return a.reshape(self.fits, self.chains, *a.shape[1:])

    def warm_up(self) -> None:
        """Learn each fit's step size, metric and coordinates, as `fit` does."""
        method, kernel = self.method, self.wide.course.kernel
        if not method.warmup:
            return
        if not method.learns:
            self.collect(WARMUP, method.warmup, False)
            return
        sites = {site for move in self.target.form.moves for site in move.sites}
        ends, moved = self.wide.course.ends, self.target.layout.mask(sites)
        lengths = learn.stages(ends, method.warmup, self.chains) if sites else [method.warmup]
        draws = np.empty(0)
        self._measure(np.ones_like(moved))
        for number, length in enumerate(lengths):
            if number:
                self._relearn(draws, moved)
            draws, _ = self.collect(WARMUP + number, length, True)
        tuning = warmup.finish(self.carry.adaptation, self.carry.tuning)
        restart = jax.vmap(kernel.restart, (-1, None), -1)
        states = restart(self.carry.states, np.bool_(True))
        self.carry = self.carry._replace(tuning=to_numpy(tuning), states=states)

    def _measure(self, places: np.ndarray) -> None:
        """Where members move by themselves, measure the rest's scale at some places, as `fit`."""
        if not isinstance(self.wide.course.kernel, Alternating):
            return
        positions = jax.tree.map(self._apart, self.carry.states.draw).position
        bent = each.curvature(self.target, self.shared, self.own, positions)
        scale = np.array(self.carry.tuning.scale)
        rest = np.flatnonzero(~self.target.layout.mask(self.target.layout.apart))
        scale[rest] = learn.measured(scale[rest], np.median(bent, 1).T, places[rest, None])
        self.carry = self.carry._replace(tuning=self.carry.tuning._replace(scale=scale))

    def _relearn(self, draws: np.ndarray, moved: np.ndarray) -> None:
        """Learn the moved sites' coordinates from a window's draws, and go on in them."""
        here = jax.tree.map(self._apart, self.carry.states.draw)
        chosen = np.stack([learn.telling(one) for one in draws])
        release = partial(each.release, self.target, self.shared, self.own)
        both = (release(here.position), release(chosen))
        self.own, points = each.arrived(self.target, self.shared, self.own, both, self.keys, here)
        old, kernel = self.carry, self.wide.course.kernel
        fresh: Carry = launch_wide(
            kernel, self.fits, self._flat(points), np.asarray(old.tuning.step_size)
        )
        scale = np.asarray(old.tuning.scale)  # (dim, fit), or (dim, dim, fit)
        either = (moved if scale.ndim == 2 else moved[:, None] | moved)[..., None]
        scale = np.where(either, np.asarray(fresh.tuning.scale), scale)
        adaptation = fresh.adaptation._replace(
            drawn=old.adaptation.drawn,
            window=old.adaptation.window,
            idle=old.adaptation.idle,
        )
        self.carry = fresh._replace(
            tuning=fresh.tuning._replace(scale=scale), adaptation=adaptation
        )
        self._measure(moved)

    def collect(self, phase: int, wanted: int, learning: bool) -> tuple[np.ndarray, np.ndarray]:
        """Run one phase; return positions (fit, chain, draw, dim) and divergences (..., draw)."""
        total, dim = self.keys.size, self.target.layout.dim
        none = np.zeros(total, np.int32)
        self.carry = self.carry._replace(counts=none, steps=np.int32(0))
        positions, diverging = np.empty((total, wanted, dim)), np.zeros((total, wanted), bool)
        capacity, counts = self.wide.course.capacity, np.zeros(total, int)
        flags = (np.int32(phase), np.bool_(learning), np.int32(wanted), np.int32(capacity))
        orders = Orders((self.shared, self.own), self.keys.reshape(-1), *flags)
        while (counts < wanted).any():
            self.carry, emitted, made = sweep_wide(self.wide, orders, self.carry)
            done = np.asarray(emitted.done)[: int(made)]
            chains, steps = np.nonzero(done.T)
            places = counts[chains] + (np.cumsum(done, 0) - 1)[steps, chains]
            kept = places < wanted
            chains, steps, places = chains[kept], steps[kept], places[kept]
            positions[chains, places] = np.asarray(emitted.position)[steps, :, chains]
            diverging[chains, places] = np.asarray(emitted.diverging)[steps, chains]
            counts += done.sum(0)
        shape = (self.fits, self.chains, wanted)
        return positions.reshape(*shape, dim), diverging.reshape(shape)
