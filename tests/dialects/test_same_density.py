"""Write one Eight Schools model in every dialect and natively: all give the same log density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.dialects import edward2 as ed
from finetti.dialects import pymc2, pymc4, tf

Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def points():
    rng = np.random.default_rng(0)
    return [(rng.normal(0, 5), rng.normal(2, 1), rng.normal(0, 1, 8)) for _ in range(5)]


@ft.model
def native(sigma):
    mu = ft.sample("mu", ft.Normal(0, 10))
    log_tau = ft.sample("log_tau", ft.Normal(5, 1))
    with ft.plate("school", list("ABCDEFGH")):
        eta = ft.sample("eta", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu + jnp.exp(log_tau) * eta, sigma))


def by_pymc2():
    mu = pymc2.Normal("mu", 0.0, 10.0**-2, value=0.0)
    log_tau = pymc2.Normal("log_tau", 5.0, 1.0, value=5.0)
    eta = pymc2.Normal("eta", 0.0, 1.0, value=np.zeros(8))

    @pymc2.deterministic
    def theta(mu=mu, log_tau=log_tau, eta=eta):
        return mu + np.exp(log_tau) * eta

    y = pymc2.Normal("y", theta, SIGMA**-2, value=Y, observed=True)
    return pymc2.Model([mu, log_tau, eta, theta, y])


def schools(sigma):
    mu = ed.Normal(loc=0.0, scale=10.0, name="mu")
    log_tau = ed.Normal(loc=5.0, scale=1.0, name="log_tau")
    eta = ed.Normal(loc=tf.zeros(8), scale=tf.ones(8), name="eta")
    return ed.Normal(loc=mu + tf.exp(log_tau) * eta, scale=sigma, name="y")


def by_2019():
    model = pymc4.Model(sigma=SIGMA)
    model.define(lambda cfg: schools(cfg.sigma))
    return model.observe(y=Y)


@pymc4.model
def schools_2020():
    mu = yield pymc4.Normal("mu", 0, 10)
    log_tau = yield pymc4.Normal("log_tau", 5, 1)
    eta = yield pymc4.Normal("eta", 0, 1, plate=8)
    yield pymc4.Normal("y", mu + tf.exp(log_tau) * eta, SIGMA, observed=Y)


def finetti_density(model, prefix=""):
    def evaluate(mu, log_tau, eta):
        density = ft.density(model)
        named = {"mu": mu, "log_tau": log_tau, "eta": eta}
        with jax.enable_x64(True):
            position = density.unconstrain({prefix + k: v for k, v in named.items()})
            return float(density.log_density(position))

    return evaluate


def pymc2_state(mu, log_tau, eta):
    model = by_pymc2()
    model.mu.value, model.log_tau.value, model.eta.value = mu, log_tau, eta
    return model.logp


def state_of_2020(mu, log_tau, eta):
    values = {"schools_2020/mu": mu, "schools_2020/log_tau": log_tau, "schools_2020/eta": eta}
    return pymc4.evaluate_model(schools_2020(), values)[1].collect_log_prob()


WAYS = {
    "PyMC2": lambda: finetti_density(by_pymc2().finetti),
    "PyMC2 nodes": lambda: pymc2_state,
    "Edward2": lambda: finetti_density(ed.as_model(schools)(SIGMA).condition(y=Y)),
    "Edward2 log joint": lambda: (
        lambda mu, log_tau, eta: float(
            ed.make_log_joint_fn(schools)(sigma=SIGMA, mu=mu, log_tau=log_tau, eta=eta, y=Y)
        )
    ),
    "PyMC4 2019": lambda: finetti_density(by_2019().finetti),
    "PyMC4 2019 log joint": lambda: by_2019().target_log_prob_fn(),
    "PyMC4 2020": lambda: finetti_density(schools_2020().finetti, "schools_2020/"),
    "PyMC4 2020 state": lambda: state_of_2020,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_dialect_gives_the_native_log_density(way):
    evaluate, known = WAYS[way](), finetti_density(native(SIGMA).condition(y=Y))
    for point in points():
        assert float(evaluate(*point)) == pytest.approx(known(*point), abs=1e-10)


@pytest.mark.slow
def test_a_program_of_any_dialect_can_be_fitted_natively():
    for model in (by_pymc2().finetti, by_2019().finetti, schools_2020().finetti):
        posterior = ft.fit(model, ft.NUTS(draws=50, warmup=50, chains=2), progress=False)
        name = next(n for n in posterior.names if n.endswith("eta"))
        assert posterior[name].shape == (2, 50, 8)
