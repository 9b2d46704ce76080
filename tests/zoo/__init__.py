"""Keep models whose posteriors are known, with their data and reference answers.

`MODELS` maps a name to every model that laws are checked on, each built anew with its data;
`schools`, `posteriordb` and `EXACT` give those whose answers are known, `misses` compares draws
with them.
"""

import json
from collections.abc import Callable
from functools import partial

import finetti as ft
from zoo import groups, regressions, switches
from zoo.eight_schools import VARIANTS, centred_schools, noncentred_schools, schools
from zoo.posteriordb import POSTERIORDB, posteriordb
from zoo.reference import DATA, Case, Reference, misses, read, worst
from zoo.shortened import shortened
from zoo.twins import PAIRS, TWINS

EXACT = {"bioassay": regressions.racine(), "disasters": switches.coal_mining()}

RADON = read("posteriordb", "radon_mn", "data.json")

MODELS: dict[str, Callable[[], ft.Model]] = {
    "schools": schools("stan_posteriordb", centred_schools).build,
    "noncentred_schools": schools("stan_posteriordb").build,
    "radon_slopes": partial(groups.radon_of, groups.radon_slopes, RADON),
    "radon_noncentred_slopes": partial(groups.radon_of, groups.radon_noncentred_slopes, RADON),
    "radon_correlated": partial(groups.radon_of, groups.radon_correlated, RADON),
    "crossed": groups.crossed_trials,
    "nested": groups.nested_pupils,
    "multivariate_group": groups.multivariate_rows,
    "heavy_tailed": partial(groups.grouped, groups.heavy_tailed),
    "heteroscedastic": partial(groups.grouped, groups.heteroscedastic),
    "meta_analysis": groups.studies,
    "weighted_rows": groups.weighed,
    "known_scale": regressions.line,
    "horseshoe": regressions.sparse_rows,
    "logistic_regression": regressions.yes_or_no,
    "growth": regressions.colony,
    "gaussian_process": regressions.wave,
    "count_process": regressions.wave_of_counts,
    **TWINS,
    **switches.DISCRETE,
    **{name: posteriordb(name).build for name in POSTERIORDB},
    **{name: case.build for name, case in EXACT.items()},
}

__all__ = [
    "DATA",
    "EXACT",
    "MODELS",
    "PAIRS",
    "POSTERIORDB",
    "VARIANTS",
    "Case",
    "Reference",
    "centred_schools",
    "groups",
    "json",
    "misses",
    "noncentred_schools",
    "posteriordb",
    "read",
    "schools",
    "shortened",
    "switches",
    "worst",
]
