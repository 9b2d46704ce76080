"""Make posteriors of models with their data whose draws are made by hand, without a sampler."""

import numpy as np
import xarray as xr

import finetti as ft


def posterior_of(model: ft.Model, **draws: np.ndarray) -> ft.Posterior:
    """Return the posterior of a model whose sites have the draws given, (chain, draw, ...)."""
    dims = {v.name: v.dims for v in model.variables}
    arrays = {n: (("chain", "draw", *dims[n]), a) for n, a in draws.items()}
    plates = {p.name: p.coordinate() for v in model.variables for p in v.plates if v.name in draws}
    chains, length = next(iter(draws.values())).shape[:2]
    coordinates = {"chain": range(chains), "draw": range(length), **plates}
    found = xr.Dataset(arrays, coordinates)
    return ft.Posterior(xr.DataTree.from_dict({"posterior": found}), model)
