"""Calibrate a model from a file: fit data simulated from it, and say what is right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from finetti.cli import outputs
from finetti.cli.app import app
from finetti.cli.binding import load, reopen
from finetti.cli.options import DataFile, ModelFile, OnCluster, Seed, where
from finetti.cli.written import parse
from finetti.criticism.calibrating.calibrate import FEWEST, USUAL, WARMUP, calibrate
from finetti.criticism.calibrating.calibration import Calibration
from finetti.reporting.calibrated import calibration, calibration_table


@app.command("calibrate")
def calibrate_model(  # noqa: PLR0913 - the options of a command are its parameters
    model: ModelFile,
    data: DataFile = None,
    simulations: Annotated[
        int, typer.Option(min=FEWEST, help="Data sets to simulate and fit.")
    ] = 200,
    draws: Annotated[int, typer.Option(min=10, help="Draws of each fit to rank among.")] = 100,
    run: Annotated[
        Path | None,
        typer.Option(
            "--posterior",
            help="A saved run of the model: draw parameters from it rather than from the prior.",
            show_default=False,
        ),
    ] = None,
    warmup: Annotated[int, typer.Option(min=0, help="Draws of each chain to learn from.")] = WARMUP,
    chains: Annotated[int, typer.Option(min=1, help="Chains of each fit.")] = USUAL.chains,
    plot: Annotated[
        Path | None, typer.Option(help="Where to save the picture of the ranks, such as ranks.png.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdicts as JSON, for machines.")
    ] = False,
    seed: Seed = 0,
    on: OnCluster = None,
) -> None:
    """Check a model's fits on data simulated from it.

    Parameters are drawn from the prior, or near your data with --posterior RUN, and data given
    them; each data set is fitted, and the parameters are ranked among the draws of their fit. Exits
    with 1 where a posterior is wrong.

    \b
      finetti calibrate examples/radon.py --data examples/radon.csv --simulations 200
    """
    if plot is not None:
        outputs.picture_path("--plot", plot)
    console = Console(highlight=False, quiet=as_json)
    source = parse(model)
    with source.answerable():
        given = reopen(run, model, data) if run is not None else None
        bound = given.known_model("calibrating") if given else load(console, source, None, data)
        per_chain = max(USUAL.draws, -(-2 * draws // chains))
        method = replace(USUAL, draws=per_chain, warmup=warmup, chains=chains)
        with console.status(f"Fitting {simulations:,} simulated sets of data"):
            found = calibrate(
                bound,
                method,
                simulations=simulations,
                draws=draws,
                seed=seed,
                posterior=given,
                on=where(on),
            )
    if plot is not None:
        outputs.draw(calibration(found), plot)
    if as_json:
        print(json.dumps(_plain(found)))
    else:
        console.print(calibration_table(found))
        console.print(f"\n{found}", markup=False)
        if plot is not None:
            console.print(f"\nThe picture of the ranks is {plot}.", markup=False)
    if not found.passed:
        raise typer.Exit(1)


def _plain(found: Calibration) -> dict[str, Any]:
    """Return what was found as plain values."""
    verdicts = [
        {
            "name": v.name,
            "right": not v.problem,
            "problem": v.problem,
            "p": v.p,
            "members": list(v.members),
            "sentence": v.sentence,
        }
        for v in found.verdicts
    ]
    return {
        "model": found.model,
        "simulations": found.simulations,
        "draws": found.draws,
        "passed": found.passed,
        "verdicts": verdicts,
        "notes": list(found.notes),
        "numbers": found.table().to_dict("index"),
    }
