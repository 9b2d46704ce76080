"""Save runs whole or not at all, and open only what is a whole run."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetti.errors import DataError, FinettiError, MissingExtra
from finetti.posterior import digests
from finetti.posterior.ordering import in_order, noting_order
from finetti.posterior.whole import reason, refuse_unwritable, standing, whole

if TYPE_CHECKING:
    import xarray as xr

GROUPS = ("posterior", "posterior_predictive", "predictions", "prior", "prior_predictive")
HDF5 = b"\x89HDF\r\n\x1a\n"
NUMBERS = ("seconds", "starts", "starts_that_agree", "starts_that_ran_away")  # noted of a fit
NETCDF = (".nc", ".netcdf", ".h5")


def save(tree: xr.DataTree, path: Path) -> None:
    """Save a tree in ArviZ's schema at a path: NetCDF if its name ends so, else a Zarr store.

    Raises `DataError` where the path has something that is no run, or cannot be written; it then
    has what it had before.
    """
    _require_writer(path)
    refuse_strangers(path)
    tree = noting_order(tree)
    with whole(path, "the run") as beside:
        if is_netcdf(path):
            with _writing(path):
                made: Any = tree.to_netcdf(engine="h5netcdf")
            # HDF5 does not survive a full disk, nor Python a view that outlives what it is of.
            with memoryview(made) as content, beside.open("wb") as file:
                del made
                file.writelines(digests.marked(content))
        else:
            with _writing(path):
                tree.to_zarr(beside, mode="w", zarr_format=2)
                digests.mark_store(beside)


def load(path: Path) -> xr.DataTree:
    """Open a tree that `save` or ArviZ wrote, and load it.

    Raises `DataError` for whatever is wrong with it. A run without digests, as another program or
    finetti 0.1 before them wrote it, is opened with a warning.
    """
    import xarray as xr

    try:
        place = standing(path)
        if not place.exists():
            raise DataError(f"there is no run at {path}")
        inode = place.stat().st_ino
        if place.is_dir():
            require("zarr", "opening a run")
            known = digests.check_store(place)
            if not known:
                _refuse_partial(place)
            opened = xr.open_datatree(place, engine="zarr", consolidated=True)
        elif place.is_file():
            require_netcdf("opening a run")
            known = digests.check_file(place)
            opened = xr.open_datatree(place, engine="h5netcdf")
        else:
            raise DataError(f"{path} is neither a file nor a folder, so that it holds no run")
        with opened as tree:
            found = in_order(tree.load())
        if standing(path).stat().st_ino != inode:
            raise DataError(f"the run at {path} was replaced while it was read: open it again")
        _refuse_other(found, path)
    except FinettiError:
        raise
    except Exception as error:  # damaged bytes make readers raise anything
        raise DataError(
            f"{path} is no run that can be opened: {reason(error)}. It is damaged, was not saved "
            f"to its end, or was never a run: take it from a copy, or fit again"
        ) from error
    if not known:
        warnings.warn(
            f"{path} was saved without digests, by another program or an earlier finetti, so that "
            f"damage to it cannot be seen: save it again by posterior.save",
            stacklevel=3,
        )
    return found


def refuse_destination(path: Path) -> None:
    """Refuse a path where no run can be saved, before there is one; create nothing."""
    _require_writer(path)
    refuse_strangers(path)
    refuse_unwritable(path)


def refuse_strangers(path: Path) -> None:
    """Refuse to save over anything that is no run."""
    try:
        place = path.resolve()
        if not place.exists():
            return
        found = _stranger_file(place) if is_netcdf(path) else _stranger_folder(place)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} cannot be written: {reason(error)}") from error
    if found:
        raise DataError(
            f"{path} {found}, and saving a run there would replace it: give another name, or move "
            f"it away"
        )


def as_path(path: object, purpose: str) -> Path:
    """Return a path that a user gave, or refuse what is none."""
    if isinstance(path, str | PathLike) and str(path) and "\0" not in str(path):
        return Path(path)
    raise DataError(f"{purpose} takes a path, such as 'runs/radon.zarr', not {path!r:.80}")


def is_netcdf(path: Path) -> bool:
    """Tell whether a run of this name is a NetCDF file."""
    return path.suffix.lower() in NETCDF


def _require_writer(path: Path) -> None:
    if is_netcdf(path):
        require_netcdf("saving NetCDF")
    else:
        require("zarr", "saving Zarr")


def require_netcdf(purpose: str) -> None:
    """Refuse without the packages that NetCDF needs."""
    for package in ("h5netcdf", "h5py"):
        require(package, purpose)


def require(package: str, purpose: str) -> None:
    """Refuse without a package of the extra `io`."""
    try:
        __import__(package)
    except ImportError as error:
        raise MissingExtra.needed(package, "io", purpose) from error


def _stranger_folder(path: Path) -> str:
    """Say what is in the place of a Zarr store that is no run, or nothing."""
    if not path.is_dir():
        return "is a file, no Zarr folder"
    if not any(path.iterdir()):
        return ""
    stranger = digests.stranger(path)
    if stranger is not None:
        return f"holds `{stranger}`, which is no part of a run"
    if (path / digests.FOLDER / digests.RECORD).is_file():
        done = (path / digests.FOLDER / digests.DONE).is_file()
        return "" if done else "holds an unfinished run, with which ft.resume can go on"
    metadata = (".zgroup", "zarr.json")
    if any((path / name).is_file() for name in metadata) and any(
        (path / group / name).is_file() for group in GROUPS for name in metadata
    ):
        return ""
    return "is a folder that holds no run"


def _stranger_file(path: Path) -> str:
    """Say what is in the place of a NetCDF file that is no run, or nothing."""
    if path.is_dir():
        return "is a folder, no NetCDF file"
    if not path.is_file():
        return "is no ordinary file"
    if not path.stat().st_size or digests.has_line(path):
        return ""
    with path.open("rb") as file:
        if file.read(len(HDF5)) != HDF5:
            return "is a file that holds no run"
    import h5py

    try:
        with h5py.File(path, "r") as file:
            held = any(group in file for group in GROUPS)
    except OSError:
        return "is a damaged file, of which nobody can say whether it holds a run"
    return "" if held else "is a file that holds no run"


def _refuse_partial(path: Path) -> None:
    """Refuse a Zarr store without digests that lacks draws, which would be read as NaN."""
    import zarr

    root = zarr.open_group(path, mode="r", use_consolidated=True)
    if "posterior" not in root:
        return
    group = root["posterior"]
    assert isinstance(group, zarr.Group)
    for name, array in group.arrays():
        if array.dtype.kind == "f" and array.nchunks_initialized < array.nchunks:
            raise DataError(
                f"the run at {path} is damaged: of `{name}` only {array.nchunks_initialized} of "
                f"{array.nchunks} pieces are there. Take it from a copy, or fit again"
            )


def _refuse_other(tree: xr.DataTree, path: Path) -> None:
    """Refuse a tree that is none of ArviZ's schema."""
    if not any(group in tree.children for group in GROUPS):
        raise DataError(
            f"{path} holds no run: it has none of the groups {', '.join(GROUPS)} of ArviZ's schema"
        )
    try:
        plan = json.loads(tree.attrs.get("plan", "{}"))
        right = isinstance(plan, dict) and all(isinstance(row, list) for row in _rows(plan))
        _ = [float(tree.attrs[name]) for name in NUMBERS if name in tree.attrs]
    except (ValueError, TypeError):
        right = False
    if not right:
        raise DataError(f"{path} is damaged: what it notes of its fit cannot be read")
    for name in GROUPS:
        if name not in tree.children:
            continue
        for site, draws in tree[name].dataset.data_vars.items():
            if draws.dims[:2] != ("chain", "draw") or not draws.size:
                raise DataError(
                    f"{path} holds no run: `{site}` of its group {name} has dims {draws.dims} and "
                    f"shape {draws.shape}, where draws have dims (chain, draw, ...) and are some"
                )


def _rows(plan: dict[str, Any]) -> list[Any]:
    return [*plan.get("sites", []), *plan.get("rewrites", [])]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say of what cannot be written that it cannot, whatever the writer raises."""
    try:
        yield
    except (OSError, MemoryError, FinettiError):
        raise
    except Exception as error:
        kind = "NetCDF" if is_netcdf(path) else "Zarr"
        raise DataError(
            f"the run cannot be saved at {path} as {kind}: {reason(error)}. What was there is as "
            f"it was"
        ) from error
