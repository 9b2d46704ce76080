"""Label arrays as trees have them: by the names of sites and the members of plates."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from finetti.language.dims import Plate

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
