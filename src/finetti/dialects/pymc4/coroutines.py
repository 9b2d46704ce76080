"""Run PyMC4 models of January 2020: generators that yield distributions and get their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import wraps
from types import CellType, FunctionType
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti import distributions as ft
from finetti.dialects import tf
from finetti.dialects.pymc4.distributions import Distribution
from finetti.dialects.pymc4.transforms import Transform
from finetti.errors import UnknownSite
from finetti.language import sites
from finetti.models import Model as FinettiModel
from finetti.models import model as finetti_model
from finetti.types import AnyArray


@dataclass(frozen=True, eq=False)
class Deterministic:
    """Name a quantity to keep."""

    name: str
    value: ArrayLike


@dataclass(frozen=True, eq=False)
class Potential:
    """Add a term to the log density, `coef` times the value."""

    value: ArrayLike | Callable[[], ArrayLike]
    coef: float | int = 1.0


@dataclass(frozen=True, eq=False)
class Model:
    """Hold a generator of distributions, called with its arguments.

    `finetti` is the finetti Model: names are prefixed by the model's, and what the generator
    returns is a deterministic of the model's name, if `keep_return`.
    """

    generator: Callable[[], Flow]
    name: str
    keep_return: bool = True

    @property
    def finetti(self) -> FinettiModel:
        """Return the finetti Model."""
        return self.observing({})

    def observing(
        self,
        observed: Mapping[str, ArrayLike | None],
        shapes: dict[str, tuple[int, ...]] | None = None,
        stated: Stated | None = None,
    ) -> FinettiModel:
        """Return the finetti Model with other data; None makes a variable unobserved.

        `shapes` gives variables more copies than their distributions have: those of their data.
        `stated` is given the transformations that distributions state, as the model runs.
        """
        noted = {} if stated is None else stated

        def statements() -> object:
            play = _Play(observed, shapes or {}, noted, set())
            found = play.play(self, "")
            for name in observed:
                if name not in play.met:
                    raise UnknownSite.among(name, play.met, "observe")
            return found

        statements.__name__ = self.name or "generator"
        return finetti_model(statements)()


Stated = dict[str, Transform]  # the transformations that distributions state, by full name
Flow = Generator[Distribution | Deterministic | Potential | Model | Generator, Any, object]


def model(
    function: Callable[..., Flow] | None = None,
    *,
    name: str | None = None,
    keep_return: bool = True,
    keep_auxiliary: bool = True,
) -> Callable:
    """Make a generator function one of models: calling it gives a `Model`.

    >>> @model
    ... def coin():
    ...     return (yield Beta("p", 1, 1))
    >>> coin().name
    'coin'
    """
    if function is None:
        return lambda f: model(f, name=name, keep_return=keep_return)
    called = name or function.__name__

    @wraps(function)
    def make(*args: object, **kwargs: Any) -> Model:
        own = kwargs.pop("name", called) if "name" not in _parameters(function) else called
        return Model(lambda: function(*args, **kwargs), own, keep_return)

    return make


def _parameters(function: Callable[..., Flow]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def as_model(given: object) -> Model:
    """Return a model; a plain generator, which has no name, becomes one without prefix.

    A generator can be played once and a model is played often: its function is called anew with
    the arguments it was called with. Raises `TypeError` for anything else.
    """
    if isinstance(given, Model):
        return given
    if not inspect.isgenerator(given) or inspect.getgeneratorstate(given) != inspect.GEN_CREATED:
        raise TypeError(f"give a model, called with its arguments, or a fresh generator: {given!r}")
    frame: Any = given.gi_frame
    code, known = given.gi_code, frame.f_locals
    cells = tuple(CellType(known[name]) for name in code.co_freevars)
    function = FunctionType(code, frame.f_globals, given.__name__, None, cells)
    names = inspect.getargs(code)
    args = [known[name] for name in names.args]
    starred = known[names.varargs] if names.varargs else ()
    named = known[names.varkw] if names.varkw else {}
    return Model(lambda: function(*args, *starred, **named), "", keep_return=False)


@dataclass(frozen=True, eq=False)
class _Play:
    """Play generators out as finetti's statements; variables in `shapes` have at least these."""

    observed: Mapping[str, ArrayLike | None]
    shapes: dict[str, tuple[int, ...]]
    stated: Stated
    met: set[str]  # the variables so far

    def play(self, item: Model, prefix: str) -> object:
        """Return what a model returns, its variables being sampled."""
        scope, flow = f"{prefix}{item.name}", item.generator()
        inside = f"{scope}/" if scope else ""
        if not inspect.isgenerator(flow):
            raise TypeError(f"model `{item.name}` yields nothing: it must be a generator")
        value: object = None
        potentials = 0
        while True:
            try:
                asked = flow.send(value)
            except StopIteration as end:
                return self._returned(item, scope, end.value)
            if isinstance(asked, Potential):
                value = asked.value() if callable(asked.value) else asked.value
                sites.factor(f"{inside}potential {potentials}", asked.coef * tf.value_of(value))
                potentials += 1
            value = self._answer(asked, inside)

    def _answer(self, asked: object, prefix: str) -> object:
        """Return what a model is sent back for what it yielded."""
        match asked:
            case Distribution():
                return self._sample(asked, f"{prefix}{asked.name}")
            case Deterministic():
                return sites.deterministic(f"{prefix}{asked.name}", jnp.asarray(asked.value))
            case Model():
                return self.play(asked, prefix)
            case _ if inspect.isgenerator(asked):
                return self.play(as_model(asked), prefix)
            case Potential():
                return asked
        raise TypeError(
            f"a model yields distributions, deterministics, potentials and models, not {asked!r}"
        )

    def _sample(self, asked: Distribution, name: str) -> AnyArray:
        self.met.add(name)
        if asked.transform is not None:
            self.stated[name] = asked.transform
        obs = self.observed.get(name, asked.observed)
        made = asked.built()
        if name in self.shapes:
            made = _widened(made, self.shapes[name])
        return sites.sample(name, made, obs=None if obs is None else np.asarray(obs))

    def _returned(self, item: Model, scope: str, value: object) -> object:
        if value is not None and item.keep_return and not isinstance(value, tuple | list | dict):
            sites.deterministic(scope, jnp.asarray(value))
        return value


def _widened(made: ft.Distribution, shape: tuple[int, ...]) -> ft.Distribution:
    """Return a distribution whose draws have the shape of data that it was observed with."""
    batch = np.broadcast_shapes(shape[: len(shape) - made.event_dim], made.batch_shape)
    return made if batch == made.batch_shape else made.expand(batch)
