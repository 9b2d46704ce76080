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
from typing import Any, ParamSpec, TypeVar

from numpy.typing import ArrayLike

P = ParamSpec("P")
Made = TypeVar("Made")
Interceptor = Callable[..., Any]  # it makes whatever it is asked to

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


def _make(make: Callable[P, Made], *args: P.args, **kwargs: P.kwargs) -> Made:
    return make(*args, **kwargs)


def interceptable(function: Callable[P, Made]) -> Callable[P, Made]:
    """Return a function whose calls go to the innermost interceptor."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Made:
        with get_next_interceptor() as interceptor:
            return interceptor(function, *args, **kwargs)

    return call


@contextmanager
def tape() -> Iterator[dict[str, object]]:
    """Record the named random variables made in the block, in order, by name."""
    recorded: dict[str, object] = {}

    def record(make: Callable[..., Made], *args: object, **kwargs: Any) -> Made:
        name = kwargs.get("name")
        made = interceptable(make)(*args, **kwargs)
        if name:
            recorded[name] = made
        return made

    with interception(record):
        yield recorded


@contextmanager
def condition(**values: ArrayLike) -> Iterator[None]:
    """Give random variables their values by name."""
    with interception(make_value_setter(**values)):
        yield


def make_value_setter(**values: ArrayLike) -> Interceptor:
    """Return the interceptor that gives random variables their values by name."""

    def give(make: Callable[..., Made], *args: object, **kwargs: Any) -> Made:
        name = kwargs.get("name")
        if name in values:
            kwargs["value"] = values[name]
        return interceptable(make)(*args, **kwargs)

    return give


# Edward2's later names of the same.
trace, traceable, get_next_tracer = interception, interceptable, get_next_interceptor
