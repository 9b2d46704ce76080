"""Hold the nodes of a PyMC2 program with their state: stochastics, deterministics, potentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.relatives import arranged, draw_key, through
from finetti.dialects.pymc2.traced import ZeroProbability
from finetti.dialects.written import log_density
from finetti.distributions import Distribution
from finetti.types import DType, Tree, Value

Distribute = Callable[[dict[str, Tree]], Distribution]  # of the parents' values


class Node:
    """Be a node: a name, parents by keyword, and children.

    What is `determined` has no density of its own: relatives are counted through it.
    """

    determined: bool = False

    def __init__(self, name: str, parents: Mapping[str, object], doc: str = "") -> None:
        """Take a place in the graph."""
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__} takes its name first, a text, not {name!r}")
        self.__name__, self.__doc__ = name, doc
        self.parents = dict(parents)
        self.children: set[Node] = set()
        for parent in nodes_in(self.parents):
            parent.children.add(self)

    def parent_values(self) -> dict[str, Tree]:
        """Return the current values of the parents."""
        return resolve(self.parents, lambda node: node.value)

    @property
    def extended_parents(self) -> set[Node]:
        """Return the stochastics that it depends on, through deterministics alone."""
        return through(nodes_in(self.parents), lambda node: nodes_in(node.parents))

    @property
    def extended_children(self) -> set[Node]:
        """Return the stochastics and potentials that depend on it, through deterministics alone."""
        return through(self.children, lambda node: node.children)

    @property
    def coparents(self) -> set[Node]:
        """Return it and the stochastics that share an extended child with it."""
        shared = [child.extended_parents for child in self.extended_children]
        return {self}.union(*shared)

    @property
    def moral_neighbors(self) -> set[Node]:
        """Return its neighbours in the moral graph; potentials are edges there, not nodes."""
        near = self.coparents | self.extended_parents | self.extended_children
        return {node for node in near if not isinstance(node, Potential)} - {self}

    @property
    def markov_blanket(self) -> set[Node]:
        """Return it and its neighbours in the moral graph."""
        return self.moral_neighbors | {self}

    def __repr__(self) -> str:
        return f"<finetti.dialects.pymc2.{type(self).__name__} '{self.__name__}'>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class Variable(Node):
    """Be a node with a value; arithmetic with it makes deterministics."""

    keep_trace: bool = True
    trace: Any = None  # a Trace, once it is sampled

    @property
    def value(self) -> Value:
        """Return the current value."""
        raise NotImplementedError

    def stats(self, **settings: object) -> dict[str, object]:
        """Return the statistics of the trace of the last sampling."""
        return self.trace.stats(**settings)

    def summary(self, **settings: object) -> None:
        """Print the statistics of the trace."""
        self.trace.summary(**settings)

    def __getitem__(self, index: object) -> Deterministic:
        parents = {"self": self, "index": index}
        return Deterministic(
            lambda self, index: self[index], f"{self.__name__}_{index}", parents, trace=False
        )

    def __iter__(self) -> Iterator[Deterministic]:
        return iter([self[i] for i in range(len(self.value))])

    def __len__(self) -> int:
        return len(self.value)

    def sum(self, **settings: object) -> Deterministic:
        """Return the sum as a deterministic."""
        return Deterministic(
            lambda x: x.sum(**settings), f"sum({self.__name__})", {"x": self}, trace=False
        )


class Stochastic(Variable):
    """Be a random variable: its density given its parents, and its current value.

    `distribute` makes a finetti distribution of the parents' values. `value` is drawn from it
    unless given; masked elements of an observed value are unknowns.
    """

    def __init__(  # noqa: PLR0913 - PyMC2's own arguments
        self,
        distribute: Distribute,
        name: str,
        parents: Mapping[str, object],
        value: Value = None,
        dtype: DType = float,
        observed: bool = False,
        size: ArrayLike | None = None,
        trace: bool = True,
        doc: str = "",
        rseed: object = None,
        plot: object = None,
        verbose: int = -1,
        debug: bool = False,
    ) -> None:
        """Take a place in the graph with a value, given or drawn."""
        super().__init__(name, parents, doc)
        self.distribute, self.plot, self.rseed = distribute, plot, rseed
        self.dtype = np.dtype(dtype)
        if observed and value is None:
            raise ValueError(f"Stochastic {name} must be given an initial value to be observed")
        mask = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
        self.mask = mask if mask is not None and mask.any() else None
        self.observed = bool(observed) and self.mask is None
        self.partly_observed = bool(observed) and self.mask is not None
        self.keep_trace = trace and not self.observed
        self._size = () if size is None else tuple(np.atleast_1d(size).astype(int).tolist())
        self._shape = self._read_shape(value)
        if self.mask is not None:
            self._value = np.where(self.mask, self._draw(), self._typed(np.ma.filled(value, 0)))
        else:
            self._value = self._typed(value) if value is not None else self._draw()
        self.last_value = self._value

    def _typed(self, value: Value) -> np.ndarray:
        try:
            typed = np.asarray(value, self.dtype)
        except (ValueError, TypeError) as error:
            raise type(error)(f"Stochastic {self.__name__}'s value is no array: {error}") from error
        if self.dtype.kind in "iub" and not np.array_equal(typed, np.asarray(value)):
            raise ValueError(
                f"Stochastic {self.__name__} takes whole numbers and is given {np.asarray(value)}: "
                f"round them yourself if that is meant"
            )
        return typed

    def distribution(self, values: Mapping[str, Tree] | None = None) -> Distribution:
        """Return the distribution given the parents' values, of the value's shape."""
        made = self.distribute(self.parent_values() if values is None else dict(values))
        batch = self._shape[: len(self._shape) - made.event_dim]
        return made if made.batch_shape == batch else made.expand(batch)

    def _read_shape(self, value: Value) -> tuple[int, ...]:
        with jax.enable_x64(True):
            try:
                made = self.distribute(self.parent_values())
            except (ValueError, TypeError) as error:
                said = str(error).partition("\n")[0]
                raise type(error)(
                    f"Stochastic {self.__name__} cannot be made of its parents: {said}"
                ) from error
        own = made.batch_shape + made.event_shape
        try:
            if value is not None:
                given = np.shape(value)
                return given if self._size else np.broadcast_shapes(given, own)
            if not self._size:
                return own
            return (*np.broadcast_shapes(self._size, made.batch_shape), *made.event_shape)
        except ValueError as error:
            what, shape = ("size", self._size) if value is None else ("value", np.shape(value))
            raise ValueError(
                f"Stochastic {self.__name__} has a {what} of shape {shape}, and its parents "
                f"give it shape {own}"
            ) from error

    def _draw(self) -> np.ndarray:
        key = draw_key()
        with jax.enable_x64(True):
            return self._typed(self.distribution().sample(key))

    @property
    def value(self) -> np.ndarray:
        """Return the current value, an array of the variable's shape."""
        return self._value

    @value.setter
    def value(self, value: Value) -> None:
        if self.observed:
            raise AttributeError(
                f"Stochastic {self.__name__}'s value cannot be updated if observed"
            )
        self.last_value = self._value
        new = self._typed(value)
        holes = self.mask if self.partly_observed else None
        self._value = new if holes is None else np.where(holes, new, self._value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the value."""
        return self._shape

    @property
    def logp(self) -> float:
        """Return the log density of the current value; raise `ZeroProbability` where it is none."""
        with jax.enable_x64(True):
            found = float(np.sum(log_density(self.distribution(), self._value)))
        if not np.isfinite(found):
            raise ZeroProbability(
                f"Stochastic {self.__name__}'s value is outside its support, or it forbids its "
                f"parents' current values."
            )
        return found

    def random(self) -> np.ndarray:
        """Draw a value given the parents' values, and keep it unless it is observed."""
        drawn = self._draw()
        if not self.observed:
            self.value = drawn
        return drawn

    rand = random

    def revert(self) -> None:
        """Go back to the value before the last change."""
        self._value = self.last_value


class Deterministic(Variable):
    """Be a quantity that its parents determine, by a function of their values."""

    determined = True

    def __init__(  # noqa: PLR0913 - PyMC2's own arguments
        self,
        eval: Callable[..., object],
        name: str,
        parents: Mapping[str, object],
        doc: str = "",
        dtype: DType = None,
        trace: bool = True,
        plot: object = None,
        cache_depth: int = 2,
        verbose: int = -1,
    ) -> None:
        """Take a place in the graph."""
        super().__init__(name, parents, doc)
        self.function, self.keep_trace, self.plot = eval, trace, plot

    @property
    def value(self) -> Value:
        """Return the function's result at the parents' current values."""
        return self.function(**self.parent_values())


class Potential(Node):
    """Be a term of the log density that is no variable's own."""

    def __init__(
        self,
        logp: Callable[..., ArrayLike],
        name: str,
        parents: Mapping[str, object],
        doc: str = "",
    ) -> None:
        """Take a place in the graph."""
        super().__init__(name, parents, doc)
        self.function = logp

    @property
    def logp(self) -> float:
        """Return the term at the parents' current values."""
        return float(np.sum(np.asarray(self.function(**self.parent_values()))))


class Container:
    """Hold nodes in a list, tuple, dict or array: `.value` has their values in their places."""

    def __init__(self, *parts: Any) -> None:
        """Collect the nodes of one thing that holds them, or of several."""
        self.parts: Any = parts[0] if len(parts) == 1 else list(parts)

    @property
    def value(self) -> Value:
        """Return the same with every variable's value in its place."""
        return resolve(self.parts, lambda node: node.value)

    def __getitem__(self, key: object) -> object:
        return self.parts[key]

    def __iter__(self) -> Iterator[object]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


def resolve(value: object, read: Callable[[Variable], object]) -> Any:
    """Replace the variables in a value, nested in lists, tuples, dicts or arrays, by theirs."""
    if isinstance(value, Variable):
        return read(value)
    if isinstance(value, Container):
        return resolve(value.parts, read)
    if isinstance(value, list | tuple):
        return [resolve(v, read) for v in value]
    if isinstance(value, dict):
        return {k: resolve(v, read) for k, v in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return arranged([resolve(v, read) for v in value.ravel()], value.shape)
    return value


def nodes_in(value: object) -> list[Node]:
    """Return the nodes in a value, nested or not, each once, in order."""
    if isinstance(value, Node):
        return [value]
    if isinstance(value, Container):
        value = value.parts
    if isinstance(value, Mapping):
        value = list(value.values())
    elif isinstance(value, np.ndarray) and value.dtype == object:
        value = list(value.ravel())
    if not isinstance(value, list | tuple | set | frozenset):
        return []
    return list(dict.fromkeys(node for part in value for node in nodes_in(part)))
