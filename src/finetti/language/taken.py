"""Take in what a model is called with: columns as arrays, and each fault by argument and row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from finetti.errors import MissingValue, ModelError, ShapeError
from finetti.language.columns import (
    entries,
    is_missing,
    kind,
    misspelt,
    mixed,
    own_order,
    widened,
    without_value,
)
from finetti.language.groups import Groups, groups
from finetti.language.holes import REMEDIES, with_nan
from finetti.types import Values


def as_data(value: Any, name: str = "column") -> Any:
    """Return a column (a list of numbers, a pandas or polars series) as a numpy array.

    A series of text, categories that state their order and dates become `Groups`. A list of text
    stays what it is, as do pytrees of arrays. Raises `MissingValue` where a column of Python's
    objects lacks a value, and `ModelError` where it mixes numbers with text, with the row, counted
    from 0.
    """
    if isinstance(value, Groups) or not _is_column(value):
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise _lacks(name, np.argwhere(np.ma.getmaskarray(value))[:, 0])
    if own_order(value) is not None:
        _refuse_missing(name, entries(value))
        return groups(value)
    try:
        array = np.asarray(getattr(value, "to_numpy", lambda: value)())
    except ValueError:  # lists of arrays of several lengths
        return value
    if array.dtype.kind in "biuf" and not _has_absent(value, array):
        return array
    if array.ndim != 1:
        return value
    values = entries(value)
    kinds = {kind(v) for v in values if not is_missing(v)}
    if not kinds <= {"text", "numbers", "truth values", "dates", "Timestamp", "Decimal"}:
        return value
    _refuse_missing(name, values)
    other = mixed(values)
    if other is not None:
        row, most = other
        raise ModelError(
            f"argument `{name}` is {values[row]!r} in row {row}, among {most}: a column holds one "
            f"kind of value; mend this row, or leave it out"
        )
    if kinds == {"text"} and hasattr(value, "to_numpy"):
        if misspelt(values):
            raise ModelError(_text(name, values))
        return groups(value)
    if kinds == {"dates"}:
        return groups(value if array.dtype.kind == "M" else values)
    return np.array(values) if kinds and kinds <= {"numbers", "truth values"} else value


def kept(values: Any) -> Any:
    """Return a pytree with copies of its numpy arrays, of 64 bits, which nobody can change.

    What a model is given is then what it has whenever it is read.
    """

    def keep(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return widened(value)
        held = widened(value)
        held = value.copy() if held is value else held
        held.setflags(write=False)
        return held

    return jax.tree.map(keep, values)


def judged(name: str, value: Any, holes: bool = False) -> Any:
    """Return one argument as `as_data` does; refuse NaN, iterators, and what no arithmetic takes.

    With `holes` arrays of numbers may lack some, which are NaN. Raises `MissingValue` and
    `ModelError`.
    """
    _refuse_iterators(name, value)
    taken = as_data(with_nan(value) if holes else value, name)
    _refuse_strange(name, taken)
    taken = jax.tree.map(lambda a: with_nan(a) if isinstance(a, np.ma.MaskedArray) else a, taken)
    for path, leaf in jax.tree_util.tree_flatten_with_path(taken)[0]:
        if isinstance(leaf, Groups | Tracer) or not isinstance(
            leaf, float | np.ndarray | jax.Array
        ):
            continue
        array = np.asarray(leaf)
        if array.dtype.kind == "f" and np.isnan(array).any() and not (holes and array.ndim):
            rows = np.argwhere(np.isnan(array))
            raise _lacks(name + jax.tree_util.keystr(path), rows[:, 0] if array.ndim else [])
    return taken


def _refuse_iterators(name: str, value: Any) -> None:
    """Refuse what is used up by being read: a model is read several times."""
    if isinstance(value, np.ndarray):
        return
    leaves = jax.tree_util.tree_flatten_with_path(value, lambda v: isinstance(v, Iterator))[0]
    for path, leaf in leaves:
        if isinstance(leaf, Iterator):
            raise ModelError(
                f"argument `{name}{jax.tree_util.keystr(path)}` is a {type(leaf).__name__}, which "
                f"can be read once, and a model is read several times: give a list of what it holds"
            )


def _refuse_strange(name: str, taken: object) -> None:
    """Refuse a column of durations, or of whole numbers that no array of numbers holds."""
    if not _is_column(taken) or isinstance(taken, Groups):
        return
    if isinstance(taken, list) and not all(isinstance(v, int) for v in taken):
        return
    array = np.asarray(taken)
    if array.dtype.kind == "m":
        raise ModelError(
            f"argument `{name}` holds lengths of time: give numbers in a unit of your choice, such "
            f"as {name} / np.timedelta64(1, 'D') for days"
        )
    whole = enumerate(array.ravel().tolist() if array.dtype.kind == "O" else ())
    large = next(((i, v) for i, v in whole if isinstance(v, int) and abs(v) >> 63), None)
    if large is not None:
        raise ModelError(
            f"argument `{name}` is {large[1]} in row {large[0]}, larger than whole numbers of 64 "
            f"bits go: give it as float, or as the name of a group, ft.groups({name})"
        )


def explain(name: str, arguments: Values, error: Exception) -> Exception | None:
    """Return the error that says which arguments made a model's own line fail, if any did."""
    if isinstance(error, RecursionError):
        return ModelError(
            f"model `{name}` calls itself, or a function of it, without end or deeper than Python "
            f"goes: give the recursion an end"
        )
    tables = [n for n, a in arguments.items() if isinstance(a, np.ndarray) and a.ndim == 2]
    if tables and "only integers, slices" in str(error):
        return ModelError(
            f"model `{name}`: argument `{tables[0]}` is a table of numbers, of which a model is "
            f"given an array without names: pass its columns, each as an argument or all as a dict"
        )
    if type(error) not in (TypeError, ValueError, IndexError, ShapeError):
        return None
    if "read-only" in str(error):
        return ModelError(
            f"model `{name}` changes its data in place, which would change them again each time it "
            f"is read: write x = x - x.mean(), not x -= x.mean() ({error})"
        )
    sizes = {n: np.shape(a)[0] for n, a in arguments.items() if _is_column(a) and np.ndim(a)}
    said = set(map(int, re.findall(r"\d+", str(error))))
    told = {n: size for n, size in sizes.items() if size in said}
    for (a, m), (b, n) in pairwise(told.items()):
        if m != n:
            return ShapeError(
                f"model `{name}`: argument `{a}` has {m} rows and `{b}` has {n}: give both a row "
                f"for each observation ({error})"
            )
    if isinstance(error, ShapeError):
        return None
    for n, argument in arguments.items():
        if _is_column(argument) and not isinstance(argument, Groups) and np.ndim(argument) == 1:
            values = entries(argument)
            if values and all(isinstance(v, str) for v in values):
                return ModelError(f"model `{name}`: {_text(n, values)} ({error})")
    return None


def _text(name: str, values: list[str]) -> str:
    bad = misspelt(values)
    if bad:
        return (
            f"argument `{name}` is {values[bad[0]]!r} in row {bad[0]}, which is no number: mend "
            f"these {len(bad)} rows and give numbers, not text"
        )
    return (
        f"argument `{name}` holds text, such as {values[0]!r} in row 0, and the model "
        f"computes with it: pass ft.groups({name}) to index by names, or numbers"
    )


def _is_column(value: object) -> bool:
    return isinstance(value, list | np.ndarray) or hasattr(value, "to_numpy")


def _has_absent(value: Any, array: np.ndarray) -> bool:
    """Tell whether a list or a column hides that a value is absent, or text, behind a number."""
    return isinstance(value, list) and array.ndim == 1 and len({kind(v) for v in value}) > 1


def _refuse_missing(name: str, values: Iterable[object]) -> None:
    rows = without_value(list(values))
    if rows:
        raise _lacks(name, rows)


def _lacks(name: str, rows: Any) -> MissingValue:
    where = f" in row {int(rows[0])} ({len(set(map(int, rows)))} such rows)" if len(rows) else ""
    return MissingValue(f"argument `{name}` is missing (NaN, None or blank){where}: {REMEDIES}")
