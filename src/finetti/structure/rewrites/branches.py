"""Evaluate a program with every branch taken at once, to see what may depend on what.

Which entries of a matrix are zero is read at a point. That holds everywhere for smooth functions;
where sites choose a branch, as a sampled change point does in `jnp.where(x < knot, a, b)` or
`jnp.maximum(x - knot, 0)`, another point may have other zeros. So a choice that hangs on a latent
site is evaluated as a mixture of what may be chosen, its weights generic.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from finetti.jaxprs import called, heads, is_literal, run
from finetti.structure.equations import compute, reached
from finetti.structure.program import Evaluate, Program
from finetti.types import Equation, Jaxpr, Scalar, Value

ENDS = {"max", "min", "clamp"}
# By operation, the first input that says where to look.
PLACES = {"gather": 1, "dynamic_slice": 1, "scatter": 1, "scatter-add": 1, "sort": 0}


def every_branch(program: Program, salt: Scalar | float = 0.0) -> Evaluate:
    """Return what evaluates a program's equations with every branch taken.

    `salt` is a number that the weights depend on.
    """
    latent = program.outputs.log_jacobians
    seeds = {*program.inputs.values(), *(program.tags[name] for name in latent)}
    known = reached(program.jaxpr, seeds)

    def evaluate(equation: Equation, inputs: Sequence[Value]) -> list[Value]:
        hangs = [not is_literal(v) and v in known for v in equation.invars]
        return _mixed(equation, inputs, hangs, salt)

    return evaluate


def _mixed(
    equation: Equation, inputs: Sequence[Value], hangs: Sequence[bool], salt: Scalar | float
) -> list[Value]:
    """Return an equation's outputs; `hangs` tells which of its inputs hang on a latent site."""
    name, call = equation.primitive.name, called(equation)
    if not any(hangs):
        return compute(equation, inputs)
    if call is not None:
        inner, constants = call
        return _inside(inner, [*constants, *inputs], [*(False for _ in constants), *hangs], salt)
    if name == "cond" and hangs[0]:
        branches = equation.params["branches"]
        each = [_inside(b.jaxpr, [*b.consts, *inputs[1:]], hangs[1:], salt) for b in branches]
        return [_mixture(parts, salt) for parts in zip(*each, strict=True)]
    found = compute(equation, inputs)
    if name == "select_n" and hangs[0]:
        return [_mixture([jnp.broadcast_to(x, found[0].shape) for x in inputs[1:]], salt)]
    if name in ENDS:
        return [_mixture([jnp.broadcast_to(x, found[0].shape) for x in inputs], salt)]
    # A truth value as a number chooses as `where` does: x * (y > 0).
    if name == "convert_element_type" and _chosen(equation):
        return [_mixture([jnp.zeros_like(x), jnp.ones_like(x)], salt) for x in found]
    # Any entry might be looked up: one that depends on all of them, their mean, stands for those.
    if name in PLACES and any(hangs[PLACES[name] :]):
        whole = [x for x in inputs if jnp.issubdtype(jnp.result_type(x), jnp.floating)]
        mean = sum((jnp.mean(x) for x in whole), jnp.zeros(()))
        return [_mixture([x, jnp.full_like(x, mean)], salt) if _real(x) else x for x in found]
    return found


def _inside(
    jaxpr: Jaxpr, arguments: Sequence[Value], hangs: Sequence[bool], salt: Scalar | float
) -> list[Value]:
    """Evaluate an inner jaxpr in the same way."""
    tops = heads(jaxpr)
    first = len(tops) - len(hangs)
    known = reached(jaxpr, {v for v, h in zip(tops[first:], hangs, strict=True) if h})

    def evaluate(equation: Equation, inputs: Sequence[Value]) -> list[Value]:
        inner = [not is_literal(v) and v in known for v in equation.invars]
        return _mixed(equation, inputs, inner, salt)

    return run(jaxpr, arguments, evaluate)


def _chosen(equation: Equation) -> bool:
    """Tell whether a truth value, or a whole number, becomes a real one."""
    before, after = equation.invars[0].aval.dtype, equation.outvars[0].aval.dtype
    return before.kind in "bui" and after.kind == "f"


def _real(x: Value) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jnp.floating))


def _mixture(parts: Sequence[Value], salt: Scalar | float) -> Value:
    """Return a mixture of arrays of one shape, of those that are finite in each place."""
    shape, dtype = jnp.shape(parts[0]), jnp.result_type(*parts)
    if not jnp.issubdtype(dtype, jnp.floating):
        return parts[0]
    # The sine makes weights of every entry differ from point to point, without a random key.
    generic = np.random.default_rng(1997)
    total, weights = jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)
    for part in parts:
        place = jnp.asarray(generic.uniform(0, 2 * np.pi, shape), dtype)
        fine = jnp.isfinite(part)
        weight = jnp.where(fine, 1.0 + 0.5 * jnp.sin(place + jnp.asarray(salt, dtype)), 0.0)
        total, weights = total + weight * jnp.where(fine, part, 0.0), weights + weight
    return jnp.where(weights > 0, total / jnp.where(weights > 0, weights, 1.0), parts[0])


__all__ = ["every_branch"]
