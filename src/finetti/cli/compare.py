"""Offer `finetti compare`: which saved run predicts best what it has not seen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finetti.cli.app import app
from finetti.cli.binding import reopen
from finetti.cli.options import OnCluster, Seed, where
from finetti.cli.saved import Json, RunData
from finetti.criticism.leaving_out.compare import compare as compare_scores
from finetti.criticism.leaving_out.kfold import kfold
from finetti.criticism.leaving_out.loo import loo
from finetti.inference.cluster.reached import reached


@app.command()
def compare(  # noqa: PLR0913 - the options of a command are its parameters
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS", help="Saved runs of the same data, .zarr or .nc.", show_default=False
        ),
    ],
    of: Annotated[
        str | None,
        typer.Option(help="The observed site, where a model has several.", show_default=False),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Leave out the members of this plate, each with all its observations, instead of "
            "single observations. Fits each model once a member, or once a fold.",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Leave out so many parts in turn instead.", show_default=False),
    ] = None,
    refits: Annotated[
        int, typer.Option(min=0, help="Fit at most so many times where importance sampling fails.")
    ] = 20,
    seed: Seed = 0,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="The runs' models, file.py or file.py:name, in the order of the runs: once for "
            "each. Default: those that the runs note, if you fitted them here and their texts "
            "are the same.",
            show_default=False,
        ),
    ] = None,
    data: RunData = None,
    as_json: Json = False,
    on: OnCluster = None,
) -> None:
    """Compare saved runs: which model predicts best what it has not seen?

    Each observation is predicted from all others. Prints a table of the log densities, best first,
    and says what the differences mean.

    \b
      finetti compare runs/pooled.zarr runs/radon.zarr
      finetti compare runs/pooled.zarr runs/radon.zarr --by county --folds 10
    """
    if len(runs) < 2:
        raise typer.BadParameter("give at least two RUNS")
    if models and len(models) != len(runs):
        raise typer.BadParameter(f"give --model once for each of the {len(runs)} RUNS, in order")
    often = Counter(run.stem for run in runs)
    names = [run.stem if often[run.stem] == 1 else str(run) for run in runs]
    scores = {}
    with reached(where(on)) as client:
        for name, run, model in zip(names, runs, models or [None] * len(runs), strict=True):
            posterior = reopen(run, model, data)
            if by is None and folds is None:
                scores[name] = loo(posterior, of, refits=refits, seed=seed, on=client)
            else:
                scores[name] = kfold(posterior, folds, by=by, of=of, seed=seed, on=client)
    found = compare_scores(scores)
    if as_json:
        print(json.dumps(found.as_dict()))
    else:
        Console(highlight=False, soft_wrap=True).print(str(found), markup=False)
