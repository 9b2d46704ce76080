"""Pass each statement of a running model through the handlers around it.

A statement (`sample`, `deterministic`, `factor`) becomes a `Site`. Handlers see it innermost
first on the way out, then outermost last on the way back, as in Pyro's mini implementation.
The stack belongs to the running context (thread or task), so models are re-entrant.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.errors import ModelError
from finetti.language.dims import Plate
from finetti.types import Key, Value


@dataclass
class Site:
    """Hold one statement of a running model while handlers look at it.

    `kind` is "sample", "deterministic" or "factor"; only a sample has a `distribution`. `hidden`
    stops outer handlers from seeing the site. `dims` are the names, with labels or None, that the
    site gives its own dimensions. `holes` tells where an observed value was missing and is filled
    in, `whole` is what the statement returns where that is not the value. `said` is the name that
    the statement has, before handlers change it. `categories` are the labels of the groups that it
    was observed as.
    """

    kind: str
    name: str
    distribution: Any = None
    value: Value = None
    observed: bool = False
    plates: tuple[Plate, ...] = ()
    key: Key | None = None
    hidden: bool = False
    dims: tuple[tuple[str, Any], ...] = ()
    holes: np.ndarray | None = None
    whole: Value = None
    said: str = ""
    categories: tuple[Hashable, ...] = ()

    @property
    def result(self) -> Value:
        """Return what the statement returns."""
        return self.value if self.whole is None else self.whole

    @property
    def latent(self) -> bool:
        """Tell whether the site is an unobserved random variable."""
        return self.kind == "sample" and not self.observed


@dataclass(frozen=True)
class Frame:
    """Hold what one active handler does to a site before and after it has a value.

    `name` tells those apart of which the outermost is to do all.
    """

    before: Callable[[Site], None] | None = None
    after: Callable[[Site], None] | None = None
    name: str = ""


_frames: ContextVar[tuple[Frame, ...]] = ContextVar("finetti_frames", default=())
_plates: ContextVar[tuple[Plate, ...]] = ContextVar("finetti_plates", default=())


def running() -> bool:
    """Tell whether a model is running under a handler."""
    return bool(_frames.get())


def acting(name: str) -> bool:
    """Tell whether a handler of this name is in force."""
    return any(frame.name == name for frame in _frames.get())


def plates() -> tuple[Plate, ...]:
    """Return the plates in force, outermost first."""
    return _plates.get()


@contextmanager
def around(
    before: Callable[[Site], None] | None = None,
    after: Callable[[Site], None] | None = None,
    name: str = "",
) -> Iterator[None]:
    """Put a handler around the statements of the block."""
    token = _frames.set((*_frames.get(), Frame(before, after, name)))
    try:
        yield
    finally:
        _frames.reset(token)


@contextmanager
def alone() -> Iterator[None]:
    """Put the statements of the block outside every handler and plate in force."""
    tokens = _frames.set(()), _plates.set(())
    try:
        yield
    finally:
        _frames.reset(tokens[0])
        _plates.reset(tokens[1])


@contextmanager
def inside(plate: Plate) -> Iterator[None]:
    """Put the statements of the block inside a plate."""
    token = _plates.set((*_plates.get(), plate))
    try:
        yield
    finally:
        _plates.reset(token)


@contextmanager
def apart() -> Iterator[None]:
    """Put the statements of the block outside every plate in force, under the same handlers."""
    token = _plates.set(())
    try:
        yield
    finally:
        _plates.reset(token)


def require_name(name: object) -> None:
    """Refuse a name that is no text, such as a distribution that stands in its place."""
    if not isinstance(name, str):
        raise ModelError(
            f"the name of a site is a text and comes first, ft.sample('mu', ft.Normal(0, 1)): "
            f"{type(name).__name__} is none"
        )


def perform(site: Site, settle: Callable[[Site], None]) -> Value:
    """Send a site through the handlers, `settle` its value, and return it."""
    # `after` is called on those handlers alone that `before` got to see the site.
    require_name(site.name)
    seen, site.said = [], site.name
    for frame in reversed(_frames.get()):
        seen.append(frame)
        if frame.before is not None:
            frame.before(site)
        if site.hidden:
            break
    settle(site)
    for frame in reversed(seen):
        if frame.after is not None:
            frame.after(site)
    return site.result
