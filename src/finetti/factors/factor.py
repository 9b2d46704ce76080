"""Say what a kind of factor is: log potentials on batches of variables, and what it sends them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.errors import ModelError
from finetti.factors.selection import Selection
from finetti.factors.semiring import Semiring
from finetti.types import AnyArray, Array, Tree, Value

Kind = TypeVar("Kind")


class Piece(NamedTuple):
    """Hold plain tables that make up a factor: (*batch or what broadcasts to it, *states)."""

    scopes: tuple[Selection, ...]
    log_table: AnyArray


class Factor(ABC):
    """Hold a batch of factors of one kind; final subclasses are frozen dataclasses and pytrees.

    `scopes` are the selections a factor speaks to, each of the shape of the `batch`, or with axes
    of its own after it; `hard` tells whether some joint states have weight zero. Messages have the
    variables' states first: (states, *scope).

    >>> from finetti import factors as fg
    >>> x = fg.Variables("x", {"i": 3})
    >>> isinstance(fg.Table(x[:-1], x[1:], log_potentials=[[1, 0], [0, 1]]), fg.Factor)
    True
    """

    leaves: ClassVar[tuple[str, ...]] = ()  # fields that JAX may trace
    scopes: tuple[Selection, ...]
    batch: tuple[int, ...]
    hard: bool

    @abstractmethod
    def scaled(self, inverse_temperature: Value) -> Factor:
        """Return the factor with its log potentials multiplied; zero and -inf stay."""

    @abstractmethod
    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        """Return the message to each scope, given the log weights that each scope sends."""

    @abstractmethod
    def score(self, states: Sequence[Array]) -> Array:
        """Return the log potential of each factor at the states of its scopes."""

    @abstractmethod
    def pieces(self, name: str) -> list[Piece]:
        """Return plain tables whose product is the factor, once variables of `name` are summed."""

    @property
    @abstractmethod
    def likeness(self) -> tuple:
        """Return what single factors must share to be joined to a batch."""

    @abstractmethod
    def joined(self, others: Sequence[Any]) -> Factor:
        """Return one batch of this single factor and others of equal likeness."""

    def log_total(self, incoming: Sequence[Array], semiring: Semiring) -> Array:
        """Return the log weight of all joint states of each factor, in the batch's shape."""
        sent = self.send(incoming, semiring)[0]
        total = semiring.reduce(sent + incoming[0], (0,))
        own = len(self.scopes[0].shape) - len(self.batch)
        return total[(..., *[0] * own)]


def pytree(kind: type[Kind]) -> type[Kind]:
    """Register a frozen dataclass of factors: its `leaves` are traced, all else is static."""
    leaves = kind.leaves  # type: ignore[attr-defined]
    static = tuple(f.name for f in fields(kind) if f.name not in leaves)  # type: ignore[arg-type]

    def flatten(factor):
        return [getattr(factor, n) for n in leaves], tuple(getattr(factor, n) for n in static)

    def unflatten(meta, children):  # past the checks, for JAX puts placeholders into its trees
        factor = object.__new__(kind)
        for name, value in [
            *zip(leaves, children, strict=True),
            *zip(static, meta, strict=True),
        ]:
            object.__setattr__(factor, name, value)
        return factor

    jax.tree_util.register_pytree_node(kind, flatten, unflatten)
    return kind


def shared_shape(scopes: Sequence[Selection], own: Sequence[int]) -> tuple[int, ...]:
    """Return the shape that selections broadcast to, less the trailing axes that are their own.

    Raises `ModelError` naming the variables.
    """
    shapes = [s.shape[: len(s.shape) - n] for s, n in zip(scopes, own, strict=True)]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        named = " and ".join(f"`{s.name}` {shape}" for s, shape in zip(scopes, shapes, strict=True))
        raise ModelError(
            f"a factor's selections of {named} do not broadcast together; select alike, or add "
            "axes with None, as in x[:, None]"
        ) from error


def check_distinct(scopes: Sequence[Selection], own: Sequence[int]) -> None:
    """Raise `ModelError` where one factor speaks to the same variable twice."""
    places: dict[str, list[np.ndarray]] = {}
    if any(scope.index.size == 0 for scope in scopes):
        return
    for scope, n in zip(scopes, own, strict=True):
        few = np.moveaxis(scope.index, range(len(scope.shape) - n, len(scope.shape)), range(n))
        places.setdefault(scope.name, []).append(few.reshape(-1, *scope.shape[: few.ndim - n]))
    for name, found in places.items():
        if sum(len(f) for f in found) < 2:
            continue
        ordered = np.sort(np.concatenate(found), 0)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if twice.size:
            shape = next(s.variables.shape for s in scopes if s.name == name)
            where = [int(i) for i in np.unravel_index(twice.flat[0], shape)]
            raise ModelError(
                f"a factor speaks to `{name}`{where or ''} twice; let its scopes be different "
                "variables"
            )


def log_numbers(values: Any, name: str) -> AnyArray:
    """Return log potentials as an array; raises `ModelError` for NaN or +inf in them."""
    if traced(values):
        return values
    concrete = np.asarray(values)
    if not isinstance(values, jax.Array):
        values = concrete = concrete.astype(float)
    if np.isnan(concrete).any() or np.isposinf(concrete).any():
        raise ModelError(
            f"{name} hold NaN or +inf; give finite numbers, or -inf for what cannot be"
        )
    return values


def traced(*values: Tree) -> bool:
    """Tell whether any array in some pytrees is one that JAX traces."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def impossible(values: AnyArray) -> bool:
    """Tell whether log potentials may hold -inf; those being traced may."""
    return traced(values) or bool(np.isneginf(np.asarray(values)).any())


def scaled(log_weights: Array, by: Value) -> Array:
    """Return log weights multiplied by a positive number; -inf stays, with derivative zero."""
    barred = jnp.isneginf(log_weights)
    return jnp.where(barred, log_weights, jnp.where(barred, 0.0, log_weights) * by)
