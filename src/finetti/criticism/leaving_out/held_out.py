"""Fit a model without some of its observations, and average what it says of them over draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from finetti.criticism.predicting.labelled import the_outcome
from finetti.errors import ModelError
from finetti.language.effects import Site
from finetti.models import Model
from finetti.posterior import diagnose
from finetti.posterior.evaluate import evaluator, latent_draws
from finetti.posterior.labels import dotted
from finetti.posterior.mode import is_mode
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import Variable
from finetti.types import Array, Float

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


@runtime_checkable
class LeftOut(Protocol):
    """Say what is left out at a time: single observations, or groups of them."""

    def left(self, chosen: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return by observed site where an observation is of one of the points chosen."""
        ...

    def read(self, sites: dict[str, Site]) -> dict[str, Array]:
        """Return the log density of each point, as `points`."""
        ...

    def given(self, draws: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return the draws of what is not drawn anew for a point left out."""
        ...


@dataclass(frozen=True, eq=False)
class Without:
    """Fit a model without some points, and average their densities over the draws.

    It is a job whose pieces are points left out together, and a number that tells fits of one seed
    apart. `refit` fits a model with a seed.
    """

    refit: Callable[[Model, int], Posterior]
    model: Model
    points: LeftOut

    @cached_property
    def score(self) -> Callable[..., dict[str, np.ndarray]]:
        """Return the function from latent draws to the points' log densities."""
        return evaluator(self.model, self.points.read)

    def __call__(self, piece: tuple[np.ndarray, int]) -> np.ndarray:
        """Return a row for each point: its log mean density, and the Monte-Carlo error of that."""
        chosen, number = piece
        without = self.refit(self.model.leave_out(**self.points.left(chosen)), ANOTHER + number)
        draws = self.points.given(latent_draws(self.model, without.tree))
        found = self.score(draws, number)["points"]
        flat = found.reshape(*found.shape[:2], -1)
        return np.array([average(flat[:, :, i]) for i in chosen])


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
