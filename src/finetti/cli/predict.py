"""Offer `finetti predict`: data that a saved run predicts, for its rows or for new ones."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import numpy as np
import typer
from rich.console import Console

from finetti import data as tables
from finetti.cli import outputs
from finetti.cli.app import app
from finetti.cli.binding import reopen
from finetti.cli.fitted import TABLE
from finetti.cli.options import Seed
from finetti.cli.saved import Draws, Json, RunData, RunModel, SavedRun
from finetti.criticism.predicting.predict import At, NewGroups
from finetti.criticism.predicting.predict import predict as draw
from finetti.language.dims import Groups
from finetti.posterior.posterior import Posterior
from finetti.posterior.whole import whole
from finetti.reading.read import read
from finetti.reporting.predictions import prediction_frame, prediction_table

if TYPE_CHECKING:
    import xarray as xr


@app.command()
def predict(  # noqa: PLR0913 - the options of a command are its parameters
    run: SavedRun,
    newdata: Annotated[
        Path | None,
        typer.Option(
            help="A table of new rows, with the columns that the model takes; those that are only "
            "observed may be absent. Default: the rows of the fit again.",
            show_default=False,
        ),
    ] = None,
    new_groups: Annotated[
        str,
        typer.Option(
            metavar="|".join(get_args(NewGroups)),
            help="For groups that the fit has not seen: refuse them, sample their effects from the "
            "population, or put these at the population's mean.",
        ),
    ] = "refuse",
    at: Annotated[
        str,
        typer.Option(
            metavar="|".join(get_args(At)),
            help="At every draw, or at the posterior mean, which leaves out its uncertainty.",
        ),
    ] = "draws",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to save: the draws as .zarr or .nc, or a row for each prediction as .csv.",
            show_default=False,
        ),
    ] = None,
    draws: Draws = None,
    seed: Seed = 0,
    model: RunModel = None,
    data: RunData = None,
    as_json: Json = False,
) -> None:
    """Predict data from a saved run: the rows of its fit again, or new rows and new groups.

    \b
      finetti predict runs/radon.zarr --newdata homes.csv --out predictions.csv
      finetti predict runs/radon.zarr --newdata homes.csv --new-groups sample --json
    """
    _one_of("--new-groups", new_groups, get_args(NewGroups))
    _one_of("--at", at, get_args(At))
    if out is not None:
        _refuse_destination(out, run, newdata, data)
    posterior = reopen(run, model, data)
    noted = posterior.attributes.get(TABLE)
    if out is not None and isinstance(noted, str):
        outputs.not_among("--out", out, Path(noted))
    rows = None if newdata is None else _columns(posterior, newdata)
    tree = draw(posterior, rows, new_groups=new_groups, at=at, draws=draws, seed=seed)  # pyright: ignore[reportArgumentType]
    predicted = tree["posterior_predictive" if newdata is None else "predictions"].dataset
    if out is not None:
        _save(tree, predicted, out)
    if as_json:
        records = prediction_frame(predicted).to_dict("records")
        print(json.dumps({"attributes": dict(tree.attrs), "predictions": records}))
        return
    console = Console(highlight=False)
    console.print(prediction_table(predicted))
    for line in _remarks(tree):
        console.print(line, markup=False)
    if out is not None:
        console.print(f"\nSaved as {out}", markup=False)


def _columns(posterior: Posterior, path: Path) -> dict[str, Any]:
    """Read the columns of new rows that the model takes; names of groups stay names.

    A formula's model takes all, of which it makes its arguments.
    """
    model = posterior.known_model("predicting")
    if model.reader is not None:
        return dict(read(path))
    parameters = inspect.signature(model.function).parameters
    found = {}
    for name, column in read(path).items():
        if name in parameters:
            value = tables.as_argument(name, column)
            found[name] = _names(value) if isinstance(value, Groups) else value
    return found


def _names(column: Groups) -> np.ndarray:
    return np.array(column.labels, dtype=object)[np.asarray(column)]


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise typer.BadParameter(f"{option} is {', '.join(known)}, not {value!r}")


def _refuse_destination(out: Path, *inputs: Path | None) -> None:
    """Refuse a place that predictions cannot be saved in, before they are made."""
    if out.suffix.lower() not in (".csv", *outputs.RUNS):
        raise typer.BadParameter(f"--out is a name that ends in .csv, .zarr or .nc, not {out}")
    if out.suffix.lower() == ".csv":
        outputs.file_path("--out", out, (".csv",), *inputs)
    else:
        outputs.not_among("--out", outputs.run_path(out), *inputs)


def _save(tree: xr.DataTree, predicted: xr.Dataset, out: Path) -> None:
    if out.suffix.lower() == ".csv":
        with whole(out, "the predictions") as beside:
            prediction_frame(predicted).to_csv(beside, index=False)
    else:
        Posterior(tree).save(out)


def _remarks(tree: xr.DataTree) -> list[str]:
    """Say what the predictions leave out, and which groups are new."""
    found = []
    if tree.attrs["predictive"] != "posterior":
        found.append(f"These are {tree.attrs['predictive']}: without its uncertainty.")
    if "new_members" in tree.attrs:
        how = {"sample": "drawn from the population", "population": "at the population's mean"}
        found.append(f"New, {how[tree.attrs['new_groups']]}: {tree.attrs['new_members']}.")
    return ["", *found] if found else []
