"""Evaluate a model at the draws of its posterior: what each site is there, and how likely.

Every reading of a fit that needs the model again (predictions, the pointwise log likelihood, the
prior at the draws) runs the user's own model here, with its latent variables put at their draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.distributions import unchecked
from finetti.errors import ModelError, UnknownSite
from finetti.language import handlers
from finetti.language.effects import Site, alone
from finetti.model import Model
from finetti.posterior.naming import dotted
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

BATCH_BYTES = 128_000_000
LONGEST_BATCH = 1000

Read = Callable[[dict[str, Site]], Mapping[str, Array]]


def latent_draws(model: Model, tree: xr.DataTree) -> dict[str, np.ndarray]:
    """Return the draws of every latent variable by site name, shape (chain, draw, ...).

    Raises `UnknownSite` for a variable whose draws the run does not hold (those left out by
    `keep=` among them), `ModelError` where the shape is not the model's.
    """
    draws, found = tree["posterior"].dataset, {}
    for v in model.variables:
        if v.kind != "latent":
            continue
        name = dotted(v.name)
        if name not in draws:
            raise UnknownSite(
                f"the run holds no draws of `{v.name}`, a latent variable of model "
                f"`{model.name}`: fit with {v.name!r} in keep=, or give the model of this run"
            )
        if draws[name].shape[2:] != v.shape:
            raise ModelError(
                f"site `{v.name}` has shape {v.shape} in model `{model.name}` and "
                f"{draws[name].shape[2:]} in the run: the data are not those of the fit"
            )
        found[v.name] = draws[name].to_numpy()
    return found


def at_draws(
    model: Model, values: Mapping[str, np.ndarray], read: Read, seed: int = 0
) -> dict[str, np.ndarray]:
    """Run a model at each draw of its variables, and return what `read` makes of the sites.

    `values` maps sites to arrays of shape (chain, draw, *site shape). `read` takes the sites by
    name and returns arrays of any shape. Sites that have no value are drawn with the seed, a key
    a draw. Returns arrays of shape (chain, draw, ...); float64.
    """
    shape = next(iter(values.values())).shape[:2]
    total = prod(shape)
    flat = {name: a.reshape(total, *a.shape[2:]) for name, a in values.items()}

    def one(key: Key, given: dict[str, Array]) -> dict[str, Array]:
        with (
            alone(),
            unchecked(),
            handlers.trace() as sites,
            handlers.seed(key),
            handlers.substitute(given),
        ):
            model.run()
        return {name: jnp.asarray(value) for name, value in read(sites).items()}

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), total)
        first = jax.eval_shape(one, keys[0], {name: a[0] for name, a in flat.items()})
        numbers = sum(prod(a.shape) for a in first.values())
        size = int(np.clip(BATCH_BYTES // (8 * max(numbers, 1)), 1, min(LONGEST_BATCH, total)))
        every = jax.jit(jax.vmap(one))
        found = {name: np.empty((total, *a.shape), a.dtype) for name, a in first.items()}
        for start in range(0, total, size):
            places = np.minimum(np.arange(start, start + size), total - 1)
            made = every(keys[places], {name: a[places] for name, a in flat.items()})
            for name, value in made.items():
                found[name][start : start + size] = np.asarray(value)[: total - start]
    return {name: a.reshape(*shape, *a.shape[1:]) for name, a in found.items()}


def log_likelihood(model: Model, tree: xr.DataTree) -> xr.Dataset:
    """Return each observation's log probability at each draw, dims (chain, draw, *site dims).

    One variable an observed site; dimensions that a distribution takes together (the event, as
    of a multivariate normal) are one observation.
    """
    names = [v.name for v in model.variables if v.kind == "observed"]
    return _log_probabilities(model, tree, names)


def log_prior(model: Model, tree: xr.DataTree) -> xr.Dataset:
    """Return each latent variable's log prior density at each draw, dims (chain, draw, ...).

    The density is that of the variable on its own scale, given those above it.
    """
    names = [v.name for v in model.variables if v.kind == "latent"]
    return _log_probabilities(model, tree, names)


def _log_probabilities(model: Model, tree: xr.DataTree, names: list[str]) -> xr.Dataset:
    import xarray as xr

    def read(sites: dict[str, Site]) -> dict[str, Array]:
        return {name: sites[name].distribution.log_prob(sites[name].value) for name in names}

    found = at_draws(model, latent_draws(model, tree), read) if names else {}
    variables = {v.name: v for v in model.variables}
    arrays: dict[str, Any] = {}
    for name, array in found.items():
        dims = variables[name].dims[: array.ndim - 2]
        renamed = [dotted(d) for d in dims]
        arrays[dotted(name)] = (("chain", "draw", *renamed), array)
    made = xr.Dataset(arrays, {d: tree["posterior"].dataset[d] for d in ("chain", "draw")})
    labels = {p.name: p for name in found for p in variables[name].plates}
    return made.assign_coords(
        {dotted(name): p.coordinate() for name, p in labels.items() if dotted(name) in made.dims}
    )
