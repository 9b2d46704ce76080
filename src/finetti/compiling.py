"""Choose how the compiler works, once a backend is known.

On a CPU, LLVM's late passes double the time to compile a program of many small loops and hardly
change how fast it runs. XLA's newer way to write loops, by MLIR, doubles it once more; what it
writes runs up to a third faster, so that only the sampler's loop is worth it. XLA hands sums over
some thousands of numbers or more to the library YNN, which makes a density's gradient three to ten
times slower (see benchmarks/): finetti asks it not to. Options are given where the compiler knows
them. On other backends the defaults stand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import jax
from jax.core import Tracer

from finetti.programs import kept

ONCE, OFTEN = 0, 1  # for programs that run once, and for the sampler's loop
BY_SIZE = 2  # ONCE, or OFTEN where the arguments hold so many numbers that running takes longer
LARGE = 1_000_000
LEVEL = "xla_backend_optimization_level"
PLAIN_SUMS = {"xla_cpu_experimental_ynn_fusion_type": ""}
PLAIN_LOOPS = {"xla_cpu_use_fusion_emitters": False}  # gone from the compiler of jax 0.12
EFFORT: dict[int, dict[str, Any]] = {
    ONCE: {LEVEL: 0, **PLAIN_SUMS, **PLAIN_LOOPS},
    OFTEN: {LEVEL: 1, **PLAIN_SUMS},
}


def compiled(level: int, *static: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator like `jax.jit` that compiles with an effort on a CPU.

    `level` is ONCE, OFTEN or BY_SIZE. `static` names the arguments that the compiled program
    depends on. Where another program is being traced the function becomes a part of that. What is
    compiled is kept (`programs`).
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @cache
        def ready(level: int) -> Callable[..., Any]:
            return jax.jit(function, static_argnames=static, compiler_options=_options(level))

        @wraps(function)
        def call(*args: Any) -> Any:
            leaves = jax.tree.leaves(args)
            if any(isinstance(leaf, Tracer) for leaf in leaves):
                return function(*args)
            with kept():
                return ready(_effort(level, leaves))(*args)

        return call

    return decorate


def _effort(level: int, leaves: list[Any]) -> int:
    """Return ONCE or OFTEN."""
    if level != BY_SIZE:
        return level
    return OFTEN if sum(getattr(leaf, "size", 1) for leaf in leaves) >= LARGE else ONCE


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
