"""Name the dimensions of a model: plates with labelled members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from finetti.distributions import foreign_plates
from finetti.errors import ModelError, ShapeError
from finetti.language.groups import Groups, groups


@dataclass(frozen=True)
class Plate:
    """State that the members of a named dimension are exchangeable.

    `labels` are the coordinates of the dimension; without them the members are 0 .. size - 1.
    `codes` are those of the column of groups that it was opened with, if it was. `own` tells that
    it is no plate, but a dimension of a site's own values that was given a name.
    """

    name: str
    size: int
    labels: tuple[Hashable, ...] | None = None
    codes: np.ndarray | None = field(default=None, compare=False, repr=False)
    own: bool = False

    def coordinate(self) -> np.ndarray:
        """Return the labels as an array of shape (size,)."""
        return np.arange(self.size) if self.labels is None else np.asarray(self.labels)

    def __str__(self) -> str:
        return f"{self.name}({self.size})"


def as_plate(name: str, members: Any) -> Plate:
    """Build a plate from a size, a sequence of labels, `Groups` or a column of truth values."""
    if _is_truth(members):
        return Plate(name, 2, (False, True))
    if isinstance(members, Groups):
        return Plate(name, len(members.labels), members.labels, np.asarray(members))
    if type(members) is int or isinstance(members, np.integer):
        if members < 1:
            raise ModelError(f"plate `{name}` needs at least one member, not {members}")
        return Plate(name, int(members))
    ordered = hasattr(members, "__getitem__") and hasattr(members, "__len__")
    if not ordered or isinstance(members, str | dict) or np.ndim(members) == 0:
        raise ModelError(f"plate `{name}` takes a size or a sequence of labels, not {members!r}")
    if isinstance(members, jax.Array) or hasattr(members, "coords"):  # of xarray
        members = np.asarray(members)
    labels = tuple(x.item() if isinstance(x, np.generic) else x for x in list(members))
    if any(np.ndim(label) for label in labels):
        raise ModelError(f"plate `{name}` takes labels in one dimension, not {members!r}")
    if not labels:
        raise ModelError(f"plate `{name}` has no members")
    repeated = [label for label, count in Counter(labels).items() if count > 1]
    if repeated:
        refusal = ModelError(
            f"plate `{name}` repeats the label {repeated[0]!r}: a plate names each member once; "
            f"for a column with a group a row pass ft.groups(column)"
        )
        refusal.members = members
        raise refusal
    return Plate(name, len(labels), labels)


def refuse_foreign(site: str) -> None:
    """Refuse a site that stands in a plate of numpyro, which would not be seen."""
    for name in foreign_plates():
        raise ModelError(
            f"site `{site}` stands in numpyro's plate `{name}`, which finetti does not see: write "
            f"ft.plate({name!r}, ...)"
        )


def as_dims(site: str, dims: Any) -> tuple[tuple[str, Any], ...]:
    """Return what a site calls its own dimensions: names, each with its labels or None.

    `dims` is a name, a sequence of names, or a mapping from names to labels, a size or None.
    """
    if isinstance(dims, str):
        dims = (dims,)
    named = dims.items() if isinstance(dims, Mapping) else [(name, None) for name in dims]
    found = tuple(named)
    for name, _ in found:
        if not isinstance(name, str) or not name:
            raise ModelError(
                f"site `{site}`: dims= takes names of its own dimensions, with their labels where "
                f"they have some, as in dims={{'coefficient': ['level', 'slope']}}, not {name!r}"
            )
    return found


def own_dims(
    site: str, dims: tuple[tuple[str, Any], ...], sizes: tuple[int, ...]
) -> tuple[Plate, ...]:
    """Return a site's own dimensions under their names, or refuse those of another number or size.

    `sizes` are those that the site has beside its plates.
    """
    if len(dims) != len(sizes):
        raise ShapeError(
            f"site `{site}` has {len(sizes)} dimensions of its own beside its plates, of sizes "
            f"{sizes}, and dims= names {len(dims)}: name each, the outermost first"
        )
    found = []
    for (name, labels), size in zip(dims, sizes, strict=True):
        made = as_plate(name, size if labels is None else labels) if size else None
        if made is None or made.size != size:
            given = 0 if made is None else made.size
            raise ShapeError(
                f"site `{site}`: dimension `{name}` has size {size}, and dims= gives it {given} "
                f"labels"
            )
        found.append(replace(made, codes=None, own=True))
    return tuple(found)


def _is_truth(members: object) -> bool:
    """Tell whether a column says yes or no of each row: its values are their members' places."""
    if not isinstance(members, np.ndarray) or isinstance(members, Groups) or members.ndim != 1:
        return False
    if members.dtype.kind == "b":
        return True
    return members.dtype.kind in "iu" and members.size > 2 and set(members.tolist()) == {0, 1}


__all__ = ["Groups", "Plate", "as_dims", "as_plate", "groups", "own_dims", "refuse_foreign"]
