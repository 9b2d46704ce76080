"""Evaluate once, before any sampling, what a program computes from its data alone.

Log factorials, support checks of the data, standardised columns: they would otherwise be computed
again at each of a sampler's thousands of evaluations.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from jax.core import eval_jaxpr

from finetti.compiling import ONCE, compiled

WORTHWHILE = 64  # elements: the compiler folds smaller constants itself


def hoist(
    jaxpr: Any, constants: tuple[np.ndarray, ...], awaited: Callable[[Any], bool]
) -> tuple[Any, tuple[np.ndarray, ...]]:
    """Return an equal jaxpr whose constants include the large values that data alone determine.

    `awaited` tells of an equation whether its output will be replaced: nothing hangs on it yet.
    """
    known, settled, open_equations = set(jaxpr.constvars), [], []
    for equation in jaxpr.eqns:
        fixed = not equation.effects and all(v in known for v in _variables(equation.invars))
        fixed = fixed and not awaited(equation)
        (settled if fixed else open_equations).append(equation)
        if fixed:
            known.update(equation.outvars)
    wanted = set(_variables(jaxpr.outvars))
    wanted.update(v for e in open_equations for v in _variables(e.invars))
    made = [v for e in settled for v in e.outvars]
    hoisted = [v for v in made if v in wanted and prod(v.aval.shape) >= WORTHWHILE]
    if not hoisted:
        return jaxpr, constants
    values = _evaluate(jaxpr, constants, settled, hoisted)
    equations = _needed(jaxpr.eqns, wanted=set(_variables(jaxpr.outvars)), given=set(hoisted))
    used = set(_variables(jaxpr.outvars))
    used.update(v for e in equations for v in _variables(e.invars))
    kept = [(v, c) for v, c in zip(jaxpr.constvars, constants, strict=True) if v in used]
    variables = [v for v, _ in kept] + hoisted
    return (
        jaxpr.replace(constvars=variables, eqns=equations),
        tuple(c for _, c in kept) + values,
    )


def _evaluate(
    jaxpr: Any, constants: tuple[np.ndarray, ...], equations: list[Any], outputs: list[Any]
) -> tuple[np.ndarray, ...]:
    needed = _needed(equations, wanted=set(outputs), given=set())
    names = jaxpr.debug_info._replace(arg_names=(), result_paths=("",) * len(outputs))
    part = jaxpr.replace(invars=[], outvars=outputs, eqns=needed, debug_info=names)
    return tuple(np.asarray(v) for v in compiled(ONCE)(lambda c: eval_jaxpr(part, c))(constants))


def _needed(equations: list[Any], wanted: set[Any], given: set[Any]) -> list[Any]:
    """Return the equations that lead to the wanted variables, in order."""
    kept, wanted = [], wanted - given
    for equation in reversed(equations):
        if equation.effects or any(v in wanted for v in equation.outvars):
            kept.append(equation)
            wanted.update(v for v in _variables(equation.invars) if v not in given)
    return kept[::-1]


def _variables(atoms: Any) -> list[Any]:
    return [v for v in atoms if not hasattr(v, "val")]
