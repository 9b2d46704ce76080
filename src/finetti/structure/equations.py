"""Read a jaxpr's equations: what is a literal, what an equation yields, what an inner call does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.core import ShapedArray

from finetti.jaxprs import (
    HELD,
    PLAIN_CALLS,
    anew,
    bind,
    called,
    heads,
    inside,
    is_literal,
    run,
)
from finetti.structure.evaluated import EVALUATED
from finetti.types import Array, Atom, Equation, Jaxpr, Value

TAG = "finetti:"


def variables(atoms: Iterable[Atom]) -> list[Atom]:
    """Return the operands that are variables."""
    return [atom for atom in atoms if not is_literal(atom)]


def tagged(value: Value, site: str) -> Array:
    """Return a site's value tagged by its name, which follows it through the jaxpr."""
    return checkpoint_name(jnp.asarray(value), TAG + site)


def read_tag(equation: Equation) -> str:
    """Return the name of the site whose value an equation tags, or nothing."""
    if equation.primitive.name != "name":
        return ""
    label = equation.params["name"]
    return label.removeprefix(TAG) if label.startswith(TAG) else ""


def compute(equation: Equation, inputs: Sequence[Value]) -> list[Value]:
    """Return what an equation yields for its inputs, in the ways of `evaluated` where it has one.

    So densities are evaluated. What only follows a program's equations binds them as they are.
    """
    name = equation.primitive.name
    if name in EVALUATED and jnp.issubdtype(jnp.result_type(inputs[0]), jnp.floating):
        return [EVALUATED[name](*map(jnp.asarray, inputs), **equation.params)]
    return bind(equation, inputs, _with_ours(equation) if name in HELD else None)


def _with_ours(equation: Equation) -> Mapping[str, Any]:
    """Return the parameters of a loop or a choice whose own equations are evaluated so."""
    if not any(e.primitive.name in EVALUATED for e in inside([equation])):
        return equation.params

    def ours(closed: Jaxpr) -> Callable[..., Sequence[Value]]:
        jaxpr, constants = opened(closed)
        return lambda *given: run(jaxpr, [*constants, *given], compute)

    return anew(equation.primitive.name, equation.params, ours)


def inlined(equation: Equation, inputs: Sequence[Value]) -> list[Value]:
    """Return what an equation yields, calling nothing: inner jaxprs are evaluated in its place."""
    call = called(equation)
    if call is None:
        return bind(equation, inputs)
    inner, constants = call
    return run(inner, [*constants, *inputs], inlined)


def reached(jaxpr: Jaxpr, seeds: Iterable[Atom]) -> set[Atom]:
    """Return the variables that some depend on, themselves among them."""
    found = set(seeds)
    for equation in jaxpr.eqns:
        if any(v in found for v in variables(equation.invars)):
            found.update(equation.outvars)
    return found


def fresh(like: Atom, shape: tuple[int, ...] | None = None) -> Atom:
    """Return a new variable of the type of another one, or of another shape."""
    aval = like.aval if shape is None else ShapedArray(shape, like.aval.dtype)
    return type(like)(aval)


def opened(closed: Jaxpr) -> tuple[Jaxpr, list[Value]]:
    """Return a closed jaxpr with its plain inner calls opened, and its constants.

    The constants of the calls become constants of the jaxpr, each once.
    """
    jaxpr, constants = closed.jaxpr, list(closed.consts)
    lifted = {id(c): v for c, v in zip(constants, jaxpr.constvars, strict=True)}
    held: list[Atom] = list(jaxpr.constvars)
    equations: list[Equation] = []

    def lift(constant: Value, variable: Atom) -> Atom:
        # Two calls that close over one array share a constant. Arrays are held here, so that no
        # other can have their ids.
        if id(constant) not in lifted:
            lifted[id(constant)] = fresh(variable)
            held.append(lifted[id(constant)])
            constants.append(constant)
        return lifted[id(constant)]

    def follow(jaxpr: Jaxpr, now: dict[Atom, Atom], inside: bool) -> list[Atom]:
        """Write down the equations of a jaxpr, `now` saying what stands for its variables."""

        def now_are(atoms: Sequence[Atom]) -> list[Atom]:
            return [a if is_literal(a) else now.get(a, a) for a in atoms]

        for equation in jaxpr.eqns:
            call = called(equation) if equation.primitive.name in PLAIN_CALLS else None
            if call is None:
                outputs = equation.outvars
                if inside:
                    # A jaxpr that is called twice would define its variables twice.
                    outputs = [fresh(v) for v in outputs]
                    now.update(zip(equation.outvars, outputs, strict=True))
                made = equation.replace(invars=now_are(equation.invars), outvars=outputs)
                equations.append(made)
                continue
            inner, consts = call
            tops = heads(inner)
            given = [lift(c, v) for c, v in zip(consts, tops, strict=False)]
            known = dict(zip(tops, [*given, *now_are(equation.invars)], strict=True))
            now.update(zip(equation.outvars, follow(inner, known, True), strict=True))
        return now_are(jaxpr.outvars)

    outputs = follow(jaxpr, {}, False)
    return jaxpr.replace(constvars=held, eqns=equations, outvars=outputs), constants
