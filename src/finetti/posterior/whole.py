"""Put a file or a folder in its place whole, or leave what was there."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from finetti.errors import DataError

IDLE = 600  # seconds after which what a killed process left beside is cleared away
REPLACED, UNFINISHED = "replaced", "unfinished"


@contextmanager
def whole(path: Path, what: str, keep: bool = False) -> Iterator[Path]:
    """Yield a name beside `path` to write to; in the end what was written takes its place.

    Until then `path` keeps what it has, also where the process is killed. A folder is put in its
    place by two renames: killed between them, what was there stands beside, where `standing` finds
    it; to `keep` it there is to have it until `forget_replaced`. Raises `DataError` that `what`
    cannot be saved where the system refuses.
    """
    refuse_unwritable(path)
    try:
        path = path.resolve()  # a link stays, and what it points to is replaced
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        beside = _beside(path, UNFINISHED)
        try:
            yield beside
            _sync(beside)
            _put(beside, path, keep)
        except BaseException:
            _remove(beside)
            raise
    except (OSError, MemoryError, RuntimeError) as error:
        raise DataError(
            f"{what} cannot be saved at {path}: {reason(error)}. What was there is as it was; "
            f"save to another place, or make room"
        ) from error


def refuse_unwritable(path: Path) -> None:
    """Refuse a path that cannot be written, before any work is done for it; leave nothing there."""
    try:
        folder = path.resolve().parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is a file, no folder")
        with tempfile.TemporaryDirectory(prefix=".", dir=folder):
            pass
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} cannot be written: {reason(error)}") from error


def standing(path: Path) -> Path:
    """Return where what belongs at `path` stands: beside, if a process died as it replaced it."""
    if path.exists():
        return path
    real = path.resolve()
    parked = sorted(_leftovers(real, REPLACED), key=lambda found: found.stat().st_mtime)
    return parked[-1] if parked else path


def reason(error: BaseException) -> str:
    """Return what an error says, in one line and no more than a few."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (said.strip().partition("\n")[0] or type(error).__name__)[:200]


def forget_replaced(path: Path) -> None:
    """Remove what stands beside since `path` took its place."""
    path = path.resolve()
    for old in _leftovers(path, REPLACED):
        _remove(old)


def _put(beside: Path, path: Path, keep: bool) -> None:
    """Rename what was written to its place."""
    if not beside.is_dir():
        beside.replace(path)
        return
    parked = _beside(path, REPLACED)
    try:
        if path.exists():
            path.rename(parked)
        beside.rename(path)
    except BaseException:
        if parked.exists():
            with suppress(OSError):
                parked.rename(path)
        raise
    if not keep:
        forget_replaced(path)


def _clear(path: Path) -> None:
    """Remove what killed processes left beside, once nobody can be at work on it."""
    for kind in (UNFINISHED, REPLACED):
        for found in _leftovers(path, kind):
            if (kind == UNFINISHED or path.exists()) and time.time() - _touched(found) > IDLE:
                _remove(found)


def _touched(path: Path) -> float:
    """Return when a file, or anything in a folder, was last written."""
    with suppress(OSError):
        return max(found.stat().st_mtime for found in (path, *path.rglob("*")))
    return time.time()


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}-{token_hex(4)}")


def _leftovers(path: Path, kind: str) -> list[Path]:
    start = f".{path.name}.{kind}-"
    if not path.parent.is_dir():
        return []
    return [found for found in path.parent.iterdir() if found.name.startswith(start)]


def _remove(path: Path) -> None:
    """Remove a file or a folder if it is there; what cannot be removed stays."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the system write to disk what it holds in memory of a file or of a folder's files."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with file.open("rb+") as held:
                os.fsync(held.fileno())
