"""Run PyMC2's bundled disasters and bioassay, by its own steps and by finetti's plan."""

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from numpy import empty

import finetti as ft
from finetti.dialects import pymc2 as pm
from finetti.dialects.pymc2 import (
    Binomial,
    DiscreteUniform,
    Exponential,
    Lambda,
    Normal,
    Poisson,
    deterministic,
    invlogit,
)
from zoo.reference import read

EXACT = read("examples_exact.json")
disasters_array = np.array(EXACT["disasters"]["data"])


def disaster_model():
    """Write the nodes as PyMC2's disaster_model.py does."""
    switchpoint = DiscreteUniform("switchpoint", lower=0, upper=110, doc="Switchpoint[year]")
    early_mean = Exponential("early_mean", beta=1.0)
    late_mean = Exponential("late_mean", beta=1.0)

    @deterministic(plot=False)
    def rate(s=switchpoint, e=early_mean, l=late_mean):  # noqa: E741
        """Concatenate Poisson means"""
        out = empty(len(disasters_array))
        out[:s] = e
        out[s:] = l
        return out

    disasters = Poisson("disasters", mu=rate, value=disasters_array, observed=True)
    return [switchpoint, early_mean, late_mean, rate, disasters]


def bioassay_model():
    """Write the nodes as PyMC2's gelman_bioassay.py does."""
    n = 5 * np.ones(4, dtype=int)
    dose = np.array([-0.86, -0.3, -0.05, 0.73])
    alpha = Normal("alpha", 0, 0.01)
    beta = Normal("beta", 0, 0.01)
    theta = Lambda("theta", lambda a=alpha, b=beta, d=dose: invlogit(a + b * d))
    deaths = Binomial(
        "deaths", n=n, p=theta, value=np.array([0, 1, 3, 5], dtype=float), observed=True
    )
    return [alpha, beta, theta, deaths]


def assert_agrees(trace, known, name):
    """Compare draws, the first axis, with the exact mean and sd of a site."""
    draws = np.asarray(trace, float).reshape(len(trace), -1)
    means, sds = (np.ravel(known[k]) for k in ("mean", "sd"))
    for x, mean, sd in zip(draws.T, means, sds, strict=True):
        error = array_stats.mcse(x[None], chain_axis=0, draw_axis=1, method="mean")
        assert abs(x.mean() - mean) < 4 * error, (name, x.mean(), mean, error)
        square = (x - x.mean()) ** 2
        error = array_stats.mcse(square[None], chain_axis=0, draw_axis=1, method="mean")
        assert abs(x.std() - sd) < 4 * error / (2 * x.std()), (name, x.std(), sd)


@pytest.mark.parametrize(
    "adaptive",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["Metropolis", "AdaptiveMetropolis"],
)
def test_disasters_by_pymc2s_steps(adaptive):
    np.random.seed(3)  # noqa: NPY002 - what PyMC2 programs seed
    nodes = disaster_model()
    mcmc = pm.MCMC(nodes)
    if adaptive:
        mcmc.use_step_method(pm.AdaptiveMetropolis, [nodes[1], nodes[2]])
    mcmc.sample(iter=30_000, burn=5_000, thin=5)
    kinds = {type(m).__name__ for m in mcmc.step_methods}
    assert kinds == {"DiscreteMetropolis", "AdaptiveMetropolis" if adaptive else "Metropolis"}
    for name, known in EXACT["disasters"]["sites"].items():
        assert_agrees(mcmc.trace(name)[:], known, name)
    assert mcmc.trace("switchpoint")[:].dtype.kind == "i"
    assert mcmc.trace("rate")[:].shape == (5000, 111)


def test_disasters_by_the_plan():
    np.random.seed(3)  # noqa: NPY002
    model = pm.Model(disaster_model()).finetti
    plan = model.plan()
    assert any(r.verb == "sum out" for r in plan.rewrites)
    posterior = ft.fit(model, seed=1, progress=False)
    for name, known in EXACT["disasters"]["sites"].items():
        assert_agrees(posterior[name].values.reshape(-1), known, name)


def test_bioassay_by_pymc2s_steps():
    np.random.seed(4)  # noqa: NPY002
    nodes = bioassay_model()
    mcmc = pm.MCMC(nodes)
    mcmc.use_step_method(pm.AdaptiveMetropolis, nodes[:2], delay=2000)
    mcmc.sample(iter=50_000, burn=10_000, thin=4)
    for name, known in EXACT["bioassay"]["sites"].items():
        assert_agrees(mcmc.trace(name)[:], known, name)


@pytest.mark.slow
def test_bioassay_by_plain_metropolis():
    np.random.seed(5)  # noqa: NPY002
    mcmc = pm.MCMC(bioassay_model())
    mcmc.sample(iter=400_000, burn=100_000, thin=10)
    for name, known in EXACT["bioassay"]["sites"].items():
        assert_agrees(mcmc.trace(name)[:], known, name)


def test_bioassay_natively():
    np.random.seed(4)  # noqa: NPY002
    posterior = ft.fit(pm.Model(bioassay_model()).finetti, seed=1, progress=False)
    for name, known in EXACT["bioassay"]["sites"].items():
        draws = posterior[name].values
        assert_agrees(draws.reshape(-1, *draws.shape[2:]), known, name)


def test_missing_years_are_imputed():
    """Years that are missing get draws of their own; what is known decides the rest."""
    np.random.seed(6)  # noqa: NPY002
    masked = np.ma.masked_array(disasters_array, np.isin(np.arange(111), [39, 83]))
    early = Exponential("early", beta=1.0)
    counts = Poisson("counts", mu=early, value=masked, observed=True)
    assert not counts.observed
    mcmc = pm.MCMC([early, counts])
    mcmc.sample(iter=30_000, burn=5_000, thin=5)
    assert mcmc.trace("counts")[:].shape == (5000, 2)
    # a gamma posterior: sum + 1 over n + 1; the missing counts have the mean of the rate
    known = disasters_array[~np.isin(np.arange(111), [39, 83])]
    shape, rate = 1 + known.sum(), 1 + len(known)
    exact = {"mean": shape / rate, "sd": np.sqrt(shape) / rate}
    assert_agrees(mcmc.trace("early")[:], exact, "early")
    imputed = mcmc.trace("counts")[:][:, 0]
    spread = np.sqrt(shape / rate + shape / rate**2)
    assert_agrees(imputed, {"mean": shape / rate, "sd": spread}, "counts")
