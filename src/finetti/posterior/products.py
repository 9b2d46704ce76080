"""Read off a model's program what it multiplies: coefficients with data, scales with effects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

import numpy as np

from finetti.jaxprs import is_literal
from finetti.structure.degrees import Degree
from finetti.structure.program import Program
from finetti.types import Atom

PRODUCTS = ("mul", "dot_general")
SHAPED = ("broadcast_in_dim", "reshape", "convert_element_type", "squeeze", "transpose", "copy")


def predictors(program: Program) -> list[np.ndarray]:
    """Return the arrays of data that coefficients are multiplied with.

    Coefficients are polynomials in the latent variables, such as mu + tau * eta. What a model
    standardises comes standardised, and what it only observes is none of them.
    """
    read = program.degrees(set(program.latent) & set(program.tags))
    known = dict(zip(program.data, program.constants, strict=True))
    found = []
    for equation in program.jaxpr.eqns:
        name, inputs = equation.primitive.name, equation.invars
        if name in SHAPED and not is_literal(inputs[0]) and inputs[0] in known:
            known[equation.outvars[0]] = known[inputs[0]]
        if name not in PRODUCTS:
            continue
        for one, other in (inputs, inputs[::-1]):
            if not is_literal(one) and one in known and _coefficient(read, other):
                found.append(np.asarray(known[one]) * _later(program, equation.outvars[0]))
    return found


def _coefficient(read: Callable[[Atom], Degree], atom: Atom) -> bool:
    """Tell whether a value is a polynomial in the latent variables, and no number."""
    return not is_literal(atom) and 0 < read(atom) < inf


def _later(program: Program, product: Atom) -> float:
    """Return the single number that a product is multiplied with or divided by next, if it is."""
    for equation in program.jaxpr.eqns:
        name, inputs = equation.primitive.name, equation.invars
        if name in ("div", "mul") and any(v is product for v in inputs):
            other = inputs[1] if inputs[0] is product else inputs[0]
            if is_literal(other) and np.ndim(other.val) == 0:
                return float(1 / other.val if name == "div" else other.val)
    return 1.0


def slices(array: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """Yield the columns of so many rows that an array holds along any of its axes."""
    for axis, size in enumerate(array.shape):
        if size == rows and array.size <= 200 * rows:
            yield from np.moveaxis(array, axis, -1).reshape(-1, rows).astype(float)


def multiplies(program: Program, scale: str, effect: str) -> bool:
    """Tell whether a model multiplies a site, or what it makes of it, with another it is linear in.

    So does a form written non-centred, mu + tau * eta.
    """
    if not {scale, effect} <= set(program.tags):
        return False
    above, below = program.degrees({scale}), program.degrees({effect})
    for equation in program.jaxpr.eqns:
        if equation.primitive.name not in PRODUCTS or any(map(is_literal, equation.invars)):
            continue
        for one, other in (equation.invars, equation.invars[::-1]):
            if above(one) and not below(one) and below(other) == 1 and not above(other):
                return True
    return False
