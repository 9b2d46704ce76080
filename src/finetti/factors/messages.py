"""Add messages up to what is said of each variable, and take one away again.

Where messages can be -inf they cannot be subtracted from their sum. Then their finite parts are
summed, and it is counted how many bar a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp

from finetti.factors.factor import Factor
from finetti.factors.graph import Graph
from finetti.factors.selection import Selection
from finetti.factors.semiring import Semiring
from finetti.types import Array, Value

FactorMessages = tuple[Array, ...]
Messages = tuple[FactorMessages, ...]  # of each factor, to each scope: (states, *scope)


class Total(NamedTuple):
    """Hold what is said of an array of variables, (states, *shape), and how many bar a state."""

    sums: Array
    barred: Array | None

    def belief(self) -> Array:
        """Return the log weights, -inf where a message bars the state."""
        return self.sums if self.barred is None else jnp.where(self.barred > 0, -jnp.inf, self.sums)

    def without(self, scope: Selection, message: Array) -> Array:
        """Return the log weights at a selection, less what a factor itself said there."""
        sums = scope.read(self.sums)
        if self.barred is None:
            return sums - message
        others = scope.read(self.barred) - _bars(message)
        return jnp.where(others > 0, -jnp.inf, sums - _finite(message))

    def changed(self, scope: Selection, old: Array, new: Array) -> Total:
        """Return the total once a factor sends new messages to a selection."""
        if self.barred is None:
            return Total(self.sums + scope.collect(new - old), None)
        return Total(
            self.sums + scope.collect(_finite(new) - _finite(old)),
            self.barred + scope.collect(_bars(new) - _bars(old)),
        )


Totals = Mapping[str, Total]


def no_messages(graph: Graph) -> Messages:
    """Return messages that say nothing: zero for every state."""
    return tuple(
        tuple(jnp.zeros((s.states, *s.shape), jnp.result_type(float)) for s in f.scopes)
        for f in graph.factors
    )


def totals(graph: Graph, log_weights: Mapping[str, Array], messages: Messages) -> Totals:
    """Return what is said of all variables; `log_weights` may be -inf, as none is subtracted."""
    hard = graph.hard
    found = {
        name: Total(weights, jnp.zeros_like(weights) if hard else None)
        for name, weights in log_weights.items()
    }
    for factor, sent in zip(graph.factors, messages, strict=True):
        for scope, message in zip(factor.scopes, sent, strict=True):
            found[scope.name] = found[scope.name].changed(scope, jnp.zeros_like(message), message)
    return found


def incoming(factor: Factor, said: Totals, messages: FactorMessages) -> list[Array]:
    """Return what each scope sends a factor, which has sent `messages`."""
    parts = zip(factor.scopes, messages, strict=True)
    return [said[scope.name].without(scope, message) for scope, message in parts]


def answer(factor: Factor, said: Totals, messages: FactorMessages, semiring: Semiring):
    """Return a factor's new messages, each with its greatest entry zero."""
    sent = factor.send(incoming(factor, said, messages), semiring)
    return tuple(
        jnp.broadcast_to(normalised(new), old.shape)
        for new, old in zip(sent, messages, strict=True)
    )


def normalised(message: Array) -> Array:
    """Return log weights less the greatest, which is 0 where all are -inf."""
    return message - _finite(message.max(0, keepdims=True))


def change(new: Array, old: Array) -> Array:
    """Return the greatest change of each message over its states."""
    return jnp.where(new == old, 0.0, abs(new - old)).max(0)


def damped(new: Array, old: Array, damping: Value | None) -> Array:
    """Return the mean of new and old messages, weight `damping` on the old; None is none."""
    if damping is None:
        return new
    barred = jnp.isneginf(new) | jnp.isneginf(old)
    return jnp.where(barred, new, (1 - damping) * new + damping * old)


def sums_of(graph: Graph, said: Totals, messages: Messages, semiring: Semiring) -> Sequence[Array]:
    """Return the log total weights of each factor's joint states, given what it is sent."""
    parts = zip(graph.factors, messages, strict=True)
    return [f.log_total(incoming(f, said, sent), semiring) for f, sent in parts]


def _finite(message: Array) -> Array:
    return jnp.where(jnp.isneginf(message), jnp.zeros_like(message), message)


def _bars(message: Array) -> Array:
    return jnp.isneginf(message).astype(message.dtype)
