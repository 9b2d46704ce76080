"""Put a run's draws together as a posterior: named, labelled by plates, with statistics."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from math import prod
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.methods import NUTS, Chains, EmbeddedLaplace
from finetti.kernels.alternating import Alternating
from finetti.kernels.compound import Compound
from finetti.language.dims import Plate
from finetti.models import Model
from finetti.posterior.batches import in_batches
from finetti.posterior.labels import constants, dataset
from finetti.posterior.posterior import Posterior
from finetti.structure.form import Given
from finetti.structure.variables import Variable
from finetti.targets.density import Density, Target
from finetti.targets.layout import Layout
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

RECOVER = 1 << 30  # far from the numbers that the sampler folds into the chains' keys


@compiled(ONCE, "target", "names")
def _constrain(
    target: Target, names: tuple[str, ...], given: Given, keys: Key, positions: Array
) -> dict[str, Array]:
    def one(key: Key, position: Array) -> dict[str, Array]:
        return target.values(key, given, position, names)

    return jax.vmap(one)(keys, positions)


@compiled(ONCE, "draws")
def draw_keys(keys: Key, draws: int) -> Key:
    """Return a key for each draw of each chain, in one row, to draw what was taken out."""
    fold = jax.vmap(jax.random.fold_in, (None, 0))
    return jax.vmap(fold, (0, None))(keys, RECOVER + jnp.arange(draws)).reshape(-1)


def constrain(target: Target, given: Given, names: tuple[str, ...], keys: Key, draws: np.ndarray):
    """Turn unconstrained draws, shape (chain, draw, dim), into named values.

    `keys`, one a chain, draw the variables that the plan has taken out of the sampler.
    """
    function = partial(_constrain, target, names, given)
    return per_draw(function, keys, draws, width(target, names))


def per_draw(
    function: Callable[[Key, Any], Mapping[str, Array]],
    keys: Key,
    draws: np.ndarray,
    numbers: int,
) -> dict[str, np.ndarray]:
    """Apply a function of a row of keys and of positions to all draws, some at a time.

    `keys` has one a chain; a draw's key depends on its chain's and on its number. About
    `numbers` numbers are at work in one draw.
    """
    total = draws.shape[0] * draws.shape[1]
    flat, each = draws.reshape(total, draws.shape[2]), draw_keys(keys, draws.shape[1])
    found = in_batches(lambda places: function(each[places], flat[places]), total, numbers)
    return {n: a.reshape(*draws.shape[:2], *a.shape[1:]) for n, a in found.items()}


def width(target: Target, names: tuple[str, ...]) -> int:
    """Return about how many numbers are at work in one draw."""
    form, values = target.form, target.form.program.outputs.values
    found = target.layout.dim + sum(prod(values[name].aval.shape) for name in names)
    return found + sum(
        prod(values[site].aval.shape)
        for m in form.marginals
        if form.reached(m.sites, names)
        for site in m.sites
    )


def assemble(
    density: Density,
    method: Chains,
    values: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
    warm: Mapping[str, np.ndarray] | None,
    attributes: dict[str, Any],
) -> Posterior:
    """Build the posterior from the draws' values by name and the statistics of both phases."""
    groups = {"sample_stats": _statistics(method, density.layout, kept)}
    if warm is not None:
        groups["warmup_sample_stats"] = _statistics(method, density.layout, warm)
    return gather(density, values, groups, attributes)


def gather(
    density: Density,
    values: Mapping[str, np.ndarray],
    groups: Mapping[str, xr.Dataset],
    attributes: dict[str, Any],
) -> Posterior:
    """Put draws by name, shapes (chain, draw, ...), into a tree with the groups and the data."""
    import xarray as xr

    model = density.model
    plates = {p.name: p for v in model.variables for p in v.plates}
    kept_sites = [v for v in density.kept if v.name in values]
    draws = {v.name: (("chain", "draw", *v.dims), values[v.name]) for v in kept_sites}
    tree = xr.DataTree.from_dict(
        {
            "posterior": dataset(draws, plates),
            **groups,
            "observed_data": _observed(model.variables, plates),
            "constant_data": constants(model),
        }
    )
    known = {"model": model.name, "plan": json.dumps(density.plan().record())}
    tree.attrs.update({**attributes, **known, **_written(model), **_versions()})
    tree["posterior"].attrs.update(tree.attrs)
    return Posterior(tree, copy(model))  # which knows what it has read around it


def _statistics(method: Chains, layout: Layout, info: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Name the kernel's infos as ArviZ's schema does; some kernels have several blocks."""
    kernel = method.kernel(layout)
    stats = {
        "lp": info["log_density"],
        "acceptance_rate": info["acceptance"],
        "step_size": info["step_size"],
        "n_steps": info["gradients"],
    }
    if kernel.uses_gradient:
        stats |= {
            "diverging": info["diverging"],
            "energy": info["energy"],
            "tree_depth": info["depth"],
        }
    if isinstance(method, NUTS | EmbeddedLaplace):
        stats["reached_max_treedepth"] = info["depth"] >= method.max_depth
    dims, sizes = ("chain", "draw", "block"), stats["step_size"]
    found = dataset({k: (dims[: v.ndim], v) for k, v in stats.items()}, {})
    if isinstance(kernel, Alternating):
        return found.assign_coords(block=["the rest", f"members of {', '.join(layout.apart)}"])
    if not isinstance(kernel, Compound):
        return found
    kept = np.array([np.nan if size is None else size for size in kernel.kept])
    places = [place for block in kernel.blocks for place in block.places]
    found["step_size"] = (dims, np.where(np.isnan(kept), sizes, kept))
    return found.assign_coords(block=[layout.name(place) for place in places])


def _observed(variables: tuple[Variable, ...], plates: dict[str, Plate]) -> xr.Dataset:
    found = {v.name: (v.dims, v.data) for v in variables if v.data is not None}
    return dataset(found, plates)


def _written(model: Model) -> dict[str, str]:
    """Return the text of the model's function, where Python can find it."""
    try:
        return {"model_source": dedent(inspect.getsource(model.function)).rstrip()}
    except (OSError, TypeError):  # written at a prompt, or no plain function
        return {}


def _versions() -> dict[str, str]:
    found = {}
    for package in ("finetti", "jax", "numpyro"):
        try:
            found[f"{package}_version"] = version(package)
        except PackageNotFoundError:
            found[f"{package}_version"] = "unknown"
    return found
