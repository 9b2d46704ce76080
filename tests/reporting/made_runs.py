"""Make posteriors of known draws for the tests of pictures, without a sampler."""

import numpy as np
import xarray as xr

import finetti as ft

SCHOOLS = tuple("ABCDEFGH")
EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def posterior(labels=SCHOOLS, draws=400, chains=4, *, mu=None, diverging=()) -> ft.Posterior:
    """Return independent draws of mu, or those given, and of theta in one plate about it."""
    random = np.random.default_rng(0)
    mu = random.normal(8, 4, (chains, draws)) if mu is None else mu
    theta = mu[..., None] + random.normal(size=(chains, draws, len(labels)))
    coordinates = {"chain": range(chains), "draw": range(draws), "school": list(labels)}
    found = xr.Dataset(
        {"mu": (("chain", "draw"), mu), "theta": (("chain", "draw", "school"), theta)}, coordinates
    )
    groups = {"posterior": found}
    if diverging:
        diverged = np.zeros((chains, draws), bool)
        diverged[0, list(diverging)] = True
        groups["sample_stats"] = xr.Dataset({"diverging": (("chain", "draw"), diverged)})
    return ft.Posterior(xr.DataTree.from_dict(groups))
