"""Refuse codes that leave the dimension they index, or that number other members than its own.

JAX takes the last entry for an index beyond the end, and counts back from it for one below 0; of
what is added up it drops such entries. Codes in the data are known when a model is traced, so each
is looked at once, there, and whatever is made of sites may be indexed inside without a thought.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from finetti.errors import OutsidePlate
from finetti.jaxprs import heads
from finetti.language.dims import Groups, Plate
from finetti.structure.dimensions import Names
from finetti.structure.uses import Use, Uses
from finetti.types import Jaxpr, Value, Values

Columns = Values  # what a model is given, by the name that the user knows it by


def check_codes(
    jaxpr: Jaxpr,
    constants: list[Value],
    dims: Mapping[str, Names],
    plates: Mapping[str, Plate],
    columns: Callable[[], Columns],
) -> None:
    """Look at every index of a traced model that its data alone determine.

    `dims` names the dimensions of each site, `plates` are those of the model, `columns` returns its
    data by name, which is asked for only to name the column at fault. Raises `OutsidePlate`.
    """
    known = dict(zip(heads(jaxpr), constants, strict=False))
    for use in Uses(dims).found(jaxpr, known, {}):
        _check(use, plates, columns)


def _check(use: Use, plates: Mapping[str, Plate], columns: Callable[[], Columns]) -> None:
    codes, least = use.codes, 0
    if use.counted and (codes.ndim == 0 or use.made is None):
        least = -use.most - 1  # one place from the end, or a table of the user's own
    plate = plates.get(use.name or "")
    if plate is not None and codes.ndim == 1:
        _check_plate(use, plate, plates)
    wrong = (codes > use.most) | (codes < least)
    if wrong.any():
        raise OutsidePlate(_outside(use, wrong, plate, columns()))
    if plate is not None and plate.labels is not None and codes.ndim == 1:
        _check_labels(use, plate, columns)


def _outside(use: Use, wrong: np.ndarray, plate: Plate | None, columns: Columns) -> str:
    """Compose the sentence for codes that leave the dimension they index."""
    codes, size = use.codes, use.most + 1
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    code, name = int(codes[where]), _name(codes, columns)
    many = f"; {int(wrong.sum()):,} such rows" if wrong.sum() > 1 else ""
    row = f" in row {where[0]} (counting from 0{many})" if len(where) == 1 else ""
    row = f" at index {where}" if len(where) > 1 else row
    if plate is not None:
        there = f"plate `{plate.name}` of {_sites(use)} has {size} members"
    else:
        there = f"what it picks from, made of {_sites(use)}, has {size} entries"
    return f"{name} is {code}{row}, and {there}, 0 to {use.most}; {_remedy(use, code, plate)}"


def _sites(use: Use) -> str:
    return " and ".join(f"`{s}`" for s in use.made.sites) if use.made else "data alone"


def _remedy(use: Use, code: int, plate: Plate | None) -> str:
    """Say what to do about a code, by how all of them are numbered or by what was meant."""
    codes = use.codes
    if codes.ndim and codes.min() >= 1 and codes.max() == use.most + 1:
        return "codes start at 0: subtract 1, or let ft.groups(column) make them"
    if code == -1:
        return (
            "-1 is how pandas codes a missing value: leave these rows out (to mean the last one, "
            f"write {use.most})"
        )
    if plate is not None:
        return (
            f"make the plate of the groups there are, as ft.plate({plate.name!r}, "
            f"ft.groups(column)), and index by the same"
        )
    return "give it an entry for each code, or correct the codes"


def _name(codes: np.ndarray, columns: Columns) -> str:
    """Name the codes by the column that holds them."""
    same = (n for n, c in columns.items() if np.shape(c) == codes.shape and _equal(c, codes))
    name = next(same, None)
    return f"`{name}`" if name else "an index" if codes.ndim == 0 else "a column of codes"


def _equal(column: Value, codes: np.ndarray) -> bool:
    held = np.asarray(column)
    return held.dtype.kind in "iu" and bool(np.array_equal(held, codes))


def _check_plate(use: Use, plate: Plate, plates: Mapping[str, Plate]) -> None:
    """Refuse the codes of another plate."""
    if plate.codes is not None and _equal(plate.codes, use.codes):
        return
    for other in plates.values():
        alike = other.size == plate.size and plate.labels in (None, other.labels)
        if not alike and other.codes is not None and _equal(other.codes, use.codes):
            raise OutsidePlate(
                f"{_sites(use)} in plate `{plate.name}` is indexed by the codes of plate "
                f"`{other.name}`: index it by those of `{plate.name}`"
            )


def _check_labels(use: Use, plate: Plate, columns: Callable[[], Columns]) -> None:
    """Refuse codes that number other groups than the members of a plate, or in another order."""
    codes = use.codes
    if plate.codes is not None and _equal(plate.codes, codes):
        return
    named = {n: c for n, c in columns().items() if isinstance(c, Groups) and _equal(c, codes)}
    if named and not any(tuple(c.labels) == plate.labels for c in named.values()):
        name, column = next(iter(named.items()))
        raise OutsidePlate(
            f"`{name}` codes groups ({_listed(column.labels)}) that are not the members of plate "
            f"`{plate.name}` ({_listed(plate.labels or ())}), or in another order, and indexes "
            f"{_sites(use)} there: code it by the plate's labels, as ft.groups(column, labels=...)"
        )


def _listed(labels: Sequence[object]) -> str:
    first = ", ".join(repr(label) for label in labels[:3])
    return first + (", ..." if len(labels) > 3 else "")
