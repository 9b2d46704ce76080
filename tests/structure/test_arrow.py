"""Hold the linear algebra of arrows to that of the dense matrices that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti.compiling import ONCE, compiled
from finetti.structure.rewrites.arrow.arrow import (
    Arrow,
    Vector,
    factorise,
    log_determinant,
    solve,
)
from finetti.structure.triangular import cholesky, lower_inverse, lower_solve

SIZES = (1, 4, 5, 8, 31)
SHAPES = [(3, 1, 0), (5, 2, 3), (2, 6, 9), (0, 0, 6)]  # members, k, m


@pytest.fixture(autouse=True)
def digits(float64):
    """Count in float64."""


def definite(*shape: int) -> np.ndarray:
    found = np.random.default_rng(1910).normal(size=(*shape, shape[-1]))
    return found @ np.swapaxes(found, -1, -2) + np.eye(shape[-1])


def arrow(count: int, k: int, m: int) -> Arrow:
    rng = np.random.default_rng(1871)
    blocks = definite(count, k) if count else np.zeros((0, 0, 0))
    couplings = rng.normal(size=(count, k, m))
    inverse = np.linalg.inv(blocks) if count else blocks
    left = np.einsum("jam,jab,jbn->mn", couplings, inverse, couplings)
    return Arrow(*map(jnp.asarray, (blocks, couplings, left + definite(m) if m else left)))


def dense(matrix: Arrow) -> jax.Array:
    """Return the whole matrix, blocks first."""
    count, k, m = matrix.couplings.shape
    blocks = jnp.eye(count)[:, None, :, None] * matrix.blocks[:, :, None]
    couplings = matrix.couplings.reshape(count * k, m)
    rows = [jnp.reshape(blocks, (count * k, count * k)), couplings], [couplings.T, matrix.corner]
    return jnp.block([list(row) for row in rows])


def vector(matrix: Arrow) -> Vector:
    rng, (count, k, m) = np.random.default_rng(3), matrix.couplings.shape
    return Vector(jnp.asarray(rng.normal(size=(count, k))), jnp.asarray(rng.normal(size=m)))


def flat(v: Vector) -> jax.Array:
    return jnp.concatenate([v.groups.ravel(), v.border])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transposed", [False, True])
def test_triangular_systems_are_solved(n, transposed):
    right = jnp.asarray(np.random.default_rng(2).normal(size=(3, n, 2)))

    @compiled(ONCE)
    def solved(matrix):
        factor = cholesky(matrix)
        return factor, lower_solve(factor, right, transposed), lower_inverse(factor)

    factor, found, inverse = map(np.asarray, solved(definite(3, n)))
    np.testing.assert_allclose(factor, np.linalg.cholesky(definite(3, n)), rtol=1e-12, atol=1e-12)
    left = np.swapaxes(factor, -1, -2) if transposed else factor
    np.testing.assert_allclose(left @ found, right, rtol=1e-9, atol=1e-9)
    whole = inverse @ factor
    np.testing.assert_allclose(whole, np.broadcast_to(np.eye(n), whole.shape), atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_inverse_is_that_of_the_whole_matrix(shape):
    matrix = arrow(*shape)
    count, k, _ = shape
    exact = np.linalg.inv(dense(matrix))

    @compiled(ONCE)
    def inverted(matrix):
        factor = factorise(matrix)
        return dense(factor.inverse()), flat(factor.variances())

    found, variances = inverted(matrix)
    mask = np.asarray(dense(Arrow(*(jnp.ones_like(part) for part in matrix)))) > 0
    np.testing.assert_allclose(found, np.where(mask, exact, 0), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(variances, np.diag(exact), rtol=1e-8)
    assert found.shape == (count * k + shape[2],) * 2


@pytest.mark.parametrize("shape", SHAPES)
def test_determinants_and_solutions_have_the_derivatives_of_the_dense_ones(shape):
    """First and second derivatives, along two random directions, chains last as in a sampler."""
    matrix, right = arrow(*shape), vector(arrow(*shape))
    rng = np.random.default_rng(5)
    along = [jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), matrix) for _ in "ab"]
    along = [a._replace(blocks=a.blocks + jnp.swapaxes(a.blocks, 1, 2)) for a in along]
    along = [a._replace(corner=a.corner + a.corner.T) for a in along]
    change = vector(matrix)

    def ours(x, y):
        at = jax.tree.map(lambda m, a, b: m + 0.01 * (x * a + y * b), matrix, *along)
        moved = Vector(right.groups + x * change.groups, right.border + y * change.border)
        factor = factorise(at)
        return log_determinant(at, factor) + moved.dot(solve(at, factor, moved))

    def plain(x, y):
        at = jax.tree.map(lambda m, a, b: m + 0.01 * (x * a + y * b), matrix, *along)
        moved = Vector(right.groups + x * change.groups, right.border + y * change.border)
        whole = dense(at)
        solved = jnp.linalg.solve(whole, flat(moved))
        return jnp.linalg.slogdet(whole)[1] + flat(moved) @ solved

    xs, ys = jnp.array([0.0, 0.3]), jnp.array([0.1, -0.2])

    def every(f):
        def at(x, y):
            return f(x, y), jax.grad(f, (0, 1))(x, y), jax.hessian(f, (0, 1))(x, y)

        return jax.tree.leaves(compiled(ONCE)(jax.vmap(at, -1, -1))(xs, ys))

    for a, b in zip(every(ours), every(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_a_groups_determinant_counts_as_often_as_weighed():
    matrix, weights = arrow(5, 2, 3), jnp.array([1.0, 2.0, 0.5, 4.0, 3.0])

    def weighed(blocks):
        at = matrix._replace(blocks=blocks)
        return log_determinant(at, factorise(at), weights)

    def plain(blocks):
        own = jnp.linalg.slogdet(blocks)[1]
        whole = jnp.linalg.slogdet(dense(matrix._replace(blocks=blocks)))[1]
        return whole + jnp.sum((weights - 1) * own)

    both = [compiled(ONCE)(jax.value_and_grad(f))(matrix.blocks) for f in (weighed, plain)]
    (value, slope), (exact_value, exact_slope) = both
    np.testing.assert_allclose(value, exact_value, rtol=1e-10)
    ours, exact = (a + jnp.swapaxes(a, 1, 2) for a in (slope, exact_slope))
    np.testing.assert_allclose(ours, exact, rtol=1e-8, atol=1e-10)
