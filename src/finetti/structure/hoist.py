"""Evaluate once, before any sampling, what a program computes from its data alone.

Log factorials, support checks of the data, standardised columns: they would otherwise be computed
again at each of a sampler's thousands of evaluations.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from jax.core import eval_jaxpr

from finetti.compiling import ONCE, compiled
from finetti.jaxprs import heads
from finetti.structure.equations import variables
from finetti.types import Atom, Equation, Jaxpr

WORTHWHILE = 64  # elements: the compiler folds smaller constants itself


def hoist(
    jaxpr: Jaxpr, constants: tuple[np.ndarray, ...], awaited: Callable[[Equation], bool]
) -> tuple[Jaxpr, tuple[np.ndarray, ...]]:
    """Return an equal jaxpr whose constants include the large values that data alone determine.

    `awaited` tells of an equation whether its output will be replaced: nothing hangs on it yet.
    """
    given = heads(jaxpr)
    data, inputs = given[: len(constants)], given[len(constants) :]
    known, settled, open_equations = set(data), [], []
    for equation in jaxpr.eqns:
        fixed = not equation.effects and all(v in known for v in variables(equation.invars))
        fixed = fixed and not awaited(equation)
        (settled if fixed else open_equations).append(equation)
        if fixed:
            known.update(equation.outvars)
    wanted = set(variables(jaxpr.outvars))
    wanted.update(v for e in open_equations for v in variables(e.invars))
    made = [v for e in settled if not _repeats(e) for v in e.outvars]
    hoisted = [v for v in made if v in wanted and prod(v.aval.shape) >= WORTHWHILE]
    if not hoisted:
        return jaxpr, constants
    values = _evaluate(jaxpr, data, constants, settled, hoisted)
    equations = _needed(jaxpr.eqns, wanted=set(variables(jaxpr.outvars)), given=set(hoisted))
    used = set(variables(jaxpr.outvars))
    used.update(v for e in equations for v in variables(e.invars))
    kept = [(v, c) for v, c in zip(data, constants, strict=True) if v in used]
    held = [v for v, _ in kept] + hoisted
    return (
        jaxpr.replace(constvars=held, invars=inputs, eqns=equations),
        tuple(c for _, c in kept) + values,
    )


def _repeats(equation: Equation) -> bool:
    """Tell whether an equation only repeats one number, which costs nothing to do again."""
    name = equation.primitive.name
    return name == "broadcast_in_dim" and prod(equation.invars[0].aval.shape) == 1


def _evaluate(
    jaxpr: Jaxpr,
    data: list[Atom],
    constants: tuple[np.ndarray, ...],
    equations: list[Equation],
    outputs: list[Atom],
) -> tuple[np.ndarray, ...]:
    needed = _needed(equations, wanted=set(outputs), given=set())
    # There must be as many names as inputs and outputs.
    names = jaxpr.debug_info._replace(arg_names=(), result_paths=("",) * len(outputs))
    part = jaxpr.replace(constvars=data, invars=[], outvars=outputs, eqns=needed, debug_info=names)
    return tuple(np.asarray(v) for v in compiled(ONCE)(lambda c: eval_jaxpr(part, c))(constants))


def _needed(equations: list[Equation], wanted: set[Atom], given: set[Atom]) -> list[Equation]:
    """Return the equations that lead to the wanted variables, in order."""
    kept, wanted = [], wanted - given
    for equation in reversed(equations):
        if equation.effects or any(v in wanted for v in equation.outvars):
            kept.append(equation)
            wanted.update(v for v in variables(equation.invars) if v not in given)
    return kept[::-1]
