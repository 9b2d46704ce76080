"""Run any kernel through its phases, a chunk at a time, and gather the draws.

Between chunks there is time for progress and to stop when asked to, keeping what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import NamedTuple

import jax
import numpy as np

from finetti.inference.stopping import asked_to_stop
from finetti.inference.sweep import Carry, Course, Orders, Record, launch, sweep, to_numpy
from finetti.inference.warmup import finish
from finetti.kernels.kernel import Info, Point, Tuning
from finetti.types import Constants, Key

SAMPLING, WARMUP = 1, 2  # phases; warm-up goes on with 3, 4, ..., the start has those from 1000
CHUNK_BYTES = 32_000_000
CHUNK_STEPS = 4096
CHUNK_FIRST = 1024
CHUNK_SECONDS = 0.3  # between two reports of progress


class Chunk(NamedTuple):
    """Hold what one chunk recorded, on the host; its first `steps` steps are valid."""

    record: Record
    steps: int

    @property
    def done(self) -> np.ndarray:
        """Tell which steps completed a draw, shape (step, chain)."""
        return np.asarray(self.record.info.done)[: self.steps]


@dataclass(frozen=True)
class Draws:
    """Hold a phase's draws: positions of shape (chain, draw, dim), statistics (chain, draw).

    `info` has the kernel's `Info` fields, `log_density` and `step_size`, by name; a kernel of many
    blocks has acceptances and step sizes of shape (chain, draw, block).
    """

    positions: np.ndarray
    info: dict[str, np.ndarray]


class Runner:
    """Drive a kernel's chains: a course, the model's constants, a key a chain, and a carry."""

    def __init__(
        self, course: Course, constants: Constants, keys: Key, points: Point, step_size: float
    ) -> None:
        """Start the chains at `points`, chains last."""
        dim, chains = points.position.shape
        room = CHUNK_BYTES // (8 * chains * (2 * dim + 12))
        self.course = replace(course, capacity=int(np.clip(room, 1, CHUNK_STEPS)))
        self.constants, self.keys = constants, keys
        self.carry: Carry = launch(course.kernel, points, np.asarray(step_size))

    def chunks(self, phase: int, wanted: int, learning: bool) -> Iterator[Chunk]:
        """Yield the draws that each chunk completes until every chain has `wanted`."""
        none = np.zeros(len(self.keys), np.int32)
        self.carry = self.carry._replace(counts=none, steps=np.int32(0))
        limit = min(self.course.capacity, CHUNK_FIRST)
        while (np.asarray(self.carry.counts) < wanted).any():
            began = perf_counter()
            flags = (np.int32(phase), np.bool_(learning), np.int32(wanted), np.int32(limit))
            orders = Orders(self.constants, self.keys, *flags)
            self.carry, record, made = sweep(self.course, orders, self.carry)
            yield Chunk(to_numpy(record), int(made))
            pace = (perf_counter() - began) / max(int(made), 1)
            limit = int(np.clip(CHUNK_SECONDS / pace, 1, self.course.capacity))

    def learned(self) -> Tuning:
        """Return the tuning that warm-up has learned."""
        return to_numpy(finish(self.carry.adaptation, self.carry.tuning))

    def move(self, constants: Constants, points: Point, moved: np.ndarray) -> None:
        """Go on in other coordinates, at `points`: those `moved` (a mask) have the scale 1.

        Their moments are forgotten, and the step size is learned afresh about where it is.
        """
        kernel, old = self.course.kernel, self.carry
        fresh: Carry = launch(kernel, points, np.asarray(old.tuning.step_size))
        scale = np.asarray(old.tuning.scale)
        either = moved if scale.ndim == 1 else moved[:, None] | moved
        scale = np.where(either, np.asarray(fresh.tuning.scale), scale)
        adaptation = fresh.adaptation._replace(
            drawn=old.adaptation.drawn,
            window=old.adaptation.window,
            idle=old.adaptation.idle,
        )
        self.constants = constants
        self.carry = fresh._replace(
            tuning=fresh.tuning._replace(scale=scale), adaptation=adaptation
        )

    def adopt(self, tuning: Tuning) -> None:
        """Fix the tuning and begin every chain's next draw afresh."""
        restart = jax.vmap(self.course.kernel.restart, (-1, None), -1)
        states = restart(self.carry.states, np.bool_(True))
        self.carry = self.carry._replace(tuning=tuning, states=states)


def collect(
    runner: Runner, phase: int, wanted: int, learning: bool, report: Callable[[Chunk], None]
) -> Draws:
    """Run one phase to its end, or until asked to stop, and return the draws of every chain.

    Raises `KeyboardInterrupt` where that is during warm-up, or before every chain has a draw.
    """
    shelf = Shelf(len(runner.keys), wanted)
    try:
        for chunk in runner.chunks(phase, wanted, learning):
            shelf.add(chunk)
            report(chunk)
            if asked_to_stop() and (phase != SAMPLING or (shelf.counts < wanted).any()):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        if phase != SAMPLING or not shelf.counts.all():
            raise
    return shelf.draws()


def gather(chunks: list[Chunk], wanted: int) -> Draws:
    """Join the completed draws of all chunks, the same number for every chain."""
    shelf = Shelf(chunks[0].done.shape[1], wanted)
    for chunk in chunks:
        shelf.add(chunk)
    return shelf.draws()


def join(infos: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the statistics of phases that follow one another."""
    return {name: np.concatenate([info[name] for info in infos], 1) for name in infos[0]}


def thinned(draws: Draws, every: int) -> Draws:
    """Keep every so-manieth draw: it counts the gradients of those before it, and their mishaps."""
    chains, count = draws.positions.shape[:2]
    count -= count % every
    if every == 1 or not count:  # all that an interrupt left
        return draws
    runs = {n: a[:, :count].reshape(chains, -1, every, *a.shape[2:]) for n, a in draws.info.items()}
    info = {name: values[:, :, -1] for name, values in runs.items()}
    info |= {
        "gradients": runs["gradients"].sum(2),
        "diverging": np.asarray(runs["diverging"].any(2)),
        "depth": runs["depth"].max(2),
        "acceptance": runs["acceptance"].mean(2),
    }
    return Draws(draws.positions[:, every - 1 : count : every], info)


class Shelf:
    """Hold the draws that chunks have completed, up to `wanted` a chain, and no other steps."""

    def __init__(self, chains: int, wanted: int) -> None:
        self.wanted = wanted
        self.counts = np.zeros(chains, int)
        self.rows: dict[str, np.ndarray] = {}

    def add(self, chunk: Chunk) -> None:
        """Put away what each chain recorded where it completed a draw."""
        record, chains = chunk.record, len(self.counts)
        columns = {name: getattr(record.info, name) for name in Info._fields[1:]}
        columns |= {"log_density": record.log_density, "position": record.position}
        columns["step_size"] = np.repeat(record.step_size[..., None], chains, -1)
        counts = self.counts.copy()
        for chain, done in enumerate(chunk.done.T):
            start = counts[chain]
            steps = np.flatnonzero(done)[: self.wanted - start]
            end = counts[chain] = start + len(steps)
            for name, values in columns.items():
                shape = (chains, self.wanted, *values.shape[1:-1])
                rows = self.rows.setdefault(name, np.empty(shape, values.dtype))
                rows[chain, start:end] = values[steps, ..., chain]
        self.counts = counts  # only now: an interrupt above leaves the draws before

    def draws(self) -> Draws:
        """Return the draws, the same number for every chain."""
        found = {name: rows[:, : self.counts.min()] for name, rows in self.rows.items()}
        return Draws(found.pop("position"), found)
