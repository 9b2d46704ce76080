"""Check what PyMC2's bundled examples use beside nodes and steps: imputing, simulating, plots."""

from time import process_time

import jax
import numpy as np
import pytest
from scipy import stats

import finetti as ft
from finetti.dialects import pymc2 as pm
from finetti.dialects.pymc2.imputing import gaps


@pytest.mark.parametrize(
    "data",
    [
        [4, None, 5],
        np.array([4, None, 5]),
        np.array([4.0, np.nan, 5.0]),
        np.ma.masked_values(np.array([4, -9, 5]), -9),
        np.ma.masked_array(np.array([4, None, 5]), [False, True, False]),
    ],
)
def test_every_way_to_lack_a_value_is_a_gap(data):
    found = gaps(data)
    assert found.mask.tolist() == [False, True, False]
    assert found.data[[0, 2]].tolist() == [4, 5]
    parts = pm.Impute("D", pm.Poisson, data, mu=3.0)
    assert [n.__name__ for n in parts] == ["D[0]", "D[1]", "D[2]"]
    assert [n.observed for n in parts] == [True, False, True]
    assert parts[0].logp == pytest.approx(stats.poisson(3).logpmf(4))


def test_parents_of_the_datas_shape_go_to_its_elements():
    rates = pm.Uniform("rates", 1.0, 9.0, value=np.array([2.0, 3.0, 4.0]), size=3)
    parts = pm.Impute("D", pm.Poisson, [4, None, 5], mu=rates)
    assert parts[2].logp == pytest.approx(stats.poisson(4).logpmf(5))
    rates.value = np.array([2.0, 3.0, 6.0])
    assert parts[2].logp == pytest.approx(stats.poisson(6).logpmf(5))
    fixed = pm.Impute("E", pm.Poisson, [4, None, 5], mu=np.array([2.0, 3.0, 4.0]))
    assert fixed[0].logp == pytest.approx(stats.poisson(2).logpmf(4))


def test_masked_values_of_none_are_unknown():
    masked = np.ma.masked_array(np.array([4, None, 5], object), [False, True, False])
    node = pm.Poisson("D", 3.0, value=masked, observed=True)
    assert node.partly_observed
    assert node.value[[0, 2]].tolist() == [4, 5]


DRAWS = {
    "Bernoulli": ((0.3,), stats.bernoulli(0.3)),
    "Beta": ((2.0, 5.0), stats.beta(2, 5)),
    "Binomial": ((9, 0.3), stats.binom(9, 0.3)),
    "Exponential": ((3.0,), stats.expon(scale=1 / 3)),
    "Gamma": ((2.0, 3.0), stats.gamma(2, scale=1 / 3)),
    "Geometric": ((0.3,), stats.geom(0.3)),
    "Lognormal": ((0.2, 4.0), stats.lognorm(0.5, scale=np.exp(0.2))),
    "Normal": ((1.0, 4.0), stats.norm(1, 0.5)),
    "Poisson": ((3.0,), stats.poisson(3)),
    "Uniform": ((1.0, 5.0), stats.uniform(1, 4)),
    "VonMises": ((0.5, 4.0), stats.vonmises(4, 0.5)),
    "Weibull": ((2.0, 3.0), stats.weibull_min(2, scale=3)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_by_numpy_are_of_pymc2s_law(name):
    np.random.seed(5)  # noqa: NPY002
    args, law = DRAWS[name]
    draw = pm.distributions.DRAWS[f"r{pm.distributions.snake(name)}"]
    found = np.asarray(draw(*args, size=4000), float)
    assert found.shape == (4000,)
    assert found.mean() == pytest.approx(law.mean(), abs=4 * law.std() / np.sqrt(4000))
    spread = np.sqrt(np.mean((found - law.mean()) ** 4) / law.var() ** 2 - 1) / np.sqrt(4000)
    assert found.var() == pytest.approx(law.var(), rel=4.5 * spread)
    assert np.ndim(draw(*args)) == 0
    wide = [np.full(3, a) for a in args]
    assert np.shape(draw(*wide)) == (3,)
    assert np.shape(draw(*wide, size=(2, 3))) == (2, 3)


def test_likelihoods_take_no_more_than_a_millisecond():
    pm.poisson_like(3, 2.0)
    begun = process_time()
    found = [pm.poisson_like(3, rate) for rate in np.linspace(1, 2, 200)]
    assert process_time() - begun < 0.2
    assert found[-1] == pytest.approx(stats.poisson(2).logpmf(3))


@pytest.fixture(scope="module")
def checked():
    """Return a sampled model with data simulated in a deterministic, as its gof examples have."""
    np.random.seed(6)  # noqa: NPY002
    data = np.array([4, 3, 5, 2, 6])
    rate = pm.Exponential("rate", 0.1, value=3.0)
    y = pm.Poisson("y", rate, value=data, observed=True)

    @pm.deterministic
    def simulated(rate=rate):
        return pm.rpoisson(rate, size=5)

    @pm.deterministic
    def expected(rate=rate):
        return np.ones(5) * rate

    model = pm.MCMC([rate, y, simulated, expected])
    model.isample(3000, 1000, 2)
    return data, model


def test_data_simulated_in_a_deterministic_are_the_posterior_predictive(checked):
    _, model = checked
    simulated, rate = model.trace("simulated")[:], model.trace("rate")[:]
    assert simulated.shape == (1000, 5)
    z = (simulated - rate[:, None]) / np.sqrt(rate[:, None])
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert z.var() == pytest.approx(1, abs=0.12)
    assert len(np.unique(simulated[:, 0])) > 5


def test_discrepancies_and_pictures(checked, tmp_path, capsys):
    data, model = checked
    found = pm.diagnostics.discrepancy(data, model.simulated, model.expected)
    assert [len(part) for part in found] == [1000, 1000]
    assert f"p={np.mean(found[1] > found[0]):.3f}" in capsys.readouterr().out
    pytest.importorskip("matplotlib")
    path = f"{tmp_path}/"
    drawn = [
        pm.Matplot.plot(model.rate, path=path),
        pm.Matplot.trace(model.trace("rate"), path=path),
        pm.Matplot.histogram(model.rate, path=path),
        pm.Matplot.autocorrelation(model.rate, path=path),
        pm.Matplot.summary_plot(model, path=path),
        pm.Matplot.geweke_plot(pm.geweke(model.trace("rate")[:]), path=path),
        pm.Matplot.discrepancy_plot(found, "D", path=path),
        pm.Matplot.gof_plot(model.simulated, data, path=path, verbose=0),
    ]
    assert all(file.stat().st_size for files in drawn for file in files)
    assert len({file for files in drawn for file in files}) == len(drawn)


def test_quantities_and_six_are_there():
    draws = np.random.default_rng(0).normal(size=500)
    low, high = pm.utils.hpd(draws, 0.1)
    assert ((draws >= low) & (draws <= high)).mean() == pytest.approx(0.9, abs=0.01)
    assert pm.utils.quantiles(draws)[50] == pytest.approx(np.median(draws))
    assert pm.utils.autocorr(np.arange(10.0)) == pytest.approx(7 / 8.25, rel=0.2)
    assert dict(pm.six.iteritems({"a": 1})) == {"a": 1}
    assert pm.distributions.Normal is pm.Normal


def test_a_function_may_look_at_data_that_are_known(monkeypatch):
    """A loop over data with an `if` becomes part of the density: nothing runs on the host."""
    data = np.array([0, 3, 0, 5])
    monkeypatch.setattr("finetti.dialects.pymc2.traced.on_host", None)
    mu, psi = pm.Uniform("mu", 0, 20, value=4.0), pm.Beta("psi", 1, 1, value=0.6)

    @pm.observed(dtype=int, plot=False)
    def inflated(value=data, mu=mu, psi=psi):
        like = 0.0
        for x in value:
            if not x:
                like += np.log((1.0 - psi) + psi * np.exp(-mu))
            else:
                like += np.log(psi) + pm.poisson_like(x, mu)
        return like

    model = pm.Model([mu, psi, inflated])
    known = 2 * np.log(0.4 + 0.6 * np.exp(-4)) + 2 * np.log(0.6)
    known += stats.poisson(4).logpmf([3, 5]).sum() - np.log(20)
    with jax.enable_x64(True):
        density = jax.jit(model.density.log_density)
        assert float(density(model.position())) == pytest.approx(known, abs=1e-9)
        elsewhere = ft.density(model.finetti.condition(inflated=np.array([1, 3, 0, 5])))
        position = elsewhere.unconstrain({"mu": 4.0, "psi": 0.6})
        assert not np.isfinite(float(jax.jit(elsewhere.log_density)(position)))
