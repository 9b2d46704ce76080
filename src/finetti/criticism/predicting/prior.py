"""Draw from a model before it has seen its data: parameters, and the data they would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from finetti.criticism.predicting.labelled import observations, tree_of, within_memory
from finetti.errors import refuse_no_draws
from finetti.language.effects import Site
from finetti.models import Model, require_model, require_rows
from finetti.posterior.evaluate import at_draws
from finetti.types import Array

if TYPE_CHECKING:
    import xarray as xr


def prior(model: Model, draws: int = 1000, seed: int = 0) -> xr.DataTree:
    """Draw parameters from the prior of a model with its data, and data given each.

    Returns an `xarray.DataTree` in ArviZ's schema with the groups prior (latent and deterministic
    sites), prior_predictive (what is observed), observed_data and constant_data; dims (chain: 1,
    draw, *site dims). Raises `SeedError` for a flat prior, which cannot be drawn from, and for a
    seed that is no whole number, `SamplingError` for less than one draw.

    >>> tree = prior(coin(10).condition(heads=7), draws=100)
    >>> sorted(tree.children), tree["prior_predictive"]["heads"].shape
    (['constant_data', 'observed_data', 'prior', 'prior_predictive'], (1, 100))
    """
    require_rows(require_model(model, "ft.prior"), "ft.prior")
    refuse_no_draws(draws)
    seen = observations(model)
    chosen = [v for v in model.redraw().variables if v.kind != "factor"]
    within_memory(chosen, draws)
    found = prior_of(model, [v.name for v in chosen], draws, seed)
    groups = {
        "prior": [v for v in chosen if v.name not in seen],
        "prior_predictive": [v for v in chosen if v.name in seen],
    }
    return tree_of(model, groups, found, {"seed": seed, "predictive": "prior"})


def prior_of(model: Model, names: list[str], draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw some sites alone from the prior of a model, shape (chain: 1, draw, *site shape).

    They are those that `prior` draws with the seed. What they do not depend on, such as data of
    many rows, takes no time: the compiler leaves out what is not read.
    """

    def read(sites: dict[str, Site]) -> dict[str, Array]:
        return {name: jnp.asarray(sites[name].value) for name in names}

    return at_draws(model.redraw(), {}, read, seed, shape=(1, draws))
