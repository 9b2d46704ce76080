"""Read and run programs of JAX an equation at a time, and write anew those that loops hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from finetti.types import Atom, Equation, Jaxpr, Value

HELD = {"scan": ("jaxpr",), "while": ("cond_jaxpr", "body_jaxpr"), "cond": ("branches",)}

# The equations that only call an inner jaxpr, and what they hold it as. Differentiation knows
# another rule for some of these, or what to compute twice: the others may be opened.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr",
         "custom_jvp_call": "call_jaxpr", "remat": "jaxpr", "remat2": "jaxpr",
         "checkpoint": "jaxpr"}  # fmt: skip
# Calls with rules for derivatives, of which a program has taken what it needs.
DIFFERENTIATED = {"custom_vjp_call": "call_jaxpr", "custom_vjp_call_jaxpr": "fun_jaxpr"}
PLAIN_CALLS = {"jit", "pjit", "closed_call", "core_call"}

Run = Callable[[ClosedJaxpr], Callable[..., Sequence[Value]]]


def is_literal(atom: Atom) -> bool:
    """Tell whether an operand is a number written in the jaxpr, no variable."""
    return hasattr(atom, "val")


def read(atom: Atom, known: Mapping[Atom, Value]) -> Value:
    """Return the value of an operand, given those of the variables."""
    return atom.val if is_literal(atom) else known[atom]


def bind(
    equation: Equation, inputs: Sequence[Value], parameters: Mapping[str, Any] | None = None
) -> list[Value]:
    """Return what an equation yields for its inputs, as JAX has it, perhaps by other parameters."""
    primitive = equation.primitive
    if primitive.name.startswith("custom_"):  # a user's rules index them as arrays of JAX
        inputs = [jnp.asarray(x) for x in inputs]
    found = primitive.bind(*inputs, **primitive.get_bind_params(parameters or equation.params))
    return found if primitive.multiple_results else [found]


def run(
    jaxpr: Jaxpr,
    arguments: Sequence[Value],
    evaluate: Callable[[Equation, list[Value]], list[Value]],
) -> list[Value]:
    """Evaluate a jaxpr an equation at a time; `arguments` are its constants, then its inputs."""
    known = dict(zip(heads(jaxpr), arguments, strict=True))
    follow(jaxpr.eqns, known, evaluate)
    return [read(v, known) for v in jaxpr.outvars]


def follow(
    equations: Iterable[Equation],
    known: dict[Atom, Value],
    evaluate: Callable[[Equation, list[Value]], list[Value]] = bind,
) -> None:
    """Evaluate equations in order, and add what they yield to what is known."""
    for equation in equations:
        found = evaluate(equation, [read(v, known) for v in equation.invars])
        known.update(zip(equation.outvars, found, strict=True))


def heads(jaxpr: Jaxpr) -> list[Atom]:
    """Return a jaxpr's constant variables, then its inputs.

    JAX keeps them in two lists up to 0.10 and in one from 0.11 on.
    """
    return list(getattr(jaxpr, "all_invars", [*jaxpr.constvars, *jaxpr.invars]))


def called(
    equation: Equation, calls: Mapping[str, str] = CALLS
) -> tuple[Jaxpr, list[Value]] | None:
    """Return the jaxpr that an equation calls and its constants, if calling is all that it does."""
    name = equation.primitive.name
    if name not in calls:
        return None
    inner = equation.params[calls[name]]
    return getattr(inner, "jaxpr", inner), list(getattr(inner, "consts", ()))


def held(equation: Equation) -> Iterator[Jaxpr]:
    """Yield the programs that an equation holds."""
    for parameter in equation.params.values():
        several = parameter if isinstance(parameter, tuple | list) else (parameter,)
        for one in several:
            program = getattr(one, "jaxpr", one)
            if hasattr(program, "eqns"):
                yield program


def scanned(params: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many of a scan's operands stay as they are, and how many are carried along.

    JAX names them by number up to 0.10 and lays them out in a tuple of three from 0.11 on.
    """
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    still, carried, _ = map(len, params["ft_in"].unpack())
    return still, carried


def inside(equations: Iterable[Equation]) -> Iterator[Equation]:
    """Yield some equations, and those of the programs that they hold."""
    for equation in equations:
        yield equation
        for program in held(equation):
            yield from inside(program.eqns)


def yielded(equation: Equation) -> int:
    """Return how many numbers an equation yields."""
    return sum(prod(v.aval.shape) for v in equation.outvars)


def made(
    equations: Iterable[Equation], each: Callable[[Equation], int] = yielded, turns: int = 1
) -> int:
    """Return how many numbers some equations make, or what `each` counts of one.

    Of a choice all ways count, a scan as often as it runs, a loop of unknown length `turns` times.
    """
    found = 0
    for equation in equations:
        inner, name = list(held(equation)), equation.primitive.name
        times = {"scan": equation.params.get("length"), "while": turns}.get(name, 1)
        found += times * sum(made(program.eqns, each, turns) for program in inner)
        found += 0 if inner else each(equation)
    return found


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
