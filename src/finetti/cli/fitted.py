"""Remember which model files were fitted here: no others that a run names are run unasked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from finetti.cli.source import Source
from finetti.cli.written import Written, noted_as, parse
from finetti.errors import ModelError

FILE, TEXT, TABLE = "model_file", "model_digest", "data_file"  # what a run notes


def notes(source: Source | Written, content: bytes, data: Path | None) -> dict[str, str]:
    """Return what a run notes of where its model and data lie."""
    found = {FILE: str(source), TEXT: hashlib.sha256(content).hexdigest()}
    return found if data is None else {**found, TABLE: noted_as(data)}


def remember(source: Source | Written, content: bytes) -> None:
    """Remember that this text of a model is fitted here."""
    with suppress(OSError, RuntimeError):  # then --model is asked for
        path = _remembered(source, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def noted(run: Path, attributes: Mapping[str, Any]) -> tuple[Source | Written, bytes]:
    """Return the model that a run names with its text, where you fitted that very text here.

    A run may come from anywhere, and running a model file is running a program. Raises
    `ModelError` that says why the file is not run.
    """
    reference = attributes.get(FILE)
    if not isinstance(reference, str) or not reference:
        raise ModelError(f"{run} does not say where its model is: give --model file.py")
    source = parse(reference)
    why = _doubt(source, attributes.get(TEXT))
    if why:
        raise ModelError(
            f"{run} says that its model is {reference:.200}, and {why}. finetti runs only what you "
            f"fitted here yourself: look at the file, and if you trust it give it as --model"
        )
    return source, source.content()


def _doubt(source: Source | Written, digest: object) -> str:
    """Say why a file that a run names should not be run, or nothing."""
    try:
        content = source.content()
    except ModelError:
        return "there is no such file, or none that can be read"
    if hashlib.sha256(content).hexdigest() != digest:
        return "its text is not that of the fit"
    try:
        known = _remembered(source, content).exists()
    except (OSError, RuntimeError):
        known = False
    return "" if known else "it has not been fitted here"


def _remembered(source: Source | Written, content: bytes) -> Path:
    """Return the empty file whose being there says that this text was fitted in this place."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    what = hashlib.sha256(os.fsencode(source.file) + b"\0" + content).hexdigest()
    return Path(state, "finetti", "fitted", what)
