"""Check modes, their standard errors and normal approximations against closed forms and scipy."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

import finetti as ft
import zoo

Y = np.array([1.2, 0.3, 2.5, 1.9, -0.4, 1.1])


def seek(model: ft.Model, method: ft.MAP | ft.NormalApproximation | None = None, **more):
    return ft.fit(model, method or ft.MAP(), progress=False, **more)


@ft.model
def conjugate(y):
    mu = ft.sample("mu", ft.Normal(0, 2))
    ft.deterministic("double", 2 * mu)
    with ft.plate("i", len(y)):
        ft.sample("y", ft.Normal(mu, 1.5), obs=y)


PRECISION = 1 / 4 + len(Y) / 1.5**2
MEAN = Y.sum() / 1.5**2 / PRECISION


def test_a_normal_mode_is_the_posterior_mean_with_its_sd():
    found = seek(conjugate(Y))
    table = found.summary()
    np.testing.assert_allclose(table.loc["mu"], [MEAN, PRECISION**-0.5], rtol=1e-9)
    np.testing.assert_allclose(table.loc["double"], [2 * MEAN, 2 * PRECISION**-0.5], rtol=1e-9)
    assert found["mu"].shape == (1, 1)


def test_the_criteria_are_those_of_the_likelihood_at_the_mode():
    known = seek(conjugate(Y)).attributes
    log_likelihood = stats.norm.logpdf(Y, MEAN, 1.5).sum()
    log_density = log_likelihood + stats.norm.logpdf(MEAN, 0, 2)
    expected = [log_density, log_likelihood, 2 - 2 * log_likelihood, np.log(6) - 2 * log_likelihood]
    found = [known[k] for k in ("log_density", "log_likelihood", "aic", "bic")]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_density_is_that_of_the_constrained_value_without_jacobian():
    @ft.model
    def scale(y):
        s2 = ft.sample("s2", ft.InverseGamma(2.0, 3.0))
        with ft.plate("i", len(y)):
            ft.sample("y", ft.Normal(0, jnp.sqrt(s2)), obs=y)

    a, b = 2 + len(Y) / 2, 3 + np.sum(Y**2) / 2  # the posterior is InverseGamma(a, b)
    table = seek(scale(Y)).summary()
    mode = b / (a + 1)
    np.testing.assert_allclose(table.loc["s2"], [mode, mode / np.sqrt(a + 1)], rtol=1e-8)


def test_eight_schools_as_pymc2_finds_them():
    """Compare with PyMC 2.3.8's MAP of the model as literally written."""
    found = seek(zoo.schools("pymc2_literal", zoo.centred_schools).build())
    known = found.attributes
    np.testing.assert_allclose(known["log_density"], -50.497731356435644, rtol=1e-10)
    np.testing.assert_allclose(known["aic"], 46.35, atol=0.005)
    theta = [26.150996, 8.023613, -1.907561, 7.106157, -0.308951, 1.595070, 17.243723, 11.623187]
    np.testing.assert_allclose(found["theta"][0, 0], theta, atol=1e-6)
    np.testing.assert_allclose(found["mu"][0, 0], 8.302776, atol=1e-6)
    assert known["parameters"] == 10
    assert known["starts_that_agree"] == known["starts"]


def test_a_glmm_as_scipy_finds_it():
    data = zoo.read("posteriordb", "surgical", "data.json")
    r, n = np.array(data["r"]), np.array(data["n"])

    @ft.model
    def hospitals():
        mu = ft.sample("mu", ft.Normal(0, 2))
        tau = ft.sample("tau", ft.InverseGamma(3, 1))  # holds it off zero
        with ft.plate("hospital", len(n)):
            b = ft.sample("b", ft.Normal(mu, tau))
            ft.sample("r", ft.Binomial(n, logits=b), obs=r)

    def depth(x):
        mu, tau, b = x[0], np.exp(x[1]), x[2:]
        chance = 1 / (1 + np.exp(-b))
        return -(
            stats.norm.logpdf(mu, 0, 2)
            + stats.invgamma.logpdf(tau, 3)
            + stats.norm.logpdf(b, mu, tau).sum()
            + stats.binom.logpmf(r, n, chance).sum()
        )

    start = np.r_[-2.5, np.log(0.4), np.log((r + 0.5) / (n - r + 0.5))]
    best = optimize.minimize(depth, start, method="L-BFGS-B", options={"maxiter": 10_000})
    found = seek(hospitals(), init={"mu": -2.5, "tau": 0.4, "b": start[2:]})
    np.testing.assert_allclose(found.attributes["log_density"], -best.fun, rtol=1e-6)
    np.testing.assert_allclose(found["b"][0, 0], best.x[2:], atol=5e-3)


def test_with_the_effects_integrated_out_it_is_the_mode_of_the_parameters():
    @ft.model
    def groups(y):
        tau = ft.sample("tau", ft.Gamma(2, 1))
        with ft.plate("group", len(y)):
            theta = ft.sample("theta", ft.Normal(1, tau))
            ft.sample("y", ft.Normal(theta, 0.5), obs=y)

    def depth(tau):
        marginal = stats.norm.logpdf(Y, 1, np.sqrt(tau**2 + 0.25)).sum()
        return -stats.gamma.logpdf(tau, 2) - marginal

    best = optimize.minimize_scalar(depth, bounds=(0.01, 5), options={"xatol": 1e-10})
    model = groups(Y)
    exact = seek(model, plan=model.plan())
    laplace = seek(
        model, plan=model.plan().without("integrate out").approximate()
    )  # the same, as all is Gaussian
    shrunk = 1 + (Y - 1) * best.x**2 / (best.x**2 + 0.25)
    for found in (exact, laplace):
        np.testing.assert_allclose(found["tau"][0, 0], best.x, atol=1e-6)
        np.testing.assert_allclose(found["theta"][0, 0], shrunk, atol=1e-6)
        np.testing.assert_allclose(found.attributes["log_density"], -best.fun, rtol=1e-9)
        assert found.attributes["parameters"] == 1


def test_a_density_without_bound_is_refused_with_remedies():
    model = zoo.schools("stan_posteriordb", zoo.centred_schools).build()
    with pytest.raises(ft.SamplingError, match=r"along `tau` .*plan=model\.plan\(\)"):
        seek(model)


def test_a_flat_direction_is_refused_by_name():
    @ft.model
    def unknowable(y):
        a, b = ft.sample("a", ft.Flat()), ft.sample("b", ft.Flat())
        with ft.plate("i", len(y)):
            ft.sample("y", ft.Normal(a + b, 1), obs=y)

    with pytest.raises(ft.SamplingError, match=r"along `a`, `b` the density is flat"):
        seek(unknowable(Y))


def test_a_plan_that_leaves_nothing_to_climb_is_refused():
    @ft.model
    def coin(y):
        z = ft.sample("z", ft.Bernoulli(0.3))
        ft.sample("y", ft.Normal(1.0 * z, 1), obs=y)

    with pytest.raises(ft.SamplingError, match="nothing is left to climb"):
        seek(coin(0.4), plan=coin(0.4).plan())


def test_lower_modes_are_told_of():
    @ft.model
    def two():
        x = ft.sample("x", ft.Normal(0, 10))
        ft.factor("at", jnp.logaddexp(-8 * (x - 1) ** 2, -8 * (x + 1) ** 2 - 1))

    found = seek(two(), ft.MAP(starts=8))
    np.testing.assert_allclose(found["x"][0, 0], 1, atol=0.01)
    (finding,) = found.advice()
    assert finding.problem == "several modes"


def test_a_normal_approximation_of_a_normal_posterior_is_exact():
    method = ft.NormalApproximation(draws=4000)
    found = seek(conjugate(Y), method, plan=conjugate(Y).plan().as_written())
    z = (np.asarray(found["mu"])[0] - MEAN) * np.sqrt(PRECISION)
    assert abs(z.mean()) * np.sqrt(4000) < 4
    assert abs(np.mean(z**2) - 1) * np.sqrt(4000 / 2) < 4
    assert found.attributes["pareto_k"] == 0  # all weights are equal
    ratios = found.tree["sample_stats"]["log_ratio"].values
    evidence = stats.multivariate_normal.logpdf(Y, np.zeros(6), 2.25 * np.eye(6) + 4)
    np.testing.assert_allclose(ratios, evidence, rtol=1e-9)


def test_a_mode_is_saved_and_read_again(tmp_path):
    found = seek(conjugate(Y))
    opened = ft.open(found.save(tmp_path / "mode.nc"))
    assert opened.summary().equals(found.summary())
    assert str(opened.advice()) == "No warnings: every start reached this mode."


def test_what_is_summed_out_stands_in_its_most_probable_state():
    @ft.model
    def labelled(y):
        weight = ft.sample("weight", ft.Beta(5, 5))
        with ft.plate("i", len(y)):
            z = ft.sample("z", ft.Bernoulli(weight))
            ft.sample("y", ft.Normal(4.0 * z, 1), obs=y)

    y = np.array([0.1, 3.8, -0.4, 4.4, 4.1])
    found = seek(labelled(y), plan=labelled(y).plan())

    def depth(w):
        mixed = w * stats.norm.pdf(y, 4) + (1 - w) * stats.norm.pdf(y)
        return -stats.beta.logpdf(w, 5, 5) - np.log(mixed).sum()

    best = optimize.minimize_scalar(depth, bounds=(0.01, 0.99), options={"xatol": 1e-10})
    np.testing.assert_allclose(found["weight"][0, 0], best.x, atol=1e-6)
    np.testing.assert_array_equal(found["z"][0, 0], [0, 1, 0, 1, 1])
