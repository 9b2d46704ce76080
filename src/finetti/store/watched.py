"""Read how a run on disk is going, while it is at work or after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.digests import FOLDER
from finetti.posterior.labels import brackets, named
from finetti.store.arrays import Arrays
from finetti.store.lock import holder, is_held
from finetti.store.manifest import Manifest, Place
from finetti.store.store import LOCK, recorded

WATCHED = 30  # numbers, the first of each site before the second of any
LONGEST = 10_000  # draws a chain, the last ones, that are looked at


@dataclass(frozen=True)
class Watched:
    """Hold how a run is going: its manifest, who is at work on it, and how its numbers mix.

    `rows` are name, effective sample size and R-hat of some numbers, the least effective first; of
    the last 10,000 draws a chain where there are more.
    """

    manifest: Manifest
    writer: str
    chains: int
    rows: tuple[tuple[str, float, float], ...]


def watch(path: Path) -> Watched:
    """Look at a run; raises `DataError` if there is none that was written as it was made."""
    record = recorded(path)
    place, lock = Place(path / FOLDER), path / FOLDER / LOCK
    manifest = place.read() or Manifest(wanted=int(record["draws"]))
    writer = holder(lock) if is_held(lock) else ""
    numbers = _numbers(Arrays(path, int(record["block"])), manifest)
    rows, chains = [], 0
    for name, draws in numbers.items():
        chains = len(draws)
        if draws.shape[1] >= 4 and np.ptp(draws) > 0:
            rows.append((name, diagnose.ess(draws), diagnose.rhat(draws)))
    return Watched(manifest, writer, chains, tuple(sorted(rows, key=lambda row: row[1])))


def _numbers(arrays: Arrays, manifest: Manifest) -> dict[str, np.ndarray]:
    """Return draws of some numbers by name, shape (chain, draw)."""
    if "posterior" not in manifest.groups or not manifest.draws:
        return {}
    found: dict[str, np.ndarray] = {}
    sites = dict(arrays.drawn("posterior"))
    most = max(1, WATCHED // max(len(sites), 1))
    for name, array in list(sites.items())[:WATCHED]:
        values = _last(array, manifest.draws)
        flat = values.reshape(*values.shape[:2], -1)[..., :most]
        rows = islice(_rows(arrays, name, array), flat.shape[2])
        found |= {row: flat[..., i] for i, row in enumerate(rows)}
    return found


def _rows(arrays: Arrays, name: str, array: Any) -> Iterator[str]:
    """Name the numbers of a site in order, as the summary does."""
    dims = (array.metadata.dimension_names or ())[2:]
    found = {dim: arrays.coordinate("posterior", dim) for dim in dims}
    labels = {dim: values for dim, values in found.items() if values is not None}
    axes = [
        np.asarray(labels[dim][:]).tolist() if dim in labels else range(size)
        for dim, size in zip(dims, array.shape[2:], strict=True)
    ]
    for member in product(*axes):
        yield named(name, member, brackets(dims, labels))


def _last(array: Any, draws: int) -> np.ndarray:
    return np.asarray(array[:, max(0, draws - LONGEST) : draws])
