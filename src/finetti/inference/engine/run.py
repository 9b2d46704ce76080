"""Carry a run on, a chunk of steps at a time: through the stages of warm-up, then the draws.

A `Sampler` is what stays as it is, a `Run` all that changes: one pytree of arrays, from which alone
the next chunk follows. Between chunks there is time for progress and to stop when asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.dividing import greatest, mesh_of
from finetti.inference.engine.ahead import sweep_ahead
from finetti.inference.engine.batch import Own
from finetti.inference.engine.heights import TOGETHER, together
from finetti.inference.engine.sweep import (
    Carry,
    Course,
    Orders,
    Record,
    launch,
    sweep,
    to_numpy,
)
from finetti.inference.engine.warmup import finish
from finetti.kernels.independence import Mixture
from finetti.kernels.kernel import Kernel, Point, Tuning
from finetti.types import Float, Int, Key, Tree

SAMPLING, WARMUP = 1, 2  # phases; warm-up goes on with 3, 4, ..., the start has those from 1000
CHUNK_BYTES = 32_000_000
CHUNK_STEPS = 4096
CHUNK_FIRST = 16  # nothing is known yet of what a step takes
CHUNK_SECONDS = 0.3  # between two reports of progress


class Stage(NamedTuple):
    """Say what one stage of a run is: how many draws a chain, and whether they teach.

    `phase` is the number that its randomness depends on.
    """

    phase: int
    draws: int
    learning: bool = False


class Run(NamedTuple):
    """Hold where a run stands: all that its next draws depend on, in arrays.

    `stage` counts its sampler's stages. `own` are the constants that each fit has for itself, what
    its warm-up has learned among them. `window` has the later half of the draws of a stage, (chain,
    draw, dim), where coordinates are to be learned from them; else it is empty.
    """

    stage: Int[np.ndarray, ""]
    own: Own | None
    keys: Key
    carry: Carry
    window: Float[np.ndarray, "chain draw dim"]


class Chunk(NamedTuple):
    """Hold what one chunk recorded, on the host; its first `steps` steps are valid.

    `before` counts the draws of its stage that each chain had before it.
    """

    record: Record
    steps: int
    before: np.ndarray

    @property
    def done(self) -> np.ndarray:
        """Tell which steps completed a draw, shape (step, chain)."""
        return np.asarray(self.record.info.done)[: self.steps]

    def places(self, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return chain and step of each draw it completed, and its number, up to `wanted`."""
        done = self.done
        chains, steps = np.nonzero(done.T)
        numbers = self.before[chains] + (np.cumsum(done, 0) - 1)[steps, chains]
        kept = numbers < wanted
        return chains[kept], steps[kept], numbers[kept]


@runtime_checkable
class Coordinates(Protocol):
    """Learn the coordinates of a run's sites between stages of warm-up."""

    @property
    def learned(self) -> bool:
        """Tell whether there is anything to learn from a stage's draws."""
        ...

    def begin(self, sampler: Sampler, run: Run) -> Run:
        """Return the run with what can be told where its chains start."""
        ...

    def relearn(self, sampler: Sampler, run: Run) -> Run:
        """Return the run in the coordinates that its window's draws teach."""
        ...


@dataclass(frozen=True, eq=False)
class Sampler:
    """Hold what does not change in a run: how chains move, the shared constants, the stages.

    `coordinates` learns between stages; None where a target has none to learn.
    """

    course: Course
    shared: Tree
    stages: tuple[Stage, ...] = ()
    coordinates: Coordinates | None = None

    @classmethod
    def of(
        cls,
        course: Course,
        shared: Tree,
        shape: tuple[int, ...],
        stages: tuple[Stage, ...] = (),
        coordinates: Coordinates | None = None,
    ) -> Sampler:
        """Return the sampler whose chunks take a bounded room; `shape` is (dim, chains)."""
        dim, chains = shape
        most = CHUNK_STEPS
        if course.kernel.ahead:
            asked = dim and course.kernel.metric != Mixture(emulated=True)
            most = max((together(course.target, shared) if asked else TOGETHER[1]) // chains, 1)
        room = CHUNK_BYTES // (8 * chains * (2 * dim + 12))
        course = replace(course, capacity=int(np.clip(room, 1, most)))
        return cls(course, shared, stages, coordinates)

    def begin(self, own: Own | None, keys: Key, points: Point, step_size: float) -> Run:
        """Return the run whose chains, one a key, stand at `points`, chains last."""
        sizes = np.full(self.course.fits, step_size, float)  # as `move` has them: one program
        carry: Carry = launch(self.course.kernel, self.course.fits, points, sizes)
        run = Run(np.asarray(0, np.int32), own, keys, carry, np.empty((0, 0, 0)))
        if self.coordinates is not None and self.stages[0].learning:
            run = self.coordinates.begin(self, run)
        return self.enter(run, 0) if self.stages else run

    def enter(self, run: Run, stage: int) -> Run:
        """Return the run at the beginning of a stage, none of whose draws are made."""
        none, window = np.zeros(len(run.keys), np.int32), np.empty((0, 0, 0))
        if self._keeps_window(stage):
            dim = run.carry.states.draw.position.shape[0]
            window = np.zeros((len(none), later(self.stages[stage].draws), dim))
        carry = run.carry._replace(counts=none, steps=np.int32(0))
        return run._replace(stage=np.asarray(stage, np.int32), carry=carry, window=window)

    def _keeps_window(self, stage: int) -> bool:
        """Tell whether coordinates are learned from a stage's draws."""
        # The last stage of warm-up has none after it that learns: its draws teach the tuning alone.
        both = self.stages[stage : stage + 2]
        teaches = len(both) == 2 and all(s.learning for s in both)
        return teaches and self.coordinates is not None and self.coordinates.learned

    @property
    def warm_up(self) -> tuple[Stage, ...]:
        """Return the stages before the draws."""
        return self.stages[:-1]

    def stage(self, run: Run) -> Stage:
        """Return the stage that a run is in."""
        return self.stages[int(run.stage)]

    def complete(self, run: Run) -> bool:
        """Tell whether all draws of a run's stage are made."""
        return bool((np.asarray(run.carry.counts) >= self.stage(run).draws).all())

    def advance(self, run: Run, limit: int) -> tuple[Run, Chunk]:
        """Return the run after at most `limit` steps more, and what they recorded.

        A stage whose draws are all made is left first. How the steps are cut into chunks makes no
        difference to the draws.
        """
        if self.complete(run):
            run = self.cross(run)
        stage, before = self.stage(run), np.asarray(run.carry.counts)
        orders = Orders(
            self.shared,
            run.own,
            run.keys,
            phase=np.int32(stage.phase),
            learning=np.bool_(stage.learning),
            wanted=np.int32(stage.draws),
            limit=np.int32(min(limit, self.course.capacity)),
        )
        move = sweep_ahead if self.course.kernel.ahead else sweep
        carry, record, made = move(self.course, orders, run.carry)
        chunk = Chunk(to_numpy(record), int(made), before)
        window = run.window
        if window.size:
            chains, steps, numbers = chunk.places(stage.draws)
            numbers = numbers - (stage.draws - later(stage.draws))
            kept = numbers >= 0
            if kept.any():
                window = window.copy()
                found = chunk.record.position[steps[kept], :, chains[kept]]
                window[chains[kept], numbers[kept]] = found
        return run._replace(carry=carry, window=window), chunk

    def cross(self, run: Run) -> Run:
        """Return the run at the beginning of its next stage, with what this one has taught."""
        here, after = self.stages[int(run.stage) :][:2]
        if here.learning and after.learning:
            assert self.coordinates is not None
            run = self.coordinates.relearn(self, run)
        elif here.learning:
            run = self.adopt(run, learned(run))
        return self.enter(run, int(run.stage) + 1)

    def move(self, run: Run, own: Own, points: Point, moved: np.ndarray) -> Run:
        """Return the run in other coordinates, at `points`: those `moved` have the scale 1.

        `points` have the chains last. The moments of the coordinates, a mask, are forgotten, and
        the step size is learned afresh about where it is.
        """
        old = run.carry
        sizes = np.asarray(old.tuning.step_size)
        fresh: Carry = launch(self.course.kernel, self.course.fits, points, sizes)
        scale = np.asarray(old.tuning.scale)  # (dim, fit), or (dim, dim, fit)
        either = (moved if scale.ndim == 2 else moved[:, None] | moved)[..., None]
        scale = np.where(either, np.asarray(fresh.tuning.scale), scale)
        adaptation = fresh.adaptation._replace(
            drawn=old.adaptation.drawn,
            window=old.adaptation.window,
            idle=old.adaptation.idle,
        )
        tuning = fresh.tuning._replace(scale=scale)
        return run._replace(own=own, carry=fresh._replace(tuning=tuning, adaptation=adaptation))

    def adopt(self, run: Run, tuning: Tuning) -> Run:
        """Return the run with its tuning fixed, every chain to begin its next draw afresh.

        The tuning's last axis is that of fits.
        """
        states = _restarted(self.course.kernel, run.carry.states)
        return run._replace(carry=run.carry._replace(tuning=tuning, states=states))


def later(draws: int) -> int:
    """Return how many of a stage's draws coordinates are learned from: the later half."""
    return draws - draws // 2


@compiled(ONCE, "kernel")
def _restarted(kernel: Kernel, states: Tree) -> Tree:
    """Return chains' states, chains last, with any unfinished draw abandoned."""
    return jax.vmap(kernel.restart, (-1, None), -1)(states, True)


def learned(run: Run) -> Tuning:
    """Return the tuning that warm-up has learned, fits last."""
    return to_numpy(finish(run.carry.adaptation, run.carry.tuning))


def one(tuning: Tuning) -> Tuning:
    """Return a tuning, that of one fit, with the axis of fits."""
    return jax.tree.map(lambda a: np.asarray(a)[..., None], tuning)


def travel(sampler: Sampler, run: Run, stages: int | None = None) -> Iterator[tuple[Run, Chunk]]:
    """Yield the run after each chunk, and the chunk, until the draws of so many stages are made.

    Without a number it is all of them. Chunks are as long as progress can wait for.
    """
    last = (len(sampler.stages) if stages is None else stages) - 1
    limit = min(sampler.course.capacity, CHUNK_FIRST)
    mesh = mesh_of(sampler.shared)
    while int(run.stage) < last or (int(run.stage) == last and not sampler.complete(run)):
        began = perf_counter()
        run, chunk = sampler.advance(run, limit)
        pace = (perf_counter() - began) / max(chunk.steps, 1)
        limit = greatest(int(np.clip(CHUNK_SECONDS / pace, 1, sampler.course.capacity)), mesh)
        yield run, chunk
