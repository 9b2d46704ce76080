"""Say in one sentence what went wrong in a function that a compiled program calls on the host."""

from __future__ import annotations

import linecache
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from finetti.errors import ModelError

FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>\S+)', re.MULTILINE)
RAISED = re.compile(r"^(?P<error>[A-Za-z_][\w.]*(?:: .*)?)$", re.MULTILINE)
SIGNS = ("CpuCallback error", "callback failed")
OURS = (str(Path(__file__).parents[2]), "site-packages", "<frozen")
LOGGER = logging.getLogger("jax._src.callback")  # it prints the trace of what we say in a sentence


@contextmanager
def explained() -> Iterator[None]:
    """Raise `ModelError` with the user's own line where a function on the host raises.

    JAX raises its whole trace instead, as a `JaxRuntimeError` or `ValueError`, and logs it.
    """
    silent = lambda record: False  # noqa: E731
    LOGGER.addFilter(silent)
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        said = sentence(str(error))
        if said is None:
            raise
        raise ModelError(said) from None
    finally:
        LOGGER.removeFilter(silent)


def sentence(trace: str) -> str | None:
    """Return what went wrong and where by the text of a trace; None where it is none of a callback.

    >>> lines = ["CpuCallback error calling callback: Traceback (most recent call last):",
    ...          '  File "model.py", line 8, in rates', "IndexError: index 19 is out of bounds"]
    >>> sentence("\\n".join(lines))[:75]
    '`rates` fails at values that the model gives it: IndexError: index 19 is ou'
    """
    if not any(sign in trace for sign in SIGNS):
        return None
    frames = [f for f in FRAME.finditer(trace) if not any(o in f["file"] for o in OURS)]
    raised = RAISED.findall(trace)
    if not raised:
        return None
    error = raised[-1]
    if not frames:
        return f"a function that runs on the host fails at values that the model gives it: {error}"
    last = frames[-1]
    source = linecache.getline(last["file"], int(last["line"])).strip()
    line = f"{last['file']}, line {last['line']}" + (f": `{source}`" if source else "")
    return (
        f"`{last['name']}` fails at values that the model gives it: {error} ({line}); make it "
        f"answer, or state that these values are impossible"
    )
