"""Name the dimensions of a model: plates with labelled members, and groups of observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetti.errors import ModelError


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


class Groups(np.ndarray):
    """Hold the group of each observation as integer codes into sorted labels.

    An integer array of shape (n,) with `.labels`: `alpha[county]` gathers group effects to
    observations, and `plate("county", county)` is the plate of its labels.
    """

    labels: tuple[Any, ...]

    def __array_finalize__(self, source: Any) -> None:
        self.labels = getattr(source, "labels", ())

    def __reduce__(self):
        return (_regroup, (np.asarray(self), self.labels))


def _regroup(codes: np.ndarray, labels: tuple[Any, ...]) -> Groups:
    grouped = codes.view(Groups)
    grouped.labels = labels
    return grouped


def groups(column: Any, labels: Sequence[Any] | None = None) -> Groups:
    """Turn a column of group names into codes with labels.

    `column` has shape (n,). `labels` fixes the order and may name groups that no row has;
    without it the sorted distinct values are used. Raises `ModelError` for a value that
    `labels` lack, or a missing value.

    >>> county = groups(["Pine", "Cook", "Pine"])
    >>> county.tolist(), county.labels
    ([1, 0, 1], ('Cook', 'Pine'))
    """
    if isinstance(column, Groups) and labels is None:
        return column
    values = np.asarray(column)
    if values.ndim != 1:
        raise ModelError(f"groups need a column of shape (n,), not shape {values.shape}")
    if labels is None and values.dtype.kind in "biuSU":  # many rows: sorted, not looked up
        distinct, codes = np.unique(values, return_inverse=True)
        return _regroup(codes.astype(np.int32), tuple(distinct.tolist()))
    missing = [i for i, v in enumerate(values.tolist()) if v is None or v != v]
    if missing:
        raise ModelError(f"the group of row {missing[0]} is missing ({len(missing)} such rows)")
    known = tuple(np.unique(values).tolist() if labels is None else labels)
    code = {label: i for i, label in enumerate(known)}
    unknown = [v for v in dict.fromkeys(values.tolist()) if v not in code]
    if unknown:
        raise ModelError(f"group {unknown[0]!r} is not among the {len(known)} labels given")
    return _regroup(np.array([code[v] for v in values.tolist()], dtype=np.int32), known)


def as_plate(name: str, members: Any) -> Plate:
    """Build a plate from a size, a sequence of labels or `Groups`."""
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
        raise ModelError(
            f"plate `{name}` repeats the label {repeated[0]!r}: a plate names each member once; "
            f"for a column with a group a row pass ft.groups(column)"
        )
    return Plate(name, len(labels), labels)
