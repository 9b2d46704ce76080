"""Ask how radon varies between the homes and the counties of Minnesota.

    finetti fit examples/radon.py --data examples/radon.csv

Radon comes from the soil, so homes of one county are alike, and the first floor has less of it
than the basement. Many counties have few homes: each county's level is drawn towards what its
soil's uranium predicts, the more so the fewer homes speak for it.

Gelman & Hill 2007, chapter 12.
"""

import finetti as ft


@ft.model
def radon(county, floor, log_uppm, log_radon=None):
    level = ft.sample("level", ft.Normal(0, 10))  # of a home in the basement, over counties
    uranium = ft.sample("uranium", ft.Normal(0, 10))  # change with log uranium of the soil
    upstairs = ft.sample("upstairs", ft.Normal(0, 10))  # change from the basement to the floor
    between = ft.sample("between", ft.HalfNormal(1))  # spread between counties
    within = ft.sample("within", ft.HalfNormal(1))  # spread between the homes of one county

    with ft.plate("county", county):
        z = ft.sample("z", ft.Normal(0, 1))
        effect = ft.deterministic("effect", level + between * z)

    with ft.plate("home", len(county)):
        mean = effect[county] + uranium * log_uppm + upstairs * floor
        ft.sample("log_radon", ft.Normal(mean, within), obs=log_radon)
