"""Write Eight Schools, not centred, in each library.

Rubin 1981; Gelman et al., Bayesian Data Analysis, section 5.5.
"""

from benchmarks.problem import Problem

Y = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
SIGMA = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]


def finetti():
    import finetti as ft

    @ft.model
    def eight_schools(sigma):
        mu = ft.sample("mu", ft.Normal(0, 5))
        tau = ft.sample("tau", ft.HalfCauchy(5))
        with ft.plate("school", list("ABCDEFGH")):
            eta = ft.sample("eta", ft.Normal(0, 1))
            theta = ft.deterministic("theta", mu + tau * eta)
            ft.sample("y", ft.Normal(theta, sigma))

    return eight_schools(sigma=SIGMA).condition(y=Y)


def numpyro():
    import numpy as np
    from numpyro import deterministic, distributions, plate, sample

    y, sigma = np.array(Y), np.array(SIGMA)

    def eight_schools():
        mu = sample("mu", distributions.Normal(0, 5))
        tau = sample("tau", distributions.HalfCauchy(5))
        with plate("school", 8):
            eta = sample("eta", distributions.Normal(0, 1))
            theta = deterministic("theta", mu + tau * eta)
            sample("y", distributions.Normal(theta, sigma), obs=y)

    return eight_schools


def pymc():
    import pymc as pm

    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * eta, dims="school")
        pm.Normal("y", theta, SIGMA, observed=Y, dims="school")
    return model


PROBLEM = Problem("eight_schools", finetti, numpyro, pymc, ("mu", "tau", "theta"))
