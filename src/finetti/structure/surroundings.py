"""Look at what a function takes from around it: by what names, and whether it has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from finetti.structure.identity import value_key


def surroundings(function: Callable[..., object]) -> dict[str, Any]:
    """Return the variables that a function reads and does not make, by name; modules left out."""
    if not isinstance(function, FunctionType):
        return {}
    found: dict[str, Any] = {}
    for name in dict.fromkeys(_names(function.__code__)):
        value = function.__globals__.get(name)
        if value is not None and not isinstance(value, ModuleType):
            found[name] = value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    return found


def stamp(function: Callable[..., object]) -> dict[str, Hashable]:
    """Return a key of each thing that a function takes from around it, which changes as it does.

    Numbers, text, arrays and what holds them count by their values, functions by what they do and,
    in the same file, by what they take in turn; all else by identity: an object of another kind
    that is changed in place is not seen.
    """
    return _stamp(function, set())


def _stamp(function: Callable[..., object], seen: set[int]) -> dict[str, Hashable]:
    seen.add(id(function))
    return {name: _key(value, function, seen) for name, value in surroundings(function).items()}


def _key(value: object, reader: object, seen: set[int]) -> Hashable:
    inner = getattr(value, "function", value)  # a model's
    if not isinstance(inner, FunctionType):
        return value_key(value)
    # Library functions are taken to stay as they are, and one that calls itself is entered once.
    own = inner.__module__ == getattr(reader, "__module__", None) and id(inner) not in seen
    taken = tuple(_stamp(inner, seen).items()) if own else ()
    return (inner.__code__, value_key(inner.__defaults__), taken)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
