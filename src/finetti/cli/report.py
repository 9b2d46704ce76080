"""Offer `finetti report`: one HTML page of a saved run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finetti.cli import outputs
from finetti.cli.app import app
from finetti.cli.binding import bring
from finetti.cli.saved import RunData, RunModel, SavedRun
from finetti.cli.words import spoken
from finetti.errors import DataError, ModelError
from finetti.reporting.report import report as write_page
from finetti.store.opened import open_run


@app.command()
def report(
    run: SavedRun,
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write. Default: RUN.html.", show_default=False),
    ] = None,
    model: RunModel = None,
    data: RunData = None,
    title: Annotated[
        str | None, typer.Option(help="Its head. Default: the model's name.", show_default=False)
    ] = None,
) -> None:
    """Write a saved run as one HTML page that needs no network.

    \b
      finetti report runs/radon.zarr
      finetti report runs/radon.zarr --model examples/radon.py --data examples/radon.csv
    """
    console = Console(highlight=False)
    page = outputs.page_path(out or run.with_suffix(".html"), run, data)
    posterior = open_run(run)
    posterior.draws  # noqa: B018 - refuses predictions
    try:
        posterior = bring(posterior, run, model, data)
    except (DataError, ModelError) as error:
        if model is not None or data is not None:
            raise
        console.print(
            f"Without the model, so that some sections are short: {spoken(str(error))}",
            markup=False,
        )
    console.print(f"Wrote {write_page(posterior, page, title)}", markup=False)
