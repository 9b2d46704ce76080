"""Find the code of a model's function, as its file or the formula that made it has it."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from textwrap import dedent

from finetti.errors import ModelError


def code_of(function: Callable[..., object], name: str) -> str:
    """Return the code of a function; raise `ModelError` where Python cannot find it."""
    try:
        place = function.__code__.co_filename
        lines = linecache.getlines(place) if place.startswith("<formula") else []
        return "".join(lines) or dedent(inspect.getsource(function))
    except (OSError, TypeError, AttributeError) as error:
        raise ModelError(f"the code of model `{name}` is not to be found") from error
