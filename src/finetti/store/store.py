"""Hold a run on disk while it is made: what it is of, its draws, and the states to go on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError
from finetti.posterior import saved
from finetti.posterior.digests import DONE, FOLDER, RECORD
from finetti.posterior.whole import forget_replaced, refuse_unwritable, whole
from finetti.store.arrays import Arrays, quietly, synced
from finetti.store.lock import holder, is_held, locked
from finetti.store.manifest import FINISHED, INTERRUPTED, Manifest, Place, State
from finetti.store.written import clear, write_whole, writing

if TYPE_CHECKING:
    import xarray as xr

LOCK, START = "lock", "start.npz"
SECONDS = 1.0  # between two commits, at least
SHARE = 20  # and so many times what the last one took


@dataclass(frozen=True)
class Destination:
    """Say where a run goes, what to note of it among its attributes, how often it is written.

    `every` are the seconds between two commits, at least.
    """

    path: Path
    notes: Mapping[str, str] = field(default_factory=dict)
    every: float = SECONDS


class Store:
    """Write to the run at a path; whoever has it holds its lock."""

    def __init__(self, path: Path, record: Mapping[str, Any], every: float = SECONDS) -> None:
        self.path, self.record, self.every = path, dict(record), every
        self.arrays = Arrays(path, int(record["block"]))
        self.place = Place(path / FOLDER)
        self.manifest = self.place.read() or Manifest(wanted=int(record["draws"]))
        self.record.setdefault("notes", {})
        self.began, self.before = perf_counter(), self.manifest.seconds
        self.last, self.took = self.began, 0.0
        self.unsynced: list[Path] = []

    @property
    def due(self) -> bool:
        """Tell whether it is time for a commit, which may take a twentieth of all the time."""
        return perf_counter() - self.last >= max(self.every, SHARE * self.took * bool(self.every))

    def write(self, group: str, rows: xr.Dataset, first: int) -> None:
        """Write rows of draws number `first` and on."""
        with writing(self.path):
            self.unsynced += self.arrays.write(group, rows, first)
        if group not in self.manifest.groups:
            groups = (*self.manifest.groups, group)
            self.manifest = self.manifest.after(groups=groups)

    def put(self, group: str, found: xr.Dataset) -> None:
        """Write a group that does not grow with the draws."""
        with writing(self.path):
            self.arrays.put(group, found)

    def commit(
        self, state: Mapping[str, np.ndarray], whole: int, began: float, **known: Any
    ) -> None:
        """Have all that was written reach the disk, with the state to go on from.

        `whole` are the draws a chain in whole blocks, `known` what the manifest says beside it. The
        commit `began` then, by `perf_counter`, what was read for it alone included.
        """
        with writing(self.path):
            # Draws first, then the state, then the manifest that names both: killed in between, the
            # manifest before holds, and all that it names is there.
            synced(self.unsynced)
            self.unsynced = []
            count = max((s.count for s in self.manifest.states), default=0) + 1
            name = f"state-{self.manifest.number + 1:06d}.npz"
            size = sum(array.nbytes for array in state.values())
            new = State(name, whole, known["phase"], count, size)
            (self.path / FOLDER / DONE).unlink(missing_ok=True)
            self.place.write_state(name, state)
            self._write(states=self.manifest.with_state(new), **known)
        self.last = perf_counter()
        self.took = self.last - began

    def _write(self, **known: Any) -> None:
        seconds = self.before + perf_counter() - self.began
        self.manifest = self.manifest.after(seconds=seconds, updated=time(), **known)
        self.place.write(self.manifest)

    def close(self, draws: int, attributes: dict[str, Any], ended: str) -> None:
        """Mark the run as it ended, its arrays as long as its draws."""
        with writing(self.path):
            synced(self.unsynced)
            self.unsynced = []
            self.arrays.close(self.manifest.groups, draws, attributes)
            phase = FINISHED if ended in ("draws", "precision") else INTERRUPTED
            self._write(phase=phase, draws=draws, ended=ended)
            if phase == FINISHED:
                self.mark_done()
            forget_replaced(self.path)

    def mark_done(self) -> None:
        """Mark that the run has all its draws, so that another may take its place."""
        (self.path / FOLDER / DONE).touch()

    def newest(self) -> tuple[State | None, dict[str, np.ndarray], str]:
        """Return the newest state with all its draws whole, its arrays, and what was lost.

        There is none where nothing is left to go on from.
        """
        lost = []
        longest = max((s.draws for s in self.manifest.states), default=0)
        damaged = list(self.arrays.damaged(self.manifest.groups, longest))
        sound = min((first for _, first in damaged), default=longest)
        for name, first in damaged:
            lost.append(f"`{name}` is damaged from draw {first:,} on")
            if "/" not in name:  # what describes it cannot be read: it is made anew
                shutil.rmtree(self.path / name, ignore_errors=True)
        for state in reversed(self.manifest.states):
            if state.draws > sound:
                continue
            arrays = self.place.read_state(state.file)
            if arrays is not None:
                return state, arrays, "; ".join(lost)
            lost.append(f"`{FOLDER}/{state.file}` is damaged")
        return None, {}, "; ".join(lost)

    def amend(self, **changes: Any) -> None:
        """Write changes of the record, such as more draws that are wanted."""
        self.record |= changes
        with writing(self.path):
            write_record(self.path / FOLDER, self.record)

    def start(self) -> dict[str, np.ndarray]:
        """Return the arrays that the run was begun with; raises `DataError` if they are damaged."""
        found = self.place.read_state(START)
        if found is None:
            raise DataError(f"{self.path} is damaged: `{FOLDER}/{START}` cannot be read. Fit again")
        return found


@contextmanager
def created(
    to: Destination,
    record: Mapping[str, Any],
    start: Mapping[str, np.ndarray],
    groups: Mapping[str, xr.Dataset],
    attributes: dict[str, Any],
) -> Iterator[Store]:
    """Begin a run at a path, where it stands at once with all that it can be begun again from.

    `start` are arrays that it begins with, `groups` those of its data. A finished run that is there
    is replaced once this one has ended well; raises `DataError` where the path has an unfinished
    one, or something that is no run.
    """
    path = to.path
    refuse(path)
    import zarr

    noted = {**attributes, **to.notes}
    with whole(path, "the run", keep=True) as beside, quietly():
        zarr.open_group(beside, mode="w", zarr_format=3).update_attributes(noted)
        arrays = Arrays(beside, int(record["block"]))
        for name, found in groups.items():
            arrays.put(name, found)
        (beside / FOLDER).mkdir()
        Place(beside / FOLDER).write_state(START, start)
        write_record(beside / FOLDER, record)
    with locked(path / FOLDER / LOCK, path):
        yield Store(path, record, to.every)


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write what a run is of."""
    text = json.dumps(dict(record), indent=1)
    write_whole(folder / RECORD, lambda file: file.write(text.encode()))


@contextmanager
def reopened(path: Path, every: float = SECONDS) -> Iterator[Store]:
    """Take up a run on disk; raises `DataError` if it is none, or another process has it."""
    record = recorded(path)
    with locked(path / FOLDER / LOCK, path):
        clear(path)
        yield Store(path, record, every)


def recorded(path: Path) -> dict[str, Any]:
    """Return what a run's record says; raises `DataError` where there is none."""
    saved.require("zarr", "going on with a run")
    if not path.exists():
        raise DataError(f"there is no run at {path}")
    if not is_streamed(path):
        raise DataError(
            f"{path} holds no run to go on with: that takes one made by ft.fit(..., out=) or "
            f"finetti fit"
        )
    try:
        found = json.loads((path / FOLDER / RECORD).read_text(encoding="utf-8"))
        _ = found["block"], found["draws"], found["identity"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: `{FOLDER}/{RECORD}` cannot be read") from error
    return found


def is_streamed(path: Path) -> bool:
    """Tell whether the run at a path was written as it was made."""
    try:
        return (path / FOLDER / RECORD).is_file()
    except (OSError, ValueError, RuntimeError):  # no path at all
        return False


def refuse(path: Path) -> None:
    """Refuse a path where no run can be begun; create nothing."""
    if saved.is_netcdf(path):
        raise DataError(
            f"{path} is the name of a NetCDF file, and out= writes a Zarr folder: give a name that "
            f"ends in .zarr"
        )
    saved.require("zarr", "writing a run as it is made")
    if is_streamed(path):
        lock, found = path / FOLDER / LOCK, Place(path / FOLDER).read()
        if is_held(lock):
            raise DataError(
                f"{path} is being written by another process ({holder(lock)}): wait for it, stop "
                f"it, or give another name"
            )
        if found is None or found.phase != FINISHED:
            raise DataError(
                f"there is an unfinished run at {path}: go on with it by ft.resume or finetti "
                f"resume, give another name, or remove it"
            )
    saved.refuse_strangers(path)
    refuse_unwritable(path)
