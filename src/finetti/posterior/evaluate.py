"""Evaluate a model at the draws of its posterior: what each site is there, and how likely.

Every reading of a fit that needs the model again (predictions, the pointwise log likelihood, the
prior at the draws) runs the user's own model here, with its latent variables put at their draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from math import prod
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import BY_SIZE, compiled
from finetti.distributions import unchecked
from finetti.errors import ModelError, UnknownSite
from finetti.language import handlers
from finetti.language.effects import Site, alone
from finetti.models import Model
from finetti.posterior.batches import in_batches
from finetti.posterior.labels import dataset, dotted, some
from finetti.structure.variables import named_dimensions
from finetti.types import Array, Key, Values

if TYPE_CHECKING:
    import xarray as xr

SOME = 8  # batches

Read = Callable[[dict[str, Site]], Mapping[str, Array]]


def enclosed(model: Model, handler: Callable[[], AbstractContextManager[object]]) -> Model:
    """Return a model run inside a handler that stands around all of its own.

    What its data lack keeps its place and its sites, which no handler of the model itself leaves.
    """

    def run() -> None:
        with handler():
            model.run()

    return Model(run, model.name, ((), {}))


def latent_draws(model: Model, tree: xr.DataTree) -> dict[str, np.ndarray]:
    """Return the draws of every latent variable by site name, shape (chain, draw, ...).

    Raises `UnknownSite` for a variable whose draws the run does not hold (those left out by
    `keep=` among them), `ModelError` where the shape or a plate's members are not the model's.
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
        for plate in v.plates:
            if not np.array_equal(draws[dotted(plate.name)], plate.coordinate()):
                raise ModelError(
                    f"plate `{plate.name}` of site `{v.name}` has other members in model "
                    f"`{model.name}` than in the run, or in another order: give the data of the fit"
                )
        found[v.name] = draws[name].to_numpy()
    return found


def at_draws(
    model: Model,
    values: Mapping[str, np.ndarray],
    read: Read,
    seed: int = 0,
    shape: tuple[int, int] | None = None,
) -> dict[str, np.ndarray]:
    """Run a model at each draw of its variables, and return what `read` makes of the sites.

    `values` maps sites to arrays of shape (chain, draw, *site shape). `read` takes the sites by
    name and returns arrays of any shape. Sites that have no value are drawn with the seed, a key
    a draw. `shape` gives the numbers of chains and draws where there are no values. Returns arrays
    of shape (chain, draw, ...); float64.
    """
    return evaluator(model, read)(values, seed, shape)


def run_at(model: Model, values: Values, key: int | Key = 0) -> dict[str, Site]:
    """Run a model with some variables at values, and return its sites by name.

    Those that have no value are drawn with the key. Handlers and plates in force do not see it.
    """
    with (
        alone(),
        unchecked(),
        handlers.trace() as sites,
        handlers.seed(key),
        handlers.substitute(values),
    ):
        model.run()
    return sites


def evaluator(model: Model, read: Read) -> Callable[..., dict[str, np.ndarray]]:
    """Return `at_draws` of a model as a function of the values and the seed.

    Many numbers need the compiler's care.
    """

    def one(key: Key, given: dict[str, Array]) -> dict[str, Array]:
        sites = run_at(model, given, key)
        return {name: jnp.asarray(value) for name, value in read(sites).items()}

    every = compiled(BY_SIZE, calls=SOME)(jax.vmap(one))

    def evaluate(
        values: Mapping[str, np.ndarray], seed: int = 0, shape: tuple[int, int] | None = None
    ) -> dict[str, np.ndarray]:
        """Run the model at each draw, in batches of what there is room for."""
        shape = shape or next(iter(values.values())).shape[:2]
        total = prod(shape)
        flat = {name: a.reshape(total, *a.shape[2:]) for name, a in values.items()}
        with jax.enable_x64(True):
            keys = jax.random.split(jax.random.key(handlers.whole_seed(seed)), total)
            first = jax.eval_shape(one, keys[0], {name: a[0] for name, a in flat.items()})
            numbers = sum(prod(a.shape) for a in first.values())

            def some(places: np.ndarray) -> dict[str, Array]:
                return every(keys[places], {name: a[places] for name, a in flat.items()})

            found = in_batches(some, total, numbers)
        return {name: a.reshape(*shape, *a.shape[1:]) for name, a in found.items()}

    return evaluate


def log_likelihood(model: Model, tree: xr.DataTree) -> xr.Dataset:
    """Return each observation's log probability at each draw, dims (chain, draw, *site dims).

    One variable an observed site; dimensions that a distribution takes together (the event, as
    of a multivariate normal) are one observation.
    """
    names = [v.name for v in model.variables if v.kind == "observed"]
    return _log_probabilities(model, tree, names)


def of_known(model: Model, likelihood: xr.Dataset) -> xr.Dataset:
    """Return the log probabilities of what is known and counts, for those who read each as a row.

    A site `y` some of whose observations are missing, or left out, has one dimension, `y_known`.
    """
    for v in (v for v in model.variables if v.kind == "observed"):
        name = dotted(v.name)
        terms = likelihood[name]
        keep = v.counted(terms.shape[2:])
        if not keep.all():
            known = some(terms, keep, terms.dims[2:])
            likelihood = likelihood.drop_vars(name).assign(
                {name: known.rename({known.dims[2]: f"{name}_known"})}
            )
    return likelihood


def log_prior(model: Model, tree: xr.DataTree) -> xr.Dataset:
    """Return each latent variable's log prior density at each draw, dims (chain, draw, ...).

    The density is that of the variable on its own scale, given those above it.
    """
    names = [v.name for v in model.variables if v.kind == "latent"]
    return _log_probabilities(model, tree, names)


def _log_probabilities(model: Model, tree: xr.DataTree, names: list[str]) -> xr.Dataset:
    def read(sites: dict[str, Site]) -> dict[str, Array]:
        return {name: sites[name].distribution.log_prob(sites[name].value) for name in names}

    found = at_draws(model, latent_draws(model, tree), read) if names else {}
    chosen = [v for v in model.variables if v.name in found]
    plates = named_dimensions(chosen)
    arrays = {
        v.name: (("chain", "draw", *v.dims[: found[v.name].ndim - 2]), found[v.name])
        for v in chosen
    }
    drawn = tree["posterior"].dataset
    return dataset(arrays, plates).assign_coords(chain=drawn["chain"], draw=drawn["draw"])
