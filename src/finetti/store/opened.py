"""Open a run: one that was saved whole, or one that was written as it was made, ended or not."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from finetti.errors import DataError
from finetti.models import Model
from finetti.posterior import saved
from finetti.posterior.digests import FOLDER
from finetti.posterior.ordering import ordered
from finetti.posterior.posterior import Posterior
from finetti.posterior.saved import as_path
from finetti.posterior.whole import reason, standing
from finetti.store.arrays import Arrays, quietly
from finetti.store.lock import is_held
from finetti.store.manifest import FINISHED, INTERRUPTED, Manifest, Place
from finetti.store.store import LOCK, is_streamed, recorded

if TYPE_CHECKING:
    import xarray as xr


def open_run(path: str | Path, model: Model | None = None) -> Posterior:
    """Open a run that `ft.fit(..., out=)`, `Posterior.save` or ArviZ wrote, NetCDF or Zarr.

    A run that was written as it was made is read as it is asked for, and may be at work still: it
    is opened with the draws that are whole, and what is damaged is left out with a warning; it then
    has the attribute `interrupted`. `model`, with its data, is needed for what runs it again, such
    as predictions. Raises `DataError` when there is no such run, it is none, it has no draws yet or
    is not as it was saved, `ModelError` where the model is not that of the run. A run of another
    program, or of finetti before it saved digests, opens with a warning that damage to it cannot be
    seen.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "run.nc")
    >>> _ = posterior.save(file)
    >>> open_run(file)["theta"].shape == posterior["theta"].shape
    True
    """
    place = as_path(path, "opening a run")
    with suppress(OSError, ValueError, RuntimeError):  # of which `load` speaks
        place = standing(place)
    found = Posterior(_opened(place) if is_streamed(place) else saved.load(Path(path)))
    return found if model is None else found.of(model)


def is_whole(path: Path, draws: int) -> bool:
    """Tell whether a run that was written as it was made has ended, with so many draws at least."""
    record, known = recorded(path), Place(path / FOLDER).read()
    if known is None or known.phase != FINISHED or known.draws < draws:
        return False
    return not any(Arrays(path, int(record["block"])).damaged(known.groups, known.draws))


def reread(path: Path) -> Posterior:
    """Open a run that this process has just written, without looking for damage."""
    return Posterior(_opened(path, check=False))


def _opened(path: Path, check: bool = True) -> xr.DataTree:
    """Return the tree of a run that was written as it was made, read where it is asked for."""
    import xarray as xr

    record = recorded(path)
    known = Place(path / FOLDER).read()
    if known is None or not known.draws:
        raise DataError(
            f"the run at {path} has no draws yet: it was in warm-up when it was last written. "
            f"finetti watch shows how it goes; if it goes no more, ft.resume goes on with it"
        )
    arrays = Arrays(path, int(record["block"]))
    damaged = dict(arrays.damaged(known.groups, known.draws)) if check else {}
    sound = min(damaged.values(), default=known.draws)
    if damaged:
        warnings.warn(
            f"the run at {path} is damaged, {', '.join(f'`{n}`' for n in damaged)} from draw "
            f"{sound:,} on: only the draws before are opened. ft.resume makes the others again",
            stacklevel=4,
        )
    if not sound:
        raise DataError(f"the run at {path} is damaged from its first draws on: ft.resume may help")
    try:
        with quietly():
            tree = xr.open_datatree(path, engine="zarr", consolidated=False)
    except Exception as error:  # damaged metadata make readers raise anything
        raise DataError(f"the run at {path} is damaged: {reason(error)}") from error
    groups = {name: ordered(node.dataset) for name, node in tree.children.items()}
    for name in list(groups):
        if name in known.groups:
            groups[name] = groups[name].isel(draw=slice(0, sound))
            continue
        try:
            groups[name].load()
        except Exception as error:  # noqa: BLE001 - damaged bytes make codecs raise anything
            del groups[name]
            warnings.warn(
                f"the run at {path} is damaged: its group {name} is left out ({reason(error)})",
                stacklevel=4,
            )
    found = xr.DataTree.from_dict(groups)
    found.attrs.update(tree.attrs)
    if known.phase != FINISHED or damaged:
        found.attrs.update(_unfinished(found, known, path))
        found["posterior"].attrs.update(found.attrs)
    return found


def _unfinished(tree: xr.DataTree, known: Manifest, path: Path) -> dict[str, object]:
    """Return the attributes that say that a run has not all its draws, and why."""
    told: dict[str, object] = {"draws_wanted": known.wanted}
    if known.phase not in (FINISHED, INTERRUPTED):
        at_work = is_held(path / FOLDER / LOCK)
        return {**told, "interrupted": "not yet finished" if at_work else "killed"}
    if known.ended == "time" or "interrupted" in tree.attrs:
        return told
    return {**told, "interrupted": "damaged"}
