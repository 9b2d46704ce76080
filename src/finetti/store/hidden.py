"""Find what a program holds and its text does not show, in a form that other processes have too.

A printed jaxpr leaves out the arrays that inner calls close over, and the functions, a derivative's
or the host's, that a user wrote.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from types import CodeType, FunctionType

from finetti.structure.identity import Opaque, value_key


def hidden(key: Hashable, seen: frozenset[int] = frozenset()) -> Iterator[bytes]:
    """Yield what tells programs apart beyond their text, given a fingerprint's key."""
    if isinstance(key, Opaque):
        yield from _opened(key.value, seen)
    elif isinstance(key, CodeType):
        yield from _coded(key)
    elif isinstance(key, tuple) and len(key) == 5 and key[0] == "array":  # its digest is the last
        yield repr(key[1:3]).encode() + key[-1]
    elif isinstance(key, tuple):
        for part in key:
            yield from hidden(part, seen)


def _opened(value: object, seen: frozenset[int]) -> Iterator[bytes]:
    """Yield what a function does and holds, or what an object has."""
    if id(value) in seen:
        return
    seen |= {id(value)}
    if not isinstance(value, FunctionType):
        held = getattr(value, "__dict__", {}) if not isinstance(value, type) else {}
        for name in sorted(held):
            yield name.encode()
            yield from hidden(value_key(held[name]), seen)
        return
    if value.__module__.partition(".")[0] in ("jax", "jaxlib"):
        return
    yield from _coded(value.__code__)
    for cell in value.__closure__ or ():
        try:
            yield from _plain(cell.cell_contents, seen)
        except ValueError:  # not yet assigned
            continue


def _plain(value: object, seen: frozenset[int]) -> Iterator[bytes]:
    """Yield what a variable of a function's holds: a number as it is written."""
    if isinstance(value, bool | int | float | complex | str | bytes):
        yield repr(value).encode()
    else:
        yield from hidden(value_key(value), seen)


def _coded(code: CodeType) -> Iterator[bytes]:
    """Yield what tells a function's code: its instructions, names and constants."""
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _coded(constant)
        else:
            yield repr(constant).encode()


__all__ = ["hidden"]
