"""Put a run's draws together as a posterior: named, labelled by plates, with statistics."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.density.density import Density, Target
from finetti.density.layout import Layout
from finetti.fit.compiling import ONCE, compiled
from finetti.fit.methods import NUTS, Method
from finetti.fit.run import Draws
from finetti.kernels.compound import Compound
from finetti.language.dims import Groups, Plate
from finetti.model import Model
from finetti.posterior.posterior import Posterior, dotted
from finetti.structure.form import Given
from finetti.structure.variables import Variable
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

BATCH = 1000  # draws constrained at a time
RECOVER = 1 << 30  # far from the numbers that the sampler folds into the chains' keys


@compiled(ONCE, "target", "names")
def _constrain(
    target: Target, names: tuple[str, ...], given: Given, keys: Key, positions: Array
) -> dict[str, Array]:
    def one(key: Key, position: Array) -> dict[str, Array]:
        values = target.outcome(key, given, position).values
        return {name: values[name] for name in names}

    return jax.vmap(one)(keys, positions)


@compiled(ONCE, "draws")
def _draw_keys(keys: Key, draws: int) -> Key:
    fold = jax.vmap(jax.random.fold_in, (None, 0))
    return jax.vmap(fold, (0, None))(keys, RECOVER + jnp.arange(draws)).reshape(-1)


def constrain(target: Target, given: Given, names: tuple[str, ...], keys: Key, draws: np.ndarray):
    """Turn unconstrained draws, shape (chain, draw, dim), into named values.

    `keys`, one a chain, draw the variables that the plan has taken out of the sampler.
    """
    flat = draws.reshape(draws.shape[0] * draws.shape[1], draws.shape[2])
    size = min(BATCH, len(flat))
    spare = -len(flat) % size
    padded = np.concatenate([flat, np.repeat(flat[-1:], spare, axis=0)])
    each = _draw_keys(keys, draws.shape[1])
    each = each[np.minimum(np.arange(len(padded)), len(flat) - 1)]
    parts = [
        _constrain(target, names, given, each[i : i + size], padded[i : i + size])
        for i in range(0, len(padded), size)
    ]
    joined = {n: np.concatenate([np.asarray(p[n]) for p in parts])[: len(flat)] for n in names}
    return {n: a.reshape(*draws.shape[:2], *a.shape[1:]) for n, a in joined.items()}


def assemble(
    density: Density,
    method: Method,
    values: Mapping[str, np.ndarray],
    kept: Draws,
    warm: Draws | None,
    attributes: dict[str, Any],
) -> Posterior:
    """Build the posterior from the draws' values by name and the statistics of both phases."""
    import xarray as xr

    model = density.model
    plates = {p.name: p for v in model.variables for p in v.plates}
    draws = {v.name: (("chain", "draw", *v.dims), values[v.name]) for v in density.kept}
    groups = {
        "posterior": _dataset(draws, plates),
        "sample_stats": _statistics(method, density.layout, kept),
        "observed_data": _observed(model.variables, plates),
        "constant_data": _constants(model),
    }
    if warm is not None:
        groups["warmup_sample_stats"] = _statistics(method, density.layout, warm)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update({**attributes, "model": model.name, **_versions()})
    tree["posterior"].attrs.update(tree.attrs)
    return Posterior(tree)


def _dataset(variables: dict[str, Any], plates: dict[str, Plate]) -> xr.Dataset:
    import xarray as xr

    # A DataTree keeps the slash for its groups: nested models' sites have a dot there.
    variables = {
        dotted(name): (tuple(map(dotted, dims)), values)
        for name, (dims, values) in variables.items()
    }
    used = {dim for dims, _ in variables.values() for dim in dims}
    coordinates = {name: p.coordinate() for name, p in plates.items() if name in used}
    if "chain" in used:
        shape = next(np.shape(a)[:2] for _, a in variables.values())
        coordinates |= {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    return xr.Dataset(variables, coordinates)


def _statistics(method: Method, layout: Layout, draws: Draws) -> xr.Dataset:
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
    if isinstance(method, NUTS):
        stats["reached_max_treedepth"] = draws.info["depth"] >= method.max_depth
    dims, sizes = ("chain", "draw", "block"), stats["step_size"]
    found = _dataset({k: (dims[: v.ndim], v) for k, v in stats.items()}, {})
    if not isinstance(kernel, Compound):
        return found
    kept = np.array([np.nan if size is None else size for size in kernel.kept])
    places = [place for block in kernel.blocks for place in block.places]
    found["step_size"] = (dims, np.where(np.isnan(kept), sizes, kept))
    return found.assign_coords(block=[layout.name(place) for place in places])


def _observed(variables: tuple[Variable, ...], plates: dict[str, Plate]) -> xr.Dataset:
    found = {v.name: (v.dims, v.data) for v in variables if v.data is not None}
    return _dataset(found, plates)


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
    return _dataset(found, {})


def _versions() -> dict[str, str]:
    found = {}
    for package in ("finetti", "jax", "numpyro"):
        try:
            found[f"{package}_version"] = version(package)
        except PackageNotFoundError:
            found[f"{package}_version"] = "unknown"
    return found
