"""Offer `finetti resume`: go on with a run that ended before it had all its draws."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finetti.cli.app import app
from finetti.cli.binding import load, named
from finetti.cli.commands import conclude
from finetti.cli.saved import RunData, RunModel
from finetti.dividing import provide
from finetti.inference.resume import resume as go_on
from finetti.inference.stopping import stoppable
from finetti.store.store import recorded


@app.command()
def resume(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run of finetti fit, .zarr.", show_default=False),
    ],
    draws: Annotated[
        int | None,
        typer.Option(min=1, help="Draws of each chain in all. Default: those asked for."),
    ] = None,
    model: RunModel = None,
    data: RunData = None,
) -> None:
    """Go on with a run that was stopped or killed, or make more draws of a finished one.

    Its draws are those of a run that nothing ended. A run whose model, table or versions have
    changed is refused.

    \b
      finetti resume runs/radon.zarr
      finetti resume runs/radon.zarr --draws 10000
    """
    console = Console(highlight=False)
    record = recorded(run)
    provide(record.get("devices") or None)
    source, content, table = named(run, record.get("notes", {}), model, data)
    with source.answerable(), stoppable() as stop:
        bound = load(Console(quiet=True), source, content, table)
        try:
            posterior = go_on(run, bound, draws=draws)
        except KeyboardInterrupt:
            console.print(
                f"Stopped before every chain had a draw to keep: finetti resume {run} goes on."
            )
            raise typer.Exit(stop.exit_code) from None
    conclude(console, posterior, run)
    if stop:
        raise typer.Exit(stop.exit_code)
