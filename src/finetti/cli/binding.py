"""Give a model its data from a table, and a saved run its model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from finetti import data as tables
from finetti.cli.fitted import TABLE, noted
from finetti.cli.source import Source
from finetti.cli.written import Written, parse
from finetti.errors import DataError
from finetti.language.dims import Groups
from finetti.models import Model
from finetti.posterior.posterior import Posterior
from finetti.reading.columns import Columns
from finetti.reading.read import read
from finetti.store.opened import open_run


def reopen(run: Path, model: str | None = None, data: Path | None = None) -> Posterior:
    """Open a saved run with its model and data.

    They are those given, `model` as file.py or file.py:name, `data` a table; or else those that
    `finetti fit` noted in the run, where that model file was fitted here and has the same text.
    Raises `ModelError` where there is no such model, or it is not that of the run, `DataError`
    where a file is gone.
    """
    return bring(open_run(run), run, model, data)


def bring(
    posterior: Posterior, run: Path, model: str | None = None, data: Path | None = None
) -> Posterior:
    """Return a run that was opened with its model and data; see `reopen`."""
    posterior.draws  # noqa: B018 - refuses predictions
    source, content, table = named(run, posterior.attributes, model, data)
    with source.answerable():
        return posterior.of(load(Console(quiet=True), source, content, table))


def named(
    run: Path, attributes: Mapping[str, Any], model: str | None, data: Path | None
) -> tuple[Source | Written, bytes, Path | None]:
    """Return a run's model file with its text, and its table: those given, or those it notes."""
    if model is None:
        source, content = noted(run, attributes)
    else:
        source = parse(model)
        content = source.content()
    known = attributes.get(TABLE)
    return source, content, data or (Path(known) if isinstance(known, str) else None)


def load(
    console: Console, source: Source | Written, content: bytes | None, data: Path | None
) -> Model:
    """Return the model of a file or a formula with its data, and print what it got."""
    if isinstance(source, Written):
        model = source.model(data)
        console.print(model.code(), markup=False)
        return model
    return bind(console, source.load(content), data)


def bind(console: Console, model: Model, data: Path | None) -> Model:
    """Give a model the columns that its parameters name, and print what it got."""
    parameters = inspect.signature(model.function).parameters
    needed = [f"`{p.name}`" for p in parameters.values() if p.default is p.empty]
    if data is None and model.arguments is not None:
        return model
    if data is None and needed:
        raise DataError(
            f"model `{model.name}` takes {', '.join(needed)}: give a table with these columns, "
            f"as in --data table.csv"
        )
    columns = read(data) if data else Columns({})
    found = tables.arguments(model, columns)
    width = max(map(len, parameters), default=0)
    for name, parameter in parameters.items():
        got = _described(found[name]) if name in found else f"absent, so {parameter.default!r}"
        console.print(f"{name:{width}}  {got}", markup=False)
    if columns.said:
        console.print(columns.said, markup=False)
    unused = [name for name in columns if name not in found]
    if unused:
        console.print(f"Not used: {', '.join(unused)}", markup=False)
    console.print()
    return model(**found)


def _described(value: Any) -> str:
    if isinstance(value, Groups):
        return f"{len(value):,} rows in {len(value.labels):,} groups"
    if isinstance(value, np.ndarray):
        return f"{' x '.join(f'{n:,}' for n in value.shape)} numbers"
    return repr(value)
