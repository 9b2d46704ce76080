"""Say which line of a model wants a number that is not known before the model is fitted."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import jax

from finetti import errors

UNKNOWN = "a value that is not known until the model is fitted"
WRONG_INDEX = "must have integer or boolean type"  # JAX's words
REMEDIES = {  # what fails: what the line does, and what to do instead
    jax.errors.TracerBoolConversionError: (
        f"asks Python whether {UNKNOWN} is true",
        "choose with jnp.where(condition, a, b) instead of `if`, `and`, `or`, `min` and `max`",
    ),
    jax.errors.TracerArrayConversionError: (
        f"hands numpy {UNKNOWN}",
        "index with jnp.asarray(table)[z] instead of table[z], and compute with jax.numpy, such as "
        "jnp.exp instead of np.exp",
    ),
    jax.errors.TracerIntegerConversionError: (
        f"takes {UNKNOWN} for Python's index or size",
        "index an array, jnp.asarray(table)[z], instead of a list; give sizes and slices as data",
    ),
    jax.errors.NonConcreteBooleanIndexError: (
        f"keeps as many entries as {UNKNOWN} says",
        "keep them all, and choose with jnp.where(mask, x, 0)",
    ),
    jax.errors.ConcretizationTypeError: (
        f"makes a plain number of {UNKNOWN}",
        "leave it an array, and compute with jax.numpy; give sizes as data",
    ),
}


@contextmanager
def explained() -> Iterator[None]:
    """Turn what JAX raises of a model's own line into a `ModelError` that names the line."""
    try:
        yield
    except tuple(REMEDIES) as error:
        what, remedy = next(said for kind, said in REMEDIES.items() if isinstance(error, kind))
        raise errors.ModelError(f"{_line(error.__traceback__)} {what}; {remedy}") from error
    except TypeError as error:
        if WRONG_INDEX not in str(error):
            raise
        raise errors.ModelError(
            f"{_line(error.__traceback__)} indexes by numbers that are not whole; code the column "
            f"by ft.groups(column), or make it whole, column.astype(int)"
        ) from error


def _line(raised: TracebackType | None) -> str:
    """Name the innermost line that is neither finetti's nor of a library."""
    paths = (sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    libraries = (Path(errors.__file__).parent, *map(Path, paths))
    frames = traceback.extract_tb(raised)
    own = [f for f in frames if not any(map(Path(f.filename).is_relative_to, libraries))]
    frame = (own or frames)[-1]
    written = f" (`{frame.line}`)" if frame.line else ""
    return f"line {frame.lineno} of {Path(frame.filename).name}{written}"
