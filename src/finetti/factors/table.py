"""State factors by tables of log potentials: on one variable, on pairs, on any few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from finetti.errors import ModelError
from finetti.factors.factor import (
    Factor,
    Piece,
    check_distinct,
    impossible,
    log_numbers,
    pytree,
    scaled,
    shared_shape,
)
from finetti.factors.selection import Selection, flattened
from finetti.factors.semiring import Semiring
from finetti.factors.variables import Variables, select
from finetti.types import AnyArray, Array, Value


@pytree
@dataclass(frozen=True, init=False, eq=False)
class Table(Factor):
    """State log potentials on the joint states of one, two or more variables.

    The selections broadcast together to a batch, as arrays do. `log_potentials` has shape
    (*batch, *states), or any that broadcasts to it from the left: (*states) alone is a table that
    all the factors share. -inf rules a joint state out. It is kept as `table`, states first.

    Raises `ModelError` where shapes do not fit, or for NaN and +inf.

    >>> from finetti import factors as fg
    >>> x, y = fg.Variables("x", {"i": 4}, states=2), fg.Variables("y", {"j": 5}, states=3)
    >>> fg.Table(x[:, None], y, log_potentials=np.zeros((2, 3))).batch
    (4, 5)
    """

    scopes: tuple[Selection, ...]
    table: AnyArray
    batch: tuple[int, ...]
    hard: bool
    leaves: ClassVar[tuple[str, ...]] = ("table",)

    def __init__(self, *scopes: Variables | Selection, log_potentials: ArrayLike):
        if not scopes:
            raise ModelError("a table speaks to no variables; name at least one selection")
        selections, own = [select(s) for s in scopes], [0] * len(scopes)
        batch = shared_shape(selections, own)
        selections = [s.broadcast_to(batch) for s in selections]
        check_distinct(selections, own)
        states = tuple(s.states for s in selections)
        names = " and ".join(f"`{s.name}`" for s in selections)
        values = log_numbers(log_potentials, f"the log potentials on {names}")
        _check_shape(np.shape(values), batch, states, names)
        # What is numpy's stays so: nothing is compiled where a graph is only stated.
        module: Any = jnp if not isinstance(values, np.ndarray) else np
        lead = values.ndim - len(states)
        table = module.moveaxis(values, range(lead, values.ndim), range(len(states)))
        # A table that lacks the batch's first axes broadcasts along them.
        padding = [1] * (len(batch) - lead)
        table = table.reshape(*states, *padding, *table.shape[len(states) :])
        self._set(tuple(selections), table, batch, impossible(values))

    def _set(
        self, scopes: tuple[Selection, ...], table: AnyArray, batch: tuple[int, ...], hard: bool
    ) -> None:
        for name, value in zip(
            ("scopes", "table", "batch", "hard"), (scopes, table, batch, hard), strict=True
        ):
            object.__setattr__(self, name, value)

    def _like(
        self, scopes: tuple[Selection, ...], table: AnyArray, batch: tuple[int, ...], hard: bool
    ) -> Table:
        found = object.__new__(Table)
        found._set(scopes, table, batch, hard)
        return found

    def scaled(self, inverse_temperature: Value) -> Table:
        table = scaled(jnp.asarray(self.table), inverse_temperature)
        return self._like(self.scopes, table, self.batch, self.hard)

    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        n = len(self.scopes)
        turned = [_at(weights, i, n) for i, weights in enumerate(incoming)]
        found = []
        for i in range(n):
            weights = sum((w for j, w in enumerate(turned) if j != i), jnp.asarray(self.table))
            found.append(semiring.reduce(weights, tuple(j for j in range(n) if j != i)))
        return found

    def score(self, states: Sequence[Array]) -> Array:
        grids = [
            np.arange(k).reshape(-1, *[1] * (len(self.batch) - 1 - a)) if k > 1 else 0
            for a, k in enumerate(self.table.shape[len(self.scopes) :])
        ]
        return jnp.broadcast_to(jnp.asarray(self.table)[(*states, *grids)], self.batch)

    def pieces(self, name: str) -> list[Piece]:
        n, table = len(self.scopes), jnp.asarray(self.table)
        return [Piece(self.scopes, jnp.moveaxis(table, range(n), range(-n, 0)))]

    @property
    def likeness(self) -> tuple:
        return Table, tuple(s.variables for s in self.scopes)

    def joined(self, others: Sequence[Table]) -> Table:
        each = [self, *others]
        scopes = [flattened([f.scopes[i] for f in each]) for i in range(len(self.scopes))]
        numpy = all(isinstance(f.table, np.ndarray) for f in each)
        table = (np if numpy else jnp).stack([f.table for f in each], -1)
        return self._like(tuple(scopes), table, (len(each),), any(f.hard for f in each))


def _at(weights: Array, place: int, count: int) -> Array:
    """Return weights (states, *batch) with the axes of a table of `count` variables."""
    before, after = [1] * place, [1] * (count - 1 - place)
    return weights.reshape(*before, len(weights), *after, *weights.shape[1:])


def _check_shape(
    shape: tuple[int, ...], batch: tuple[int, ...], states: tuple[int, ...], names: str
) -> None:
    lead = shape[: max(0, len(shape) - len(states))]
    fits = len(lead) <= len(batch) and all(
        k in (1, n) for k, n in zip(reversed(lead), reversed(batch), strict=False)
    )
    if not fits or shape[len(lead) :] != states:
        raise ModelError(
            f"the log potentials on {names} have shape {shape}; give {states} for a table that all "
            f"share, or {(*batch, *states)} for one each"
        )
