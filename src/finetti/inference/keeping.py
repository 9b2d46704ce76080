"""Keep the rows that readers make of draws: in memory, in a store on disk, or elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.dividing import led
from finetti.inference.engine.draws import Draws
from finetti.inference.readers.assemble import data_groups, described, gather
from finetti.inference.readers.ratios import Ratios
from finetti.inference.readers.reader import Rows
from finetti.posterior import diagnose
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import Posterior
from finetti.store.opened import reread
from finetti.store.store import Store
from finetti.targets.density import Density

if TYPE_CHECKING:
    import xarray as xr

Groups = Mapping[str, "xr.Dataset"]
State = Callable[[], Mapping[str, np.ndarray]]  # made where it is needed


class Keeper(ABC):
    """Keep rows of draws until a posterior is made of them."""

    path: Path | None = None  # of the run, where it is on disk
    writes = True  # False where another process keeps what is read
    began: float  # when this process took the run up, by the clock of `perf_counter`
    before: float = 0.0  # seconds that others were at work on it

    @property
    @abstractmethod
    def due(self) -> bool:
        """Tell whether it is time to commit."""

    @abstractmethod
    def begin(self, readers: Sequence[Rows]) -> None:
        """Have the readers whose rows are to be kept."""

    @abstractmethod
    def put(self, group: str, found: xr.Dataset) -> None:
        """Keep a group that does not grow with the draws."""

    @abstractmethod
    def add(self, draws: Draws) -> None:
        """Have the next draws read."""

    @abstractmethod
    def commit(self, state: State, whole: int, rest: Draws | None, **known: Any) -> None:
        """Make safe what was kept so far, with the state of the run.

        So many draws are in whole blocks, and `rest` are those beyond them that every chain has.
        """

    @abstractmethod
    def drawn(self, name: str, draws: int) -> np.ndarray:
        """Return so many draws of a site, shape (chain, draw, ...)."""

    @abstractmethod
    def finish(
        self, built: Density, draws: int, groups: Groups, attributes: dict[str, Any]
    ) -> Posterior:
        """Return the posterior with so many draws, and further groups."""


class Memory(Keeper):
    """Keep rows in memory, with room for `wanted` draws a chain from the beginning."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.began = wanted, perf_counter()
        self.readers: Sequence[Rows] = ()
        self.groups: dict[str, xr.Dataset] = {}
        self.kept: list[dict[str, np.ndarray]] = []

    @property
    def due(self) -> bool:
        """Tell that it is never time to commit."""
        return False

    def begin(self, readers: Sequence[Rows]) -> None:
        """Have the readers whose rows are to be kept."""
        self.readers, self.kept = readers, [{} for _ in readers]

    def put(self, group: str, found: xr.Dataset) -> None:
        """Keep a group that does not grow with the draws."""
        self.groups[group] = found

    def add(self, draws: Draws) -> None:
        """Have the next draws read."""
        for reader, kept in zip(self.readers, self.kept, strict=True):
            for name, rows in reader.read(draws).items():
                last = draws.first + rows.shape[1]
                room = kept.get(name)
                if room is None or room.shape[1] < last:
                    length = max(
                        last, self.wanted, room.shape[1] * 3 // 2 if room is not None else 0
                    )
                    larger = np.empty((len(rows), length, *rows.shape[2:]), rows.dtype)
                    if room is not None:
                        larger[:, : draws.first] = room[:, : draws.first]
                    room = kept[name] = larger
                room[:, draws.first : last] = rows

    def commit(self, state: State, whole: int, rest: Draws | None, **known: Any) -> None:
        """Do nothing: memory has no other place."""

    def drawn(self, name: str, draws: int) -> np.ndarray:
        """Return so many draws of a site, shape (chain, draw, ...)."""
        return self.kept[0][name][:, :draws]

    def finish(
        self, built: Density, draws: int, groups: Groups, attributes: dict[str, Any]
    ) -> Posterior:
        """Return the posterior with so many draws, and further groups."""
        found: dict[str, xr.Dataset] = {}
        for reader, kept in zip(self.readers, self.kept, strict=True):
            new = reader.label({name: room[:, :draws] for name, room in kept.items()})
            old = found.get(reader.group)
            found[reader.group] = new if old is None else old.assign(new.data_vars)
        return gather(built, {**found, **self.groups, **groups}, attributes)


class Stored(Keeper):
    """Keep rows on disk, in a store."""

    def __init__(self, store: Store) -> None:
        self.store, self.path = store, store.path
        self.began, self.before = store.began, store.before
        self.readers: Sequence[Rows] = ()

    @property
    def due(self) -> bool:
        """Tell whether it is time to commit."""
        return self.store.due

    def begin(self, readers: Sequence[Rows]) -> None:
        """Have the readers whose rows are to be kept."""
        self.readers = readers

    def put(self, group: str, found: xr.Dataset) -> None:
        """Write a group that does not grow with the draws."""
        self.store.put(group, found)

    def add(self, draws: Draws) -> None:
        """Have the next draws read, and write what was made of them."""
        for reader in self.readers:
            rows = reader.label(reader.read(draws))
            if rows.data_vars:
                self.store.write(reader.group, rows, draws.first)

    def commit(self, state: State, whole: int, rest: Draws | None, **known: Any) -> None:
        """Have all draws so far on disk, and the state from which more can be made."""
        began = perf_counter()  # those that make no whole block yet are read for this commit alone
        if rest is not None and rest.count:
            self.add(rest)
        self.store.commit(state(), whole, began, **known)

    def drawn(self, name: str, draws: int) -> np.ndarray:
        """Return so many draws of a site, shape (chain, draw, ...)."""
        return self.store.arrays.read("posterior", dotted(name), draws)

    def finish(
        self, built: Density, draws: int, groups: Groups, attributes: dict[str, Any]
    ) -> Posterior:
        """Close the store, and return the posterior that reads from it."""
        for group, found in {**data_groups(built.model), **groups}.items():
            self.store.put(group, found)
        if "posterior" not in self.store.manifest.groups:  # none of its sites is kept
            self.store.put("posterior", nothing_kept())
        known = {**described(built), **self.store.record["notes"], **attributes}
        if any(isinstance(reader, Ratios) for reader in self.readers):
            ratios = self.store.arrays.read("sample_stats", "log_ratio", draws)
            known["pareto_k"] = diagnose.pareto_k(ratios)

        def close() -> int:
            self.store.close(draws, known, known["ended"])
            return draws

        led(built.devices, close)
        return replace(reread(self.store.path), model=copy(built.model))


class Following(Keeper):
    """Keep nothing: the process that leads writes the same to a path that all can read.

    Draws are read all the same, since all processes compute together what is made of them.
    """

    writes = False

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self.began = perf_counter()
        self.readers: Sequence[Rows] = ()

    @property
    def due(self) -> bool:
        """Tell that it is time where the process that leads says so."""
        return False

    def begin(self, readers: Sequence[Rows]) -> None:
        """Have the readers whose rows are to be kept."""
        self.readers = readers

    def put(self, group: str, found: xr.Dataset) -> None:
        """Do nothing."""

    def add(self, draws: Draws) -> None:
        """Have the next draws read."""
        for reader in self.readers:
            reader.read(draws)

    def commit(self, state: State, whole: int, rest: Draws | None, **known: Any) -> None:
        """Have the draws read that the process that leads commits."""
        if rest is not None and rest.count:
            self.add(rest)

    def drawn(self, name: str, draws: int) -> np.ndarray:
        """Refuse: what is drawn is looked at where it is written."""
        raise NotImplementedError

    def finish(
        self, built: Density, draws: int, groups: Groups, attributes: dict[str, Any]
    ) -> Posterior:
        """Wait until the run is written, and return the posterior that reads from it."""
        led(built.devices, lambda: draws)
        return replace(reread(self.path), model=copy(built.model))


def nothing_kept() -> xr.Dataset:
    """Return the group of a posterior of which nothing is kept."""
    import xarray as xr

    return xr.Dataset()
