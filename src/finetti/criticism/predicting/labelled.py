"""Label draws that a model made of its sites as a tree in ArviZ's schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import ModelError, SamplingError, UnknownSite
from finetti.models import Model
from finetti.posterior.given import data_groups, with_categories
from finetti.posterior.labels import dataset
from finetti.structure.variables import Variable, named_dimensions
from finetti.structure.words import listed

if TYPE_CHECKING:
    import xarray as xr

LIMIT = 4 << 30  # bytes


def observations(model: Model) -> dict[str, Variable]:
    """Return the observed sites of a model by name."""
    return {v.name: v for v in model.variables if v.kind == "observed"}


def the_outcome(model: Model, of: str | None, verb: str, why: str) -> Variable:
    """Return the observed site named, or the only one that no other depends on.

    Refuses to choose among several; `verb` and `why` say what for.
    """
    found = observations(model)
    if of is not None:
        if of not in found:
            raise UnknownSite.among(of, found, verb)
        return found[of]
    if not found:
        raise ModelError(f"model `{model.name}` has no observed site {why}")
    graph = model.graph() if len(found) > 1 else None
    ends = [n for n in found if graph is None or not graph.children(n)]
    if len(ends) != 1:
        names = listed(f"`{name}`" for name in found)
        raise ModelError(
            f"model `{model.name}` observes {names}: say of which {why}, as in "
            f"of={next(iter(ends), next(iter(found)))!r}"
        )
    return found[ends[0]]


def within_memory(variables: Iterable[Variable], draws: int) -> None:
    """Refuse predictions that would take more than 4 GiB of memory, naming the largest site."""
    sizes = {v.name: 8 * draws * prod(v.shape) for v in variables}
    if sum(sizes.values()) > LIMIT:
        largest = max(sizes, key=lambda name: sizes[name])
        raise SamplingError(
            f"{draws:,} draws of every site take {sum(sizes.values()) / 2**30:.1f} GiB of memory, "
            f"most of it for `{largest}` ({sizes[largest] // (8 * draws):,} numbers): ask for "
            f"fewer draws, as in draws={max(LIMIT * draws // sum(sizes.values()), 1)}, or for "
            f"fewer rows"
        )


def label(
    variables: Iterable[Variable],
    values: Mapping[str, np.ndarray],
    coordinates: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Return draws of shape (chain, draw, ...) with the sites' dims and plates' coordinates."""
    chosen = [v for v in variables if v.name in values]
    plates = named_dimensions(chosen)
    arrays = {v.name: (("chain", "draw", *v.dims), values[v.name]) for v in chosen}
    found = dataset(arrays, plates)
    return found.assign_coords(coordinates) if coordinates and chosen else found


def tree_of(
    model: Model,
    groups: Mapping[str, list[Variable]],
    values: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
) -> xr.DataTree:
    """Put groups of draws together with the model's data."""
    import xarray as xr

    drawn = {
        name: with_categories(label(variables, values), model) for name, variables in groups.items()
    }
    tree = xr.DataTree.from_dict({**drawn, **data_groups(model)})
    tree.attrs.update({"created_by": "finetti", "model": model.name, **attributes})
    return tree
