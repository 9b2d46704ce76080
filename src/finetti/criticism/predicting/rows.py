"""Give a model new rows in place of those that it was fitted to."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from finetti.distributions import unchecked
from finetti.errors import DataError, ModelError, hint
from finetti.jaxprs import is_literal
from finetti.language.dims import Groups, groups
from finetti.language.effects import Site, alone, around
from finetti.language.handlers import trace
from finetti.language.holes import FILL_IN, rows_lacking, with_nan
from finetti.language.missing import of_holes
from finetti.models import Model, as_data
from finetti.structure.variables import placeholder, read_arguments
from finetti.types import TableLike, Value, Values


class OnRows(NamedTuple):
    """Hold a model on new rows, and the names of its arrays that these did not give.

    Those `kept` are still those of the fit; those `absent` are only observed, and stand empty.
    """

    model: Model
    kept: frozenset[str]
    absent: frozenset[str]


def on_rows(model: Model, newdata: TableLike) -> OnRows:
    """Return the model on new rows.

    `newdata` maps parameters of the model's function to columns: a dict or a data frame. Names of
    groups are coded by the labels of the fit, unseen ones after them; an `ft.Groups` is taken as
    it is. Columns that no parameter names are not looked at. A parameter that is absent keeps its
    value of the fit where that is no column of rows. A column that was only observed is not needed.

    Raises `DataError` for a column that is needed and absent, has missing values or another number
    of dimensions than in the fit.
    """
    known = arguments(model)
    given = _given(model, newdata)
    found = {}
    for name in (n for n in _parameters(model) if n in given):
        spared = _lacks_some(given[name]) and only_observed(model, name)
        found[name] = _as_fitted(name, given[name], known.get(name), spared)
    lengths = {
        (len(known[n]), len(found[n]))
        for n in found
        if _is_array(known.get(n)) and np.ndim(found[n])
    }
    kept, absent = set(), set()
    for name in known:
        if name in found:
            continue
        if not _is_array(known[name]):
            found[name] = known[name]
            kept |= {name} if any(map(np.ndim, jax.tree.leaves(known[name]))) else set()
        elif only_observed(model, name):
            found[name] = _unseen(known[name], lengths)
            absent.add(name)
        elif any(len(known[name]) == fitted for fitted, _ in lengths):
            raise _lacks(model, name, list(given))
        else:
            found[name] = known[name]
            kept.add(name)
    return OnRows(with_arguments(model, found), frozenset(kept), frozenset(absent))


def covariates(fitted: Model, model: Model, newdata: TableLike) -> Callable[[Site], bool]:
    """Return what tells which observed sites stay as new rows have them, or those of the fit.

    They are those that others depend on, predictors with a law of their own: of the fit where they
    lack values, on new rows where their values are a column that these give, of some rows at least.
    """
    if newdata is None:
        sites = fitted.variables
        latent = {v.name for v in sites if v.kind == "latent"}
        holed = {v.name for v in sites if v.holes is not None and of_holes(v.name) in latent}
        return lambda site: site.name in holed
    seen = [v.name for v in fitted.variables if v.kind == "observed"]
    graph = fitted.graph() if len(seen) > 1 else None
    used = {name for name in seen if graph is not None and graph.children(name)}
    named = _given(model, newdata)
    given = [np.asarray(a) for n, a in arguments(model).items() if n in named and _is_array(a)]

    def keep(site: Site) -> bool:
        if site.name not in used or isinstance(site.value, Groups | Tracer):
            return False
        value = np.asarray(with_nan(site.value))
        if value.dtype.kind == "f" and np.isnan(value).all():  # drawn, as nothing is known of it
            return False
        return any(np.array_equal(value, a, equal_nan=value.dtype.kind == "f") for a in given)

    return keep


def arguments(model: Model) -> dict[str, Any]:
    """Return what the model's function was called with, by parameter."""
    args, kwargs = model.arguments or ((), {})
    return dict(inspect.signature(model.function).bind(*args, **kwargs).arguments)


def with_arguments(model: Model, values: Values) -> Model:
    """Return the model with its function called with other values, by parameter."""
    bound = inspect.signature(model.function).bind_partial()
    bound.arguments.update({n: values[n] for n in _parameters(model) if n in values})
    return replace(model, arguments=(bound.args, bound.kwargs))


def only_observed(model: Model, name: str) -> bool:
    """Tell whether an array is used for nothing but to observe sites.

    The model is traced with the array unknown: no distribution's argument, deterministic or factor
    may depend on it. Where the model cannot be traced so, the answer is no.
    """
    known = arguments(model)

    def run(column: Any) -> list[Any]:
        def before(site: Site) -> None:
            if site.latent and site.value is None:
                site.value = placeholder(site)

        # Redrawn, an observed site no longer has the array for its value.
        again = with_arguments(model, {**known, name: column}).redraw()
        with alone(), unchecked(), trace() as sites, around(before):
            again.run()
        return [
            read_arguments(site.distribution) if site.kind == "sample" else site.value
            for site in sites.values()
        ]

    try:
        with jax.enable_x64(True):
            jaxpr = jax.make_jaxpr(run)(np.asarray(known[name])).jaxpr
    except (
        ModelError,
        TypeError,
        IndexError,
        ValueError,
        AttributeError,
    ):  # it wants to see the numbers
        return False
    reached = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(not is_literal(v) and v in reached for v in equation.invars):
            reached.update(equation.outvars)
    return not any(not is_literal(v) and v in reached for v in jaxpr.outvars)


def _parameters(model: Model) -> list[str]:
    return list(inspect.signature(model.function).parameters)


def columns_of(newdata: TableLike) -> dict[str, Any]:
    if not hasattr(newdata, "keys") and not hasattr(newdata, "columns"):
        raise DataError(
            f"newdata is a dict of columns or a data frame, not {type(newdata).__name__}"
        )
    names = newdata.columns if hasattr(newdata, "columns") else newdata.keys()
    return {str(name): newdata[name] for name in names}


def _is_array(value: Value) -> bool:
    return bool(np.ndim(value)) if hasattr(value, "shape") else isinstance(value, list)


def _given(model: Model, newdata: TableLike) -> dict[str, Any]:
    return columns_of(newdata if model.reader is None else model.reader(newdata))


def _lacks_some(value: Value) -> bool:
    lacking = rows_lacking(value)
    return lacking is not None and bool(lacking.any())


def _as_fitted(name: str, value: Any, fitted: Any, spared: bool = False) -> Any:
    """Return one new column as the model takes it: of the kind that it was in the fit.

    One that is `spared` may lack values.
    """
    if isinstance(value, Groups):
        return value
    if isinstance(fitted, Groups):
        return _group(name, value, fitted)
    value = with_nan(value)
    lacking = rows_lacking(value)
    if lacking is not None and lacking.any() and not spared:
        raise DataError(
            f"`{name}` is missing in {lacking.sum()} of the rows of newdata, the first row "
            f"{np.flatnonzero(lacking)[0]}: {FILL_IN}"
        )
    column = as_data(value, name)
    if hasattr(fitted, "shape") and np.ndim(column) != np.ndim(fitted):
        raise DataError(
            f"`{name}` has shape {np.shape(column)} in newdata and {np.shape(fitted)} in the fit: "
            f"give a value a row"
        )
    return column


def _group(name: str, value: Any, fitted: Groups) -> Groups:
    values = np.asarray(value)
    if values.ndim != 1:
        raise DataError(f"`{name}` holds the group of each row: give a column, not {value!r}")
    names = values.tolist()
    missing = [i for i, v in enumerate(names) if v is None or v != v]
    if missing:
        raise DataError(f"the group `{name}` of row {missing[0]} of newdata is missing")
    known = set(fitted.labels)
    unseen = tuple(v for v in dict.fromkeys(names) if v not in known)
    return groups(values.astype(object), (*fitted.labels, *unseen))


def _unseen(fitted: Any, lengths: set[tuple[int, int]]) -> Any:
    """Return zeros for a column that is only observed, with a row for each new one."""
    array = np.asarray(fitted)
    rows = {new for old, new in lengths if old == len(array)}
    length = rows.pop() if len(rows) == 1 else len(array)
    return np.zeros((length, *array.shape[1:]), array.dtype)


def _lacks(model: Model, name: str, given: list[str]) -> DataError:
    nearest = hint(name, given)
    listed = ", ".join(f"`{n}`" for n in given) or "none"
    return DataError(
        f"model `{model.name}` needs the column `{name}`, and newdata has none{nearest} "
        f"(columns: {listed})"
    )
