"""Find how a traced program depends on some of its values: not at all, linearly, quadratically.

The degree of a variable is that of a polynomial in the chosen values whose coefficients may
depend on everything else; `NONLINEAR` stands for all that is no polynomial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import inf, isinf
from weakref import WeakKeyDictionary

from finetti.jaxprs import called, heads, is_literal
from finetti.structure.equations import variables
from finetti.types import Atom, Equation, Jaxpr

Degree = int | float
NONLINEAR = inf

# Linear in all their operands.
LINEAR = {
    "add", "add_any", "broadcast_in_dim", "concatenate", "copy", "copy_p", "cumsum", "expand_dims",
    "name", "neg", "optimization_barrier", "pad", "real", "reduce_sum", "reshape", "rev", "slice",
    "split", "squeeze", "stack", "sub", "transpose", "unstack", "device_put",
}  # fmt: skip
# Linear in their first operands, so many, as long as the others do not depend on the values.
LINEAR_IN_FIRST = {"div": 1, "gather": 1, "dynamic_slice": 1, "dynamic_update_slice": 2}
PRODUCTS = {"mul", "dot_general"}


def degrees(jaxpr: Jaxpr, seeds: Mapping[Atom, Degree]) -> Callable[[Atom], Degree]:
    """Return a function from a jaxpr's variables to their degrees in the seeded ones.

    >>> import jax
    >>> jaxpr = jax.make_jaxpr(lambda a, x: a * (x - 1.0) ** 2)(1.0, 2.0).jaxpr
    >>> degrees(jaxpr, {jaxpr.invars[1]: 1})(jaxpr.outvars[0])
    2
    """
    found: dict[Atom, Degree] = dict(seeds)

    def read(atom: Atom) -> Degree:
        return 0 if is_literal(atom) else found.get(atom, 0)

    readers = _readers(jaxpr)
    waiting = list({i for v, degree in seeds.items() if degree for i in readers.get(v, ())})
    heapify(waiting)  # in order: what an equation reads comes before it
    seen = set(waiting)
    while waiting:
        equation = jaxpr.eqns[heappop(waiting)]
        inputs = [read(v) for v in equation.invars]
        if not any(inputs):
            continue
        for v, degree in zip(equation.outvars, outputs(equation, inputs), strict=True):
            # A seed keeps its degree, whatever it is made of: the site is what is chosen.
            if not degree or v in seeds:
                continue
            found[v] = degree
            for i in readers.get(v, ()):
                if i not in seen:
                    seen.add(i)
                    heappush(waiting, i)
    return read


_READERS: WeakKeyDictionary[Jaxpr, dict[Atom, list[int]]] = WeakKeyDictionary()


def _readers(jaxpr: Jaxpr) -> dict[Atom, list[int]]:
    """Return the numbers of the equations that read each variable; found once for each jaxpr."""
    found = _READERS.get(jaxpr)
    if found is None:
        found = {}
        for i, equation in enumerate(jaxpr.eqns):
            for v in variables(equation.invars):
                found.setdefault(v, []).append(i)
        _READERS[jaxpr] = found
    return found


def outputs(equation: Equation, inputs: Sequence[Degree]) -> list[Degree]:
    """Return the degrees of an equation's outputs, given those of its inputs."""
    call = called(equation)
    if call is not None:
        inner, constants = call
        given = [*(0 for _ in constants), *inputs]
        read = degrees(inner, dict(zip(heads(inner), given, strict=True)))
        return [read(v) for v in inner.outvars]
    return [_degree(equation, equation.primitive.name, inputs)] * len(equation.outvars)


def _degree(equation: Equation, name: str, inputs: Sequence[Degree]) -> Degree:
    if name in LINEAR:
        return max(inputs)
    if name == "convert_element_type":  # to a whole number or a truth value it would be rounded
        return max(inputs) if equation.params["new_dtype"].kind in "fc" else NONLINEAR
    if name in PRODUCTS:
        return sum(inputs)
    if name in ("integer_pow", "square"):
        power = equation.params.get("y", 2)
        return power * inputs[0] if power > 0 else NONLINEAR
    if name in LINEAR_IN_FIRST:
        first = LINEAR_IN_FIRST[name]
        return NONLINEAR if any(inputs[first:]) else max(inputs[:first])
    if name.startswith("scatter"):
        rule = equation.params["update_jaxpr"]  # none where an entry is set, a user's where applied
        fine = name == "scatter-add" or (name == "scatter" and not getattr(rule, "eqns", ()))
        fine = fine and not inputs[1]
        return max(inputs) if fine else NONLINEAR
    if name in ("select_n", "triangular_solve"):
        return NONLINEAR if inputs[0] else max(inputs[1:])
    if name in ("eq", "ne") and _asks_whether_finite(equation):
        return 0
    return NONLINEAR


def _asks_whether_finite(equation: Equation) -> bool:
    """Tell whether a comparison is with itself or with infinity: settled for all real values."""
    left, right = equation.invars
    return left is right or any(
        is_literal(v) and getattr(v.val, "ndim", 0) == 0 and isinf(float(v.val))
        for v in (left, right)
    )
