"""Pass the making of random variables through interceptors, Edward2's form of effect handlers.

The stack belongs to the thread. An interceptor is called as `interceptor(make, *args, **kwargs)`;
it may call `make` itself, which hides it from the interceptors further out, or forward it as
`interceptable(make)(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

Interceptor = Callable[..., Any]

_stack: ContextVar[tuple[Interceptor, ...]] = ContextVar("finetti_interceptors", default=())


@contextmanager
def interception(interceptor: Interceptor) -> Iterator[None]:
    """Put an interceptor around the random variables made in the block."""
    token = _stack.set((*_stack.get(), interceptor))
    try:
        yield
    finally:
        _stack.reset(token)


@contextmanager
def get_next_interceptor() -> Iterator[Interceptor]:
    """Yield the innermost interceptor, with the block standing outside it."""
    stack = _stack.get()
    token = _stack.set(stack[:-1])
    try:
        yield stack[-1] if stack else _make
    finally:
        _stack.reset(token)


def _make(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return make(*args, **kwargs)


def interceptable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose calls go to the innermost interceptor."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with get_next_interceptor() as interceptor:
            return interceptor(function, *args, **kwargs)

    return call


@contextmanager
def tape() -> Iterator[dict[str, Any]]:
    """Record the named random variables made in the block, in order, by name."""
    recorded: dict[str, Any] = {}

    def record(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = kwargs.get("name")
        made = interceptable(make)(*args, **kwargs)
        if name:
            recorded[name] = made
        return made

    with interception(record):
        yield recorded


@contextmanager
def condition(**values: Any) -> Iterator[None]:
    """Give random variables their values by name."""
    with interception(make_value_setter(**values)):
        yield


def make_value_setter(**values: Any) -> Interceptor:
    """Return the interceptor that gives random variables their values by name."""

    def give(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = kwargs.get("name")
        if name in values:
            kwargs["value"] = values[name]
        return interceptable(make)(*args, **kwargs)

    return give


# Edward2's later names of the same.
trace, traceable, get_next_tracer = interception, interceptable, get_next_interceptor
