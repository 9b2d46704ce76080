"""Go on with a run that is on disk: it gives the draws of one that nothing ended."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from finetti.dividing import entered, leads, led, meant
from finetti.errors import DataError, ModelError, refuse_no_draws
from finetti.inference.begin import Beginning, again, begin
from finetti.inference.fit import fit_alike
from finetti.inference.journey import Journey, Work
from finetti.inference.keeping import Following, Keeper, Stored
from finetti.inference.methods.method import Chains, Method, natural
from finetti.inference.methods.precision import MOST
from finetti.inference.methods.recorded import SETTINGS, read, written
from finetti.inference.methods.searches import Search
from finetti.inference.outcome import outcome
from finetti.inference.progress import Display, show
from finetti.inference.stopping import stoppable
from finetti.inference.to_disk import processor, search_into
from finetti.models import Model, require_model
from finetti.posterior.posterior import Posterior
from finetti.posterior.saved import as_path
from finetti.store.identity import require_same
from finetti.store.opened import is_whole, open_run
from finetti.store.store import SECONDS, Store, recorded, reopened
from finetti.structure.choices import Choices
from finetti.targets.density import Density, density


def resume(
    path: str | Path,
    model: Model | None = None,
    *,
    draws: int | None = None,
    every: float = SECONDS,
    progress: bool | Display = True,
) -> Posterior:
    """Go on with a run that `fit(..., out=path)` began, wherever it was when it ended.

    On the same machine its draws are, bit for bit, those of a run that nothing ended. `model` is
    the run's, with its data; only a run that is finished and is to have no more draws does without.
    `draws` a chain are made in all where they are given, which is how a finished run has more.
    `every` are the seconds between two commits, at least. What is damaged on disk is made again,
    and a warning says what it was. A run of several processes is resumed by as many, in each alike.

    Raises `ModelError` where the model, its data or the versions are not those of the run, naming
    what changed; `DataError` where there is no such run, another process writes to it, or it cannot
    be written; `SamplingError` for less than one draw.

    >>> import tempfile
    >>> model, run = coin(10).condition(heads=7), Path(tempfile.mkdtemp(), "run.zarr")
    >>> begun = fit(model, Metropolis(draws=50, warmup=50), out=run, progress=False)
    >>> resume(run, model, draws=80, progress=False)["p"].shape
    (4, 80)
    """
    place = as_path(path, "ft.resume")
    if draws is not None:
        refuse_no_draws(draws)
    record = recorded(place)
    if is_whole(place, draws or 0):
        return open_run(place, model)
    if model is None:
        raise ModelError(
            f"{place} does not bring its model: give it with its data, as ft.resume(path, model); "
            f"finetti resume finds that of a run begun by finetti fit"
        )
    require_model(model, "ft.resume")
    method: Method = read(record["method"])
    choices = Choices.of(record["choices"])
    chosen = model.plan(choices=choices)
    built = density(
        model, chosen, natural(model, method) if isinstance(method, Chains) else frozenset()
    )
    # Sums over the parts of so many devices are rounded alike.
    built = replace(built, devices=meant(record.get("devices") or None))
    require_same(record["identity"], built, place)
    if record["processor"] != processor():
        warnings.warn(
            f"{place} was begun on another kind of machine ({record['processor']}): what comes now "
            f"is as good, but not bit for bit what would have come there",
            stacklevel=2,
        )
    with (
        jax.enable_x64(True),
        stoppable() as stop,
        show(progress) as display,
        entered(built.devices, reopened(place, every)) as held,
    ):
        store = held or Store(place, recorded(place))  # to read it alone, where another writes
        if isinstance(method, Search):
            beginning = Beginning.of(record["seed"], store.start())
            found = search_into(built, method, beginning, held)
        else:
            assert isinstance(method, Chains)
            journey = _taken_up(store, built, _extended(store, built, method, draws))
            found = outcome(journey, display, stop, record["seed"])
    return replace(found, refit=partial(fit_alike, method, choices))


def _extended(store: Store, built: Density, method: Chains, draws: int | None) -> Chains:
    """Return the method for so many draws, and have the store know."""
    if draws is None:
        return method
    if draws < store.manifest.draws:
        raise DataError(
            f"{store.path} has {store.manifest.draws:,} draws a chain already: draws={draws} is "
            f"fewer. Read it by ft.open, and take the first"
        )
    longer = replace(method, draws=draws, until=None)
    if leads(built.devices):
        store.amend(draws=draws, method=written(longer)[SETTINGS])
    return longer


def _taken_up(store: Store, built: Density, method: Chains) -> Journey:
    """Return the journey from the newest state with all its draws, or from the start."""
    record = store.record
    work = Work(built, method, tuple(record["keep"]), record["block"], record["positions"])
    most = method.draws * (MOST if method.wishes else 1)
    beginning = Beginning.of(record["seed"], store.start())
    keeper: Keeper = Stored(store) if leads(built.devices) else Following(store.path)
    arrays = _newest(store, built)
    if arrays is None:
        journey = Journey(work, *begin(built, method, most, beginning), keeper)
        journey.commit()
        return journey
    journey = Journey(work, *again(built, method, most, beginning, _of_run(arrays)), keeper)
    journey.restore(arrays)
    return journey


def _newest(store: Store, built: Density) -> dict[str, np.ndarray] | None:
    """Return the arrays of the newest state with all its draws, which the process that leads tells.

    None where a run has to begin anew.
    """
    found: dict[str, np.ndarray] | None = None

    def find() -> int:
        nonlocal found
        state, arrays, lost = store.newest()
        if lost:
            from_where = f"after draw {state.draws:,}" if state else "at the start"
            warnings.warn(f"{store.path}: {lost}; it goes on {from_where}", stacklevel=6)
        if state is None:
            return 0
        found = arrays
        return state.count

    count = led(built.devices, find)
    if not leads(built.devices) and count:
        (file,) = (state.file for state in store.manifest.states if state.count == count)
        found = store.place.read_state(file)
        if found is None:
            raise DataError(f"{store.path} cannot be read here as by process 0, which writes it")
    return found


def _of_run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n.removeprefix("run/"): a for n, a in arrays.items() if n.startswith("run/")}
