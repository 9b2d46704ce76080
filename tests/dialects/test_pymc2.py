"""Check what PyMC2's nodes, distributions, samplers and statistics do."""

import numpy as np
import pytest
from scipy import stats

import finetti as ft
from finetti.dialects import pymc2 as pm
from finetti.dialects.pymc2.distributions import CLASSES
from finetti.errors import ModelError


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)  # noqa: NPY002 - what PyMC2 programs seed


DENSITIES = {
    "Bernoulli": ((0.3,), 1, stats.bernoulli(0.3).logpmf),
    "Beta": ((2.0, 3.0), 0.4, stats.beta(2, 3).logpdf),
    "Binomial": ((5, 0.3), 2, stats.binom(5, 0.3).logpmf),
    "Cauchy": ((1.0, 2.0), 0.5, stats.cauchy(1, 2).logpdf),
    "Chi2": ((3.0,), 1.5, stats.chi2(3).logpdf),
    "DiscreteUniform": ((2, 6), 3, stats.randint(2, 7).logpmf),
    "Exponential": ((2.0,), 0.7, stats.expon(scale=0.5).logpdf),
    "Exponweib": ((2.0, 1.5, 0.0, 3.0), 1.2, stats.exponweib(2, 1.5, 0, 3).logpdf),
    "Gamma": ((2.0, 3.0), 0.6, stats.gamma(2, scale=1 / 3).logpdf),
    "Geometric": ((0.3,), 4, stats.geom(0.3).logpmf),
    "HalfCauchy": ((0.0, 2.0), 1.0, stats.halfcauchy(scale=2).logpdf),
    "HalfNormal": ((4.0,), 0.3, stats.halfnorm(scale=0.5).logpdf),
    "Hypergeometric": ((5, 6, 20), 2, stats.hypergeom(20, 6, 5).logpmf),
    "InverseGamma": ((3.0, 2.0), 0.8, stats.invgamma(3, scale=2).logpdf),
    "Laplace": ((1.0, 2.0), 0.3, stats.laplace(1, 0.5).logpdf),
    "Logistic": ((1.0, 2.0), 0.3, stats.logistic(1, 0.5).logpdf),
    "Lognormal": ((1.0, 4.0), 2.0, stats.lognorm(0.5, scale=np.e).logpdf),
    "NegativeBinomial": ((3.0, 2.0), 4, stats.nbinom(2, 2 / 5).logpmf),
    "NoncentralT": ((1.0, 4.0, 5.0), 0.3, stats.t(5, 1, 0.5).logpdf),
    "Normal": ((1.0, 4.0), 0.3, stats.norm(1, 0.5).logpdf),
    "Pareto": ((3.0, 2.0), 2.5, stats.pareto(3, scale=2).logpdf),
    "Poisson": ((3.0,), 2, stats.poisson(3).logpmf),
    "SkewNormal": ((1.0, 4.0, 2.0), 1.3, stats.skewnorm(2, 1, 0.5).logpdf),
    "T": ((5.0,), 0.3, stats.t(5).logpdf),
    "TruncatedNormal": ((1.0, 4.0, 0.0, 2.0), 0.3, stats.truncnorm(-2, 2, 1, 0.5).logpdf),
    "Uniform": ((1.0, 4.0), 2.0, stats.uniform(1, 3).logpdf),
    "VonMises": ((0.5, 2.0), 1.0, stats.vonmises(2, 0.5).logpdf),
    "Weibull": ((1.5, 2.0), 0.9, stats.weibull_min(1.5, scale=2).logpdf),
}
TAU = np.array([[2.0, 0.3], [0.3, 1.0]])
MULTIVARIATE = {
    "MvNormal": (
        (np.zeros(2), TAU),
        np.array([0.3, -0.2]),
        stats.multivariate_normal(np.zeros(2), np.linalg.inv(TAU)).logpdf,
    ),
    "MvNormalCov": (
        (np.zeros(2), TAU),
        np.array([0.3, -0.2]),
        stats.multivariate_normal(np.zeros(2), TAU).logpdf,
    ),
    "MvNormalChol": (
        (np.zeros(2), np.linalg.cholesky(TAU)),
        np.array([0.3, -0.2]),
        stats.multivariate_normal(np.zeros(2), TAU).logpdf,
    ),
    "Multinomial": (
        (4, np.array([0.2, 0.3, 0.5])),
        np.array([1, 1, 2]),
        stats.multinomial(4, [0.2, 0.3, 0.5]).logpmf,
    ),
    "Dirichlet": (
        (np.array([1.0, 2.0, 3.0]),),
        np.array([0.2, 0.3]),  # all but the last
        lambda x: stats.dirichlet([1, 2, 3]).logpdf(np.append(x, 1 - x.sum())),
    ),
    "Wishart": ((5, TAU), TAU, stats.wishart(5, np.linalg.inv(TAU)).logpdf),
    "Categorical": ((np.array([0.2, 0.3, 0.5]),), 2, lambda k: np.log([0.2, 0.3, 0.5][k])),
}


@pytest.mark.parametrize("name", [*DENSITIES, *MULTIVARIATE])
def test_a_distribution_has_pymc2s_density(name):
    parameters, value, log_density = (DENSITIES | MULTIVARIATE)[name]
    node = getattr(pm, name)("x", *parameters, value=value, observed=True)
    assert node.logp == pytest.approx(float(log_density(value)), rel=1e-9, abs=1e-9)
    model = pm.Model([node, pm.Normal("other", 0, 1, value=0.0)])
    assert model.logp == pytest.approx(node.logp - 0.5 * np.log(2 * np.pi), rel=1e-9)


def test_likelihood_functions_take_pymc2s_names():
    assert pm.normal_like(0.3, 1.0, 4.0) == pytest.approx(stats.norm(1, 0.5).logpdf(0.3))
    assert pm.poisson_like([1, 2], 3.0) == pytest.approx(stats.poisson(3).logpmf([1, 2]).sum())
    assert pm.uniform_like(7.0, 0, 1) == -np.inf
    assert pm.discrete_uniform_like(3, 2, 6) == pytest.approx(-np.log(5))
    assert pm.rnormal(0, 1, size=5).shape == (5,)
    assert pm.rpoisson(3.0) >= 0


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"OneOverX", "Uninformative", "LogNormal"}))
def test_a_distribution_draws_inside_its_support(name):
    known = DENSITIES | MULTIVARIATE
    if name not in known:
        pytest.skip("its density is not among those compared")
    node = getattr(pm, name)("x", *known[name][0])
    for _ in range(3):
        node.random()
        assert np.isfinite(node.logp)


def test_the_generator_of_numpy_decides_the_draws():
    values = []
    for seed in (1, 1, 2):
        np.random.seed(seed)  # noqa: NPY002
        values.append(float(pm.Normal("x", 0, 1).value))
    assert values[0] == values[1] != values[2]


def test_nodes_hold_state_and_deterministics_follow_it():
    mu = pm.Normal("mu", 0.0, 1.0, value=2.0)
    twice = pm.Lambda("twice", lambda mu=mu: 2 * mu)
    total = mu + twice - 1
    assert (twice.value, float(total.value)) == (4.0, 5.0)
    mu.value = 3.0
    assert (twice.value, float(total.value)) == (6.0, 8.0)
    assert twice.parents["mu"] is mu
    assert twice in mu.children
    mu.revert()
    assert mu.value == 2.0


def test_observed_nodes_cannot_change():
    y = pm.Normal("y", 0.0, 1.0, value=2.0, observed=True)
    with pytest.raises(AttributeError, match="observed"):
        y.value = 3.0
    with pytest.raises(ValueError, match="initial value"):
        pm.Normal("y", 0.0, 1.0, observed=True)
    assert y.random() != 2.0  # a draw is returned, and the data stay
    assert y.value == 2.0
    partly = pm.Normal("z", 0.0, 1.0, value=np.ma.masked_values([2.0, -9.0], -9.0), observed=True)
    partly.random()
    assert partly.value[0] == 2.0
    partly.value = np.array([5.0, 6.0])
    assert partly.value.tolist() == [2.0, 6.0]


def test_an_impossible_value_is_a_zero_probability():
    x = pm.Uniform("x", 0.0, 1.0, value=2.0)
    with pytest.raises(pm.ZeroProbability):
        _ = x.logp
    with pytest.raises(pm.ZeroProbability):
        pm.MCMC([x]).sample(10)


def test_containers_of_nodes_are_parents():
    parts = [pm.Normal(f"x{i}", 0, 1, value=float(i)) for i in range(3)]
    held = pm.Container(parts)
    assert held.value == [0.0, 1.0, 2.0]
    assert pm.Normal("z", held, 1.0).parents["mu"] is held
    assert set(pm.Model(held).nodes) == set(parts)

    @pm.deterministic
    def total(x=parts, more={"a": parts[1]}):  # noqa: B006 - a parent, not a default
        return np.sum(x) + more["a"]

    assert total.value == 4.0
    array = np.array(parts, dtype=object)
    y = pm.Normal("y", array, 1.0, value=np.zeros(3), observed=True)
    assert y.logp == pytest.approx(stats.norm([0, 1, 2], 1).logpdf(0).sum())
    assert float((parts[1] * 3).value) == 3.0


def test_an_indexed_node_is_a_deterministic():
    x = pm.Normal("x", 0, 1, value=np.array([1.0, 2.0, 3.0]))
    assert float(x[1].value) == 2.0
    assert [float(part.value) for part in x] == [1.0, 2.0, 3.0]


def test_custom_stochastics_and_potentials_count():
    @pm.stochastic(dtype=int)
    def switch(value=1900, low=1851, high=1962):
        if value > high or value < low:
            return -np.inf
        return -np.log(high - low + 1)

    @pm.observed
    def data(value=np.array([1.0, 2.0]), s=switch):  # noqa: B008 - a parent's value
        return pm.normal_like(value, 0.001 * s, 1.0)

    @pm.potential
    def near(s=switch):
        return -0.5 * (s - 1900) ** 2 / 100.0

    assert switch.logp == pytest.approx(-np.log(112))
    model = pm.Model([switch, data, near])
    assert model.logp == pytest.approx(switch.logp + data.logp + near.logp)
    mcmc = pm.MCMC([switch, data, near])
    mcmc.sample(2000, burn=500)
    assert 1870 < mcmc.trace("switch")[:].mean() < 1930


def test_a_stochastic_may_define_logp_and_random():
    @pm.stochastic
    def level(value=1.0, rate=2.0):
        def logp(value, rate):
            return np.log(rate) - rate * value if value > 0 else -np.inf

        def random(rate):
            return 0.5 / rate

    assert level.logp == pytest.approx(np.log(2) - 2)
    level.random()
    assert level.value == 0.25


def test_functions_with_branches_run_on_the_host_and_have_no_gradient():
    mu = pm.Normal("mu", 0.0, 1.0, value=0.5)

    @pm.deterministic
    def clipped(mu=mu):
        return 1.0 if mu > 1 else float(mu)

    y = pm.Normal("y", clipped, 1.0, value=0.3, observed=True)
    nodes = [mu, clipped, y]
    mcmc = pm.MCMC(nodes)
    mcmc.sample(3000, burn=1000)
    assert abs(mcmc.trace("mu")[:].mean() - 0.15) < 0.2
    with pytest.raises(ModelError, match="`clipped` cannot be traced"):
        ft.fit(pm.Model(nodes).finetti, ft.NUTS(), progress=False)
    by_values = ft.fit(pm.Model(nodes).finetti, progress=False)  # which asks for no gradient
    exact, sd = 0.25332, 0.8051  # by quadrature
    error = sd / float(by_values.summary().loc["mu", "ess_bulk"]) ** 0.5
    assert abs(float(by_values["mu"].mean()) - exact) < 4 * error
    at = pm.MAP(nodes)
    at.fit()
    assert float(mu.value) == pytest.approx(0.15, abs=1e-2)


def normal_model():
    mu = pm.Normal("mu", 0.0, 0.01, value=1.0)
    y = pm.Normal("y", mu, 1.0, value=np.array([1.0, 2.0, 3.0]), observed=True)
    return mu, y


@pytest.mark.parametrize(
    "method",
    ["fmin_powell", "fmin", "fmin_cg", "fmin_bfgs", "fmin_l_bfgs_b", "fmin_ncg", "newton"],
)
def test_every_optimiser_finds_the_maximum(method):
    mu, y = normal_model()
    at = pm.MAP([mu, y])
    at.fit(method=method)
    assert float(mu.value) == pytest.approx(6 / 3.01, abs=1e-5)
    assert pytest.approx(2 * (1 - y.logp)) == at.AIC
    assert pytest.approx(np.log(3) - 2 * y.logp) == at.BIC
    mu.value = 0.0
    at.revert_to_max()
    assert float(mu.value) == pytest.approx(6 / 3.01, abs=1e-5)


def test_unknown_optimisers_are_refused():
    with pytest.raises(ValueError, match="Method unknown"):
        pm.MAP(list(normal_model())).fit(method="guess")


def test_a_normal_approximation_is_exact_for_a_normal():
    mu, y = normal_model()
    approximation = pm.NormApprox([mu, y])
    with pytest.raises(ValueError, match="must be fitted"):
        approximation.mu[mu]
    approximation.fit()
    np.testing.assert_allclose(approximation.mu[mu], [6 / 3.01], rtol=1e-6)
    np.testing.assert_allclose(approximation.C[mu], [[1 / 3.01]], rtol=1e-9)
    approximation.sample(20_000)
    draws = approximation.trace("mu")[:]
    assert abs(draws.mean() - 6 / 3.01) < 4 * np.sqrt(1 / 3.01 / 20_000)


@pytest.fixture(scope="module")
def sampled():
    np.random.seed(2)  # noqa: NPY002
    mu, y = normal_model()
    pair = pm.Normal("pair", mu, 4.0, size=2, value=np.array([1.0, 2.0]))
    mcmc = pm.MCMC([mu, y, pair])
    mcmc.sample(6000, burn=1000, thin=2)
    mcmc.sample(2000)
    return mcmc


def test_traces_are_kept_by_chain(sampled):
    assert len(sampled.trace("mu")[:]) == 2000
    assert len(sampled.trace("mu", chain=0)[:]) == 2500
    assert len(sampled.trace("mu", chain=None)[:]) == 4500
    assert sampled.trace("pair")[:].shape == (2000, 2)
    assert len(sampled.mu.trace()) == 2000
    assert len(sampled.mu.trace.gettrace(burn=100, thin=10)) == 190
    with pytest.raises(KeyError, match="`y`"):
        sampled.trace("y")


def test_statistics_have_pymc2s_names(sampled):
    found = sampled.stats()["mu"]
    assert set(found) == {
        "n", "standard deviation", "mean", "95% HPD interval", "mc error", "quantiles",
    }  # fmt: skip
    assert found["n"] == 4500
    draws = sampled.trace("mu", chain=None)[:]
    low, high = found["95% HPD interval"]
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.95, abs=0.01)
    assert list(found["quantiles"]) == [2.5, 25, 50, 75, 97.5]
    assert sampled.pair.stats()["mean"].shape == (2,)


def test_a_summary_is_printed(sampled, capsys):
    sampled.summary()
    printed = capsys.readouterr().out
    assert "mu:" in printed
    assert "Posterior quantiles" in printed
    sampled.mu.summary()
    assert "95% HPD interval" in capsys.readouterr().out


def test_plots_are_files(sampled, tmp_path):
    files = pm.Matplot.plot(sampled, path=str(tmp_path))
    assert {f.name for f in files} == {"mu.png", "pair.png"}
    assert all(f.stat().st_size > 1000 for f in files)


def test_sampling_leaves_the_nodes_at_the_last_draw(sampled):
    assert float(sampled.mu.value) == pytest.approx(sampled.trace("mu")[-1])


def test_step_methods_are_assigned_by_competence():
    nodes = [
        pm.Normal("a", 0, 1),
        pm.Poisson("b", 3.0),
        pm.Bernoulli("c", 0.5),
        pm.Normal("d", 0, 1),
    ]
    mcmc = pm.MCMC(nodes)
    mcmc.use_step_method(pm.Metropolis, nodes[3], proposal_sd=0.3)
    mcmc.assign_step_methods()
    kinds = {n.__name__: type(m[0]).__name__ for n, m in mcmc.step_method_dict.items()}
    assert kinds == {
        "a": "Metropolis", "b": "DiscreteMetropolis", "c": "BinaryMetropolis", "d": "Metropolis",
    }  # fmt: skip
    assert len(mcmc.step_methods) == 4
    with pytest.raises(ValueError, match="burn"):
        mcmc.sample(10, burn=10)


def test_all_kinds_of_steps_sample_their_prior():
    np.random.seed(9)  # noqa: NPY002
    mcmc = pm.MCMC([pm.Poisson("b", 3.0), pm.Bernoulli("c", 0.3), pm.Dirichlet("d", np.ones(3))])
    mcmc.sample(15_000, burn=5_000, thin=2)
    for name, mean, sd in (("b", 3, np.sqrt(3)), ("c", 0.3, np.sqrt(0.21))):
        draws = mcmc.trace(name)[:]
        batches = draws.reshape(50, -1).mean(1)
        assert abs(batches.mean() - mean) < 4 * batches.std() / np.sqrt(50), name
        assert draws.std() == pytest.approx(sd, rel=0.15)
    d = mcmc.trace("d")[:]
    assert ((d > 0).all(1) & (d.sum(1) < 1)).all()


def test_models_are_made_of_what_holds_nodes():
    mu, y = normal_model()
    for source in ([mu, y], {"mu": mu, "other": 3, "y": y}, {mu, y}, (mu, [y])):
        model = pm.Model(source)
        assert model.stochastics == {mu}
        assert model.observed_stochastics == {y}
    assert model.mu is mu
    assert model.get_node("y") is y
    with pytest.raises(AttributeError, match="nobody"):
        _ = model.nobody
    with pytest.raises(ValueError, match="made of nodes"):
        pm.Model()


def test_stochastics_that_are_left_out_are_held():
    mu, y = normal_model()
    tau = pm.Gamma("tau", 2.0, 2.0, value=3.0)
    z = pm.Normal("z", mu, tau, value=1.0, observed=True)
    model = pm.Model([mu, y, z]).finetti
    assert [v.name for v in model.variables] == ["mu", "y", "z"]


def test_gewekes_scores_are_standard_normal_for_independent_draws():
    rng = np.random.default_rng(0)
    scores = np.array([pm.geweke(rng.normal(size=2000), intervals=5) for _ in range(100)])
    assert scores.shape == (100, 5, 2)
    z = scores[:, 0, 1]
    assert abs(z.mean()) < 4 / np.sqrt(100)
    assert abs(z.std() - 1) < 4 / np.sqrt(200)
    drifting = rng.normal(size=2000) + np.linspace(3, 0, 2000)
    assert abs(pm.geweke(drifting, intervals=5)[0][1]) > 4


def test_raftery_lewis_asks_for_more_of_a_sticky_chain(capsys):
    rng = np.random.default_rng(1)
    independent = rng.normal(size=20_000)
    sticky = np.zeros(20_000)
    for i in range(1, len(sticky)):
        sticky[i] = 0.95 * sticky[i - 1] + np.sqrt(1 - 0.95**2) * independent[i]
    one = pm.raftery_lewis(independent, q=0.025, r=0.005)
    other = pm.raftery_lewis(sticky, q=0.025, r=0.005, verbose=0)
    assert one.nmin == other.nmin == 3746
    assert one.kthin == 1
    assert 0.8 < one.nprec / one.nmin < 1.25
    assert other.nprec > 4 * other.nmin
    assert "3746" in capsys.readouterr().out


def test_gelman_rubin_tells_chains_that_agree():
    rng = np.random.default_rng(2)
    assert pm.gelman_rubin(rng.normal(size=(4, 500))) < 1.02
    assert pm.gelman_rubin(rng.normal(size=(4, 500)) + np.arange(4)[:, None]) > 1.1


def test_the_deviance_information_criterion_counts_parameters(sampled):
    """With one mean and a weak prior the effective number of parameters is near one."""
    held = sampled.mu.value
    at_mean = sampled.trace("mu")[:].mean()
    deviance = -2 * stats.norm(at_mean, 1).logpdf([1, 2, 3]).sum()
    assert sampled.dic - deviance == pytest.approx(2, abs=0.8)
    assert sampled.mu.value == held
