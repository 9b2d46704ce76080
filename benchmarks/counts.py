"""Write a Poisson random-intercept model, not centred, in each library: 200 groups, 4000 counts."""

import numpy as np

from benchmarks.problem import Problem

GROUPS, EACH = 200, 20


def data() -> tuple[np.ndarray, np.ndarray]:
    """Simulate the counts and their groups' numbers, with a fixed seed."""
    random = np.random.default_rng(2026)
    group = np.repeat(np.arange(GROUPS), EACH)
    effect = 0.5 + 0.7 * random.standard_normal(GROUPS)
    return group, random.poisson(np.exp(effect[group]))


def finetti():
    import jax.numpy as jnp

    import finetti as ft

    group, y = data()

    @ft.model
    def counts():
        mu = ft.sample("mu", ft.Normal(0, 2))
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", GROUPS):
            eta = ft.sample("eta", ft.Normal(0, 1))
            theta = ft.deterministic("theta", mu + tau * eta)
        with ft.plate("observation", GROUPS * EACH):
            ft.sample("y", ft.Poisson(jnp.exp(theta[group])))

    return counts().condition(y=y)


def numpyro():
    import jax.numpy as jnp
    from numpyro import deterministic, distributions, plate, sample

    group, y = data()

    def counts():
        mu = sample("mu", distributions.Normal(0, 2))
        tau = sample("tau", distributions.HalfNormal(1))
        with plate("group", GROUPS):
            eta = sample("eta", distributions.Normal(0, 1))
            theta = deterministic("theta", mu + tau * eta)
        with plate("observation", GROUPS * EACH):
            sample("y", distributions.Poisson(jnp.exp(theta[group])), obs=y)

    return counts


def pymc():
    import pymc as pm

    group, y = data()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        tau = pm.HalfNormal("tau", 1)
        eta = pm.Normal("eta", 0, 1, shape=GROUPS)
        theta = pm.Deterministic("theta", mu + tau * eta)
        pm.Poisson("y", pm.math.exp(theta[group]), observed=y)
    return model


PROBLEM = Problem("counts", finetti, numpyro, pymc, ("mu", "tau", "theta"))
