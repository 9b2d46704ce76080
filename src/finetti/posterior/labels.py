"""Label arrays as trees have them: by the names of sites and the members of plates."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from finetti.language.dims import Groups, Plate
from finetti.models import Model

if TYPE_CHECKING:
    import xarray as xr


def dotted(name: str) -> str:
    """Return a site's name as trees have it: they keep the slash for their groups.

    >>> dotted("inner/theta")
    'inner.theta'
    """
    return name.replace("/", ".")


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


def constants(model: Model) -> xr.Dataset:
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
