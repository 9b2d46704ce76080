"""Write a normal model of intercepts and slopes that are correlated: 3,000 groups of five rows."""

import numpy as np

from benchmarks.problem import Problem

GROUPS, EACH = 3_000, 5


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate each row's group, predictor and outcome, with a fixed seed."""
    random = np.random.default_rng(2026)
    group = np.repeat(np.arange(GROUPS), EACH)
    x = random.standard_normal(len(group))
    root = np.linalg.cholesky([[1.0, 0.3], [0.3, 0.5]])
    effect = [2.0, 0.5] + random.standard_normal((GROUPS, 2)) @ root.T
    own = effect[group]
    return group, x, own[:, 0] + own[:, 1] * x + random.standard_normal(len(group))


def finetti():
    import finetti as ft

    group, x, y = data()

    @ft.model
    def slopes(group, x):
        mean = ft.sample("mean", ft.Normal([0.0, 0.0], 10))
        sd = ft.sample("sd", ft.HalfNormal([5.0, 5.0]))
        root = ft.sample("root", ft.LKJCholesky(2, 1.0))
        sigma = ft.sample("sigma", ft.HalfNormal(5))
        with ft.plate("group", group):
            effect = ft.sample("effect", ft.MultivariateNormal(0.0, scale_tril=sd[:, None] * root))
        with ft.plate("row", len(x)):
            own = effect[group]
            ft.sample("y", ft.Normal(mean[0] + own[:, 0] + (mean[1] + own[:, 1]) * x, sigma))

    return slopes(ft.groups(group), x).condition(y=y)


def numpyro():
    import jax.numpy as jnp
    from numpyro import distributions, plate, sample

    group, x, y = data()

    def slopes():
        mean = sample("mean", distributions.Normal(jnp.zeros(2), 10).to_event(1))
        sd = sample("sd", distributions.HalfNormal(jnp.full(2, 5.0)).to_event(1))
        root = sample("root", distributions.LKJCholesky(2, 1.0))
        sigma = sample("sigma", distributions.HalfNormal(5))
        with plate("group", GROUPS):
            white = sample("white", distributions.Normal(jnp.zeros(2), 1).to_event(1))
        own = (mean + white @ (sd[:, None] * root).T)[group]
        with plate("row", len(x)):
            sample("y", distributions.Normal(own[:, 0] + own[:, 1] * x, sigma), obs=y)

    return slopes


def pymc():
    import pymc as pm

    group, x, y = data()
    with pm.Model() as model:
        mean = pm.Normal("mean", 0, 10, shape=2)
        root, _, _ = pm.LKJCholeskyCov(
            "cov", n=2, eta=1, sd_dist=pm.HalfNormal.dist(5, shape=2), store_in_trace=False
        )
        pm.Deterministic("sd", pm.math.sqrt((root**2).sum(1)))
        sigma = pm.HalfNormal("sigma", 5)
        white = pm.Normal("white", 0, 1, shape=(GROUPS, 2))
        own = (mean + white @ root.T)[group]
        pm.Normal("y", own[:, 0] + own[:, 1] * x, sigma, observed=y)
    return model


PROBLEM = Problem("slopes", finetti, numpyro, pymc, ("mean", "sd", "sigma"), "sigma")
