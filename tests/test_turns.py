"""Hold batched calls of LAPACK in one program to wait for one another, and to change nothing."""

import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti import compiling, turns
from finetti.jaxprs import held

pytestmark = pytest.mark.skipif(not turns.hanging(), reason="only jaxlib 0.10 on a CPU hangs")
MATRICES = np.random.default_rng(1).normal(size=(5, 3, 3)) + 4 * np.eye(3)


def solve(matrix):
    return jax.scipy.linalg.solve_triangular(matrix, jnp.sin(matrix), lower=True)


def apart(a):
    return solve(a), jnp.linalg.cholesky(a @ a.T), jnp.linalg.eigh(a + a.T)[0]


def looped(a):
    steps = jax.lax.scan(lambda c, _: (c + solve(c).sum() + solve(c + 1).max(), c), a, length=3)
    turned = jax.lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + solve(c[1])), (0, a)
    )
    return steps, turned, solve(a + 1)


def chosen(a):
    return jax.lax.cond(a[0, 0] > 4, solve, lambda a: solve(a + 1), a), jnp.linalg.inv(a), solve(a)


def sloped(a):
    return jax.grad(lambda a: sum(jnp.sum(x) for x in (*apart(a), solve(a))))(a)


@jax.custom_jvp
def own(a):
    return solve(a) + solve(a + 1)


own.defjvp(lambda primals, tangents: (own(*primals), tangents[0]))
CASES = (apart, looped, chosen, sloped, own, jax.checkpoint(apart))


def closed_of(function):
    """Return a program of many matrices; a condition is one for all of them."""
    many = jax.vmap(function) if function is not chosen else partial(each, function)
    return jax.make_jaxpr(many)(MATRICES)


def each(function, matrices):
    return function(matrices[0]), jax.vmap(solve)(matrices), jax.vmap(jnp.linalg.inv)(matrices)


@pytest.mark.parametrize("function", CASES, ids=lambda f: getattr(f, "__name__", "own"))
def test_a_program_yields_the_same_with_its_calls_in_turn(function, float64):
    closed = closed_of(function)
    given = jax.tree.leaves(MATRICES)
    # Plain loops compute an operand twice where it is used twice, with roundings that differ.
    options = {n: not v for n, v in compiling.PLAIN_LOOPS.items() if compiling._knows(n, v)}
    plain = jax.jit(jax.extend.core.jaxpr_as_fun(closed), compiler_options=options)
    written = jax.jit(turns.in_turn(closed), compiler_options=options)
    with jax.default_matmul_precision("highest"):
        for one, other in zip(plain(*given), written(*given), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("function", CASES, ids=lambda f: getattr(f, "__name__", "own"))
def test_each_call_depends_on_the_one_before(function, float64):
    closed = closed_of(function)
    written = jax.make_jaxpr(turns.in_turn(closed))(MATRICES)
    assert len(list(turns.shared_out(written.jaxpr.eqns))) > 1
    assert ordered(written.jaxpr)


def test_a_program_may_be_traced_again(float64):
    """As where JAX has forgotten what it had traced: nothing is left of the first time."""
    run = turns.in_turn(closed_of(apart))
    for _ in range(2):
        jax.make_jaxpr(run)(MATRICES)


def ordered(jaxpr):
    """Tell whether, of all that calls LAPACK here, each depends on the one before."""
    reached, first = set(), True
    for equation in jaxpr.eqns:
        inputs = {v for v in equation.invars if not hasattr(v, "val")}
        calls = any(True for _ in turns.shared_out([equation]))
        if calls and not first and not inputs & reached:
            return False
        if calls:
            reached, first = set(equation.outvars), False
        elif inputs & reached:
            reached |= set(equation.outvars)
        if calls and not all(map(ordered, held(equation))):
            return False
    return True


HANGING = """
import sys
import jax, jax.numpy as jnp, numpy as np
from finetti.compiling import ONCE, compiled

jax.config.update("jax_enable_x64", True)

@compiled(ONCE)
def several(factors, right):
    def one(factor, right):
        return [jax.scipy.linalg.solve_triangular(factor, right + i, lower=True) for i in range(3)]
    return jax.vmap(one)(factors, right)

rng = np.random.default_rng(1)
found = several(rng.normal(size=(1000, 2, 2)) + 5 * np.eye(2), rng.normal(size=(1000, 2, 400)))
print(len(jax.block_until_ready(found)))
"""


def test_what_hung_ends():
    """Three batched systems that depend on nothing of one another hung on two cores."""
    environment = os.environ | {"FINETTI_CACHE": "off"}
    run = subprocess.run(
        [sys.executable, "-c", HANGING],
        env=environment,
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert run.stdout.split() == [b"3"]
