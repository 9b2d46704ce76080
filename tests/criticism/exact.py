"""Make posteriors of draws that are independent and exact, without a sampler."""

import numpy as np
import xarray as xr

import finetti as ft
from finetti.criticism.predicting.labelled import label
from finetti.posterior.given import data_groups


def posterior(model: ft.Model, **draws: np.ndarray) -> ft.Posterior:
    """Return a posterior whose latent variables have the draws given, (chain, draw, ...)."""
    tree = xr.DataTree.from_dict({"posterior": label(model.variables, draws), **data_groups(model)})
    return ft.Posterior(tree, model)


def z_mean(draws: np.ndarray, mean: float) -> float:
    """Return how many standard errors the mean of independent draws is off."""
    return float((draws.mean() - mean) / (draws.std() / np.sqrt(draws.size)))


def z_sd(draws: np.ndarray, sd: float) -> float:
    """Return how many standard errors the standard deviation of independent draws is off."""
    squares = (draws - draws.mean()) ** 2
    return float((squares.mean() - sd**2) / (squares.std() / np.sqrt(draws.size)))
