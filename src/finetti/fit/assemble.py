"""Put a run's draws together as a posterior: named, labelled by plates, with statistics."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.density.density import Density, Target
from finetti.density.layout import Layout
from finetti.fit.compiling import ONCE, compiled
from finetti.fit.methods import NUTS, Chains, EmbeddedLaplace
from finetti.fit.run import Draws
from finetti.kernels.compound import Compound
from finetti.language.dims import Groups, Plate
from finetti.model import Model
from finetti.posterior.naming import dotted
from finetti.posterior.posterior import Posterior
from finetti.structure.form import Given
from finetti.structure.variables import Variable
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

BATCH = 1000  # draws constrained at a time, fewer if they are many numbers
BATCH_BYTES = 64_000_000
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
    flat = draws.reshape(total, draws.shape[2])
    size = int(np.clip(BATCH_BYTES // (8 * max(numbers, 1)), 1, min(BATCH, total)))
    each = draw_keys(keys, draws.shape[1])
    found: dict[str, np.ndarray] = {}
    for start in range(0, total, size):
        places = np.minimum(np.arange(start, start + size), total - 1)
        for name, values in function(each[places], flat[places]).items():
            new = np.asarray(values)
            whole = found.setdefault(name, np.empty((total, *new.shape[1:]), new.dtype))
            whole[start : start + size] = new[: total - start]
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
    kept: Draws,
    warm: Draws | None,
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
            "constant_data": _constants(model),
        }
    )
    tree.attrs.update({**attributes, "model": model.name, **_written(model), **_versions()})
    tree["posterior"].attrs.update(tree.attrs)
    return Posterior(tree, model)


def dataset(variables: dict[str, Any], plates: dict[str, Plate]) -> xr.Dataset:
    """Label arrays, given with their dimensions, by the plates' coordinates."""
    import xarray as xr

    # A DataTree keeps the slash for its groups: nested models' sites have a dot there.
    variables = {
        dotted(name): (tuple(map(dotted, dims)), values)
        for name, (dims, values) in variables.items()
    }
    used = {dim for dims, _ in variables.values() for dim in dims}
    named = {dotted(name): p for name, p in plates.items()}
    coordinates = {name: p.coordinate() for name, p in named.items() if name in used}
    if "chain" in used:
        shape = next(np.shape(a)[:2] for _, a in variables.values())
        coordinates |= {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    return xr.Dataset(variables, coordinates)


def _statistics(method: Chains, layout: Layout, draws: Draws) -> xr.Dataset:
    """Name the kernel's infos as ArviZ's schema does; some kernels have several blocks."""
    kernel = method.kernel(layout)
    stats = {
        "lp": draws.info["log_density"],
        "acceptance_rate": draws.info["acceptance"],
        "step_size": draws.info["step_size"],
        "n_steps": draws.info["gradients"],
    }
    if kernel.uses_gradient:
        stats |= {
            "diverging": draws.info["diverging"],
            "energy": draws.info["energy"],
            "tree_depth": draws.info["depth"],
        }
    if isinstance(method, NUTS | EmbeddedLaplace):
        stats["reached_max_treedepth"] = draws.info["depth"] >= method.max_depth
    dims, sizes = ("chain", "draw", "block"), stats["step_size"]
    found = dataset({k: (dims[: v.ndim], v) for k, v in stats.items()}, {})
    if not isinstance(kernel, Compound):
        return found
    kept = np.array([np.nan if size is None else size for size in kernel.kept])
    places = [place for block in kernel.blocks for place in block.places]
    found["step_size"] = (dims, np.where(np.isnan(kept), sizes, kept))
    return found.assign_coords(block=[layout.name(place) for place in places])


def _observed(variables: tuple[Variable, ...], plates: dict[str, Plate]) -> xr.Dataset:
    found = {v.name: (v.dims, v.data) for v in variables if v.data is not None}
    return dataset(found, plates)


def _constants(model: Model) -> xr.Dataset:
    """Return the arrays the model was called with, by parameter name; groups as labels."""
    args, kwargs = model.arguments or ((), {})
    bound = inspect.signature(model.function).bind(*args, **kwargs).arguments
    found = {}
    for name, argument in bound.items():
        for path, leaf in jax.tree_util.tree_flatten_with_path(argument)[0]:
            full = name + jax.tree_util.keystr(path)
            if isinstance(leaf, Groups):
                leaf = np.asarray(leaf.labels)[np.asarray(leaf)]
            array = np.asarray(leaf)
            if array.dtype.kind in "biufU":
                dims = tuple(f"{full}_dim_{i}" for i in range(array.ndim))
                found[full] = (dims, array)
    return dataset(found, {})


def _written(model: Model) -> dict[str, str]:
    """Return the text of the model's function, where Python can find it."""
    try:
        return {"model_source": inspect.cleandoc("\n" + inspect.getsource(model.function))}
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
