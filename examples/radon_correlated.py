"""Let a county's level say something of its slope: the two are drawn together.

    finetti fit examples/radon_correlated.py --data examples/radon.csv --report

As radon_slopes.py, with a correlation between the counties' levels and slopes.

Gelman & Hill 2007, section 13.1.
"""

import jax.numpy as jnp

import finetti as ft


@ft.model
def radon_correlated(county, floor, log_radon=None):
    centre = ft.sample("centre", ft.Normal(jnp.zeros(2), 10).to_event(1))  # level and slope
    spread = ft.sample("spread", ft.HalfNormal(jnp.ones(2)).to_event(1))  # of each, over counties
    together = ft.sample("together", ft.LKJCholesky(2, 2.0))  # their correlation
    within = ft.sample("within", ft.HalfNormal(1))  # spread between the homes of one county
    ft.deterministic("correlation", together[1, 0])

    with ft.plate("county", county):
        scale = spread[:, None] * together
        effect = ft.sample("effect", ft.MultivariateNormal(centre, scale_tril=scale))
        ft.deterministic("county_level", effect[:, 0])
        ft.deterministic("county_slope", effect[:, 1])

    with ft.plate("home", len(county)):
        mean = effect[county, 0] + effect[county, 1] * floor
        ft.sample("log_radon", ft.Normal(mean, within), obs=log_radon)
