"""Offer `finetti check`: whether data that a saved run predicts look like its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finetti.cli import outputs
from finetti.cli.app import app
from finetti.cli.binding import reopen
from finetti.cli.options import Seed
from finetti.cli.saved import Draws, Json, RunData, RunModel, SavedRun
from finetti.criticism.checking.check import check as compare_replicates


@app.command()
def check(  # noqa: PLR0913 - the options of a command are its parameters
    run: SavedRun,
    groups: Annotated[
        str | None,
        typer.Option(help="Check the members of this plate one by one too.", show_default=False),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Where to draw the check, such as check.png.", show_default=False),
    ] = None,
    draws: Draws = None,
    seed: Seed = 0,
    model: RunModel = None,
    data: RunData = None,
    as_json: Json = False,
) -> None:
    """Check a saved run: do data sets that it predicts look like the data?

    Prints test quantities of the data and of replicated data sets, and says what the model does
    not reproduce.

    \b
      finetti check runs/radon.zarr
      finetti check runs/radon.zarr --groups county --picture check.png
    """
    if picture is not None:
        outputs.picture_path("--picture", picture)
    found = compare_replicates(reopen(run, model, data), groups=groups, draws=draws, seed=seed)
    if picture is not None:
        from finetti.reporting.checks import checks

        outputs.draw(checks(found), picture)
    if as_json:
        told = {
            "passed": found.passed,
            "failures": list(found.failures),
            "notes": list(found.notes),
            "quantities": found.frame().to_dict("records"),
            "loo_pit": [
                {"site": c.site, "p": c.p, "fails": c.fails, "unreliable": c.unreliable}
                for c in found.pits
            ],
        }
        print(json.dumps(told))
        return
    console = Console(highlight=False)
    console.print(found.table(), "")
    console.print(found.sentences(), markup=False)
    if picture is not None:
        console.print(f"\nDrawn as {picture}", markup=False)
