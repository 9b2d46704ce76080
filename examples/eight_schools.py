"""Ask whether coaching helps in eight schools, and whether it helps more in some.

    finetti fit examples/eight_schools.py --data examples/eight_schools.csv --report

Each school ran its own experiment, with an estimate of the effect on the SAT's verbal part and a
standard error nearly as large. The schools' effects are drawn from one population, whose mean and
spread the eight tell of together.

Rubin 1981; Gelman et al., Bayesian Data Analysis, section 5.5.
"""

import finetti as ft


@ft.model
def eight_schools(school, y, sigma):
    mu = ft.sample("mu", ft.Normal(0, 5))  # mean effect of coaching, in points
    tau = ft.sample("tau", ft.HalfCauchy(5))  # spread between schools
    with ft.plate("school", school):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("experiment", len(y)):
        ft.sample("y", ft.Normal(theta[school], sigma), obs=y)
