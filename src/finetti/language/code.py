"""Look at a model's function: whether a call runs it, and its code as its file has it."""

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


def refuse_unrun(function: Callable[..., object]) -> None:
    """Refuse what is no function, and a function whose statements do not run when it is called."""
    if not callable(function):
        raise ModelError(f"ft.model takes a function, not {function!r:.80}: write it as @ft.model")
    called = getattr(function, "__name__", "it")
    if inspect.isgeneratorfunction(function):
        raise ModelError(
            f"`{called}` has `yield` in it, so that a call runs none of its statements: write "
            f"x = ft.sample(...) for x = yield ..., or run programs of PyMC4 by finetti.dialects"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ModelError(f"`{called}` is async, so that a call does not run it: write plain `def`")
