"""Mark a saved run with digests of its bytes, and refuse one whose bytes are others.

A Zarr store keeps them in `.zmetadata`, which is written last and gathers the metadata that readers
take, under a key that other readers pass over. A NetCDF file has them in a line after its end as
HDF5 counts it. Digests are checked before anything is parsed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from finetti.errors import DataError

GATHERED = ".zmetadata"
KEY = "finetti"
FOLDER = ".finetti"  # what a run that is written as it is made has beside its draws
RECORD = "record.json"  # in that folder
DONE = "finished"  # there where the run has all its draws
LINE = b"\nfinetti sha256 %b of %020d bytes\n"
LENGTH = len(LINE % (b"0" * 64, 0))
MARK = re.compile(rb"\nfinetti sha256 ([0-9a-f]{64}) of (\d{20}) bytes\n")
METADATA = (".zgroup", ".zattrs", ".zarray", GATHERED, "zarr.json")
CHUNK = re.compile(r"\d+([./]\d+)*|c([./]\d+)*")  # the names that Zarr gives to chunks


def mark_store(folder: Path) -> None:
    """Write the digests of a Zarr store's files into its gathered metadata, as the last step."""
    files = {name: _digest_of(folder / name) for name in _files(folder) if name != GATHERED}
    path = folder / GATHERED
    held = json.loads(path.read_bytes())
    held[KEY] = {"files": files, "metadata": _digest(_plain(held["metadata"]))}
    path.write_text(json.dumps(held, indent=1), encoding="utf-8")


def check_store(folder: Path) -> bool:
    """Return whether a Zarr store has digests; refuse one whose files are not as they say."""
    path = folder / GATHERED
    if not path.is_file():
        return False
    held = json.loads(path.read_bytes())
    if not isinstance(held, dict) or KEY not in held:
        return False
    known = held[KEY]["files"]
    if _digest(_plain(held["metadata"])) != held[KEY]["metadata"]:
        raise _damaged(folder, f"`{GATHERED}` has changed")
    for name, digest in known.items():
        if not (folder / name).is_file():
            raise _damaged(folder, f"`{name}` is gone")
        if _digest_of(folder / name) != digest:
            raise _damaged(folder, f"`{name}` has changed")
    for name in _files(folder):  # nothing else is read
        if name not in known and CHUNK.fullmatch(Path(name).name):
            raise _damaged(folder, f"`{name}` was not there")
    return True


def marked(content: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """Yield a NetCDF file's content and the line with its digest."""
    yield content
    yield LINE % (_digest(content).encode(), len(content))


def has_line(path: Path) -> re.Match[bytes] | None:
    """Return the line with a NetCDF file's digest, if it has one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - LENGTH, 0))
        return MARK.fullmatch(file.read())


def check_file(path: Path) -> bool:
    """Return whether a NetCDF file has a digest; refuse one whose bytes are not as it says."""
    line = has_line(path)
    if line is None:
        return False
    digest, left = hashlib.sha256(), path.stat().st_size - LENGTH
    if left != int(line[2]):
        raise _damaged(path, f"it has {left:,} bytes of {int(line[2]):,}")
    with path.open("rb") as file:
        while left and (piece := file.read(min(left, 1 << 24))):
            digest.update(piece)
            left -= len(piece)
    if digest.hexdigest() != line[1].decode():
        raise _damaged(path, "its bytes have changed")
    return True


def stranger(folder: Path) -> str | None:
    """Return a file in a folder that is no part of a Zarr store, if there is one."""
    for name in _files(folder):
        last, top = Path(name).name, Path(name).parts[0]
        if top == FOLDER or last.endswith(".partial"):
            continue
        if last not in METADATA and not CHUNK.fullmatch(last) and last != ".DS_Store":
            return name
    return None


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"the run at {path} is damaged: {what} since it was saved. Take it from a copy, or fit "
        f"again"
    )


def _files(folder: Path) -> list[str]:
    found = (p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    return sorted(p.relative_to(folder).as_posix() for p in found)


def _plain(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _digest(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
