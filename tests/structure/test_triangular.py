"""Hold how a model's own systems and factors are computed to JAX's way, derivatives and all."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.evaluated import MIDDLE
from finetti.structure.triangular import cholesky, solve_equation

SIZES = (1, 4, 9, MIDDLE + 1)
ROWS = MIDDLE + 1
FLAGS = ("left_side", "lower", "transpose_a", "unit_diagonal")


@pytest.fixture(autouse=True)
def digits(float64):
    """Count in float64."""


def derivatives(function):
    """Return a function's value, its change along a tangent, and what that pulls back."""

    @compiled(ONCE)
    def every(primals, tangents):
        value, change = jax.jvp(function, primals, tangents)
        return value, change, jax.vjp(function, *primals)[1](change)

    return every


def close(ours, theirs):
    """Hold two trees of arrays to be the same."""
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", SIZES)
def test_a_system_is_solved_as_jax_solves_it(n):
    rng = np.random.default_rng(1)
    ways = [
        dict(zip(FLAGS, values, strict=True)) | {"conjugate_a": False}
        for values in itertools.product((False, True), repeat=len(FLAGS))
    ]

    def every(solve, factor, right):
        turned = jnp.swapaxes(right, 1, 2)
        return [solve(factor, right if how["left_side"] else turned, **how) for how in ways]

    factor, right = rng.normal(size=(2, n, n)) + 3 * np.eye(n), rng.normal(size=(2, n, 3))
    along = rng.normal(size=factor.shape), rng.normal(size=right.shape)
    given = (factor, right), along
    close(
        derivatives(partial(every, solve_equation))(*given),
        derivatives(partial(every, jax.lax.linalg.triangular_solve))(*given),
    )


@pytest.mark.parametrize("n", SIZES)
def test_a_factor_changes_as_jax_says(n):
    rng = np.random.default_rng(2)
    root, change = rng.normal(size=(2, n, n)), rng.normal(size=(2, n, n))
    given = (root,), (change,)

    def positive(root):
        return root @ jnp.swapaxes(root, 1, 2) + jnp.eye(n)

    ours = derivatives(lambda root: cholesky(positive(root)))
    theirs = derivatives(lambda root: jnp.linalg.cholesky(positive(root)))
    close(ours(*given), theirs(*given))


@ft.model
def curve(x):
    """Observe a Gaussian process, and its variance's factor as a number."""
    length = ft.sample("length", ft.LogNormal(0, 1))
    covariance = jnp.exp(-(((x[:, None] - x) / length) ** 2) / 2) + 0.1 * jnp.eye(len(x))
    ft.sample("y", ft.MultivariateNormal(jnp.zeros(len(x)), covariance_matrix=covariance))
    ft.deterministic("root", jnp.linalg.cholesky(covariance))


def test_a_models_equations_are_evaluated_so():
    """The program's density and slope are those of the function that the model is."""
    x, y = np.linspace(0, 2, ROWS), np.sin(np.arange(ROWS))
    program = curve(x).condition(y=y).plan().program
    text = str(jax.make_jaxpr(lambda free: program(program.constants, free).log_joint)(
        {"length": jnp.zeros(())}
    ))  # fmt: skip
    assert "triangular_solve" not in text

    def ours(z):
        return program(program.constants, {"length": z}).log_joint

    def theirs(z):
        length = jnp.exp(z)
        covariance = jnp.exp(-(((x[:, None] - x) / length) ** 2) / 2) + 0.1 * jnp.eye(len(x))
        prior = ft.LogNormal(0, 1).log_prob(length)
        return prior + jax.scipy.stats.multivariate_normal.logpdf(y, jnp.zeros(ROWS), covariance)

    for z in (-0.7, 0.4):
        close(jax.value_and_grad(ours)(z), jax.value_and_grad(theirs)(z))


def test_a_matrix_without_a_factor_has_no_density():
    """As with JAX: not a number, where the matrix is not positive definite."""
    for n in SIZES:
        indefinite = jnp.eye(n).at[n - 1, n - 1].set(-1.0)
        assert jnp.isnan(cholesky(indefinite)[n - 1, n - 1])
