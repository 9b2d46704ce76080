"""Hold each of PyMC4's distributions to its own signature, scipy's density, and its copies."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

import finetti as ft
from finetti.dialects import pymc4 as pm
from finetti.dialects.pymc4.distributions import COUNTS
from finetti.dialects.pymc4.families import FAMILIES

P, C = np.array([0.2, 0.5, 0.3]), np.array([[2.0, 0.6], [0.6, 1.5]])
TRIL = np.linalg.cholesky(C)


def inflated(psi, law, x):
    return np.log((1 - psi) * (x == 0) + psi * law.pmf(x))


def negative_binomial(mu, alpha):
    return stats.nbinom(alpha, alpha / (mu + alpha))


# Parameters in the order of PyMC4's own signatures (pymc4/distributions, 2020), asymmetric values,
# a value in the support, its log density by scipy, and a value off the support.
CASES = {
    "AR": ({"num_timesteps": 2, "coefficients": np.array([0.5, -0.2]), "level_scale": 0.3,
            "initial_state": np.array([0.1, 0.4]), "initial_step": 0}, np.array([[0.1], [0.5]]),
           stats.norm(0.1, 1e-6).logpdf(0.1) + stats.norm(0.05 - 0.08, 0.3).logpdf(0.5), None),
    "Bernoulli": ({"probs": 0.3}, 1, stats.bernoulli(0.3).logpmf(1), 2),
    "Beta": ({"concentration0": 2.0, "concentration1": 5.0}, 0.3,
             stats.beta(5, 2).logpdf(0.3), 1.2),
    "BetaBinomial": ({"total_count": 9, "concentration0": 2.0, "concentration1": 5.0}, 4,
                     stats.betabinom(9, 5, 2).logpmf(4), 10),
    "Binomial": ({"total_count": 9, "probs": 0.3}, 4, stats.binom(9, 0.3).logpmf(4), 10),
    "Categorical": ({"probs": P}, 1, np.log(0.5), 3),
    "Cauchy": ({"loc": 1.0, "scale": 2.0}, 0.3, stats.cauchy(1, 2).logpdf(0.3), None),
    "Chi2": ({"df": 3.0}, 2.5, stats.chi2(3).logpdf(2.5), -1.0),
    "Dirichlet": ({"concentration": np.array([2.0, 3.0, 5.0])}, P,
                  stats.dirichlet([2, 3, 5]).logpdf(P), np.array([0.5, 0.6, 0.2])),
    "DiscreteUniform": ({"low": 2, "high": 7}, 7, np.log(1 / 6), 8),
    "Exponential": ({"rate": 3.0}, 0.4, stats.expon(scale=1 / 3).logpdf(0.4), -0.1),
    "Flat": ({}, 7.0, 0.0, None),
    "Gamma": ({"concentration": 2.0, "rate": 3.0}, 0.4, stats.gamma(2, scale=1 / 3).logpdf(0.4),
              -0.1),
    "GeneralizedNormal": ({"loc": 1.0, "scale": 2.0, "power": 3.0}, 0.3,
                          stats.gennorm(3, 1, 2).logpdf(0.3), None),
    "Geometric": ({"probs": 0.3}, 2, stats.geom(0.3).logpmf(3), -1),
    "Gumbel": ({"loc": 1.0, "scale": 2.0}, 0.3, stats.gumbel_r(1, 2).logpdf(0.3), None),
    "HalfCauchy": ({"scale": 2.0}, 0.3, stats.halfcauchy(0, 2).logpdf(0.3), -0.1),
    "HalfFlat": ({}, 7.0, 0.0, -1.0),
    "HalfNormal": ({"scale": 2.0}, 0.3, stats.halfnorm(0, 2).logpdf(0.3), -0.1),
    "HalfStudentT": ({"df": 3.0, "scale": 2.0}, 0.3, np.log(2) + stats.t(3, 0, 2).logpdf(0.3),
                     -0.1),
    "InverseGamma": ({"concentration": 2.0, "scale": 3.0}, 0.4,
                     stats.invgamma(2, scale=3).logpdf(0.4), -0.1),
    "InverseGaussian": ({"loc": 2.0, "concentration": 3.0}, 0.4,
                        stats.invgauss(2 / 3, scale=3).logpdf(0.4), -0.1),
    "Kumaraswamy": ({"concentration0": 2.0, "concentration1": 5.0}, 0.3,
                    np.log(2 * 5 * 0.3**4 * (1 - 0.3**5)), 1.2),
    "LKJ": ({"dimension": 2, "concentration": 3.0}, np.array([[1, 0.4], [0.4, 1]]),
            2 * np.log(1 - 0.16) - np.log(16 / 15), np.array([[1, 1.4], [1.4, 1]])),
    "LKJCholesky": ({"dimension": 2, "concentration": 3.0},
                    np.array([[1, 0], [0.4, np.sqrt(0.84)]]),
                    2 * np.log(1 - 0.16) - np.log(16 / 15), np.array([[1, 0], [0.4, 2.0]])),
    "Laplace": ({"loc": 1.0, "scale": 2.0}, 0.3, stats.laplace(1, 2).logpdf(0.3), None),
    "LogNormal": ({"loc": 1.0, "scale": 2.0}, 0.3,
                  stats.lognorm(2, scale=np.e).logpdf(0.3), -0.1),
    "Logistic": ({"loc": 1.0, "scale": 2.0}, 0.3, stats.logistic(1, 2).logpdf(0.3), None),
    "LogitNormal": ({"loc": 1.0, "scale": 2.0}, 0.3,
                    stats.norm(1, 2).logpdf(special.logit(0.3)) - np.log(0.3 * 0.7), 1.2),
    "Moyal": ({"loc": 1.0, "scale": 2.0}, 0.3, stats.moyal(1, 2).logpdf(0.3), None),
    "Multinomial": ({"total_count": 9, "probs": P}, np.array([2, 4, 3]),
                    stats.multinomial(9, P).logpmf([2, 4, 3]), np.array([2, 4, 4])),
    "MvNormal": ({"loc": np.array([1.0, 2.0]), "covariance_matrix": C}, np.array([0.3, 0.4]),
                 stats.multivariate_normal([1, 2], C).logpdf([0.3, 0.4]), None),
    "MvNormalCholesky": ({"loc": np.array([1.0, 2.0]), "scale_tril": TRIL}, np.array([0.3, 0.4]),
                         stats.multivariate_normal([1, 2], C).logpdf([0.3, 0.4]), None),
    "NegativeBinomial": ({"total_count": 4.0, "probs": 0.3}, 2, stats.nbinom(4, 0.7).logpmf(2),
                         -1),
    "Normal": ({"loc": 1.0, "scale": 2.0}, 0.3, stats.norm(1, 2).logpdf(0.3), None),
    "OrderedLogistic": ({"loc": 0.7, "cutpoints": np.array([-1.0, 2.0])}, 1,
                        np.log(special.expit(1.3) - special.expit(-1.7)), 3),
    "Pareto": ({"concentration": 2.0, "scale": 3.0}, 4.0, stats.pareto(2, scale=3).logpdf(4),
               2.0),
    "Poisson": ({"rate": 3.0}, 2, stats.poisson(3).logpmf(2), -1),
    "StudentT": ({"loc": 1.0, "scale": 2.0, "df": 3.0}, 0.3, stats.t(3, 1, 2).logpdf(0.3), None),
    "Triangular": ({"low": 1.0, "peak": 2.0, "high": 5.0}, 3.0,
                   stats.triang(1 / 4, 1, 4).logpdf(3), 5.5),
    "TruncatedNormal": ({"loc": 1.0, "scale": 2.0, "low": 0.0, "high": 5.0}, 3.0,
                        stats.truncnorm(-0.5, 2, 1, 2).logpdf(3), 5.5),
    "Uniform": ({"low": 1.0, "high": 5.0}, 3.0, np.log(0.25), 5.5),
    "VonMises": ({"loc": 1.0, "concentration": 2.0}, 0.3, stats.vonmises(2, 1).logpdf(0.3), None),
    "Weibull": ({"concentration": 2.0, "scale": 3.0}, 0.4,
                stats.weibull_min(2, scale=3).logpdf(0.4), -0.1),
    "Wishart": ({"df": 4.0, "scale": TRIL}, np.array([[3.0, 0.5], [0.5, 2.0]]),
                stats.wishart(4, C).logpdf(np.array([[3.0, 0.5], [0.5, 2.0]])),
                np.array([[1.0, 2.0], [2.0, 1.0]])),
    "ZeroInflatedBinomial": ({"psi": 0.8, "n": 9, "p": 0.3}, 0,
                             inflated(0.8, stats.binom(9, 0.3), 0), -1),
    "ZeroInflatedNegativeBinomial": ({"psi": 0.8, "mu": 3.0, "alpha": 2.0}, 4,
                                     inflated(0.8, negative_binomial(3, 2), 4), -1),
    "ZeroInflatedPoisson": ({"psi": 0.8, "theta": 3.0}, 0, inflated(0.8, stats.poisson(3), 0),
                            -1),
    "VonMisesFisher": ({"mean_direction": np.array([0.6, 0.0, 0.8]), "concentration": 3.0},
                       np.array([0.0, 0.0, 1.0]),
                       stats.vonmises_fisher([0.6, 0, 0.8], 3).logpdf([0, 0, 1]),
                       np.array([0.0, 0.0, 1.1])),
    "Zipf": ({"power": 2.5}, 3, stats.zipf(2.5).logpmf(3), 0),
}  # fmt: skip


def log_density(distribution, value):
    @pm.model
    def model():
        yield distribution

    state = pm.evaluate_model(model(), {f"model/{distribution.name}": value})[1]
    return state.collect_log_prob()


def test_every_distribution_has_a_case():
    assert CASES.keys() == FAMILIES.keys() - {"Mixture"}


@pytest.mark.parametrize("name", CASES)
def test_each_takes_its_own_keywords_and_their_order(name):
    given, value, known, off = CASES[name]
    make = getattr(pm, name)
    assert log_density(make("x", **given), value) == pytest.approx(known, rel=1e-6)
    ways = make("x", *given.values()), make.dist(**given).prior("x"), make.dist(*given.values())
    assert all(list(made.values.items()) == list(given.items()) for made in ways)
    if off is not None:
        assert log_density(make("x", **given), off) == -np.inf
    whole = np.asarray(value).dtype.kind == "i"
    if whole and np.ndim(value) == 0:
        assert log_density(make("x", **given), value + 0.5) == -np.inf


BATCHED = [n for n in CASES if CASES[n][0]]


FEW = ("AR", "Dirichlet", "MvNormal", "NegativeBinomial", "Normal")  # the others are slow tests


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in BATCHED]
)
def test_copies_stand_where_pymc4_put_them(name):
    given, value, _, _ = CASES[name]
    first = next(p for p in given if p not in COUNTS)
    batched = {**given, first: np.stack([given[first], given[first]])}
    batched[first] = batched[first] * np.reshape([1.0, 1.01], (2, *[1] * np.ndim(given[first])))
    if np.asarray(given[first]).dtype.kind == "i":
        batched[first] = np.stack([given[first], given[first]])
    make, event = getattr(pm, name), np.shape(value)
    with jax.enable_x64(True), ft.distributions.unchecked():
        alone = make("x", **batched).built()
        assert alone.shape() == (2, *event)
        data = jnp.broadcast_to(jnp.asarray(value), alone.shape())
        terms = alone.log_prob(data)
        for way, lead in (("plate", False), ("event_stack", False), ("batch_stack", True)):
            made = make("x", **batched, **{way: 3}).built()
            assert made.shape() == ((3, 2, *event) if lead else (2, 3, *event))
            found = made.log_prob(jnp.broadcast_to(jnp.asarray(value), made.shape()))
            expected = terms[None] if lead else terms[:, None]
            np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-10)


def test_square_batches_show_on_which_side_copies_are():
    made = pm.Normal("x", np.array([0.0, 10.0]), 1.0, plate=2)
    x = np.array([[0.0, 0.0], [10.0, 10.0]])
    with jax.enable_x64(True):
        assert float(made.built().log_prob(x).sum()) == pytest.approx(4 * stats.norm.logpdf(0))
    within = pm.Normal("x", np.zeros((4, 2)), 1.0, reinterpreted_batch_ndims=1, event_stack=3)
    assert within.built().shape() == (4, 3, 2)


def test_mixtures_of_one_family_or_of_several():
    law = 0.2 * stats.norm(1, 2).pdf(0.3) + 0.8 * stats.norm(-1, 2).pdf(0.3)
    one = pm.Mixture("m", [0.2, 0.8], pm.Normal.dist(np.array([1.0, -1.0]), 2.0))
    assert log_density(one, 0.3) == pytest.approx(np.log(law))
    several = [pm.Normal.dist(1.0, 2.0), pm.StudentT.dist(-1.0, 2.0, 3.0)]
    law = 0.2 * stats.norm(1, 2).pdf(0.3) + 0.8 * stats.t(3, -1, 2).pdf(0.3)
    assert log_density(pm.Mixture("m", [0.2, 0.8], several), 0.3) == pytest.approx(np.log(law))
    with pytest.raises(ValueError, match="use batch_stack="):
        pm.Mixture("m", np.full((2, 2), 0.5), several, plate=3).built()


def test_what_a_distribution_lacks_is_said():
    with pytest.raises(TypeError, match="needs concentration1: Beta takes concentration0"):
        pm.Beta("x", 2.0)
    with pytest.raises(TypeError, match="takes loc, scale, df, not"):
        pm.StudentT("x", mu=0.0, scale=1.0, df=2.0)
    assert "batch_stack" in inspect.signature(pm.Normal).parameters


@pytest.mark.parametrize("observed", [np.ones(7), np.ones((2, 3))])
def test_predictions_have_the_shape_of_the_data(observed):
    @pm.model
    def model():
        mu = yield pm.Normal("mu", 0.0, 1.0)
        yield pm.Normal("y", mu, 0.5, observed=observed)

    trace = {"model/mu": np.linspace(-1, 1, 20).reshape(10, 2)}
    found = pm.sample_posterior_predictive(model(), trace)["model/y"]
    assert found.shape == (10, 2, *observed.shape)
    z = (found - trace["model/mu"].reshape(10, 2, *[1] * observed.ndim)) / 0.5
    assert len(np.unique(z)) == z.size
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
