"""Let one process at a time write to a run, and name the one that does.

The system holds the lock for as long as the process lives, so that none is left by a dead one.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from finetti.errors import DataError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def locked(file: Path, run: Path) -> Iterator[None]:
    """Hold the lock of a run; raises `DataError` that names the process that has it."""
    with file.open("a+", encoding="utf-8") as held:
        if not _take(held):
            raise DataError(
                f"{run} is being written by another process ({holder(file)}): wait for it, or "
                f"stop it"
            )
        held.seek(0)
        held.truncate()
        json.dump(_ourselves(), held)
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)
            held.flush()


def is_held(file: Path) -> bool:
    """Tell whether a process is writing to the run that a lock belongs to."""
    if not file.is_file():
        return False
    with file.open("a+", encoding="utf-8") as held:
        return not _take(held)


def holder(file: Path) -> str:
    """Name the process that wrote last into a lock."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return f"pid {found['pid']} on {found['host']}, started {found['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which one it does not say"


def _take(held: IO[str]) -> bool:
    """Lock an open file if nobody has; closing the file gives the lock back."""
    try:
        if fcntl is not None:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            windows: Any = msvcrt
            held.seek(1 << 20)  # beyond what is written there, which others may then read
            windows.locking(held.fileno(), windows.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def _ourselves() -> dict[str, object]:
    started = datetime.now().astimezone().isoformat(" ", "seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": started}
