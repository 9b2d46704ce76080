"""Offer `finetti watch`: how a run is going that another process is at work on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from finetti.cli.app import app
from finetti.errors import DataError
from finetti.store.manifest import FINISHED, WARMUP
from finetti.store.watched import Watched
from finetti.store.watched import watch as look


@app.command()
def watch(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run of finetti fit, .zarr.", show_default=False)
    ],
    once: Annotated[bool, typer.Option("--once", help="Look once, print, and end.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Show how a run is going while it is made: draws, effective draws and R-hat so far.

    Ends when nobody is at work on the run any more.

    \b
      finetti watch runs/radon.zarr
      finetti watch runs/radon.zarr --once
    """
    console = Console(highlight=False)
    found = look(run)
    if once:
        console.print(_shown(run, found))
        return
    with Live(_shown(run, found), console=console, auto_refresh=False) as live:
        while found.writer:
            time.sleep(every)
            try:
                found = look(run)
            except (DataError, OSError, ValueError, KeyError):
                continue  # it is being replaced
            live.update(_shown(run, found), refresh=True)


def _shown(run: Path, found: Watched) -> Group:
    """Return the page: a line on the run, and a table of the numbers that mix worst."""
    known = found.manifest
    if known.phase == WARMUP:
        drawn = f"{known.made:,} draws of warm-up"
    else:
        drawn = f"{known.draws:,} of {known.wanted:,} draws a chain"
    age = f", written {max(0.0, time.time() - known.updated):.0f} s ago" if known.updated else ""
    work = f"at work: {found.writer}" if found.writer else "nobody is at work on it"
    if known.phase == FINISHED:
        work = f"finished ({known.ended})"
    elif not found.writer:
        work += f"; finetti resume {run} goes on"
    lines = [
        f"{run}: {drawn}, {known.divergences:,} divergences, {known.seconds:.0f} s{age}",
        work,
    ]
    if not found.rows:
        return Group(*lines)
    table = Table(box=None)
    for head in ("", "ESS", "R-hat"):
        table.add_column(head, justify="left" if not head else "right")
    for name, effective, mixing in found.rows[:10]:
        table.add_row(name, f"{effective:,.0f}", f"{mixing:.3f}")
    return Group(*lines, table)
