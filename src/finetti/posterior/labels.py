"""Label arrays as trees have them: by the names of sites and the members of plates."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import numpy as np

from finetti.language.dims import Groups, Plate
from finetti.models import Model
from finetti.structure.variables import Variable, named_dimensions

if TYPE_CHECKING:
    import xarray as xr

    T = TypeVar("T", xr.DataArray, xr.Dataset)

OWN = "own"  # marks, on its coordinate, a dimension that is no plate's but a site's own


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
    coordinates = {name: c for name, c in coordinates_of(plates).items() if name in used}
    if "chain" in used:
        shape = next(np.shape(a)[:2] for _, a in variables.values())
        coordinates |= {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    return xr.Dataset(variables, coordinates)


def coordinates_of(dimensions: Mapping[str, Plate]) -> dict[str, Any]:
    """Return the labels of plates and of sites' own dimensions, as coordinates of a tree."""
    return {
        dotted(name): (dotted(name), p.coordinate(), {OWN: 1} if p.own else {})
        for name, p in dimensions.items()
    }


def brackets(dims: Iterable[Hashable], coordinates: Container[Hashable]) -> list[list[int]]:
    """Return the places of dimensions that share a bracket of a name, such as `b[Pine][slope]`.

    Plates, and dimensions without a name, come first; those that a site names follow.
    """
    own = [is_own(d, coordinates) for d in dims]
    groups = [[i for i, o in enumerate(own) if not o], [i for i, o in enumerate(own) if o]]
    return [group for group in groups if group]


def is_own(dim: Hashable, coordinates: Any) -> bool:
    """Tell whether a dimension is no plate's, but one of a site's own that it gave a name."""
    return dim in coordinates and bool(coordinates[dim].attrs.get(OWN))


def named(name: str, labels: Sequence[object], groups: list[list[int]]) -> str:
    """Name a scalar of a site by the label that it has along each dimension.

    >>> named("b", ["Pine", "slope"], [[0], [1]]), named("b", [], [])
    ('b[Pine][slope]', 'b')
    """
    return name + "".join(f"[{', '.join(str(labels[i]) for i in g)}]" for g in groups)


def scalars(array: xr.DataArray, leading: int = 2) -> Iterator[str]:
    """Name the scalars of a site in order, such as `theta[A]`; `leading` dimensions are draws."""
    dims = array.dims[leading:]
    groups = brackets(dims, array.coords)
    for member in product(*([str(c) for c in array[dim].to_numpy()] for dim in dims)):
        yield named(str(array.name), member, groups)


def site_of(row: str, sites: Iterable[str]) -> str:
    """Return the site of a row of the summary, among `sites`, whose names may have brackets.

    >>> site_of("sd[school][slope]", ["sd", "sd[school]"]), site_of("tau", ["tau"])
    ('sd[school]', 'tau')
    """
    found = [name for name in sites if row == name or row.startswith(f"{name}[")]
    return max(found, key=len, default=row.partition("[")[0])


def some(array: T, keep: np.ndarray, dims: Sequence[Hashable]) -> T:
    """Return those of an array's or a dataset's members along some dimensions that are kept.

    Of several dimensions there is one left, whose members are named by the labels along all.
    """
    import xarray as xr

    if keep.all():
        return array
    if len(dims) == 1:
        return array.isel({dims[0]: keep})
    places = np.nonzero(keep)
    axes = [array[d].to_numpy() for d in dims]
    labels = [
        ", ".join(map(str, row))
        for row in zip(*(a[i] for a, i in zip(axes, places, strict=True)), strict=True)
    ]
    one = "_".join(map(str, dims))
    index = {d: xr.DataArray(i, dims=one) for d, i in zip(dims, places, strict=True)}
    return array.isel(index).drop_vars(dims, errors="ignore").assign_coords({one: labels})


def is_hidden(site: str) -> bool:
    """Tell whether a site is shown only where it is asked for: an underscore begins its name."""
    return site.rpartition(".")[2].startswith("_")


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


def constants(
    model: Model, sites: Sequence[Variable] | None = None, without: Collection[str] = ()
) -> xr.Dataset:
    """Return the arrays the model was called with, by parameter name; groups as labels.

    One with a value for each member of a plate has its dimension, and its labels. The plates are
    those of `sites`, the model's own unless given. Parameters `without` are left out.
    """
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
    sites = model.variables if sites is None else sites
    dims = _Dims(sites, found)
    arrays = {name: (dims.of(name, array), array) for name, array in found.items()}
    return dataset(arrays, named_dimensions(sites))


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
        own = tuple(f"{name}_dim_{i}" for i in range(array.ndim))
        for v in self.observed:
            if any(d in self.taken for d in v.dims) or array.dtype.kind not in "biuf":
                continue
            if np.array_equal(np.asarray(v.shown), array, equal_nan=array.dtype.kind == "f"):
                return v.dims
        shared = self.plates.get(len(array), set()) if array.ndim else set()
        if len(shared) != 1 or not shared.isdisjoint(self.taken):
            return own
        return (*shared, *own[1:])
