"""Fit a model without some of its observations, and average what it says of them over draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.predicting.labelled import the_outcome
from finetti.errors import ModelError
from finetti.inference.again import refit
from finetti.models import Model
from finetti.posterior import diagnose
from finetti.posterior.labels import dotted
from finetti.posterior.mode import is_mode
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import Variable
from finetti.types import Float

if TYPE_CHECKING:
    import xarray as xr

ANOTHER = 104_729  # apart from seeds that a user gives the fit


def known_model(posterior: Posterior, purpose: str) -> Model:
    """Return a posterior's model, or refuse one without draws to average over."""
    model = posterior.known_model(purpose)
    if is_mode(posterior.tree):
        raise ModelError(
            f"{purpose} averages over draws, and the run of `{model.name}` is a mode: fit it by "
            f"NUTS() or NormalApproximation()"
        )
    return model


def observed_site(model: Model, of: str | None) -> Variable:
    """Return the observed site named, or the only outcome; refuse to choose among several."""
    return the_outcome(model, of, "leave out observations of", "to leave out")


def pointwise(likelihood: xr.Dataset, v: Variable) -> xr.DataArray:
    """Return each observation's log probability at each draw; refuse a site that is but one."""
    found = likelihood[dotted(v.name)]
    if found.ndim == 2 or v.counted(found.shape[2:]).sum() < 2:
        raise ModelError(
            f"site `{v.name}` is one observation of shape {v.shape}: nothing is left to predict "
            f"it from; observe its parts in a plate"
        )
    return found


def counted(likelihood: xr.Dataset, model: Model) -> dict[str, np.ndarray]:
    """Tell of each site's observations whether they are known and count, an event being one."""
    seen = [v for v in model.variables if v.kind == "observed"]
    return {v.name: v.counted(likelihood[dotted(v.name)].shape[2:]) for v in seen}


def fit_without(posterior: Posterior, left: Mapping[str, np.ndarray], number: int) -> Posterior:
    """Fit a posterior's model again without some observations, by the same method.

    `left` maps observed sites to True where an observation is left out; `number` tells the fits of
    one seed apart.
    """
    model = known_model(posterior, "leaving out").leave_out(**left)
    return refit(posterior, model, ANOTHER + number)


def average(log_densities: Float[np.ndarray, "chain draw"]) -> tuple[float, float]:
    """Return the log of the mean density over draws, and its Monte-Carlo standard error."""
    from arviz_stats.base.array import array_stats

    high = log_densities.max()
    if not np.isfinite(high):
        return float(high), np.inf
    density = np.exp(log_densities - high)
    with diagnose.quiet():
        error = array_stats.mcse(density, chain_axis=0, draw_axis=1, method="mean")
    mean = density.mean()
    relative = np.asarray(error, float).item() / mean if np.ptp(density) else 0.0
    return float(high + np.log(mean)), relative


def highest_k(draws: int) -> float:
    """Return the k-hat up to which so many draws are to be trusted (Vehtari et al. 2024)."""
    return min(1 - 1 / np.log10(max(draws, 2)), 0.7)
