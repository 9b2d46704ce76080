"""Check where results go before there are any, and lose no draws where they cannot go there."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from finetti.errors import DataError, FinettiError
from finetti.posterior import saved
from finetti.posterior.posterior import Posterior
from finetti.posterior.saved import NETCDF
from finetti.posterior.whole import refuse_unwritable, whole
from finetti.store.store import refuse

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = (".zarr", *NETCDF)
PAGES = (".html", ".htm")


def run_path(path: Path) -> Path:
    """Return where to save a run, or refuse: before sampling rather than after."""
    _ending("--out", path, RUNS)
    try:
        if not saved.is_netcdf(path):
            refuse(path)
        saved.refuse_destination(path)
    except DataError as error:
        raise typer.BadParameter(f"--out {error}") from error
    return path


def file_path(option: str, path: Path, endings: tuple[str, ...], *inputs: Path | None) -> Path:
    """Return where to write a file, or refuse: a wrong ending, a folder, one of the inputs."""
    _ending(option, path, endings)
    if path.is_dir():
        raise typer.BadParameter(f"{option} {path} is a folder: give the name of a file")
    not_among(option, path, *inputs)
    try:
        refuse_unwritable(path)
    except DataError as error:
        raise typer.BadParameter(f"{option} {error}") from error
    return path


def folder_path(option: str, path: Path) -> Path:
    """Return a folder to write into, which need not be there yet, or refuse."""
    if path.exists() and not path.is_dir():
        raise typer.BadParameter(f"{option} {path} is a file: give a folder")
    try:
        refuse_unwritable(path / "picture.png")
    except DataError as error:
        raise typer.BadParameter(f"{option} {error}") from error
    return path


def page_path(path: Path, *inputs: Path | None) -> Path:
    """Return where to write a page, or refuse."""
    return file_path("--out", path, PAGES, *inputs)


def picture_path(option: str, path: Path) -> Path:
    """Return where to draw a picture, or refuse."""
    return file_path(option, path, (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp"))


def not_among(option: str, path: Path, *inputs: Path | None) -> None:
    """Refuse to write over what is read."""
    for given in inputs:
        if given is not None and path.resolve() == given.resolve():
            raise typer.BadParameter(f"{option} {path} is what is read: give another name")


def draw(figure: Figure, path: Path) -> None:
    """Draw a picture into a file, whole or not at all."""
    with whole(path, "the picture") as beside:
        figure.savefig(beside, format=path.suffix[1:].lower())


def keep(posterior: Posterior, path: Path) -> tuple[Path, str]:
    """Save a run at `path` or else where it can be; return where, and why not at `path`.

    Raises `DataError` that names all places that were tried.
    """
    try:
        return posterior.save(path), ""
    except (FinettiError, OSError, MemoryError) as error:
        why = str(error) or type(error).__name__
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    name = f"{path.stem}-unsaved-{stamp}"
    folders = (path.parent, Path.cwd(), Path(tempfile.gettempdir()))
    for ending in dict.fromkeys((path.suffix, ".zarr", ".nc")):
        for folder in folders:
            try:
                return posterior.save(folder / f"{name}{ending}"), why
            except (FinettiError, OSError, MemoryError):
                continue
    tried = ", ".join(map(str, folders))
    raise DataError(f"{why}; nor can it be saved in any of {tried}, so that its draws are lost")


def _ending(option: str, path: Path, endings: tuple[str, ...]) -> None:
    if path.suffix.lower() not in endings:
        known = " or ".join(endings[:2]) if endings == RUNS else ", ".join(endings)
        raise typer.BadParameter(f"{option} is a name that ends in {known}, not {path}")
