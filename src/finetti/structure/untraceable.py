"""Say which line of a model wants a number that is not known before the model is fitted."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dis import opmap
from pathlib import Path
from types import TracebackType

import jax

from finetti import errors

UNKNOWN = "a value that is not known until the model is fitted"
WORDS = {  # of JAX, numpy and Python, and the same
    "must have integer or boolean type": (
        "indexes by numbers that are not whole",
        "code the column by ft.groups(column), or make it whole, column.astype(int)",
    ),
    "setting an array element with a sequence": (
        f"puts {UNKNOWN} into an array of numpy",
        "make the array with jnp.stack([a, b]), or with jnp.zeros(n).at[i].set(a)",
    ),
    "JAX arrays are immutable": (
        "changes an array of JAX in place",
        "write x = x.at[i].set(a) instead of x[i] = a",
    ),
    "Tracer has no attribute": (
        f"asks {UNKNOWN} for what arrays of JAX lack",
        "compute with jax.numpy",
    ),
    "Tracer.__format__": (
        f"writes {UNKNOWN} as text",
        "make names and texts of what is known",
    ),
}
FOREIGN = (
    "states it to numpyro, which finetti does not see",
    "write ft.sample, ft.plate, ft.deterministic and ft.factor",
)
LIBRARIES = ("jax.", "jaxlib.", "numpyro.", "finetti.distributions.", "finetti.language.")
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

FAULTS = (
    AssertionError,
    AttributeError,
    IndexError,
    NotImplementedError,
    TypeError,
    ValueError,
)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what JAX raises of a model's own line into a `ModelError` that names the line."""
    try:
        yield
    except tuple(REMEDIES) as error:
        what, remedy = next(said for kind, said in REMEDIES.items() if isinstance(error, kind))
        raise errors.ModelError(f"{_line(error.__traceback__)} {what}; {remedy}") from error
    except errors.FinettiError:
        raise
    except FAULTS as error:
        said = (says for words, says in WORDS.items() if words in str(error))
        what, remedy = next(said, FOREIGN if _in_statement(error) else ("", ""))
        line = _line(error.__traceback__)
        if what:
            raise errors.ModelError(f"{line} {what}; {remedy}") from error
        if not _in_library(error):
            raise
        said = str(error).partition("\n")[0] or type(error).__name__
        raise errors.ModelError(f"{line} fails: {said}") from error


def _in_statement(error: Exception) -> bool:
    """Tell whether an error was raised in a statement of numpyro's own language."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(f.f_globals.get("__name__") == "numpyro.primitives" for f in frames)


def _in_library(error: Exception) -> bool:
    """Tell whether an error was raised in a library's own code and not in the model's."""
    last = error.__traceback__
    if last is None:
        return False
    while last.tb_next is not None:
        last = last.tb_next
    frame = last.tb_frame
    if f"{frame.f_globals.get('__name__', '')}.".startswith(LIBRARIES):
        return True
    # JAX may have taken its own frames out; the line that is left then raises nothing itself.
    removed = any("JAX has removed" in note for note in getattr(error, "__notes__", ()))
    return removed and frame.f_code.co_code[last.tb_lasti] != opmap["RAISE_VARARGS"]


def _line(raised: TracebackType | None) -> str:
    """Name the innermost line that is neither finetti's nor of a library."""
    paths = (sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    libraries = (Path(errors.__file__).parent, *map(Path, paths))
    frames = traceback.extract_tb(raised)
    own = [f for f in frames if not any(map(Path(f.filename).is_relative_to, libraries))]
    frame = (own or frames)[-1]
    written = f" (`{frame.line}`)" if frame.line else ""
    return f"line {frame.lineno} of {Path(frame.filename).name}{written}"
