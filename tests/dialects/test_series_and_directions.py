"""Hold PyMC4's series and its directions to exact laws: scipy's, and a state's linear algebra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from finetti.dialects import pymc4 as pm
from finetti.dialects import tfp
from finetti.dialects.pymc4.series import autoregressive
from finetti.dialects.tfp.directions import log_mass, von_mises_fisher

tfd = tfp.distributions
LENGTH, LAGS, SCALE, START = 6, np.array([0.5, -0.3, 0.2]), 0.7, np.array([0.1, 0.4, -0.2])
COUNT, ERRORS = 4000, 4.5  # draws, and standard errors that a mean may be away
SIZES = pytest.mark.parametrize("size", [2, 3, 4, 5])


def exact():
    """Return the mean of a series and the factor of its covariance, by its linear recursion."""
    order = len(LAGS)
    sources = order + LENGTH - 1  # the state to start from, and each later noise
    rows = [np.eye(sources)[order - 1 - i] for i in range(order)]
    means = list(START[::-1])
    for t in range(1, LENGTH):
        rows.append(
            sum(c * rows[-k] for k, c in enumerate(LAGS, 1)) + np.eye(sources)[order - 1 + t]
        )
        means.append(sum(c * means[-k] for k, c in enumerate(LAGS, 1)))
    by_source = np.array(rows[order - 1 :])
    spread = np.r_[np.full(order, 1e-6), np.full(LENGTH - 1, SCALE)]
    covariance = (by_source * spread**2) @ by_source.T
    return np.array(means[order - 1 :]), np.linalg.cholesky(covariance)


def series():
    return autoregressive(LENGTH, jnp.asarray(LAGS), jnp.asarray(SCALE), jnp.asarray(START), 0)


def test_a_series_has_the_density_of_its_state_space(float64):
    mean, factor = exact()
    x = mean + factor @ np.array([0.5, -1.0, 0.3, 2.0, -0.4, 1.2])
    white = np.linalg.solve(factor, x - mean)
    known = stats.norm.logpdf(white).sum() - np.log(np.diag(factor)).sum()
    assert float(series().log_prob(x[:, None])) == pytest.approx(known, rel=1e-8)


def test_draws_of_a_series_are_of_its_law(float64):
    mean, factor = exact()
    drawn = np.asarray(series().sample(jax.random.key(3), (COUNT,)))
    assert drawn.shape == (COUNT, LENGTH, 1)
    white = np.linalg.solve(factor, (drawn[..., 0] - mean).T)
    error = 1 / np.sqrt(COUNT)
    assert np.abs(white.mean(1)).max() < ERRORS * error
    products = white @ white.T / COUNT - np.eye(LENGTH)
    assert np.abs(products).max() < ERRORS * np.sqrt(2) * error


def test_a_series_starts_from_zero_unless_told_otherwise():
    short = pm.AR.dist(4, [0.5, -0.2], 0.3)
    assert pm.AR.dist(4, [0.5, -0.2], 0.3, initial_state=None).values == short.values
    told = pm.AR.dist(4, [0.5, -0.2], 0.3, initial_state=[0.0, 0.0])
    x = np.array([0.0, 0.2, -0.1, 0.4])[:, None]
    with jax.enable_x64(True):
        assert float(short.built().log_prob(x)) == float(told.built().log_prob(x))


@SIZES
@pytest.mark.parametrize("concentration", [1e-3, 0.029, 0.031, 0.7, 12.0, 3000.0])
def test_directions_have_scipys_density(size, concentration, float64):
    mean = np.arange(1.0, size + 1) / np.sqrt((np.arange(1.0, size + 1) ** 2).sum())
    x = np.ones(size) / np.sqrt(size)
    made = tfd.VonMisesFisher(mean, concentration)
    known = stats.vonmises_fisher(mean, concentration).logpdf(x)
    assert float(made.log_prob(x)) == pytest.approx(known, rel=1e-10)
    assert float(made.log_prob(2 * x)) == -np.inf
    # The slope of the normaliser is the mean cosine, a ratio of Bessel functions.
    slope = float(jax.grad(lambda k: log_mass(size, k))(jnp.asarray(concentration)))
    ratio = special.ive(size / 2, concentration) / special.ive(size / 2 - 1, concentration)
    assert slope == pytest.approx(ratio, rel=1e-6)


@SIZES
@pytest.mark.parametrize("concentration", [0.3, 8.0])
def test_draws_of_directions_are_of_their_law(size, concentration, float64):
    mean = np.eye(size)[-1]
    made = von_mises_fisher(jnp.asarray(mean), jnp.asarray(concentration))
    drawn = np.asarray(made.sample(jax.random.key(size), (COUNT,)))
    np.testing.assert_allclose((drawn**2).sum(-1), 1.0, rtol=1e-12)
    ratio = special.ive(size / 2, concentration) / special.ive(size / 2 - 1, concentration)
    along = drawn @ mean
    # Integration by parts on the sphere gives E[cosine^2] = 1 - (n - 1) ratio / concentration.
    moments = ((along, ratio), (along**2, 1 - (size - 1) * ratio / concentration))
    for values, known in (*moments, *((drawn[:, i], 0.0) for i in range(size - 1))):
        error = values.std() / np.sqrt(COUNT)
        assert abs(values.mean() - known) < ERRORS * error


def test_a_concentration_is_learned_from_directions():
    mean, known = np.array([0.0, 0.0, 1.0]), 9.0
    data = stats.vonmises_fisher(mean, known).rvs(400, random_state=np.random.default_rng(5))

    @pm.model
    def model():
        kappa = yield pm.HalfNormal("kappa", 50.0)
        yield pm.VonMisesFisher("x", mean, kappa, observed=data)

    draws = pm.sample(model(), 300, 2, 300, seed=1).trace["model/kappa"]
    # On the sphere kappa exp(-kappa t) is the likelihood, but for exp(-2 kappa): a gamma's.
    slack = 400 - data[:, 2].sum()
    expected, spread = 401 / slack, np.sqrt(401) / slack
    assert abs(draws.mean() - expected) < ERRORS * spread / np.sqrt(100)
    assert draws.std() == pytest.approx(spread, rel=0.25)


def test_a_model_may_have_what_sizes_give_shapes():
    @pm.model
    def model():
        yield pm.LKJ("r", 2, 1.0)
        yield pm.AR("y", 5, [0.5], 0.3, observed=np.zeros((5, 1)))

    made = model()
    drawn = pm.sample(made, 20, 1, 20, seed=0)
    assert drawn.trace["model/r"].shape == (20, 1, 2, 2)
    assert pm.sample_posterior_predictive(made, drawn)["model/y"].shape == (20, 1, 5, 1)
