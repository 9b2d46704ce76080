"""Evaluate a program for a few representatives of a plate's members instead of for all of them.

A value keeps its shape but for the members' axis, which has the representatives, or a single entry
where it is the same for all members. Only what works member by member can be evaluated so: what
looks across members, or brings in data of each, raises `Unlike`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from finetti.jaxprs import called, run
from finetti.structure.equations import compute
from finetti.structure.scopes import ELEMENTWISE, REDUCTIONS
from finetti.types import Atom, Equation, Value

STILL = {"squeeze", "transpose", "expand_dims"}  # moves of axes that keep every entry
PASSED = {"name", "copy", "copy_p", "optimization_barrier"}


class Unlike(Exception):
    """Say that members cannot be stood for by representatives."""


def evaluate(equation: Equation, inputs: Sequence[Value], members: int) -> list[Value]:
    """Return an equation's outputs given its inputs, some of which are narrow."""
    name, call = equation.primitive.name, called(equation)
    narrow = [_axis(v, x) for v, x in zip(equation.invars, inputs, strict=True)]
    if call is not None:
        inner, constants = call
        return run(inner, [*constants, *inputs], lambda e, given: evaluate(e, given, members))
    if name == "broadcast_in_dim":
        return [_broadcast(equation.params, equation.invars[0].aval.shape, inputs[0], members)]
    if all(axis is None for axis in narrow):
        return compute(equation, inputs)
    if name in ELEMENTWISE or name in PASSED:
        return compute(equation, _alike(equation, inputs, narrow))
    if name == "reshape":
        return [_reshaped(equation, inputs[0], members)]
    _check_axes(equation, name, narrow)
    return compute(equation, inputs)


def _axis(variable: Atom, value: Value) -> int | None:
    """Return the axis along which a value is narrow, if there is one."""
    whole, shape = variable.aval.shape, jnp.shape(value)
    found = [i for i, (a, b) in enumerate(zip(whole, shape, strict=True)) if a != b]
    if len(found) > 1:
        raise Unlike("two axes have the members")
    return found[0] if found else None


def _broadcast(
    params: Mapping[str, Any], before: tuple[int, ...], value: Value, members: int
) -> Value:
    """Broadcast, an axis of the members that comes in new having a single entry."""
    sizes, places = list(params["shape"]), params["broadcast_dimensions"]
    for i, size in enumerate(sizes):
        # The members' axis is told by its size alone. Another axis of that size is taken for it:
        # what comes of it is refused here or by the callers' check at a generic point.
        if size == members:
            old = [s for s, place in enumerate(places) if place == i and before[s] == members]
            sizes[i] = jnp.shape(value)[old[0]] if old else 1
    shape = [1] * len(sizes)
    for source, i in enumerate(places):
        shape[i] = jnp.shape(value)[source]
    return jnp.broadcast_to(jnp.reshape(value, shape), sizes)


def _alike(
    equation: Equation, inputs: Sequence[Value], narrow: Sequence[int | None]
) -> list[Value]:
    """Bring the inputs of an equation that works entry by entry to the same shape."""
    axis, *others = [*{i for i in narrow if i is not None}]
    for v, value, place in zip(equation.invars, inputs, narrow, strict=True):
        if jnp.ndim(value) and place is None and v.aval.shape[axis] != 1:
            raise Unlike("data of each member enter")
    if others:
        raise Unlike("two axes have the members")
    shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in inputs))
    return [jnp.broadcast_to(x, shape) if jnp.ndim(x) else x for x in inputs]


def _reshaped(equation: Equation, value: Value, members: int) -> Value:
    before, after = equation.invars[0].aval.shape, equation.params["new_sizes"]
    if before[0] != members or after[:1] != (members,):
        raise Unlike("the members' axis is taken apart")
    return jnp.reshape(value, (jnp.shape(value)[0], *after[1:]))


def _check_axes(equation: Equation, name: str, narrow: Sequence[int | None]) -> None:
    """Refuse what looks across the members."""
    params, axis = equation.params, narrow[0]
    if name in STILL or (name == "gather" and narrow == [None, 0]):  # looked up by fewer members
        return
    if name in REDUCTIONS and axis not in params["axes"]:
        return
    if name == "triangular_solve":
        matrix, right = equation.invars
        side = right.aval.ndim - 1 if params["left_side"] else right.aval.ndim - 2
        if narrow == [None, side] and matrix.aval.ndim == right.aval.ndim:
            return
    if name == "dot_general":
        contracted, batched = params["dimension_numbers"]
        free = [
            i is None or (i not in summed and i not in batch)
            for i, summed, batch in zip(narrow, contracted, batched, strict=True)
        ]
        if all(free) and None in narrow:
            return
    raise Unlike(f"{name} looks across the members")
