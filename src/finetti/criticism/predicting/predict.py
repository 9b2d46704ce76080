"""Predict data from a posterior: those of the fit again, or new rows and new groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Literal, get_args

import jax.numpy as jnp
import numpy as np

from finetti.criticism.predicting.labelled import label, observations, within_memory
from finetti.criticism.predicting.members import newcomers
from finetti.criticism.predicting.placement import Placement, States, placed, states
from finetti.criticism.predicting.rows import OnRows, covariates, on_rows
from finetti.errors import ModelError, refuse_others
from finetti.language.effects import Site
from finetti.language.missing import of_holes
from finetti.models import Model, require_rows
from finetti.posterior.evaluate import at_draws
from finetti.posterior.given import constants_anew, data_groups, with_categories
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.variables import Variable
from finetti.types import Array, TableLike

if TYPE_CHECKING:
    import xarray as xr

NewGroups = Literal["refuse", "sample", "population"]
At = Literal["draws", "mean"]


def predict(
    posterior: Posterior,
    newdata: TableLike = None,
    *,
    new_groups: NewGroups = "refuse",
    at: At = "draws",
    draws: int | None = None,
    seed: int = 0,
) -> xr.DataTree:
    """Draw data from the posterior predictive distribution, a data set for each draw.

    Without `newdata` they are replicates of the data fitted, in the group posterior_predictive of
    the tree returned, beside posterior, observed_data and constant_data; where the data lack values
    that are imputed, the group missing has them, `y_missing` of each row of `y` that lacks one,
    drawn given all that is known. `newdata`, a dict of
    columns or a data frame, holds new rows of the model's arguments; columns that are only observed
    may be absent; what is observed and predicts other sites is taken as given where a column holds
    it. Predictions for them are in the group predictions: the observed sites, the
    deterministic ones and the effects in plates; their data in predictions_constant_data. Dims are
    (chain, draw, *site dims), with the plates' members as coordinates.

    Members of plates that the fit has seen keep their posterior draws. For others, `new_groups` is
    "refuse", which names them; "sample", which draws their effects from the population given each
    draw of its hyperparameters; or "population", which puts them at the population's mean. The
    members of a plate without labels that follows the rows are all new.

    `at="mean"` gives the plug-in predictive instead, at the posterior means of the latent
    variables, which leaves out their uncertainty; the tree's attribute `predictive` says so. At a
    mode (`MAP`) it is always so. `draws` thins the draws to about so many.

    Where the model is under `ft.intervene`, latent variables below the sites set are drawn anew
    from the model; the tree's attribute `redrawn` names them.

    Raises `DataError` for newdata that do not fit the model, `ModelError` for a run without its
    model, `SamplingError` for more than 4 GiB of predictions.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), progress=False)
    >>> predict(posterior, {"n": 100})["predictions"]["heads"].mean().item() > 50
    True
    """
    import xarray as xr

    require_posterior(posterior, "ft.predict")
    refuse_others("new_groups", new_groups, get_args(NewGroups))
    refuse_others("at", at, get_args(At))
    fitted = posterior.known_model("predicting")
    if newdata is None:
        require_rows(fitted, "ft.predict without newdata")
    fit = OnRows(fitted, frozenset(), frozenset())
    model, kept, absent = fit if newdata is None else on_rows(fitted, newdata)
    these = states(posterior, fitted, at == "mean", draws)
    free = model.redraw(covariates(fitted, model, newdata))
    put = placed(fitted, free, these, kept)
    if new_groups == "refuse":
        put.refuse_unseen()
    variables = free.variables
    chosen = _chosen(variables, fitted, effects=newdata is not None)
    within_memory(chosen, prod(these.shape))
    if put.known:
        fill = partial(newcomers, put.known, new_groups == "population")
        free = replace(free, handlers=(*free.handlers, fill))

    def read(sites: dict[str, Site]) -> dict[str, Array]:
        return {v.name: jnp.asarray(sites[v.name].result) for v in chosen}

    found = at_draws(free, put.values, read, seed, these.shape)
    if new_groups == "population":
        _refuse_infinite(found, put)
    predicted = label(chosen, found, {"chain": these.chain, "draw": these.draw})
    predicted = with_categories(predicted, fitted)
    attributes = {
        "created_by": "finetti",
        "model": model.name,
        "predictive": these.words,
        "seed": seed,
        "new_groups": new_groups,
        "new_members": " and ".join(map(str, put.unseen.values())),
        "intervened": ", ".join(sorted(put.intervened)),
        "redrawn": ", ".join(put.redrawn),
    }
    if newdata is not None:
        data = constants_anew(model, variables, absent, fitted)
        groups = {"predictions": predicted, "predictions_constant_data": data}
    else:
        groups = {"posterior_predictive": predicted, **data_groups(model)}
        groups |= _missing(model, these, seed)
        if these.words == "posterior" and draws is None:
            groups["posterior"] = posterior.tree["posterior"].dataset
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update({name: value for name, value in attributes.items() if value != ""})
    return tree


def _missing(model: Model, these: States, seed: int) -> dict[str, xr.Dataset]:
    """Return the group of what the data lack, drawn given what is known of it."""
    if not any(v.holes is not None for v in model.variables):
        return {}
    whole = model.whole()
    holes = {of_holes(v.name) for v in whole.variables if v.holes is not None}
    chosen = [v for v in whole.variables if v.name in holes]

    def read(sites: dict[str, Site]) -> dict[str, Array]:
        return {v.name: jnp.asarray(sites[v.name].value) for v in chosen}

    found = at_draws(whole, these.values, read, seed, these.shape)
    return {"missing": label(chosen, found, {"chain": these.chain, "draw": these.draw})}


def _chosen(variables: Sequence[Variable], fitted: Model, effects: bool) -> list[Variable]:
    """Return the variables to predict: observed and deterministic ones, and effects in plates."""
    seen = observations(fitted)
    return [
        v
        for v in variables
        if (v.name in seen and (effects or v.kind != "observed"))
        or v.kind == "deterministic"
        or (effects and v.kind == "latent" and v.plates)
    ]


def _refuse_infinite(found: Mapping[str, np.ndarray], put: Placement) -> None:
    for name in put.known:
        if name in found and not np.isfinite(found[name]).all():
            raise ModelError(
                f"the population of site `{name}` has no finite mean for new members to stand at: "
                f'take new_groups="sample"'
            )
