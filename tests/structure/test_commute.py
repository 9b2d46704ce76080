"""Check that arithmetic done before members are picked is the same arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti.structure.commute import commute

INDEX = np.array([0, 2, 2, 1, 0, 3, 3, 3])
X, ROWS = np.array([0.5, -1.0, 2.0, 0.25]), np.linspace(-1, 1, 8)


def several(a, x):
    picked = x[INDEX]
    return picked * a + picked


MOVED = {
    "scaled": lambda a, x: a * x[INDEX],
    "shifted": lambda a, x: x[INDEX] + a,
    "divided": lambda a, x: x[INDEX] / a,
    "taken from": lambda a, x: a - x[INDEX],
    "in a row": lambda a, x: a - (a * x[INDEX]) / 3.0 + ROWS,
    "two kinds": lambda a, x: a + a * x[INDEX] + a**2 * x[INDEX[::-1]],
}
HELD = {
    "by row": lambda a, x: ROWS * x[INDEX],
    "used twice": several,
    "a divisor": lambda a, x: a / (x[INDEX] + ROWS),
    "not picked": lambda a, x: a * x,
    "filled": lambda a, x: a + x.at[INDEX + 2].get(mode="fill", fill_value=0.5),
    "compared": lambda a, x: jnp.where(x[INDEX] > a, 1.0, 0.0),
}


def traced(function):
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(function)(1.0, X)
        return closed.jaxpr, commute(closed.jaxpr), closed.consts


def rows(jaxpr):
    """Return the number of operations of arithmetic on a row each."""
    names = ("add", "sub", "mul", "div")
    return sum(e.primitive.name in names and e.outvars[0].aval.shape == (8,) for e in jaxpr.eqns)


@pytest.mark.parametrize("name", [*MOVED, *HELD])
def test_the_values_are_the_same(name):
    before, after, constants = traced({**MOVED, **HELD}[name])
    with jax.enable_x64(True):
        for a in (0.7, -3.0):
            expected = jax.core.eval_jaxpr(before, constants, jnp.asarray(a), jnp.asarray(X))
            found = jax.core.eval_jaxpr(after, constants, jnp.asarray(a), jnp.asarray(X))
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-14)


@pytest.mark.parametrize("name", MOVED)
def test_less_is_done_for_each_row(name):
    before, after, _ = traced(MOVED[name])
    assert rows(after) < rows(before)


@pytest.mark.parametrize("name", HELD)
def test_all_else_is_left_as_it_is(name):
    before, after, _ = traced(HELD[name])
    assert [e.primitive.name for e in after.eqns] == [e.primitive.name for e in before.eqns]
