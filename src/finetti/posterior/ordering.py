"""Keep the order of a group's variables where a folder or a file mixes it up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

ORDER = "order"  # the attribute of a group that has its variables' names


def noting_order(tree: xr.DataTree) -> xr.DataTree:
    """Return a tree whose groups note the order of their variables, as text."""
    import xarray as xr

    groups: dict[str, Any] = {}
    for node in tree.subtree:
        found = node.to_dataset(inherit=False)
        names = [str(name) for name in found.data_vars]
        groups[node.path] = found.assign_attrs({ORDER: json.dumps(names)}) if names else found
    return xr.DataTree.from_dict(groups)


def in_order(tree: xr.DataTree) -> xr.DataTree:
    """Return a tree whose groups have their variables in the order that they note."""
    import xarray as xr

    nodes = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    return xr.DataTree.from_dict({path: ordered(found) for path, found in nodes.items()})


def ordered(found: xr.Dataset) -> xr.Dataset:
    """Return a group with its variables in the order that they were written in."""
    attributes = dict(found.attrs)
    order = _names(attributes.pop(ORDER, None))
    names = order if order is not None and set(order) == set(found.data_vars) else None
    return (found[names] if names else found).drop_attrs(deep=False).assign_attrs(attributes)


def _names(order: Any) -> list[Any] | None:
    """Return the names noted, as text or as a list; None where they are neither."""
    if isinstance(order, str):
        try:
            order = json.loads(order)
        except ValueError:
            return None
    return order if isinstance(order, list) and all(isinstance(n, str) for n in order) else None


__all__ = ["ORDER", "in_order", "noting_order", "ordered"]
