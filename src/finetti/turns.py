"""Have a program's batched calls of LAPACK wait for one another, where two at once could hang.

jaxlib 0.10 shares the matrices of one call out among the threads of a pool, and waits for them in a
thread of that pool. As many such calls at once as there are threads wait for ever: two, on a
machine of two cores. It runs at once what does not depend on one another. So each call is made to
depend on the one before: something is added to its matrices that is zero, but as no compiler can
know, whatever the call before has found. Differentiated and batched, a program is as it will run;
nothing else in it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from finetti.loops import anew, inside
from finetti.types import Array, Equation, Jaxpr, Tree, Value

MENDED = (0, 11)  # the jaxlib from which such calls do not wait for the pool
SHARED_OUT = frozenset(
    {
        "cholesky",
        "cholesky_update",
        "eig",
        "eigh",
        "geqp3",
        "geqrf",
        "hessenberg",
        "householder_product",
        "lu",
        "ormqr",
        "qr",
        "schur",
        "svd",
        "symmetric_product",
        "triangular_solve",
        "tridiagonal",
        "tridiagonal_solve",
    }
)
# What only calls another program, held by one of these names.
CALLED = ("jaxpr", "call_jaxpr", "fun_jaxpr")
CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "remat2"}
    | {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
)
NEVER = -3.08254e307  # no element is equal to it


class InTurn:
    """Call a jitted function; where it calls LAPACK several times, with each call in its turn."""

    def __init__(self, function: Callable[..., Tree], options: dict[str, Any] | None) -> None:
        self.function, self.options = function, options
        self.program: Callable[..., Tree] | None = None

    def __call__(self, *given: Tree) -> Tree:
        """Return what the function yields."""
        if self.program is None:
            self.program = self._program(given)
        return self.program(*given)

    def _program(self, given: tuple[Tree, ...]) -> Callable[..., Tree]:
        plain = jax.jit(self.function, compiler_options=self.options)
        if not hanging():
            return plain
        traced = plain.trace(*given)
        if sum(1 for _ in shared_out(traced.jaxpr.eqns)) < 2:
            return plain
        run, tree = in_turn(traced.jaxpr), jax.tree.structure(traced.out_info)

        def written(*given: Tree) -> Tree:
            return jax.tree.unflatten(tree, run(*jax.tree.leaves(given)))

        return jax.jit(written, compiler_options=self.options)


@cache
def hanging() -> bool:
    """Tell whether this machine's runtime can hang."""
    installed = tuple(int(part) for part in version("jaxlib").split(".")[:2])
    return installed < MENDED and jax.default_backend() == "cpu"


def in_turn(closed: ClosedJaxpr) -> Callable[..., list[Value]]:
    """Return the function of a program in which batched calls of LAPACK wait for one another."""

    def run(*given: Value) -> list[Value]:
        return _run(closed.jaxpr, closed.consts, _Turns(), *given)

    return run


def shared_out(equations: Iterable[Equation]) -> Iterator[Equation]:
    """Yield the batched calls of LAPACK among some equations and what these call."""
    for equation in inside(equations):
        if equation.primitive.name in SHARED_OUT and prod(equation.invars[0].aval.shape[:-2]) > 1:
            yield equation


class _Turns:
    """Hold what the last call found, for the next to wait for."""

    last: Array | None = None

    def wait(self, inputs: Sequence[Value]) -> list[Value]:
        """Return a call's inputs, the first real one among them to be known after the last."""
        waiting = list(inputs)
        for place, value in enumerate(inputs):
            if self.last is not None and _is_real(value):
                late = jnp.where(self.last == NEVER, 1, 0).astype(value.dtype)
                waiting[place] = jnp.asarray(value) + late
                break
        return waiting

    def pass_on(self, found: Sequence[Value]) -> None:
        """Have the next call wait for what this one found."""
        told = [value for value in found if _is_real(value)]
        if told:
            self.last = jnp.ravel(told[0])[0]


def _is_real(value: Value) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating) and jnp.size(value) > 0


def _run(jaxpr: Jaxpr, constants: Sequence[Value], turns: _Turns, *given: Value) -> list[Value]:
    """Evaluate a program an equation at a time."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *given], strict=True))

    def read(atom: Any) -> Value:
        return atom.val if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        inputs = [read(v) for v in equation.invars]
        with equation.ctx.manager:
            found = _evaluate(equation, inputs, turns)
        known.update(zip(equation.outvars, found, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _evaluate(equation: Equation, inputs: list[Value], turns: _Turns) -> list[Value]:
    name, parameters = equation.primitive.name, dict(equation.params)
    if not any(True for _ in shared_out([equation])):
        return _bind(equation, inputs, parameters)
    if name in CALLS:
        held = next(parameters[key] for key in CALLED if key in parameters)
        inner = getattr(held, "jaxpr", held)
        return _run(inner, getattr(held, "consts", ()), turns, *inputs)
    if name == "custom_linear_solve":
        start = sum(parameters["const_lengths"][:2])
        taken = parameters["const_lengths"].solve
        right = inputs[sum(parameters["const_lengths"]) :]
        inner = parameters["jaxprs"].solve
        return _run(inner.jaxpr, inner.consts, turns, *inputs[start : start + taken], *right)
    parameters = anew(name, parameters, in_turn)
    found = _bind(equation, turns.wait(inputs), parameters)
    turns.pass_on(found)
    return found


def _bind(equation: Equation, inputs: list[Value], parameters: dict[str, Any]) -> list[Value]:
    primitive = equation.primitive
    found = primitive.bind(*inputs, **primitive.get_bind_params(parameters))
    return found if primitive.multiple_results else [found]
