"""Keep compiled programs on disk, so that another process need not compile them again.

JAX has a cache of compiled programs, which is off unless the user gives it a folder. finetti gives
it one of its own while it compiles its own programs, and takes it back: the user's settings stay as
they are, and a folder that the user has set is left to serve.

A program read from there is run. So the folder is the user's alone (mode 0700), one for each kind
of processor and each version, and it is not used where it is anyone else's. FINETTI_CACHE names
another folder, or says `off`.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

SWITCH = "FINETTI_CACHE"
OFF = frozenset({"off", "0", "no", "false", ""})
LARGEST = 512 * 2**20  # bytes; beyond it the oldest programs go
LEFT = 0.75  # of that many bytes
FOLDER = "jax_compilation_cache_dir"
SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
    "jax_compilation_cache_max_size": -1,  # what bounds it is `trim`
}


class _Held:
    """Count those who compile now; hold the folder lent, and the settings to go back to."""

    lock = threading.RLock()
    count = 0
    folder = ""
    before: dict[str, object] = {}  # noqa: RUF012 - one for the process


@contextmanager
def kept() -> Iterator[None]:
    """Let JAX look up in finetti's folder what it compiles meanwhile, and put it away there."""
    folder = _folder(os.environ.get(SWITCH))
    if folder is None:
        yield
        return
    entered = _enter(folder)
    try:
        yield
    finally:
        if entered:
            _leave()


def _enter(folder: Path) -> bool:
    """Point JAX at the folder, and tell whether it is: the user's own folder stays."""
    with _Held.lock:
        if not _Held.count:
            if getattr(jax.config, FOLDER) is not None:
                return False
            _Held.before = {name: getattr(jax.config, name) for name in SETTINGS}
            for name, value in SETTINGS.items():
                jax.config.update(name, value)
            _Held.folder = str(folder)
            jax.config.update(FOLDER, _Held.folder)
        _Held.count += 1
        return True


def _leave() -> None:
    with _Held.lock:
        _Held.count -= 1
        if not _Held.count:
            for name, value in _Held.before.items():
                jax.config.update(name, value)
            if getattr(jax.config, FOLDER) == _Held.folder:  # else the user has set one meanwhile
                jax.config.update(FOLDER, None)
            reset_cache()


@cache
def _folder(named: str | None) -> Path | None:
    """Return the folder to use, made and looked at once; None where there is none to use."""
    if named is not None and named.lower() in OFF:
        return None
    try:
        base = Path(named).expanduser() if named is not None else home()
        folder = base / _kind()
        for path in (base, folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            why = _doubt(path)
            if why:
                warnings.warn(
                    f"finetti keeps no compiled programs in {path}: {why}. Set {SWITCH} to a "
                    f"folder of your own, or to off",
                    stacklevel=2,
                )
                return None
        trim(base)
    except (OSError, RuntimeError):  # no home, read-only, full: then nothing is kept
        return None
    return folder if os.access(folder, os.W_OK) else None


def home() -> Path:
    """Return the user's folder for what can be made again, as each system has it."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "finetti" / "programs"


def _kind() -> str:
    """Name what compiled programs depend on beside their text: versions and the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    told = sorted({x for x in lines if x.startswith(("model name", "flags", "Features"))})
    found = sha256("\n".join((*told, platform.machine())).encode()).hexdigest()[:12]
    return f"jax-{version('jax')}-{version('jaxlib')}-{found}"


def _doubt(path: Path) -> str:
    """Say why programs in a folder should not be run, or nothing."""
    if not hasattr(os, "getuid"):
        return ""
    found = path.lstat()
    if path.is_symlink():
        found = path.stat()
    if found.st_uid != os.getuid():
        return "it belongs to someone else"
    if found.st_mode & 0o022:
        return "others may write there"
    return ""


def trim(base: Path) -> None:
    """Remove the oldest programs where they take too much room."""
    found = []
    for path in base.rglob("*"):
        try:
            status = path.stat()
        except OSError:  # another process was faster
            continue
        if path.is_file():
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= LARGEST:
        return
    for _, size, path in sorted(found):
        if total <= LEFT * LARGEST:
            return
        path.unlink(missing_ok=True)
        total -= size
