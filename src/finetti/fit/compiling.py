"""Choose how hard the compiler tries, once a backend is known.

On a CPU, LLVM's late passes double the time to compile a program of many small loops and hardly
change how fast it runs (see benchmarks/). On other backends the defaults stand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import jax
from jax.core import Tracer

ONCE, OFTEN = 0, 1  # LLVM levels for programs that run once, and for the sampler's loop


def compiled(level: int, *static: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator like `jax.jit` that compiles at an LLVM level on a CPU.

    `static` names the arguments that the compiled program depends on. Where another program is
    being traced the function becomes a part of that.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @cache
        def ready() -> Callable[..., Any]:
            on_cpu = jax.default_backend() == "cpu"
            options = {"xla_backend_optimization_level": level} if on_cpu else None
            return jax.jit(function, static_argnames=static, compiler_options=options)

        @wraps(function)
        def call(*args: Any) -> Any:
            traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(args))
            return function(*args) if traced else ready()(*args)

        return call

    return decorate
