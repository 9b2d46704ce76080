"""Count what an evaluation of a density takes, by the equations of its program."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import jax

from finetti.inference.engine.native import CALLS
from finetti.inference.engine.start import DTYPE
from finetti.jaxprs import inside
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import Equation


def numbers(target: Target, given: Given) -> int:
    """Return about how many numbers an evaluation makes."""
    return sum(map(_made, _equations(target, given)))


def products(target: Target, given: Given) -> int:
    """Return about how many multiplications an evaluation takes.

    A Cholesky factor of n rows takes n^3 / 3, a triangular system n^2 for each right-hand side; any
    other number that is made counts as one.
    """
    return sum(map(_taken, _equations(target, given)))


def _equations(target: Target, given: Given) -> Iterator[Equation]:
    """Yield the equations of a target's log density that compute something."""
    position = jax.ShapeDtypeStruct((target.layout.dim,), DTYPE)
    program = jax.make_jaxpr(target.log_density)(given, position)
    return (e for e in inside(program.jaxpr.eqns) if e.primitive.name not in CALLS)


def _made(equation: Equation) -> int:
    return sum(prod(v.aval.shape) for v in equation.outvars)


def _taken(equation: Equation) -> int:
    """Return about how many multiplications an equation takes."""
    name, made = equation.primitive.name, _made(equation)
    if name == "cholesky":
        return made * equation.outvars[0].aval.shape[-1] // 3
    if name == "triangular_solve":
        return made * equation.invars[0].aval.shape[-1]
    if name == "dot_general":
        (summed, _), _ = equation.params["dimension_numbers"]
        return made * prod(equation.invars[0].aval.shape[axis] for axis in summed)
    return made
