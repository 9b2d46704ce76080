"""Offer the commands: fit and plan models from files, read saved runs, give the tour."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from importlib.metadata import version
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from rich.console import Console

from finetti.cli import outputs
from finetti.cli.app import app
from finetti.cli.binding import load
from finetti.cli.fitted import notes, remember
from finetti.cli.options import (
    METHODS,
    TRAJECTORIES,
    DataFile,
    Devices,
    FamilyName,
    InPlace,
    LinkName,
    Minutes,
    MissingRows,
    ModelFile,
    OnCluster,
    OutPath,
    Priors,
    Seed,
    Until,
    default_of,
    source_of,
    where,
    wishes,
)
from finetti.cli.vision import vision
from finetti.cli.words import spoken
from finetti.dividing import provide
from finetti.inference.fit import fit
from finetti.inference.methods.method import Chains
from finetti.inference.stopping import stoppable
from finetti.posterior import saved
from finetti.posterior.posterior import Posterior
from finetti.reporting.report import report as write_page
from finetti.reporting.tables import SHOWN, plan_table, sites, summary_table
from finetti.store.opened import open_run
from finetti.store.store import Destination, is_streamed


def _show_version(wanted: bool) -> bool:
    if wanted:
        print(f"finetti {version('finetti')}")
        raise typer.Exit
    return wanted


app.add_typer(vision, name="vision")


@app.callback()
def finetti(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Fit hierarchical models to your tables, and say how far to trust the answer.

    A model is a Python function whose parameters name the columns of a table. Save this as
    schools.py:

    \b
      import finetti as ft

    \b
      @ft.model
      def schools(school, y, sigma):
          mu = ft.sample("mu", ft.Normal(0, 5))
          tau = ft.sample("tau", ft.HalfCauchy(5))
          with ft.plate("school", school):
              z = ft.sample("z", ft.Normal(0, 1))
              theta = ft.deterministic("theta", mu + tau * z)
          with ft.plate("study", len(y)):
              ft.sample("y", ft.Normal(theta[school], sigma), obs=y)

    and `finetti fit schools.py --data schools.csv` does the rest.
    """


@app.command("fit")
def fit_model(  # noqa: PLR0913 - the options of a command are its parameters
    model: ModelFile,
    data: DataFile = None,
    out: OutPath = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="|".join(METHODS),
            help="How to draw; automatic is independent where few dimensions are left, else nuts.",
        ),
    ] = "automatic",
    draws: Annotated[
        int | None, typer.Option(help=f"Draws to keep of each chain. {default_of('draws')}")
    ] = None,
    warmup: Annotated[
        int | None, typer.Option(help=f"Draws of each chain to learn from. {default_of('warmup')}")
    ] = None,
    chains: Annotated[
        int | None, typer.Option(help=f"Independent chains. {default_of('chains')}")
    ] = None,
    target_acceptance: Annotated[
        float | None,
        typer.Option(
            help="Between 0 and 1; with nuts, nearer 1 takes smaller steps and leaves fewer "
            f"divergences. {default_of('target_acceptance')}"
        ),
    ] = None,
    until: Until = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    report: Annotated[
        bool, typer.Option("--report", help="Write the run as an HTML page too, beside the draws.")
    ] = False,
    family: FamilyName = None,
    link: LinkName = None,
    prior: Priors = None,
    missing: MissingRows = "refuse",
    in_place: InPlace = False,
    on: OnCluster = None,
    devices: Devices = None,
) -> None:
    """Fit a model to a table, and save the draws.

    Prints the plan, the progress, a summary and advice. A .zarr run is written as it is made:
    whatever ends it, finetti resume goes on with it, and finetti watch looks at it meanwhile.
    Ctrl-C or SIGTERM while sampling stops early and saves the draws made so far; the exit code is
    then 130 or 143. With --on chains are drawn on a cluster, whole or not at all.

    \b
      finetti fit examples/radon.py --data examples/radon.csv --draws 2000
      finetti fit "log_radon ~ floor + (1 | county)" --data examples/radon.csv --report
      finetti fit examples/radon.py --data examples/radon.csv --until ess=400 --minutes 10
      finetti fit "sales ~ price + (1 | shop)" --data 'rows/*.parquet' --in-place
    """
    settings = {
        "draws": draws,
        "warmup": warmup,
        "chains": chains,
        "target_acceptance": target_acceptance,
        "until": wishes(until),
        "minutes": minutes,
    }
    chosen = _method(method, {name: value for name, value in settings.items() if value is not None})
    console, source = _console(), source_of(model, family, link, prior, missing, in_place)
    provide(devices)
    fitted = partial(fit, method=chosen, seed=seed, on=where(on), devices=devices)
    with source.answerable():
        content = source.content()
        bound = load(console, source, content, data)
        path = outputs.run_path(out or Path("runs", f"{bound.name}.zarr"))
        page = outputs.page_path(path.with_suffix(".html")) if report else None
        console.print(plan_table(bound.plan()), "")
        noted = notes(source, content, data)
        remember(source, content)
        with stoppable() as stop:
            try:
                if saved.is_netcdf(path):
                    posterior = fitted(bound)
                    posterior.tree.attrs.update(noted)
                    at, why = outputs.keep(posterior, path)
                else:
                    at, why = path, ""
                    posterior = fitted(bound, out=Destination(path, noted))
            except KeyboardInterrupt:
                on_disk = is_streamed(path)
                rest = f"finetti resume {path} goes on." if on_disk else "nothing is saved."
                console.print(f"Stopped before every chain had a draw to keep: {rest}")
                raise typer.Exit(stop.exit_code) from None
    if why:
        _console(stderr=True).print(
            f"error: {why}. The draws are not lost: they are saved as {at}", markup=False
        )
    conclude(console, posterior, at, page)
    if why:
        raise typer.Exit(1)
    if stop:
        raise typer.Exit(stop.exit_code)


def conclude(console: Console, posterior: Posterior, run: Path, page: Path | None = None) -> None:
    """Print what a run says, where it is, and how to go on with it if it has not all its draws."""
    kept = posterior.tree["posterior"].sizes["draw"]
    wanted = posterior.attributes.get("draws_wanted", kept)
    if kept < wanted:
        console.print(f"Stopped early: {kept:,} of {wanted:,} draws a chain are kept.")
    console.print()
    _read_out(console, run, posterior)
    console.print(f"\nSaved as {run}; in Python, ft.open({str(run)!r}) reads it.", markup=False)
    if kept < wanted and not saved.is_netcdf(run):
        console.print(f"finetti resume {run} goes on with it.", markup=False)
    if page is not None:
        console.print(f"Wrote {write_page(posterior, page)}", markup=False)


@app.command()
def plan(  # noqa: PLR0913 - the options of a command are its parameters
    model: ModelFile,
    data: DataFile = None,
    family: FamilyName = None,
    link: LinkName = None,
    prior: Priors = None,
    missing: MissingRows = "refuse",
    in_place: InPlace = False,
) -> None:
    """Show what finetti sees in a model, and would do.

    \b
      finetti plan examples/radon.py --data examples/radon.csv
      finetti plan "log_radon ~ floor + (1 | county)" --data examples/radon.csv
    """
    console, source = _console(), source_of(model, family, link, prior, missing, in_place)
    with source.answerable():
        console.print(plan_table(load(console, source, None, data).plan()))


@app.command()
def summary(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A saved run, .zarr or .nc.", show_default=False)
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SITES", help="Sites to show, every row of them.", show_default=False
        ),
    ] = None,
) -> None:
    """Show the summary of a saved run, and advice.

    \b
      finetti summary runs/radon.zarr           every site, the first rows of each
      finetti summary runs/radon.zarr effect    every row of one site
    """
    _read_out(_console(), run, open_run(run), names)


@app.command()
def demo(
    story: Annotated[
        str, typer.Argument(metavar="STORY", help="Which story; --list shows them.")
    ] = "eight_schools",
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder for pictures and runs. Default: runs/STORY.", show_default=False
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the stories, and end.")] = False,
    seed: Seed = 0,
) -> None:
    """Tell a story, from the data to the pictures: Eight Schools, or another.

    \b
      finetti demo
      finetti demo --list
      finetti demo radon --out runs/radon
    """
    from finetti.stories import STORIES

    if listed:
        for name, about in STORIES.items():
            print(f"{name:15}{about.about}")
        return
    if story not in STORIES:
        raise typer.BadParameter(f"STORY is one of {', '.join(STORIES)}, not {story!r}")
    STORIES[story].tell(outputs.folder_path("--out", out or Path("runs", story)), seed)


def _method(name: str, settings: dict[str, Any]) -> Chains:
    """Return the method of a name with the settings given, all of which it must have."""
    if name not in METHODS:
        *first, last = METHODS
        raise typer.BadParameter(f"--method is {', '.join(first)} or {last}, not {name!r}")
    if name == "automatic" and not TRAJECTORIES.isdisjoint(settings):
        name = "nuts"
    known = {field.name for field in fields(METHODS[name])}
    for setting in settings:
        if setting not in known:
            option = setting.replace("_", "-")
            raise typer.BadParameter(f"--{option} is no setting of --method {name}")
    try:
        return METHODS[name](**settings)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _read_out(
    console: Console, run: Path, posterior: Posterior, names: list[str] | None = None
) -> None:
    """Print the summary of a run, how to see the rows it hides, and the advice."""
    table = posterior.summary(names or None)
    console.print(summary_table(table, None if names else SHOWN))
    long = [site for site, rows in sites(table).items() if len(rows) > SHOWN]
    if long and not names:
        named = f"{quote(str(run))} {quote(long[-1])}"
        console.print(f"\nEvery row of a site: finetti summary {named}", markup=False)
    console.print(f"\n{spoken(str(posterior.advice()))}", markup=False)


def _console(stderr: bool = False) -> Console:
    return Console(highlight=False, stderr=stderr, soft_wrap=stderr)
