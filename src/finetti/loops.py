"""Look into the programs that equations of JAX hold, and write those of loops and choices anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr

from finetti.types import Equation, Jaxpr, Value

HELD = {"scan": ("jaxpr",), "while": ("cond_jaxpr", "body_jaxpr"), "cond": ("branches",)}

Run = Callable[[ClosedJaxpr], Callable[..., Sequence[Value]]]


def held(equation: Equation) -> Iterator[Jaxpr]:
    """Yield the programs that an equation holds."""
    for parameter in equation.params.values():
        several = parameter if isinstance(parameter, tuple | list) else (parameter,)
        for one in several:
            program = getattr(one, "jaxpr", one)
            if hasattr(program, "eqns"):
                yield program


def inside(equations: Iterable[Equation]) -> Iterator[Equation]:
    """Yield some equations, and those of the programs that they hold."""
    for equation in equations:
        yield equation
        for program in held(equation):
            yield from inside(program.eqns)


def anew(name: str, parameters: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Return an equation's parameters, the programs of a loop or a choice as `run` runs them."""
    found = dict(parameters)
    for key in HELD.get(name, ()):
        now = found[key]
        several = now if isinstance(now, tuple) else (now,)
        written = tuple(_written(closed, run(closed)) for closed in several)
        found[key] = written if isinstance(now, tuple) else written[0]
    return found


def _written(closed: ClosedJaxpr, run: Callable[..., Sequence[Value]]) -> ClosedJaxpr:
    def shape(aval: Any) -> jax.ShapeDtypeStruct:
        weak = getattr(aval, "weak_type", False)
        return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=weak)

    return jax.make_jaxpr(run)(*map(shape, closed.in_avals))
