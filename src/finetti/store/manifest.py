"""Say what of a run on disk is whole: a manifest, of which the one before is always there too.

Two files are written in turn, each by renaming, with a digest of its content: the one with the
higher number that agrees with its digest holds. It names the states that a run can go on from; the
newest may be damaged, so that one before it and that at the beginning of the draws are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as BadBytes

import numpy as np

from finetti.store.written import write_whole

FILES = ("manifest-0.json", "manifest-1.json")
LARGE = 1 << 24  # bytes of a state
WARMUP, SAMPLING, FINISHED, INTERRUPTED = "warm-up", "sampling", "finished", "interrupted"


@dataclass(frozen=True)
class State:
    """Name a state's file, and how many draws a chain were in whole blocks then.

    `count` numbers the commits; `size` is in bytes.
    """

    file: str
    draws: int
    phase: str
    count: int
    size: int


@dataclass(frozen=True)
class Manifest:
    """Hold what is whole: `draws` a chain of those `wanted`, in which phase, with which states.

    `made` counts the draws of the phase at hand that every chain has; `divergences` those of all
    chains. `seconds` is how long the run has been at work. `states` are the newest last.
    """

    number: int = 0
    phase: str = WARMUP
    draws: int = 0
    wanted: int = 0
    made: int = 0
    divergences: int = 0
    seconds: float = 0.0
    updated: float = 0.0
    ended: str = ""  # why: draws, precision, time, or the name of a signal
    groups: tuple[str, ...] = ()  # that grow with the draws
    states: tuple[State, ...] = ()

    def after(self, **changes: Any) -> Manifest:
        """Return the next manifest."""
        return replace(self, number=self.number + 1, **changes)

    def with_state(self, state: State) -> tuple[State, ...]:
        """Return the states to keep beside a new one: the more of them the younger they are.

        Of states that are 2^k commits old or more, one in 2^(k - 1) stays, so that what damage
        costs is about as long as what came after it. Of large ones stay the first draws' and two.
        """
        held = [*self.states, state]
        if state.size > LARGE:
            first = [s for s in held if s.phase == SAMPLING and s.draws == 0][:1]
            return tuple(dict.fromkeys([*first, *held[-2:]]))
        return tuple(s for s in held if s.count % _stride(state.count - s.count) == 0)


def _stride(age: int) -> int:
    return 1 << max(0, age.bit_length() - 2)


@dataclass(frozen=True)
class Place:
    """Write and read the files of a run that are not its draws, in a folder of theirs."""

    folder: Path

    def write(self, manifest: Manifest) -> None:
        """Write a manifest over the older of the two, and remove the states it does not name."""
        content = asdict(manifest)
        plain = json.dumps(content, sort_keys=True)
        whole = json.dumps({"digest": _digest(plain), "manifest": content}, indent=1)
        path = self.folder / FILES[manifest.number % 2]
        write_whole(path, lambda file: file.write(whole.encode()))
        named = {state.file for state in manifest.states}
        for old in self.folder.glob("state-*.npz"):
            if old.name not in named:
                old.unlink(missing_ok=True)

    def read(self) -> Manifest | None:
        """Return the newest manifest that is whole; None where there is none."""
        found = [m for m in (_read(self.folder / name) for name in FILES) if m is not None]
        return max(found, key=lambda m: m.number, default=None)

    def write_state(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays of a state."""
        numbered = {f"{i:04d}": array for i, array in enumerate(arrays.values())}
        names = np.array(json.dumps(list(arrays)))
        write_whole(
            self.folder / name,
            lambda file: np.savez(file, allow_pickle=False, names=names, **numbered),
        )

    def read_state(self, name: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a state; None where they are damaged or gone."""
        try:
            with np.load(self.folder / name, allow_pickle=False) as held:
                names = json.loads(str(held["names"]))
                return {n: held[f"{i:04d}"] for i, n in enumerate(names)}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, BadBytes):
            return None  # zip files have checksums of their own


def _read(path: Path) -> Manifest | None:
    try:
        held = json.loads(path.read_bytes())
        content = held["manifest"]
        if held["digest"] != _digest(json.dumps(content, sort_keys=True)):
            return None
        states = tuple(State(**state) for state in content.pop("states"))
        return Manifest(**{**content, "groups": tuple(content["groups"]), "states": states})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
