"""Do arithmetic with a single number before members are picked, not after: tau * z[group].

Picking and such arithmetic commute. Done first it costs an operation a member, not one a row, and
the effect (tau * z) of each member stands in the program, where the plan can see it.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from finetti.jaxprs import is_literal
from finetti.structure.equations import fresh
from finetti.types import Atom, Equation, Jaxpr

ARITHMETIC = {"add", "add_any", "sub", "mul", "div"}


def commute(jaxpr: Jaxpr) -> Jaxpr:
    """Return an equal jaxpr whose arithmetic with single numbers comes before its gathers."""
    uses = Counter(v for e in jaxpr.eqns for v in e.invars if not is_literal(v))
    uses.update(v for v in jaxpr.outvars if not is_literal(v))
    picks: dict[Atom, Equation] = {}  # gathers, by what they yield
    equations: dict[Atom, list[Equation]] = {}  # by the variables they yield, in order
    for equation in jaxpr.eqns:
        here = [equation]
        picked = _picked(equation, picks)
        # Used elsewhere as well, the gather would have to be done twice.
        if picked is not None and uses[equation.invars[picked]] == 1:
            del equations[tuple(picks[equation.invars[picked]].outvars)]
            here = _swapped(equation, picked, picks[equation.invars[picked]])
        for e in here:
            equations[tuple(e.outvars) or id(e)] = [e]
        if here[-1].primitive.name == "gather" and not fills(here[-1]):
            picks[here[-1].outvars[0]] = here[-1]
    return jaxpr.replace(eqns=[e for held in equations.values() for e in held])


def fills(gather: Equation) -> bool:
    """Tell whether a gather has a number of its own for places beyond the end."""
    return gather.params.get("fill_value") is not None


def _picked(equation: Equation, picks: dict[Atom, Equation]) -> int | None:
    """Return which operand is picked, the other being a single number."""
    if equation.primitive.name not in ARITHMETIC:
        return None
    for picked in (0, 1):
        here, other = equation.invars[picked], equation.invars[1 - picked]
        if is_literal(here) or here not in picks or np.shape(other.aval) != ():
            continue
        if equation.primitive.name != "div" or picked == 0:
            return picked
    return None


def _swapped(equation: Equation, picked: int, gather: Equation) -> list[Equation]:
    """Return the arithmetic on all members, then the gather."""
    members, outcome = gather.invars[0], equation.outvars[0]
    if members.aval.dtype != outcome.aval.dtype or not np.issubdtype(
        outcome.aval.dtype, np.floating
    ):
        return [gather, equation]
    moved = fresh(outcome, members.aval.shape)
    operands = list(equation.invars)
    operands[picked] = members
    first = equation.replace(invars=operands, outvars=[moved])
    return [first, gather.replace(invars=[moved, *gather.invars[1:]], outvars=[outcome])]
