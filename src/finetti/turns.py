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
from functools import cache, partial
from importlib.metadata import version
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from finetti.jaxprs import CALLS, DIFFERENTIATED, anew, bind, called, inside, run
from finetti.types import Array, Equation, Tree, Value

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
NEVER = -3.08254e307  # no element is equal to it


class InTurn:
    """Call a jitted function; where it calls LAPACK several times, with each call in its turn.

    `settings` are those of `jax.jit`.
    """

    def __init__(self, function: Callable[..., Tree], **settings: Any) -> None:
        self.function, self.settings = function, settings
        self.program: Callable[..., Tree] | None = None

    def __call__(self, *given: Tree) -> Tree:
        """Return what the function yields."""
        if self.program is None:
            self.program = self._program(given)
        return self.program(*given)

    def _program(self, given: tuple[Tree, ...]) -> Callable[..., Tree]:
        plain = jax.jit(self.function, **self.settings)
        if not hanging():
            return plain
        traced = plain.trace(*given)
        if sum(1 for _ in shared_out(traced.jaxpr.eqns)) < 2:
            return plain
        waiting, tree = in_turn(traced.jaxpr), jax.tree.structure(traced.out_info)

        def written(*given: Tree) -> Tree:
            return jax.tree.unflatten(tree, waiting(*jax.tree.leaves(given)))

        return jax.jit(written, **self.settings)


@cache
def hanging() -> bool:
    """Tell whether this machine's runtime can hang."""
    installed = tuple(int(part) for part in version("jaxlib").split(".")[:2])
    return installed < MENDED and jax.default_backend() == "cpu"


def in_turn(closed: ClosedJaxpr) -> Callable[..., list[Value]]:
    """Return the function of a program in which batched calls of LAPACK wait for one another."""

    def waiting(*given: Value) -> list[Value]:
        return run(closed.jaxpr, [*closed.consts, *given], partial(_evaluate, _Turns()))

    return waiting


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


def _evaluate(turns: _Turns, equation: Equation, inputs: list[Value]) -> list[Value]:
    """Return what an equation yields; what it calls is evaluated in its place."""
    name, parameters = equation.primitive.name, equation.params
    each = partial(_evaluate, turns)
    with equation.ctx.manager:
        if not any(True for _ in shared_out([equation])):
            return bind(equation, inputs)
        call = called(equation, CALLS | DIFFERENTIATED)
        if call is not None:
            inner, constants = call
            return run(inner, [*constants, *inputs], each)
        if name == "custom_linear_solve":
            start = sum(parameters["const_lengths"][:2])
            taken = parameters["const_lengths"].solve
            right = inputs[sum(parameters["const_lengths"]) :]
            inner = parameters["jaxprs"].solve
            return run(inner.jaxpr, [*inner.consts, *inputs[start : start + taken], *right], each)
        found = bind(equation, turns.wait(inputs), anew(name, parameters, in_turn))
        turns.pass_on(found)
        return found
