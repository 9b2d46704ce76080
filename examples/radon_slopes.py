"""Let the difference between the floors vary from county to county too.

    finetti fit examples/radon_slopes.py --data examples/radon.csv --report

As radon.py, with a slope of its own for each county, drawn from a population of slopes.

Gelman & Hill 2007, section 13.1.
"""

import finetti as ft


@ft.model
def radon_slopes(county, floor, log_radon=None):
    level = ft.sample("level", ft.Normal(0, 10))  # of a home in the basement, over counties
    upstairs = ft.sample("upstairs", ft.Normal(0, 10))  # change from the basement to the floor
    between = ft.sample("between", ft.HalfNormal(1))  # spread of the counties' levels
    between_slopes = ft.sample("between_slopes", ft.HalfNormal(1))  # and of their changes
    within = ft.sample("within", ft.HalfNormal(1))  # spread between the homes of one county

    with ft.plate("county", county):
        effect = ft.sample("effect", ft.Normal(level, between))
        slope = ft.sample("slope", ft.Normal(upstairs, between_slopes))

    with ft.plate("home", len(county)):
        mean = effect[county] + slope[county] * floor
        ft.sample("log_radon", ft.Normal(mean, within), obs=log_radon)
