"""Take a run from where it stands through warm-up and its draws, and have the draws read.

All that its further way depends on is its `state`, arrays by name, from which another process can
go on. Draws are read in blocks of a fixed number: nothing depends on how long chunks were.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from time import perf_counter

import numpy as np

from finetti.dividing import greatest, mesh_of
from finetti.errors import SamplingError
from finetti.inference.engine.arrays import to_arrays
from finetti.inference.engine.batch import alone, joined
from finetti.inference.engine.draws import Draws, Shelf
from finetti.inference.engine.run import Chunk, Run, Sampler, travel
from finetti.inference.keeping import Keeper
from finetti.inference.methods.method import Chains
from finetti.inference.methods.precision import due
from finetti.inference.progress import Display
from finetti.inference.readers.assemble import Positions, Statistics
from finetti.inference.readers.moments import Moments
from finetti.inference.readers.ratios import Ratios
from finetti.inference.readers.reader import Reader, Rows, block_length
from finetti.inference.readers.states import States
from finetti.inference.readers.values import Values
from finetti.inference.stopping import asked_to_stop
from finetti.store.manifest import SAMPLING, WARMUP
from finetti.structure.form import Given
from finetti.targets.density import Density

BLOCK_LOOKED_AT = 50  # draws a chain, where precision ends a run
REASONS = ("", "time", "signal")  # why a run is halted, the graver later


@dataclass(frozen=True, eq=False)
class Work:
    """Hold what a fit has to do: its density and method, and the sites whose draws are kept.

    `block` is how many draws a chain are read together. `positions` tells whether those on the
    unconstrained scale are kept too.
    """

    built: Density
    method: Chains
    names: tuple[str, ...]
    block: int
    positions: bool = False


def block_of(built: Density, method: Chains, names: Collection[str]) -> int:
    """Return how many draws a chain are to be read together."""
    sizes = [prod(v.shape) for v in built.kept if v.name in names]
    length = block_length(method.chains, max([built.dim, *sizes]))
    return length if method.until is None else min(length, BLOCK_LOOKED_AT)


class Journey:
    """Carry a run on; `ended` says why it ended: draws, precision, time or signal."""

    def __init__(self, work: Work, sampler: Sampler, run: Run, keeper: Keeper) -> None:
        self.work, self.sampler, self.run, self.keeper = work, sampler, run, keeper
        chains, every = len(run.keys), work.method.thin or 1
        self.warm = [Shelf(chains, s.draws, positions=False) for s in sampler.warm_up]
        wanted = sampler.stages[-1].draws // every
        self.shelf = Shelf(chains, wanted, every, ahead=True)
        self.readers: list[Reader] = []
        self.mesh = mesh_of(sampler.shared)
        self.ended, self.torn, self.divergences = "draws", False, 0

    @property
    def warming(self) -> bool:
        """Tell whether the run is in warm-up."""
        return int(self.run.stage) < len(self.warm)

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to do here: another process writes, and needs no part."""
        return not self.keeper.writes and self.mesh is None

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the run's further way depends on, as arrays by name."""
        parts = {"run": to_arrays(self.run), "told": {"divergences": np.asarray(self.divergences)}}
        if self.warming:
            parts |= {f"warm {i}": shelf.state() for i, shelf in enumerate(self.warm)}
        else:
            parts |= {"shelf": self.shelf.state()}
            parts |= {f"reader {i}": r.state() for i, r in enumerate(self.readers)}
        return {f"{part}/{n}": array for part, found in parts.items() for n, array in found.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Stand where `state` was told; the run is given that already."""
        self.divergences = int(state["told/divergences"])
        if self.warming:
            for i, shelf in enumerate(self.warm):
                shelf.restore(_part(state, f"warm {i}"))
            return
        self._open()
        self.shelf.restore(_part(state, "shelf"))
        for i, reader in enumerate(self.readers):
            reader.restore(_part(state, f"reader {i}"))

    def warm_up(self, display: Display) -> None:
        """Go through what is left of warm-up, and have its statistics kept.

        Raises `KeyboardInterrupt` where it is asked to stop, `SamplingError` where the time is up.
        """
        if self.warming:
            made = sum(shelf.level for shelf in self.warm)
            total = sum(s.draws for s in self.sampler.warm_up)
            report = display.phase("warm-up", total - made, len(self.run.keys))
            for here, chunk in travel(self.sampler, self.run, len(self.warm)):
                self.warm[int(here.stage)].add(chunk)
                self.run = here
                report(chunk)
                halted = self._halted()
                if halted or self._due():
                    self.commit()
                if halted == "signal":
                    raise KeyboardInterrupt
                if halted:
                    raise SamplingError(
                        f"the {self.work.method.minutes:g} minutes were spent in warm-up, before "
                        f"there was a draw to keep: give it more, by minutes="
                    )
            statistics = Statistics(self.work.method, self.work.built.layout, "warmup_sample_stats")
            told = [statistics.read(shelf.draws()) for shelf in self.warm]
            found = {n: np.concatenate([t[n] for t in told], 1) for n in told[0]}
            self.keeper.put(statistics.group, statistics.label(found))
            self.run = self.sampler.cross(self.run)
        if not self.readers:  # they are there where the run was taken up among its draws
            self._open()
            self.commit()

    def draw(self, display: Display) -> None:
        """Make the draws that are left, and have them read.

        Raises `KeyboardInterrupt` where it is asked to stop before there are any.
        """
        chains = len(self.run.keys)
        left, every = max(self.shelf.wanted - self.shelf.level, 0), self.work.method.thin or 1
        report = display.phase("sampling", left, chains, every)
        self._read()
        # A run that is taken up again may have been precise enough already.
        for _ in self._chunks(report) if self.ended != "precision" else ():
            self._read()  # no interrupt is caught here: half read is no answer
            if self.ended == "precision":
                break
            if self._due() and not self.torn:
                self.commit()
        if not self.torn:
            self.commit()
        if not self.shelf.level:
            if self.ended == "time":
                raise SamplingError(
                    f"the {self.work.method.minutes:g} minutes were spent before every chain had a "
                    f"draw: give it more, by minutes="
                )
            raise KeyboardInterrupt
        rest = self.shelf.draws()
        if rest.count:
            self._add(self.shelf.take())

    def adopt(self, run: Run, rows: Mapping[str, np.ndarray], divergences: int) -> None:
        """Stand where all draws are made: with the run there, and the rows of the shelf."""
        chains, made = len(run.keys), self.shelf.wanted * self.shelf.every
        told = {f"row {name}": array for name, array in rows.items()}
        self.shelf.restore(
            {"counts": np.full(chains, made), "first": np.asarray(self.shelf.first), **told}
        )
        self.run, self.divergences = run, divergences

    def _chunks(self, report: Callable[[Chunk], None]) -> Iterator[None]:
        """Put draws away a chunk at a time, until all are made, the time is up or it is asked to.

        Interrupted in the middle, it ends with the draws before, and the run is `torn`.
        """
        try:
            for here, chunk in travel(self.sampler, self.run):
                self.torn = True
                self.shelf.add(chunk)
                self.run, self.torn = here, False
                self.divergences += diverged(chunk)
                report(chunk)
                yield
                if self.shelf.level >= self.shelf.wanted:
                    return
                self.ended = self._halted() or self.ended
                if self.ended != "draws":
                    return
        except KeyboardInterrupt:
            self.ended = "signal"
            if not self.shelf.level:
                raise
            yield

    def _open(self) -> None:
        """Make what reads the draws, with the constants that warm-up has settled."""
        work, run, target = self.work, self.run, self.sampler.course.target
        assert run.own is not None
        given: Given = joined(self.sampler.shared, alone(run.own))
        kept = [v for v in work.built.kept if v.name in work.names]
        left = [v for v in work.built.kept if v.name not in work.names]
        most = work.block * len(run.keys)
        rows: list[Rows] = [
            Values(target, given, run.keys, kept, most),
            Statistics(work.method, work.built.layout),
        ]
        if Ratios.weighs(target):
            rows.append(Ratios(target, given, run.keys, most))
        if work.positions:
            rows.append(Positions(work.built.layout))
        self.keeper.begin(rows)
        self.readers = [
            States(target, given, work.built.model.variables, most),
            Moments(target, given, run.keys, left, work.method.least),
        ]

    def _read(self) -> None:
        """Have the blocks read that are whole, until the draws are precise enough."""
        block = self.work.block
        while self.shelf.level - self.shelf.first >= block:
            self._add(self.shelf.take(block))
            if self._enough():
                self.shelf.wanted = self.shelf.first
                self.ended = "precision"

    def _add(self, draws: Draws) -> None:
        self.keeper.add(draws)
        for reader in self.readers:
            reader.add(draws)

    def _enough(self) -> bool:
        """Tell whether the draws read are as precise as asked for, when it is time to look."""
        wishes, block, made = self.work.method.wishes, self.work.block, self.shelf.first
        if not wishes or not due(made // block, block):
            return False
        enough = self.keeper.writes and all(
            wish.enough(self.keeper.drawn(name, made))
            for wish in wishes
            for name in wish.names(self.work.names)
        )
        return bool(greatest(enough, self.mesh))

    def _due(self) -> bool:
        """Tell whether it is time to commit, in all processes alike."""
        return bool(greatest(self.keeper.due, self.mesh))

    def _halted(self) -> str:
        """Say whether a signal or the time ends the run, in any process that has a part in it."""
        minutes = self.work.method.minutes
        late = minutes is not None and perf_counter() - self.keeper.began > 60 * minutes
        here = REASONS.index("signal" if asked_to_stop() else "time" if late else "")
        return REASONS[greatest(here, self.mesh)]

    def commit(self) -> None:
        """Make safe where the run stands."""
        if self.warming:
            made = sum(shelf.level for shelf in self.warm)
            known = {"phase": WARMUP, "made": made, "draws": 0}
            self.keeper.commit(self.state, 0, None, **known)
            return
        known = {"phase": SAMPLING, "made": self.shelf.level, "draws": self.shelf.level}
        known |= {"divergences": self.divergences, "wanted": self.shelf.wanted}
        self.keeper.commit(self.state, self.shelf.first, self.shelf.draws(), **known)


def diverged(chunk: Chunk) -> int:
    """Return how many draws of a chunk diverged."""
    diverging = np.asarray(chunk.record.info.diverging)[: chunk.steps]
    return int((diverging & chunk.done).sum())


def _part(state: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the arrays of one part of a state."""
    return {n.removeprefix(f"{name}/"): a for n, a in state.items() if n.startswith(f"{name}/")}
