"""Check that draws of several dimensions, and wrappers, are of the law that their density is of.

Under draws of p(x | 0) the ratio p(x | t) / p(x | 0) has mean 1 for every t, since densities
integrate to 1. Each family has two parameters, which are moved both ways; draws of a law that is a
little off must be seen in all of them. Factors of a density without parameters are not seen.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

DRAWS, STEP, ERRORS = 4000, 0.1, 5.0  # ERRORS of Monte Carlo, of 144 means
MOVES = STEP * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
COV = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 0.8]])
CHOL, ONES = np.linalg.cholesky(COV), np.ones(3)
NEAR = np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
PARTS = np.array([0.2, 0.3, 0.5])


def skewed(a):
    return jnp.stack([0.3 + a, jnp.array(-0.2)])


def drift(a, b):
    return lambda x, t: (a - x, jnp.exp(b) * jnp.ones_like(x))


E = jnp.exp
LAWS = {
    "CAR": lambda a, b: ft.CAR(a * ONES, 0.5, 2 * E(b), NEAR),
    "CirculantNormal": lambda a, b: ft.CirculantNormal(
        a * ONES, E(b) * np.array([1.0, 0.3, 0.3])
    ),
    "Dirichlet": lambda a, b: ft.Dirichlet(jnp.stack([2 * E(a), 3 * E(b), jnp.array(1.5)])),
    "DirichletMultinomial": lambda a, b: ft.DirichletMultinomial(
        jnp.stack([2 * E(3 * a), 3 * E(3 * b), jnp.array(1.5)]), 5
    ),
    "EulerMaruyama": lambda a, b: ft.EulerMaruyama(
        np.linspace(0, 2.0, 5), drift(a, b), ft.Normal(a, 1.0)
    ),
    "GaussianCopula": lambda a, b: ft.GaussianCopula(
        ft.Normal(a, E(b)).expand([3]), correlation_matrix=COV / np.sqrt(
            np.outer(np.diag(COV), np.diag(COV))
        )
    ),
    "GaussianRandomWalk": lambda a, b: ft.GaussianRandomWalk(E(a + b), 4),
    "GaussianStateSpace": lambda a, b: ft.GaussianStateSpace(
        3, jnp.stack([0.5 + a, jnp.array(0.3)])[:, None] * jnp.eye(2), E(b) * COV[:2, :2]
    ),
    "HurdleDistribution": lambda a, b: ft.HurdleDistribution(
        ft.Poisson(2 * E(a)), gate=0.3 + b / 2
    ),
    "HurdleGamma": lambda a, b: ft.HurdleGamma(0.3 + b / 2, 2.0, 1.5 * E(a)),
    "HurdleLogNormal": lambda a, b: ft.HurdleLogNormal(0.3 + b / 2, a, 0.7),
    "HurdleLogits": lambda a, b: ft.distributions.HurdleLogits(ft.Poisson(2 * E(a)), 3 * b),
    "HurdleProbs": lambda a, b: ft.distributions.HurdleProbs(ft.Poisson(2 * E(a)), 0.3 + b / 2),
    "Independent": lambda a, b: ft.Independent(ft.Normal(a * ONES, E(b)), 1),
    "InverseWishart": lambda a, b: ft.InverseWishart(6 * E(a), scale_matrix=E(b) * COV),
    "InverseWishartCholesky": lambda a, b: ft.InverseWishartCholesky(
        6 * E(a), scale_matrix=E(b) * COV
    ),
    "LKJ": lambda a, b: ft.LKJ(3, 2 * E(2 * (a + b))),
    "LKJCholesky": lambda a, b: ft.LKJCholesky(3, 2 * E(2 * (a + b))),
    "LowRankMultivariateNormal": lambda a, b: ft.LowRankMultivariateNormal(
        a * ONES, 0.7 * ONES[:, None], E(b) * ONES
    ),
    "MatrixNormal": lambda a, b: ft.MatrixNormal(a * np.ones((3, 2)), E(b) * CHOL, CHOL[:2, :2]),
    "Mixture": lambda a, b: ft.distributions.Mixture(
        ft.Categorical(PARTS), ft.Normal(a + np.array([-3.0, 0, 2]), E(b))
    ),
    "Multinomial": lambda a, b: ft.Multinomial(6, logits=jnp.stack([a, b, jnp.array(0.5)])),
    "MultinomialLogits": lambda a, b: ft.MultinomialLogits(
        jnp.stack([a, b, jnp.array(0.5)]), 6
    ),
    "MultinomialProbs": lambda a, b: ft.MultinomialProbs(
        jax.nn.softmax(jnp.stack([a, b, jnp.array(0.5)])), 6
    ),
    "MultivariateNormal": lambda a, b: ft.MultivariateNormal(a * ONES, E(b) * COV),
    "MultivariateStudentT": lambda a, b: ft.MultivariateStudentT(5.0, a * ONES, E(b) * CHOL),
    "ProjectedNormal": lambda a, b: ft.ProjectedNormal(jnp.stack([1 + a, 0.5 + b])),
    "RelaxedBernoulli": lambda a, b: ft.RelaxedBernoulli(0.7 * E(a), logits=2 * b),
    "RelaxedBernoulliLogits": lambda a, b: ft.RelaxedBernoulliLogits(0.7 * E(a), 2 * b),
    "SineBivariateVonMises": lambda a, b: ft.SineBivariateVonMises(
        a, 0.5 + b, 2.0, 3.0, correlation=0.5
    ),
    "SineSkewed": lambda a, b: ft.SineSkewed(
        ft.VonMises(b + np.array([0.0, 1.0]), 2.0).to_event(1), skewed(2 * a)
    ),
    "Wishart": lambda a, b: ft.Wishart(5 * E(a), scale_matrix=E(b) * COV),
    "WishartCholesky": lambda a, b: ft.WishartCholesky(5 * E(a), scale_matrix=E(b) * COV),
    "Ordered": lambda a, b: ft.Ordered(ft.Normal(a, E(b)).expand([3])),
    "ZeroSumNormal": lambda a, b: ft.ZeroSumNormal(E(a + b), (4,)),
    "von Mises mixture": lambda a, b: ft.MixtureSameFamily(
        ft.Categorical(PARTS), ft.VonMises(a + np.array([-2.0, 0, 2]), 4 * E(b))
    ),
}  # fmt: skip
FAST = {
    "Dirichlet", "HurdleLogNormal", "Independent", "MultivariateNormal",
    "Multinomial", "ZeroSumNormal", "von Mises mixture",
}  # fmt: skip


def errors(make, moved=(0.0, 0.0)):
    """Return by how many standard errors the mean ratios of each move differ from 1."""
    with jax.enable_x64(True):
        x = make(*map(jnp.array, moved)).sample(jax.random.key(5), (DRAWS,))
        log_p = jax.jit(jax.vmap(lambda t: make(t[0], t[1]).log_prob(x)))(jnp.asarray(MOVES))
    log_p = np.asarray(log_p).reshape(len(MOVES), DRAWS)
    assert np.isfinite(log_p[0]).all()
    ratio = np.exp(log_p[1:] - log_p[0])
    assert (ratio.std(1) > 1e-3).all()
    return (ratio.mean(1) - 1) / (ratio.std(1) / np.sqrt(DRAWS))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in FAST else [pytest.mark.slow]) for n in LAWS]
)
def test_draws_are_of_the_density(name):
    make = LAWS[name]
    assert np.abs(errors(make)).max() < ERRORS
    assert np.abs(errors(make, (2 * STEP, 0.0))[:2]).max() > ERRORS
    assert np.abs(errors(make, (0.0, 2 * STEP))[2:]).max() > ERRORS


def test_a_delta_draws_its_value():
    d = ft.Delta(np.array([1.0, 2.0]))
    assert np.asarray(d.sample(jax.random.key(0))).tolist() == [1.0, 2.0]
    assert np.asarray(d.log_prob(np.array([1.0, 3.0]))).tolist() == [0.0, -np.inf]


@pytest.mark.parametrize("make", [ft.Flat, ft.HalfFlat])
def test_an_improper_law_has_no_draws(make):
    with pytest.raises(NotImplementedError):
        make().sample(jax.random.key(0))
