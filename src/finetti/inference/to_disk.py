"""Begin runs on disk: write down what a run is of, so that it can be gone on with."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetti.dividing import entered
from finetti.errors import DataError
from finetti.inference.begin import Beginning
from finetti.inference.journey import Work
from finetti.inference.keeping import Following, Keeper, Stored
from finetti.inference.methods.method import Method
from finetti.inference.methods.recorded import SETTINGS, written
from finetti.inference.methods.searches import Search
from finetti.inference.readers.assemble import data_groups, described
from finetti.inference.search.search import search
from finetti.posterior.posterior import Posterior
from finetti.posterior.saved import as_path
from finetti.store.identity import identity
from finetti.store.store import Destination, Store, created
from finetti.targets.density import Density

FORMAT = 1


def destination(out: object) -> Destination | None:
    """Return where a run goes that is written as it is made; None where it stays in memory."""
    if out is None or isinstance(out, Destination):
        return out
    return Destination(as_path(out, "out="))


@contextmanager
def begun(work: Work, beginning: Beginning, to: Destination) -> Iterator[Keeper]:
    """Begin a run on disk, and hold it while it is written.

    Of several processes one writes; raises `ClusterError` in the others where it cannot.
    """
    more = {
        "block": work.block,
        "draws": work.method.draws,
        "keep": list(work.names),
        "positions": work.positions,
    }
    run = _begun(work.built, work.method, beginning, to, more)
    with entered(work.built.devices, run) as store:
        yield Following(to.path) if store is None else Stored(store)


def searched(built: Density, method: Search, beginning: Beginning, to: Destination) -> Posterior:
    """Look for a mode, and save what is found; killed before, the search can be begun again."""
    run = _begun(built, method, beginning, to, {"block": 1, "draws": 1})
    with entered(built.devices, run) as store:
        return search_into(built, method, beginning, store)


def search_into(
    built: Density, method: Search, beginning: Beginning, store: Store | None
) -> Posterior:
    """Look for a mode, and save what is found in the place of a store, if this process has one."""
    found = search(built, method, beginning.seed, beginning.init)
    if store is not None:
        found.tree.attrs.update(store.record["notes"])
        store.mark_done()  # there is nothing to go on with
        found.save(store.path)
    return found


@contextmanager
def _begun(
    built: Density, method: Method, beginning: Beginning, to: Destination, more: dict[str, Any]
) -> Iterator[Store]:
    """Write down what a run is of, and hold its store while the run is made."""
    told = written(method)
    if SETTINGS not in told:
        raise DataError(
            f"a run by {method!r} cannot be written as it is made: its settings are no plain "
            f"values of finetti's methods, so that no other process could go on with it. Fit "
            f"without out="
        )
    record = {
        "format": FORMAT,
        "method": told[SETTINGS],
        "choices": built.choices.record(),
        "seed": beginning.seed,
        "identity": identity(built),
        "processor": processor(),
        "devices": len(built.devices),
        "notes": dict(to.notes),
        **more,
    }
    model = built.model
    attributes = {**described(built), **told, "seed": beginning.seed, "created_by": "finetti"}
    with created(to, record, beginning.arrays(), data_groups(model), attributes) as store:
        yield store


def processor() -> str:
    """Name the kind of machine, on which alone the same program rounds in the same way."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    except OSError:
        names = {platform.processor()}
    return ", ".join(sorted({platform.machine(), *names}))
