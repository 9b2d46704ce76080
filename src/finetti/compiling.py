"""Choose how the compiler works, once a backend is known.

On a CPU, LLVM's first passes double the time to compile a program of many small loops, which then
runs two to three times as fast; the late ones double it once more and hardly change that. XLA's
newer way to write loops, by MLIR, doubles it too; what it writes runs up to a third faster, so
that only the sampler's loop and what is large are worth it. XLA hands sums over
some thousands of numbers or more to the library YNN, which makes a density's gradient three to ten
times slower (see benchmarks/): finetti asks it not to. Options are given where the compiler knows
them. On other backends the defaults stand.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import cache, wraps
from inspect import signature
from threading import Lock
from typing import Any, TypeVar
from weakref import ReferenceType, ref

import jax
from jax.core import Tracer
from jax.sharding import Mesh

from finetti.dividing import everywhere, mesh_of, undivided
from finetti.errors import SamplingError
from finetti.host.hosted import hosted
from finetti.jaxprs import made
from finetti.programs import kept
from finetti.turns import InTurn
from finetti.types import Tree, Value

ONCE, OFTEN = 0, 1  # for programs that run once, and for the sampler's loop
BY_SIZE = 2  # SOME, or OFTEN where each of thousands of evaluations makes many numbers
USUAL = 3  # as JAX compiles by itself
SOME = 4  # for programs that evaluate thousands of points, some hundred of them at a time
LARGE = 200_000  # numbers: 4,000 evaluations of as many cost without MLIR what compiling by it does
MOST = 128  # programs held in memory: a fit takes about 11, of 50 MB and 900 maps in all
LEVEL = "xla_backend_optimization_level"
PLAIN_SUMS = {"xla_cpu_experimental_ynn_fusion_type": ""}
PLAIN_LOOPS = {"xla_cpu_use_fusion_emitters": False}  # gone from the compiler of jax 0.12
EFFORT: dict[int, dict[str, Any]] = {
    ONCE: {LEVEL: 0, **PLAIN_SUMS, **PLAIN_LOOPS},
    SOME: {LEVEL: 1, **PLAIN_SUMS, **PLAIN_LOOPS},
    OFTEN: {LEVEL: 1, **PLAIN_SUMS},
    USUAL: {},
}


R = TypeVar("R")
Kind = tuple[Hashable, ...]  # fixed arguments, and what the others are


def compiled(
    level: int,
    *static: str,
    evaluations: Callable[..., tuple[int, int]] = lambda *_: (1, 1),
    calls: int = 4,
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return a decorator like `jax.jit` that compiles with an effort on a CPU.

    `level` is ONCE, OFTEN, BY_SIZE or USUAL. `static` names the arguments that the compiled program
    depends on. `evaluations` returns, for a call's arguments, how many it makes side by side, and
    how many times in a loop, which BY_SIZE asks for. Where another program is being traced the
    function becomes a part of that. By ONCE and BY_SIZE a program that is not worth compiling for
    about so many `calls` is run by numpy (`host`), and yields arrays of numpy's. What is compiled
    is kept: on disk (`programs`), and in memory the `MOST` that were used last.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        """Have a function's programs held, one for each kind of its arguments."""
        names = tuple(signature(function).parameters)
        places = tuple(names.index(name) for name in static)
        programs = Programs()

        @wraps(function)
        def call(*args: Any) -> R:
            fixed = {place: args[place] for place in places}
            given = tuple(arg for place, arg in enumerate(args) if place not in places)
            leaves, tree = jax.tree.flatten(given)
            if any(isinstance(leaf, Tracer) for leaf in leaves):
                return function(*undivided(args))
            _refuse_forked()
            key = (tuple(fixed.values()), tree, tuple(map(_kind, leaves)))

            def ready() -> Callable[..., Any]:
                """Return the program, which is compiled when it is first called."""
                own, settings = _own(function, fixed, mesh_of(given))
                effort = level
                if level in (ONCE, BY_SIZE):
                    # To be compiled it is traced, once: JAX keeps that.
                    traced = jax.jit(own, **settings).trace(*given)
                    here = None if settings else hosted(traced, calls)
                    if here is not None:
                        return here
                    if level == BY_SIZE:
                        beside, turns = evaluations(*args)
                        numbers = made(traced.jaxpr.eqns, turns=turns) // (beside * turns)
                        effort = OFTEN if numbers >= LARGE else SOME
                return InTurn(own, compiler_options=_options(effort), **settings)

            with kept():
                return IN_MEMORY.get(programs, key, ready)(*given)

        return call

    return decorate


class _Process:
    """Hold the number of the process that ran the first program; none 0."""

    number = 0


def _refuse_forked() -> None:
    """Refuse to compute in a process forked from one that has: JAX's threads are not in it."""
    if _Process.number not in (0, os.getpid()):
        raise SamplingError(
            "this process was forked from one in which finetti had computed, and would wait for "
            "ever: JAX's threads are not copied. Start processes by spawn, as "
            "multiprocessing.get_context('spawn').Pool() does, or give ft.fit_many(..., on=4)"
        )
    _Process.number = os.getpid()


class Programs(dict[Kind, Callable[..., Any]]):
    """Hold a function's programs, as long as there is the function."""


class Recent:
    """Let go of all programs but those used last.

    Each takes megabytes, and maps that a process can run out of. JAX itself forgets none, so that a
    process that fits a hundred models would end without memory.
    """

    def __init__(self, most: int) -> None:
        self.most, self.lock = most, Lock()
        self.order = OrderedDict[tuple[int, Kind], ReferenceType[Programs]]()

    def get(
        self, held: Programs, key: Kind, make: Callable[[], Callable[..., Any]]
    ) -> Callable[..., Any]:
        """Return what is held under a key, or what is made and held from now on."""
        with self.lock:
            if key not in held:
                held[key] = make()
            self.order[id(held), key] = ref(held)
            self.order.move_to_end((id(held), key))
            while len(self.order) > self.most:
                (_, oldest), holder = self.order.popitem(last=False)
                (holder() or {}).pop(oldest, None)
            return held[key]


IN_MEMORY = Recent(MOST)


def _own(
    function: Callable[..., Any], fixed: Mapping[int, Hashable], mesh: Mesh | None
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return a function of its own for some fixed arguments: what JAX keeps of it goes with it.

    Beside it come the settings of `jax.jit`: where it is given what is divided over a mesh, every
    device has what it yields.
    """

    @wraps(function)
    def own(*given: Value) -> Tree:
        rest = iter(given if mesh is None else undivided(given))
        places = range(len(fixed) + len(given))
        return function(*(fixed[place] if place in fixed else next(rest) for place in places))

    del own.__wrapped__  # whose parameters are others
    return own, {} if mesh is None else {"out_shardings": everywhere(mesh)}


def _kind(leaf: Value) -> Hashable:
    return (leaf.shape, leaf.dtype) if hasattr(leaf, "dtype") else type(leaf)


def _options(level: int) -> dict[str, Any] | None:
    if jax.default_backend() != "cpu":
        return None
    wished = EFFORT[level].items()
    return {name: value for name, value in wished if name == LEVEL or _knows(name, value)}


@cache
def _knows(name: str, value: Any) -> bool:
    """Tell whether the compiler knows an option: those that are experimental come and go."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value})()
    except jax.errors.JaxRuntimeError:
        return False
    return True
