"""Run any kernel through its phases, a chunk at a time, and gather the draws.

Between chunks there is time for progress and for Ctrl-C, which keeps what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import jax
import numpy as np

from finetti.fit.sweep import Carry, Course, Orders, Record, launch, sweep, to_numpy
from finetti.fit.warmup import finish
from finetti.kernels.kernel import Info, Point, Tuning
from finetti.types import Constants, Key

WARMUP, SAMPLING = 1, 2  # phases; the start has the numbers from 1000
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
        self.carry: Carry = launch(course.kernel, points, step_size)

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

    def adopt(self, tuning: Tuning) -> None:
        """Fix the tuning and begin every chain's next draw afresh."""
        restart = jax.vmap(self.course.kernel.restart, (-1, None), -1)
        states = restart(self.carry.states, np.bool_(True))
        self.carry = self.carry._replace(tuning=tuning, states=states)


def collect(
    runner: Runner, phase: int, wanted: int, learning: bool, report: Callable[[Chunk], None]
) -> Draws:
    """Run one phase to its end, or to an interrupt, and return the draws of every chain.

    Ctrl-C during warm-up, or before every chain has a draw, is passed on.
    """
    chunks: list[Chunk] = []
    try:
        for chunk in runner.chunks(phase, wanted, learning):
            chunks.append(chunk)
            report(chunk)
    except KeyboardInterrupt:
        if phase != SAMPLING or not chunks or not all(np.any([c.done.any(0) for c in chunks], 0)):
            raise
    return gather(chunks, wanted)


def gather(chunks: list[Chunk], wanted: int) -> Draws:
    """Join the completed draws of all chunks, the same number for every chain."""
    done = np.concatenate([c.done for c in chunks])
    count = min(wanted, int(done.sum(0).min()))
    steps = [np.flatnonzero(column)[:count] for column in done.T]

    def pick(read: Callable[[Record], Any]) -> np.ndarray:
        whole = np.concatenate([read(c.record)[: c.steps] for c in chunks])
        return np.stack([whole[rows, ..., chain] for chain, rows in enumerate(steps)])

    info = {name: pick(lambda r, n=name: getattr(r.info, n)) for name in Info._fields[1:]}
    info["log_density"] = pick(lambda r: r.log_density)
    sizes = np.concatenate([np.asarray(c.record.step_size)[: c.steps] for c in chunks])
    info["step_size"] = np.stack([sizes[rows] for rows in steps])
    return Draws(pick(lambda r: r.position), info)
