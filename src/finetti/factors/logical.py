"""State logical factors: OR, AND, and pools, of which one at most is on.

Each is an automaton that reads its inputs one by one and remembers whether any was on. Its
messages are found by scans in both directions, so that they cost as many operations as there are
inputs, subtract nothing, and hold for sums and maxima alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from finetti.errors import ModelError
from finetti.factors.factor import Factor, Piece, check_distinct, pytree, shared_shape
from finetti.factors.selection import Selection, flattened
from finetti.factors.semiring import Semiring
from finetti.factors.variables import Variables, select
from finetti.types import Array, Value


class Logical(Factor):
    """State of each batch's output what its inputs, all of two states, make of it.

    Final subclasses have the inputs and the output for their first two fields.
    """

    called: ClassVar[str]  # in errors

    def __post_init__(self):
        _settle(self)

    @property
    def likeness(self) -> tuple:
        output, inputs = self.scopes
        return type(self), output.variables, inputs.variables, inputs.shape[-1]

    def scaled(self, inverse_temperature: Value) -> Logical:
        return self

    def joined(self, others: Sequence[Factor]) -> Logical:
        scopes = [f.scopes for f in (self, *others)]
        inputs = flattened([inputs for _, inputs in scopes], 1)
        return type(self)(inputs, flattened([output for output, _ in scopes]))  # pyright: ignore[reportCallIssue]


@pytree
@dataclass(frozen=True, eq=False)
class Or(Logical):
    """State that an output is on (1) if any of its inputs is, and off (0) if none is.

    `inputs` have shape (*batch, inputs), `output` shape (*batch); all have two states.
    Raises `ModelError` where they do not.

    >>> from finetti import factors as fg
    >>> part, whole = fg.Variables("part", {"image": 9, "part": 4}), fg.Variables("whole", {"i": 9})
    >>> fg.Or(part, whole).batch
    (9,)
    """

    inputs: Variables | Selection
    output: Variables | Selection
    scopes: tuple[Selection, ...] = field(init=False)
    batch: tuple[int, ...] = field(init=False)
    hard: bool = field(default=True, init=False)

    called = "an OR"

    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        return _send(incoming[0], incoming[1], semiring, exclusive=False)

    def score(self, states: Sequence[Array]) -> Array:
        return jnp.where(states[0] == (states[1] > 0).any(-1), 0.0, -jnp.inf)

    def pieces(self, name: str) -> list[Piece]:
        return _pieces(self, _step(exclusive=False), name)


@pytree
@dataclass(frozen=True, eq=False)
class And(Logical):
    """State that an output is on (1) if all its inputs are, and off (0) if one is not.

    `inputs` have shape (*batch, inputs), `output` shape (*batch); all have two states.
    Raises `ModelError` where they do not.

    >>> from finetti import factors as fg
    >>> both = fg.And(fg.Variables("x", {"i": 2}), fg.Variables("both"))
    >>> both.score([jnp.array(1), jnp.array([1, 0])])
    Array(-inf, dtype=float32...)
    """

    inputs: Variables | Selection
    output: Variables | Selection
    scopes: tuple[Selection, ...] = field(init=False)
    batch: tuple[int, ...] = field(init=False)
    hard: bool = field(default=True, init=False)

    called = "an AND"

    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        flipped = [weights[::-1] for weights in incoming]
        return [m[::-1] for m in _send(flipped[0], flipped[1], semiring, exclusive=False)]

    def score(self, states: Sequence[Array]) -> Array:
        return jnp.where(states[0] == (states[1] > 0).all(-1), 0.0, -jnp.inf)

    def pieces(self, name: str) -> list[Piece]:
        step = _step(exclusive=False)[::-1, ::-1, ::-1]
        return _pieces(self, step, name)


@pytree
@dataclass(frozen=True, eq=False)
class Pool(Logical):
    """State that exactly one of the choices is on (1) if the pool is, and none if it is not.

    `choices` have shape (*batch, choices), `pool` shape (*batch); all have two states. Two
    choices are never on together. A pool that must be on is one that is observed so.
    Raises `ModelError` where shapes or states do not fit.

    >>> from finetti import factors as fg
    >>> fg.Pool(fg.Variables("choice", {"i": 3}), fg.Variables("pool")).batch
    ()
    """

    choices: Variables | Selection
    pool: Variables | Selection
    scopes: tuple[Selection, ...] = field(init=False)
    batch: tuple[int, ...] = field(init=False)
    hard: bool = field(default=True, init=False)

    called = "a pool"

    def send(self, incoming: Sequence[Array], semiring: Semiring) -> list[Array]:
        return _send(incoming[0], incoming[1], semiring, exclusive=True)

    def score(self, states: Sequence[Array]) -> Array:
        return jnp.where(states[0] == (states[1] > 0).sum(-1), 0.0, -jnp.inf)

    def pieces(self, name: str) -> list[Piece]:
        return _pieces(self, _step(exclusive=True), name)


class _Span(NamedTuple):
    """Hold the log weights of a run of inputs: that none is on, and that some are."""

    none: Array
    some: Array


def _send(output: Array, inputs: Array, semiring: Semiring, exclusive: bool) -> list[Array]:
    """Return the messages to the output, (2, *batch), and to the inputs, (2, *batch, inputs)."""

    # Joins two runs; in a pool no input of the second is on where one of the first is.
    def follow(a: _Span, b: _Span) -> _Span:
        b_any = b.none if exclusive else semiring.add(b.none, b.some)
        return _Span(a.none + b.none, semiring.add(a.some + b_any, a.none + b.some))

    each = _Span(*jnp.moveaxis(inputs, -1, 1))
    empty = _Span(jnp.zeros_like(output[0]), jnp.full_like(output[0], -jnp.inf))
    # What all inputs before each make, and what all after it: together the others'.
    whole, before = lax.scan(lambda a, b: (follow(a, b), a), empty, each)
    _, after = lax.scan(lambda a, b: (follow(b, a), a), empty, each, reverse=True)
    rest = follow(before, after)
    off, on = output
    if_on = on + (rest.none if exclusive else semiring.add(rest.none, rest.some))
    if_off = semiring.add(off + rest.none, on + rest.some)
    return [jnp.stack(whole), jnp.moveaxis(jnp.stack([if_off, if_on]), 1, -1)]


def _step(exclusive: bool) -> np.ndarray:
    """Return the log table of one input: (some before, this input, some so far)."""
    step = np.full((2, 2, 2), -np.inf)
    for before in range(2):
        for this in range(2):
            if not (exclusive and before and this):
                step[before, this, before | this] = 0.0
    return step


def _pieces(factor: Factor, step: np.ndarray, name: str) -> list[Piece]:
    """Return a chain of small tables, through variables that tell what was seen so far."""
    output, inputs = factor.scopes
    count = inputs.shape[-1]
    if count == 1:
        same = np.where(np.eye(2) > 0, 0.0, -np.inf)
        return [Piece((inputs[..., 0], output), same)]
    memory = [inputs[..., 0], output]
    if count > 2:
        sizes = {f"axis {a}": n for a, n in enumerate(output.shape)}
        between = Variables(name, sizes | {"input": count - 2})
        memory[1:1] = [between[..., k] for k in range(count - 2)]
    return [Piece((memory[k - 1], inputs[..., k], memory[k]), step) for k in range(1, count)]


def _settle(factor: Logical) -> None:
    """Broadcast the selections of a logical factor together; raise `ModelError` if they do not."""
    what = factor.called
    first, second = (f.name for f in fields(factor)[:2])  # pyright: ignore[reportArgumentType]
    inputs, output = select(getattr(factor, first)), select(getattr(factor, second))
    if not inputs.shape or not inputs.shape[-1]:
        raise ModelError(
            f"{what} of `{inputs.name}` has no inputs; its last axis holds them, as in x[:, :3]"
        )
    for scope in (inputs, output):
        if scope.states != 2 or scope.variables.counts is not None:
            raise ModelError(
                f"{what} of `{inputs.name}` and `{output.name}` needs two states; "
                f"`{scope.name}` has {scope.states}"
            )
    batch = shared_shape([output, inputs], [0, 1])
    output, inputs = output.broadcast_to(batch), inputs.broadcast_to((*batch, inputs.shape[-1]))
    check_distinct([output, inputs], [0, 1])
    settled = {first: inputs, second: output, "scopes": (output, inputs), "batch": batch}
    for name, value in settled.items():
        object.__setattr__(factor, name, value)
