"""Write files whole or not at all, and say in finetti's words where the system refuses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from finetti.errors import DataError
from finetti.posterior.whole import reason

PARTIAL = ".partial"  # how the names of files end that are being written, by finetti and zarr


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside, have it reach the disk, and rename it to its place."""
    beside = path.with_name(path.name + PARTIAL)
    with beside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync(path: Path) -> None:
    """Have a file that is written reach the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the names in a folder reach the disk, where the system can."""
    with suppress(OSError, AttributeError):  # not on Windows
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(held)
        finally:
            os.close(held)


def clear(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for path in folder.rglob(f"*{PARTIAL}"):
        with suppress(OSError):
            path.unlink()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `DataError` where the run at a path cannot be written to."""
    try:
        yield
    except (OSError, MemoryError) as error:
        raise DataError(
            f"the run at {path} cannot be written to: {reason(error)}. The draws that were whole "
            f"before stand: see to it that it can, and go on by ft.resume or finetti resume"
        ) from error
