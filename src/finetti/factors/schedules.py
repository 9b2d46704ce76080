"""Order the updates of messages: all at once, batch by batch, or where most would change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import jax
import jax.numpy as jnp

from finetti.errors import ModelError
from finetti.factors.graph import Graph
from finetti.factors.messages import Messages, answer, change, damped, totals
from finetti.factors.semiring import Semiring
from finetti.types import Array, Scalar, Value


class Schedule(ABC):
    """Say which messages an iteration updates, and in what order; final ones are dataclasses.

    >>> issubclass(Flooding, Schedule)
    True
    """

    @abstractmethod
    def sweep(
        self,
        graph: Graph,
        log_weights: Mapping[str, Array],
        messages: Messages,
        semiring: Semiring,
        damping: Value | None,
    ) -> tuple[Messages, Scalar]:
        """Return the messages after one iteration, and how far from a fixed point they were."""


@dataclass(frozen=True)
class Flooding(Schedule):
    """Update all messages at once. It is exact on a tree after as many iterations as it is long.

    >>> from finetti import factors as fg
    >>> fg.BeliefPropagation(schedule=fg.Flooding()).schedule
    Flooding()
    """

    def sweep(self, graph, log_weights, messages, semiring, damping):
        said = totals(graph, log_weights, messages)
        pairs = list(zip(graph.factors, messages, strict=True))
        new = [answer(factor, said, old, semiring) for factor, old in pairs]
        moved = tuple(
            tuple(damped(a, b, damping) for a, b in zip(ours, old, strict=True))
            for ours, (_, old) in zip(new, pairs, strict=True)
        )
        return moved, _largest(new, messages)


@dataclass(frozen=True)
class Sequential(Schedule):
    """Update batch by batch, in the order the factors were stated, and then back.

    Each batch hears what those before it have just said. On a tree whose batches are stated
    level by level, from the leaves to the root, one iteration is exact.

    >>> from finetti import factors as fg
    >>> fg.BeliefPropagation(schedule=fg.Sequential()).schedule
    Sequential()
    """

    def sweep(self, graph, log_weights, messages, semiring, damping):
        said, held, largest = dict(totals(graph, log_weights, messages)), list(messages), []
        order = range(len(graph.factors))
        for i in [*order, *reversed(order[:-1])]:
            factor, old = graph.factors[i], held[i]
            new = answer(factor, said, old, semiring)
            largest.append(_largest([new], [old]))
            held[i] = tuple(damped(a, b, damping) for a, b in zip(new, old, strict=True))
            for scope, a, b in zip(factor.scopes, old, held[i], strict=True):
                said[scope.name] = said[scope.name].changed(scope, a, b)
        return tuple(held), reduce(jnp.maximum, largest, jnp.zeros(()))


@dataclass(frozen=True)
class Residual(Schedule):
    """Update the messages that would change most: by at least `share` of the greatest change.

    A parallel form of residual belief propagation (Elidan, McGraw & Koller 2006; Van der Merwe,
    Joseph & Gopalakrishnan 2019). It converges on more graphs than flooding does, in more
    iterations. Raises `ModelError` unless 0 < share <= 1.

    >>> from finetti import factors as fg
    >>> fg.BeliefPropagation(schedule=fg.Residual(0.3)).schedule
    Residual(share=0.3)
    """

    share: float | int = 0.5

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise ModelError(f"Residual has share={self.share}; give a number above 0, at most 1")

    def sweep(self, graph, log_weights, messages, semiring, damping):
        said = totals(graph, log_weights, messages)
        pairs = zip(graph.factors, messages, strict=True)
        new = [answer(factor, said, old, semiring) for factor, old in pairs]
        largest = _largest(new, messages)

        def chosen(a: Array, b: Array) -> Array:
            return jnp.where(change(a, b) >= self.share * largest, damped(a, b, damping), b)

        moved = (map(chosen, ours, old) for ours, old in zip(new, messages, strict=True))
        return tuple(map(tuple, moved)), largest


def _largest(new: list, old: Messages | list) -> Scalar:
    """Return the greatest change of all messages."""
    pairs = zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True)
    return reduce(jnp.maximum, (change(a, b).max(initial=0) for a, b in pairs), jnp.zeros(()))
