"""Gather the draws that chunks have completed, every so many of them, with their statistics."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finetti.inference.engine.run import Chunk, Run, Sampler, Stage, travel
from finetti.kernels.kernel import Info


@dataclass(frozen=True)
class Draws:
    """Hold draws of all chains: positions of shape (chain, draw, dim), statistics (chain, draw).

    `info` has the kernel's `Info` fields, `log_density` and `step_size`, by name; a kernel of many
    blocks has acceptances and step sizes of shape (chain, draw, block). `first` is the number of
    the first of them.
    """

    positions: np.ndarray
    info: dict[str, np.ndarray]
    first: int = 0


STATISTICS = (*Info._fields[1:], "log_density", "step_size")
TOLD = {  # of the draws between two that are kept; of the others the last is told
    "gradients": np.add,
    "diverging": np.logical_or,
    "depth": np.maximum,
    "acceptance": np.add,
}


class Shelf:
    """Hold the draws that chunks have completed, up to `wanted` a chain, and no other steps.

    Of `every` draws the last is kept; it tells the gradients, the divergences, the greatest depth
    and the mean acceptance of all of them. `names` are the statistics to hold; positions are left
    out if not wanted.
    """

    def __init__(
        self,
        chains: int,
        wanted: int,
        every: int = 1,
        *,
        positions: bool = True,
        names: Collection[str] = STATISTICS,
    ) -> None:
        self.wanted, self.every, self.positions = wanted, every, positions
        self.names = names
        self.counts = np.zeros(chains, int)  # completed, of which every so many are kept
        self.rows: dict[str, np.ndarray] = {}
        self.taken = 0

    def add(self, chunk: Chunk) -> None:
        """Put away what each chain recorded where it completed a draw."""
        record, every = chunk.record, self.every
        chains, steps, numbers = chunk.places(self.wanted * every)
        places, kept = numbers // every, numbers % every == every - 1
        for name in self.names:
            values = self._values(chunk, name)
            rows = self._rows(name, values.shape[1:-1], values.dtype)
            if every > 1 and name in TOLD:
                TOLD[name].at(rows, (chains, places), values[steps, ..., chains])
            else:
                rows[chains[kept], places[kept]] = values[steps[kept], ..., chains[kept]]
        if self.positions:
            rows = self._rows("position", record.position.shape[1:-1], record.position.dtype)
            rows[chains[kept], places[kept]] = record.position[steps[kept], :, chains[kept]]
        # Only now: an interrupt above leaves the draws before.
        self.counts = self.counts + np.bincount(chains, minlength=len(self.counts))

    def _values(self, chunk: Chunk, name: str) -> Any:
        """Return a statistic at each step, chains last."""
        if name == "log_density":
            return chunk.record.log_density
        if name == "step_size":
            sizes = chunk.record.step_size
            return np.repeat(sizes, len(self.counts) // sizes.shape[-1], -1)
        return getattr(chunk.record.info, name)

    def _rows(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if name not in self.rows:
            empty = np.zeros if self.every > 1 and name in TOLD else np.empty
            self.rows[name] = empty((len(self.counts), self.wanted, *shape), dtype)
        return self.rows[name]

    @property
    def level(self) -> int:
        """Return how many kept draws every chain has."""
        return int(self.counts.min()) // self.every

    def take(self) -> Draws:
        """Return the kept draws that every chain has, but for those taken before."""
        first, self.taken = self.taken, self.level
        return self._between(first, self.taken)

    def draws(self) -> Draws:
        """Return all kept draws that every chain has."""
        return self._between(0, self.level)

    def _between(self, first: int, last: int) -> Draws:
        found = {name: rows[:, first:last] for name, rows in self.rows.items()}
        if self.every > 1 and "acceptance" in found:
            found["acceptance"] = found["acceptance"] / self.every
        return Draws(found.pop("position", np.empty(0)), found, first)


def draw(sampler: Sampler, run: Run, stage: Stage) -> tuple[Run, Draws]:
    """Go on from where a run stands with the draws of a stage; return the run and the draws."""
    sampler = replace(sampler, stages=(stage,))
    here, shelf = sampler.enter(run, 0), Shelf(len(run.keys), stage.draws)
    for after, chunk in travel(sampler, here):
        shelf.add(chunk)
        here = after
    return here, shelf.draws()
