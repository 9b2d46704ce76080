"""Remember which model files were fitted here: no others that a run names are run unasked."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from finetti.cli.source import Source
from finetti.cli.written import Written, parse
from finetti.errors import ModelError
from finetti.posterior.posterior import Posterior

FILE, TEXT, TABLE = "model_file", "model_digest", "data_file"  # what a run notes


def note(posterior: Posterior, source: Source | Written, content: bytes, data: Path | None) -> None:
    """Note in a run where its model and data lie, and remember that they were fitted here."""
    posterior.tree.attrs[FILE] = str(source)
    posterior.tree.attrs[TEXT] = hashlib.sha256(content).hexdigest()
    if data is not None:
        posterior.tree.attrs[TABLE] = str(data.resolve())
    with suppress(OSError, RuntimeError):  # then --model is asked for
        path = _remembered(source, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def noted(run: Path, posterior: Posterior) -> tuple[Source | Written, bytes]:
    """Return the model that a run names with its text, where you fitted that very text here.

    A run may come from anywhere, and running a model file is running a program. Raises
    `ModelError` that says why the file is not run.
    """
    reference = posterior.attributes.get(FILE)
    if not isinstance(reference, str) or not reference:
        raise ModelError(f"{run} does not say where its model is: give --model file.py")
    source = parse(reference)
    why = _doubt(source, posterior.attributes.get(TEXT))
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
