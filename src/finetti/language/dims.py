"""Name the dimensions of a model: plates with labelled members."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetti.errors import ModelError
from finetti.language.groups import Groups, groups


@dataclass(frozen=True)
class Plate:
    """State that the members of a named dimension are exchangeable.

    `labels` are the coordinates of the dimension; without them the members are 0 .. size - 1.
    `codes` are those of the column of groups that it was opened with, if it was.
    """

    name: str
    size: int
    labels: tuple[Any, ...] | None = None
    codes: np.ndarray | None = field(default=None, compare=False, repr=False)

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


def _is_truth(members: Any) -> bool:
    """Tell whether a column says yes or no of each row: its values are their members' places."""
    if not isinstance(members, np.ndarray) or isinstance(members, Groups) or members.ndim != 1:
        return False
    if members.dtype.kind == "b":
        return True
    return members.dtype.kind in "iu" and members.size > 2 and set(members.tolist()) == {0, 1}


__all__ = ["Groups", "Plate", "as_plate", "groups"]
