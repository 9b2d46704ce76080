"""Hold the group of each observation: a name, which no arithmetic takes for a number."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from typing import Any, NoReturn

import numpy as np

from finetti.errors import ModelError
from finetti.language.columns import entries, kind, kinds_of, mixed, own_order, without_value

SHAPING = {
    np.repeat, np.tile, np.take, np.roll, np.flip, np.compress, np.delete, np.copy, np.reshape,
    np.ravel, np.squeeze, np.expand_dims, np.broadcast_to, np.split, np.array_split, np.shape,
    np.ndim, np.size, np.array_repr, np.array_str, np.array2string, np.shares_memory,
    np.may_share_memory,
}  # fmt: skip
COUNTING = {
    np.bincount, np.unique, np.argsort, np.lexsort, np.searchsorted, np.flatnonzero, np.nonzero,
    np.array_equal,
}  # fmt: skip
COMPARING = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)


class Groups(np.ndarray):
    """Hold the group of each observation as integer codes into labels.

    An array of shape (n,) with `.labels`: `alpha[county]` gathers group effects to observations,
    and `plate("county", county)` is the plate of its labels. `county == "Pine"` compares names,
    `<` their order. A group is no number: arithmetic and numpy's functions raise `ModelError`. What
    asks for plain codes gets them: `county.codes`, `np.asarray(county)`, `jnp.asarray(county)` and
    any compiled function, `jnp.exp(county)` too, since JAX sees no more than an array there.

    >>> county = groups(["Pine", "Cook", "Pine"])
    >>> (county == "Pine").tolist(), county.codes.tolist(), county.names.tolist()
    ([True, False, True], [1, 0, 1], ['Pine', 'Cook', 'Pine'])
    """

    labels: tuple[Hashable, ...]

    @property
    def codes(self) -> np.ndarray:
        """Return the place of each observation's group among the labels, a plain array."""
        return self.view(np.ndarray)

    @property
    def names(self) -> np.ndarray:
        """Return the label of each observation, an array of the same shape."""
        return np.asarray(self.labels)[self.codes]

    def __array_finalize__(self, source: object) -> None:
        self.labels = getattr(source, "labels", ())

    def __reduce__(self):
        return (regroup, (self.codes, self.labels))

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return found if isinstance(found, Groups) else regroup(np.asarray(found), self.labels)

    def __repr__(self) -> str:
        return f"Groups({self.names.tolist()})"

    __str__ = __repr__

    def __eq__(self, other: object) -> Any:
        return self._compare(np.equal, other)

    def __ne__(self, other: object) -> Any:
        return self._compare(np.not_equal, other)

    def __lt__(self, other: Any) -> Any:
        # JAX asks of each index whether it is below 0.
        if sys._getframe(1).f_globals.get("__name__", "").startswith("jax."):
            return np.less(self.codes, other)
        return self._compare(np.less, other)

    def __le__(self, other: object) -> Any:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: object) -> Any:
        return self._compare(np.greater, other)

    def __ge__(self, other: object) -> Any:
        return self._compare(np.greater_equal, other)

    def __contains__(self, name: object) -> bool:
        return bool(np.any(self._compare(np.equal, name)))

    def __jax_array__(self) -> NoReturn:
        self._refuse("as numbers in a calculation")

    def __float__(self) -> NoReturn:
        self._refuse("as a number")

    def dot(self, *others: object, **named: object) -> NoReturn:
        """Refuse to be multiplied."""
        self._refuse("by dot")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if method == "__call__" and ufunc in COMPARING and not named:
            first, second = inputs
            if isinstance(first, Groups):
                return first._compare(ufunc, second)
            return second._compare(_MIRRORED[ufunc], first)
        if method == "at" and not isinstance(inputs[0], Groups):
            where, *rest = inputs[1:]
            if isinstance(where, Groups) and not any(isinstance(x, Groups) for x in rest):
                return getattr(ufunc, method)(inputs[0], where.codes, *rest)
        return self._refuse(f"by {ufunc.__name__}")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in SHAPING:
            return super().__array_function__(func, types, args, kwargs)
        if func in COUNTING:
            plain = [x.codes if isinstance(x, Groups) else x for x in args]
            return func(*plain, **kwargs)
        if func is np.isin and args and args[0] is self:
            return np.isin(self.names, *args[1:], **kwargs)
        return self._refuse(f"by {getattr(func, '__name__', func)}")

    def _compare(self, ufunc: Any, other: object) -> Any:
        """Compare names: numbers by size, others for order by their place among the labels."""
        if isinstance(other, Groups):
            if other.labels == self.labels:
                return ufunc(self.codes, other.codes)
            other = other.names
        values = np.asarray(other, dtype=object)
        own, given = (set(map(_comparable, entries(x))) for x in (self.labels, values.ravel()))
        if given - own:
            shown = values.ravel()[0]
            self._refuse(f"with {shown!r}", "are compared")
        if own == {"numbers"} or ufunc in (np.equal, np.not_equal):
            names = np.asarray(self.labels, dtype=object)[self.codes]
            return np.asarray(ufunc(names, values), dtype=bool)
        place = {label: code for code, label in enumerate(self.labels)}
        for value in values.ravel().tolist():
            if value not in place:
                self._refuse(f"for order with {value!r}, which is none of them", "are compared")
        return ufunc(self.codes, np.vectorize(place.__getitem__, otypes=[int])(values))

    def _refuse(self, how: str, used: str = "are used") -> NoReturn:
        shown = repr(next(iter(self.labels), "name"))
        listed = ", ".join(map(repr, self.labels[:3])) + (", ..." if len(self.labels) > 3 else "")
        raise ModelError(
            f"groups ({listed}) {used} {how}: a group is a name, not a number. Give each group an "
            f"effect, alpha[group], or compare names, group == {shown}; "
            f"where codes 0, 1, ... are meant write group.codes, and where the names spell numbers "
            f"or dates give the model a column of numbers"
        )


_MIRRORED = dict(zip(COMPARING, (*COMPARING[:2], *COMPARING[4:], *COMPARING[2:4]), strict=True))


def _comparable(value: object) -> str:
    found = kind(value)
    return "numbers" if found == "truth values" else found


def regroup(codes: np.ndarray, labels: tuple[Hashable, ...]) -> Groups:
    """Return groups of codes and labels that are known to be sound."""
    grouped = codes.view(Groups)
    grouped.labels = labels
    return grouped


def groups(column: Any, labels: Sequence[Hashable] | None = None) -> Groups:
    """Turn a column of group names into codes with labels.

    `column` has shape (n,): text, whole or other numbers, truth values or dates, which become text.
    `labels` fixes the order and may name groups that no row has. Without it a category of pandas
    and an Enum of polars keep their own order, other columns take that of their sorted distinct
    values, or of the rows where no two rows share a group. Raises `ModelError` for a value that
    `labels` lack, a missing value, and names of several kinds, with the row.

    >>> county = groups(["Pine", "Cook", "Pine"])
    >>> county.tolist(), county.labels
    ([1, 0, 1], ('Cook', 'Pine'))
    """
    if isinstance(column, Groups):
        return column if labels is None else groups(column.names, labels)
    try:
        shape = np.shape(column)
    except ValueError:
        raise ModelError(
            "groups need a column of shape (n,), not one whose rows hold lists of other lengths"
        ) from None
    if isinstance(column, str) or len(shape) != 1:
        raise ModelError(f"groups need a column of shape (n,), not shape {shape}")
    if labels is None:
        labels = own_order(column)
    plain = np.asarray(column) if isinstance(column, np.ndarray) else None
    if labels is None and plain is not None and plain.size and plain.dtype.kind in "biu":
        return _sorted(plain)  # many rows: sorted, not looked up
    values = entries(column)
    if plain is not None and plain.dtype.kind == "U" and labels is None and "nan" in values:
        values = [None if v == "nan" else v for v in values]  # how numpy spells NaN beside text
    _refuse_faulty(values)
    if "dates" in kinds_of(values).values():
        values = [spelled(v) for v in values]
    if labels is None:
        return _sorted(np.array(values, dtype=None if kind(values[0]) == "text" else object))
    if isinstance(labels, str) or len(set(labels)) < len(labels):
        raise ModelError(f"labels of groups name each group once, not {labels!r}")
    known = tuple(x.item() if isinstance(x, np.generic) else x for x in labels)
    code = {label: i for i, label in enumerate(known)}
    found = [code.get(value, -1) for value in values]
    if -1 in found:
        row = found.index(-1)
        raise ModelError(
            f"group {values[row]!r} is not among the {len(known)} labels given (row {row})"
        )
    return regroup(np.array(found, dtype=np.int32), known)


def spelled(value: Any) -> Any:
    """Return the label of a group: a date as text, anything else as it is."""
    return getattr(value, "isoformat", value.__str__)() if kind(value) == "dates" else value


def _sorted(values: np.ndarray) -> Groups:
    """Code values by their sorted distinct ones, or by the rows where all are distinct."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) == len(values):
        distinct, codes = values, np.arange(len(values))
    return regroup(codes.astype(np.int32), tuple(distinct.tolist()))


def _refuse_faulty(values: list[object]) -> None:
    """Refuse a column that is empty, lacks values, or mixes kinds of names, with the row."""
    if not values:
        raise ModelError("groups need at least one row, and the column is empty")
    missing = without_value(values)
    if missing:
        raise ModelError(
            f"the group of row {missing[0]} is missing ({len(missing)} such rows): "
            f"leave these rows out, or name their group"
        )
    other = mixed(values)
    if other is not None:
        row, most = other
        raise ModelError(
            f"the group of row {row} is {values[row]!r}, among {most}: names of groups are of one "
            f"kind; write them alike"
        )
    if kind(values[0]) not in ("text", "truth values", "numbers", "dates"):
        raise ModelError(
            f"the group of row 0 is {values[0]!r}: a group is named by text, a number or a date"
        )
