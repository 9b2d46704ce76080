"""State Eight Schools for the gallery: the table, and the model in its two forms."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

import finetti as ft

TABLE = Path(__file__).parents[1] / "eight_schools.csv"
with TABLE.open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
SCHOOLS = [row["school"] for row in ROWS]
EFFECT = np.array([float(row["y"]) for row in ROWS])  # points of the SAT's verbal part
ERROR = np.array([float(row["sigma"]) for row in ROWS])  # standard errors of the effects


@ft.model
def centred(sigma):
    """State each school's effect as drawn from the population of schools."""
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", SCHOOLS):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, sigma))


@ft.model
def non_centred(sigma):
    """State the same by standardised effects, of which the schools' are made."""
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", SCHOOLS):
        eta = ft.sample("eta", ft.Normal(0, 1))
        theta = ft.deterministic("theta", mu + tau * eta)
        ft.sample("y", ft.Normal(theta, sigma))


CENTRED = centred(sigma=ERROR).condition(y=EFFECT)
NON_CENTRED = non_centred(sigma=ERROR).condition(y=EFFECT)
