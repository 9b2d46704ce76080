"""Hold refusals to remedies that whoever is refused can take: arguments that the verb has."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import CodeType, TracebackType
from typing import Any

import typer

import finetti as ft
import finetti.cli
from finetti.cli.app import app

ARGUMENT = re.compile(r"(?<![\w.?&`-])([a-z_]+)=(?!=)")  # what was given stands in backticks
CALLED = re.compile(r"([\w.]+)\([^()]*$")
NAMED = re.compile(r"\bft\.(\w+)")


def untaken(said: str, verb: Any) -> list[str]:
    """Return the arguments that a sentence names and neither `verb` nor a verb it names has."""
    known = [verb, *(getattr(ft, name, None) for name in NAMED.findall(said))]
    allowed = {p for f in known if f is not None for p in inspect.signature(f).parameters}
    if "method" in allowed:
        allowed |= set(inspect.signature(ft.NUTS).parameters)
    return [name for name, call in _arguments(said) if call is None and name not in allowed]


def _arguments(said: str) -> Iterator[tuple[str, str | None]]:
    """Yield what is written as an argument, `name=`, with the call that it stands in, if any."""
    for found in ARGUMENT.finditer(said):
        call = CALLED.search(said[: found.start()])
        yield found[1], call[1] if call else None


def unknown_options(said: str, command: str) -> list[str]:
    """Return the options that a sentence names and neither a command nor one it names has."""
    options = _options(typer.main.get_command(app))
    named = [command, *re.findall(r"\bfinetti ([a-z]+)", said)]
    known = {option for name in named for option in options.get(name, ())}
    found = re.findall(r"(?<![\w`'-])--[a-z][\w-]*", said)
    return [option for option in found if option not in known]


def _options(group: Any) -> dict[str, set[str]]:
    """Return the options of each command of a group, of a group within it those of its own."""
    return {
        name: {o for p in command.params for o in p.opts}.union(*_options(command).values())
        for name, command in getattr(group, "commands", {}).items()
    }


@cache
def _verbs() -> dict[CodeType, Any]:
    """Return what users call, by its code: the public functions, and methods of public classes."""
    public = [getattr(ft, name) for name in ft.__all__]
    functions = [f for f in public if inspect.isfunction(f)]
    for kind in (c for c in public if inspect.isclass(c) and c.__module__.startswith("finetti")):
        functions += [f for n, f in vars(kind).items() if inspect.isfunction(f) and n[0] != "_"]
    return {inspect.unwrap(f).__code__: f for f in functions}


def verb_of(trace: TracebackType | None) -> Any:
    """Return the verb that the user called, the outermost of an error's traceback."""
    while trace is not None:
        if trace.tb_frame.f_code in _verbs():
            return _verbs()[trace.tb_frame.f_code]
        trace = trace.tb_next
    return None
