"""Gather the draws that chunks have completed, every so many of them, with their statistics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from finetti.inference.engine.run import Chunk, Run, Sampler, Stage, travel
from finetti.kernels.kernel import Info
from finetti.types import AnyArray


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

    @property
    def count(self) -> int:
        """Return of how many draws a chain the positions are."""
        return self.positions.shape[1] if self.positions.ndim > 1 else 0


STATISTICS = (*Info._fields[1:], "log_density", "step_size")
MANY = 1 << 62  # draws
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
    out if not wanted. Draws that were taken are let go. With `ahead` a chain's draws beyond those
    wanted are held too, so that more may be wanted later.
    """

    def __init__(
        self,
        chains: int,
        wanted: int,
        every: int = 1,
        *,
        positions: bool = True,
        names: Collection[str] = STATISTICS,
        ahead: bool = False,
    ) -> None:
        self.wanted, self.every, self.positions = wanted, every, positions
        self.names, self.ahead = names, ahead
        self.counts = np.zeros(chains, int)  # completed, of which every so many are kept
        self.rows: dict[str, np.ndarray] = {}
        self.first = 0  # the number of the first row that is held

    def add(self, chunk: Chunk) -> None:
        """Put away what each chain recorded where it completed a draw."""
        record, every = chunk.record, self.every
        most = MANY if self.ahead else self.wanted * every
        chains, steps, numbers = chunk.places(most)
        places, kept = numbers // every - self.first, numbers % every == every - 1
        room = int(places.max(initial=-1)) + 1
        for name in self.names:
            values = self._values(chunk, name)
            rows = self._rows(name, room, values.shape[1:-1], values.dtype)
            if every > 1 and name in TOLD:
                TOLD[name].at(rows, (chains, places), values[steps, ..., chains])
            else:
                rows[chains[kept], places[kept]] = values[steps[kept], ..., chains[kept]]
        if self.positions:
            shape, dtype = record.position.shape[1:-1], record.position.dtype
            rows = self._rows("position", room, shape, dtype)
            rows[chains[kept], places[kept]] = record.position[steps[kept], :, chains[kept]]
        # Only now: an interrupt above leaves the draws before.
        self.counts = self.counts + np.bincount(chains, minlength=len(self.counts))

    def _values(self, chunk: Chunk, name: str) -> AnyArray:
        """Return a statistic at each step, chains last."""
        if name == "log_density":
            return chunk.record.log_density
        if name == "step_size":
            sizes = chunk.record.step_size
            return np.repeat(sizes, len(self.counts) // sizes.shape[-1], -1)
        return getattr(chunk.record.info, name)

    def _rows(self, name: str, room: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return the rows of a name, at least `room` of them."""
        held = self.rows.get(name)
        if held is None or held.shape[1] < room:
            old = 0 if held is None else held.shape[1]
            length = max(room, old + old // 2) if self.ahead else self.wanted
            rows = np.zeros((len(self.counts), length, *shape), dtype)
            if held is not None:
                rows[:, :old] = held
            self.rows[name] = rows
        return self.rows[name]

    @property
    def level(self) -> int:
        """Return how many kept draws every chain has, of those wanted."""
        return min(int(self.counts.min()) // self.every, self.wanted)

    def take(self, count: int | None = None) -> Draws:
        """Return so many kept draws, or all that every chain has, and let them go."""
        first = self.first
        last = self.level if count is None else first + count
        taken = self._between(first, last)
        for name, rows in self.rows.items():
            self.rows[name] = rows[:, last - first :].copy()
        self.first = last
        return taken

    def draws(self) -> Draws:
        """Return all kept draws that every chain has and that were not taken."""
        return self._between(self.first, self.level)

    def _between(self, first: int, last: int) -> Draws:
        places = slice(first - self.first, last - self.first)
        found = {name: rows[:, places] for name, rows in self.rows.items()}
        if self.every > 1 and "acceptance" in found:
            found["acceptance"] = found["acceptance"] / self.every
        return Draws(found.pop("position", np.empty(0)), found, first)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that it holds, as arrays by name."""
        used = max(0, -(-int(self.counts.max(initial=0)) // self.every) - self.first)
        rows = {f"row {name}": rows[:, :used] for name, rows in self.rows.items()}
        return {"counts": self.counts, "first": np.asarray(self.first), **rows}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Hold what `state` returned."""
        self.counts, self.first = state["counts"], int(state["first"])
        rows = {n.removeprefix("row "): a for n, a in state.items() if n.startswith("row ")}
        if not self.ahead:  # they have their room from the beginning
            room = {n: (len(a), self.wanted, *a.shape[2:]) for n, a in rows.items()}
            whole = {n: np.zeros(shape, rows[n].dtype) for n, shape in room.items()}
            for name, array in rows.items():
                whole[name][:, : array.shape[1]] = array
            rows = whole
        self.rows = rows


def draw(sampler: Sampler, run: Run, stage: Stage) -> tuple[Run, Draws]:
    """Go on from where a run stands with the draws of a stage; return the run and the draws."""
    sampler = replace(sampler, stages=(stage,))
    here, shelf = sampler.enter(run, 0), Shelf(len(run.keys), stage.draws)
    for after, chunk in travel(sampler, here):
        shelf.add(chunk)
        here = after
    return here, shelf.draws()
