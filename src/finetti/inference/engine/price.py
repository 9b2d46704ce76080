"""Count what an evaluation of a density takes, by the equations of its program."""

from __future__ import annotations

from math import prod

import jax

from finetti.inference.engine.start import DTYPE
from finetti.jaxprs import made, yielded
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import Equation, Jaxpr


def numbers(target: Target, given: Given) -> int:
    """Return about how many numbers an evaluation makes."""
    return made(_program(target, given).eqns)


def products(target: Target, given: Given) -> int:
    """Return about how many multiplications an evaluation takes.

    A Cholesky factor of n rows takes n^3 / 3, a triangular system n^2 for each right-hand side; any
    other number that is made counts as one.
    """
    return made(_program(target, given).eqns, _taken)


def _program(target: Target, given: Given) -> Jaxpr:
    """Return the program of a target's log density."""
    position = jax.ShapeDtypeStruct((target.layout.dim,), DTYPE)
    return jax.make_jaxpr(target.log_density)(given, position).jaxpr


def _taken(equation: Equation) -> int:
    """Return about how many multiplications an equation takes."""
    name, own = equation.primitive.name, yielded(equation)
    if name == "cholesky":
        return own * equation.outvars[0].aval.shape[-1] // 3
    if name == "triangular_solve":
        return own * equation.invars[0].aval.shape[-1]
    if name == "dot_general":
        (summed, _), _ = equation.params["dimension_numbers"]
        return own * prod(equation.invars[0].aval.shape[axis] for axis in summed)
    return own
