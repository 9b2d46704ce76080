"""Have a loop compiled as one native function, where the compiler can and the arrays are small.

XLA runs a loop on a CPU as a list of kernels, some 120 a step of the sampler, each started by the
runtime. Called with the attribute `xla_cpu_small_call` the whole loop becomes one function: on
jaxlib 0.10 a step of Eight Schools takes a third of the time, and compiling three quarters. That
function has one thread, and there are operations that it cannot be made of.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun

from finetti.jaxprs import inside
from finetti.types import Equation, Jaxpr, Tree

try:
    from jax.experimental.scheduling_groups import xla_metadata_call
except ImportError:  # an experiment of JAX's; without it loops run as they are
    xla_metadata_call = None

LARGEST = 20_000  # numbers in an array that a step computes
# Operations of any size: those that are looked into, and the one that writes the record in place.
CALLS = frozenset({"cond", "while", "jit", "pjit", "scan", "dynamic_update_slice"})  # looked into
UNFIT = frozenset(
    {
        "cholesky",
        "triangular_solve",
        "lu",
        "eig",
        "eigh",
        "qr",
        "svd",
        "householder_product",
        "schur",
        "tridiagonal",
        "sort",
        "top_k",
        "fft",
        "conv_general_dilated",
        "cumsum",
        "cumprod",
        "cummax",
        "cummin",
        "cumlogsumexp",
        "reduce_window",
        "pure_callback",
        "io_callback",
        "debug_callback",
        "ffi_call",
        "scatter",
        "scatter-mul",
        "scatter-min",
        "scatter-max",
        "rng_bit_generator",
    }
)
ATTRIBUTES = {"xla_cpu_small_call": "true", "inlineable": "false"}


def at_once(loop: Callable[..., Tree], *inputs: Tree) -> Tree:
    """Return what a loop yields, compiled as one native function where that pays.

    The loop takes all that it depends on as inputs.
    """
    closed, shapes = jax.make_jaxpr(loop, return_shape=True)(*inputs)
    run: Any = jaxpr_as_fun(closed)
    if xla_metadata_call is not None and suits(closed.jaxpr):
        run = partial(xla_metadata_call, **ATTRIBUTES)(run)
    return jax.tree.unflatten(jax.tree.structure(shapes), run(*jax.tree.leaves(inputs)))


def suits(jaxpr: Jaxpr) -> bool:
    """Tell whether the steps of a program's loops are of operations that fit, on small arrays."""
    loops = [e for e in jaxpr.eqns if e.primitive.name == "while"]
    steps = (
        equation for loop in loops for equation in inside(loop.params["body_jaxpr"].jaxpr.eqns)
    )
    return jax.default_backend() == "cpu" and all(map(_fits, steps))


def _fits(equation: Equation) -> bool:
    name = equation.primitive.name
    if name in CALLS:
        return True
    if name == "gather" and prod(equation.invars[1].aval.shape[:-1]) > 1:
        return False  # of a table that the step computes it has aborted the process; see the tests
    if name == "scatter-add" and prod(equation.invars[1].aval.shape[:-1]) > 1:
        return False  # at one place it is a slice
    sizes = [prod(v.aval.shape) for v in equation.outvars]
    return name not in UNFIT and max(sizes, default=0) <= LARGEST
