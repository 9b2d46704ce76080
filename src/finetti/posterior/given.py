"""Label the data that a model was called with, and what it observes, as trees have them."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from finetti.language.dims import Groups
from finetti.models import Model
from finetti.posterior.labels import dataset, dotted
from finetti.structure.variables import Variable, named_dimensions

if TYPE_CHECKING:
    import xarray as xr


def data_groups(model: Model) -> dict[str, xr.Dataset]:
    """Return the groups of the data: what is observed, and what the model was called with."""
    plates = named_dimensions(model.variables)
    seen = {v.name: (v.dims, v.shown) for v in model.variables if v.data is not None}
    observed = with_categories(dataset(seen, plates), model)
    return {"observed_data": observed, "constant_data": constants(model)}


def with_categories(found: xr.Dataset, model: Model) -> xr.Dataset:
    """Return a dataset whose sites that are one of several categories tell their names.

    Their values are places in the attribute `categories`; counts and shares of categories have the
    names along a dimension.
    """
    coded = {v.name for v in model.variables if len(v.dims) == len(v.plates)}
    for site, names in categories(model).items():
        if site in coded and dotted(site) in found:
            found[dotted(site)].attrs["categories"] = list(map(str, names))
    return found


def categories(model: Model) -> dict[str, tuple[Hashable, ...]]:
    """Return the names of the categories that outcomes are one of, or counts of, by site."""
    named = {v.name: v.categories for v in model.variables}
    named |= {} if model.reader is None else model.reader.categories
    return {site: names for site, names in named.items() if names}


def constants(model: Model) -> xr.Dataset:
    """Return the arrays the model was called with, by parameter name; groups as labels.

    One with a value for each member of a plate has its dimension, and its labels.
    """
    found = _arrays(model, ())
    dims = _Dims(model.variables, found)
    return _labelled(model.variables, found, {n: dims.of(n, a) for n, a in found.items()})


def constants_anew(
    model: Model, sites: Sequence[Variable], absent: Collection[str], fitted: Model
) -> xr.Dataset:
    """Return the arrays of a model on new rows but those `absent`, with the dimensions of the fit.

    `sites` are the variables on these rows, of which outcomes need not be known.
    """
    found, before = _arrays(model, absent), constants(fitted)
    sizes = {name: p.size for name, p in named_dimensions(sites).items()}
    dims = {}
    for name, array in found.items():
        own = _own(name, array)
        named = before[dotted(name)].dims if dotted(name) in before else own
        fits = len(named) == array.ndim and all(
            sizes.get(str(d), n) == n for d, n in zip(named, array.shape, strict=True)
        )
        dims[name] = tuple(map(str, named)) if fits else own
    return _labelled(sites, found, dims)


def _arrays(model: Model, without: Collection[str]) -> dict[str, np.ndarray]:
    """Return the arrays that a model was called with by name, but for some parameters."""
    args, kwargs = model.arguments or ((), {})
    bound = inspect.signature(model.function).bind(*args, **kwargs).arguments
    found = {}
    for name, argument in ((n, a) for n, a in bound.items() if n not in without):
        for path, leaf in jax.tree_util.tree_flatten_with_path(argument)[0]:
            full = name + jax.tree_util.keystr(path)
            if isinstance(leaf, Groups):
                leaf = np.asarray(leaf.labels)[np.asarray(leaf)]
            array = np.asarray(leaf)
            if array.dtype.kind in "biufU":
                found[full] = array
    return found


def _labelled(
    sites: Sequence[Variable], arrays: Mapping[str, np.ndarray], dims: Mapping[str, tuple[str, ...]]
) -> xr.Dataset:
    """Label arrays with the coordinates of the dimensions that they have."""
    return dataset({n: (dims[n], a) for n, a in arrays.items()}, named_dimensions(sites))


def _own(name: str, array: np.ndarray) -> tuple[str, ...]:
    return tuple(f"{name}_dim_{i}" for i in range(array.ndim))


class _Dims:
    """Tell which dimensions arrays have that a model was called with.

    One that is observed has those of its site. Of others the first is that of the plates of its
    size, if they have one name, and one that no array has.
    """

    def __init__(self, sites: Sequence[Variable], taken: Collection[str]) -> None:
        self.observed = [v for v in sites if v.data is not None]
        self.plates: dict[int, set[str]] = {}
        for p in (p for v in sites for p in v.plates):
            self.plates.setdefault(p.size, set()).add(p.name)
        self.taken = taken

    def of(self, name: str, array: np.ndarray) -> tuple[str, ...]:
        """Return the names of an array's dimensions."""
        own = _own(name, array)
        for v in self.observed:
            if any(d in self.taken for d in v.dims) or array.dtype.kind not in "biuf":
                continue
            if np.array_equal(np.asarray(v.shown), array, equal_nan=array.dtype.kind == "f"):
                return v.dims
        shared = self.plates.get(len(array), set()) if array.ndim else set()
        if len(shared) != 1 or not shared.isdisjoint(self.taken):
            return own
        return (*shared, *own[1:])
