"""Say what was fitted: the advice, the model, the plan, the data, and how to do it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from finetti.models import Model
from finetti.posterior.digits import decimals
from finetti.posterior.posterior import Posterior
from finetti.reporting.diagram import graph
from finetti.reporting.page.blocks import Block, Cell, Code, Grid, Note, Picture, Section, Words
from finetti.reporting.page.vector import inline
from finetti.structure.account import COSTS, HEADS
from finetti.structure.choices import Choices
from finetti.structure.plan import Plan

PACKAGES = ("finetti", "jax", "numpyro", "numpy", "arviz-base", "arviz-stats", "xarray")
MANY_SITES = 40  # beyond which a graph is a picture of nothing


def advice(posterior: Posterior) -> Section:
    """Put the advice first: what is wrong, where, and what to do."""
    said = posterior.advice()
    if not said:
        return Section("advice", "Can it be believed?", (Note(said.fine, "good"),))
    found = tuple(Note(f.sentence, "warn", f.problem.capitalize()) for f in said)
    return Section("advice", "Can it be believed?", found)


def model(posterior: Posterior) -> Section:
    """Show the model as it was written, and its graph."""
    blocks: list[Block] = []
    source = posterior.attributes.get("model_source")
    if source:
        blocks.append(Code(source))
    if posterior.model is None:
        blocks.append(Words("The graph needs the model, which this run was opened without."))
    elif len(posterior.model.variables) <= MANY_SITES:
        words = f"The dependencies of the sites of model {posterior.model.name}, plates as boxes."
        blocks.append(
            Picture(
                inline(graph(_plan_of(posterior.model, posterior.attributes)), words),
                "What depends on what.",
            )
        )
    return Section("model", "The model", tuple(blocks))


def _plan_of(model: Model, known: Mapping[str, Any]) -> Plan | Model:
    """Return the plan that the run was made by, or the model where the run does not say."""
    if "plan" not in known:
        return model
    return model.plan(choices=Choices.of(json.loads(known["plan"])))


def plan(posterior: Posterior) -> Section:
    """Show what finetti did with each site, and why."""
    if "plan" not in posterior.attributes:
        words = "The run does not say what its plan was: it was made by another version."
        return Section("plan", "The plan", (Words(words),))
    known = json.loads(posterior.attributes["plan"])
    blocks: list[Block] = [
        Words(f"{known['dimensions'].capitalize()}."),
        Grid(HEADS, _text(known["sites"]), "What was done with each site, and why", stacked=True),
    ]
    if known["rewrites"]:
        words = "What each rewrite takes"
        blocks.append(Grid(COSTS, _text(known["rewrites"]), words, stacked=True))
    return Section("plan", "The plan", tuple(blocks))


def _text(rows: list[list[str]]) -> list[list[Cell]]:
    return [[Cell(text) for text in row] for row in rows]


def data(posterior: Posterior) -> Section:
    """Summarise what was observed and what the model was given."""
    heads = ("name", "role", "size", "mean", "sd", "least", "median", "greatest")
    rows = list(_data_rows(posterior))
    if not rows:
        return Section("data", "The data", (Words("No data: the draws are from the prior."),))
    return Section("data", "The data", (Grid(heads, rows, "The data in numbers"),))


def _data_rows(posterior: Posterior) -> Iterator[list[Cell]]:
    """Yield a row a column of the data; of columns of groups it tells how many rows a group has."""
    for group, role in (("observed_data", "observed"), ("constant_data", "given")):
        if group not in posterior.tree.children:
            continue
        seen = posterior.held("observed_data")
        for name, array in posterior.tree[group].dataset.data_vars.items():
            if role == "given" and name in seen:
                continue
            values = array.to_numpy()
            size = " x ".join(f"{n:,}" for n in values.shape) or "1"
            start = [Cell(str(name)), Cell(role), Cell(size, float(values.size))]
            if values.dtype.kind in "biuf":
                known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
                yield [*start, *map(_number, _five(known))]
            else:
                counts = np.unique(values, return_counts=True)[1]
                ends = (counts.min(), np.median(counts), counts.max())
                words = f"{len(counts):,} groups"
                yield [*start, Cell(words), Cell("rows a group:"), *map(_number, ends)]


def _five(values: np.ndarray) -> list[float]:
    if not values.size:
        return [np.nan] * 5
    found = (values.mean(), values.std(), values.min(), np.median(values), values.max())
    return [float(number) for number in found]


def _number(value: float) -> Cell:
    value = float(value)
    if value == round(value) and abs(value) < 1e9:
        return Cell(f"{value:,.0f}", value)
    return Cell(f"{value:,.{max(0, min(decimals(value, 0.0), 6))}f}", value)


def again(posterior: Posterior) -> Section:
    """Say how the run was made: method, seed, seconds, versions."""
    known = posterior.attributes
    rows = [("model", known.get("model", "unknown")), ("method", known.get("method", "unknown"))]
    if "model_file" in known:
        rows += _written(known["model_file"])
    if "data_file" in known:
        rows.append(("data's file", known["data_file"]))
    if "seed" in known:
        rows.append(("seed", str(known["seed"])))
    if "seconds" in known:
        rows.append(("time to fit", f"{float(known['seconds']):,.1f} s"))
    rows += [(p, known.get(f"{p}_version") or _version(p)) for p in PACKAGES]
    rows.append(("Python", sys.version.split()[0]))
    rows.append(("this page", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"))
    grid = Grid(("what", "value"), _text([list(r) for r in rows]), "How the run was made")
    return Section("again", "To do it again", (grid,))


def _written(model: str) -> list[tuple[str, str]]:
    """Say where the model came from: a file, or a formula with what was said beside it."""
    try:
        said = json.loads(model)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return [("model's file", model)]
    usual = {"missing": "refuse"}
    return [
        (name.replace("_", " "), "; ".join(value) if isinstance(value, list) else str(value))
        for name, value in said.items()
        if value and value != usual.get(name)
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
