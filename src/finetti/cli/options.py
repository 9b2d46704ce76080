"""Name the options that fitting and planning share, and read what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from finetti.cli.source import Source
from finetti.cli.written import Written, parse
from finetti.inference.methods.independent import Automatic, IndependentMetropolis
from finetti.inference.methods.method import Chains
from finetti.inference.methods.precision import ESS, MCSE, Precision
from finetti.inference.methods.trajectories import NUTS
from finetti.inference.methods.walks import Metropolis
from finetti.language.holes import WAYS
from finetti.reading.read import ENDINGS

SEEDS = 2**63 - 1  # the largest that a key is made of
MANY = 100  # dimensions: for fewer than a handful the methods choose otherwise
METHODS: dict[str, type[Chains]] = {
    "automatic": Automatic,
    "nuts": NUTS,
    "independent": IndependentMetropolis,
    "metropolis": Metropolis,
}
TRAJECTORIES = frozenset({"warmup", "target_acceptance"})  # settings that ask for nuts


def default_of(setting: str) -> str:
    """Say the default of a setting, of each method if they differ."""
    made = {name: method().suited(MANY) for name, method in METHODS.items()}
    values = {name: getattr(m, setting) for name, m in made.items() if hasattr(m, setting)}
    if setting in TRAJECTORIES:
        values.pop("automatic", None)
    if len(set(values.values())) == 1:
        return f"Default: {values['nuts']}."
    return "Default: " + ", ".join(f"{value} for {name}" for name, value in values.items()) + "."


ModelFile = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A Python file with an @ft.model function, file.py:name where it has several; or a "
        "formula, such as 'y ~ x + (1 | g)'.",
        show_default=False,
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A table with the columns of the formula, or for each parameter of the model: "
        f"{', '.join(ENDINGS)}. Text columns become groups. "
        "What a file does not say goes after a question mark: 'homes.db?select * from homes', "
        "'homes.xlsx?2024', 'homes.csv?separator=;&decimal=,'.",
        show_default=False,
    ),
]
OutPath = Annotated[
    Path | None,
    typer.Option(
        help="Where to save the run, .zarr or .nc; what is there is replaced. "
        "Default: runs/NAME.zarr, with the model's name.",
        show_default=False,
    ),
]
FamilyName = Annotated[
    str | None,
    typer.Option(
        "--family",
        help="Of a formula: how outcomes are distributed, such as binomial, poisson or cumulative.",
        show_default=False,
    ),
]
LinkName = Annotated[
    str | None, typer.Option("--link", help="Of a formula: another link.", show_default=False)
]
Priors = Annotated[
    list[str] | None,
    typer.Option(
        "--prior",
        help="Of a formula: a prior, such as 'b ~ Normal(0, 10)'; may be given several times.",
        show_default=False,
    ),
]
InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Of a formula: leave the table where it is and fetch sums of it. --data is then a "
        "Parquet or CSV file, a folder or a pattern ('rows/*.parquet'), a database, or its "
        "address: 'postgres://host/name?table'.",
    ),
]
MissingRows = Annotated[
    str,
    typer.Option(
        "--missing",
        metavar="refuse|drop|impute",
        help="What to do with rows that lack a value: leave them out, or let it be unknown.",
    ),
]
Until = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WISH",
        help="Draw until this holds: ess=400 (effective draws of every number), ess:SITE=400, or "
        "mcse:SITE=0.1 (the error of its mean). Several may be given.",
        show_default=False,
    ),
]
Minutes = Annotated[
    float | None, typer.Option(help="End after so many minutes.", show_default=False)
]
Seed = Annotated[int, typer.Option(min=0, max=SEEDS, help="The same seed gives the same draws.")]

OnCluster = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="ADDRESS|N",
        help="Fit on the workers of a Dask cluster: the address of its scheduler, such as "
        "tcp://host:8786, or how many processes to start on this machine.",
        show_default=False,
    ),
]


Devices = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Divide the rows among so many devices, each of which computes with its own: GPUs, or "
        "cores of the processor.",
        show_default=False,
    ),
]


def where(on: str | None) -> str | int | None:
    """Return the cluster that an option names: an address, or a number of processes."""
    return int(on) if on is not None and on.isdecimal() else on


def source_of(
    model: str,
    family: str | None,
    link: str | None,
    priors: list[str] | None,
    missing: str,
    in_place: bool = False,
) -> Source | Written:
    """Return where a model comes from, or refuse options that are a formula's with a file."""
    source = parse(model)
    way = next((w for w in WAYS if w == missing), None)
    if way is None:
        raise typer.BadParameter(f"--missing is refuse, drop or impute, not {missing!r}")
    if isinstance(source, Written):
        return replace(
            source, family=family, link=link, priors=tuple(priors or ()), missing=missing,
            in_place=in_place,
        )  # fmt: skip
    given = {"--family": family, "--link": link, "--prior": priors}
    for option, value in given.items():
        if value:
            raise typer.BadParameter(f"{option} is for formulas: {model} is a file, edit it")
    if in_place:
        raise typer.BadParameter(f"--in-place is for formulas: {model} is a file")
    return source if way == "refuse" else replace(source, missing=way)


def wishes(words: list[str] | None) -> tuple[Precision, ...] | None:
    """Return how precise the draws are to be, of words such as ess=400 and mcse:theta=0.1."""
    found: list[Precision] = []
    for word in words or ():
        what, _, number = word.partition("=")
        kind, _, site = what.partition(":")
        try:
            if kind not in ("ess", "mcse") or (kind == "mcse" and not site):
                raise ValueError("give ess=400, ess:SITE=400 or mcse:SITE=0.1")
            amount = float(number)
            sites = (site,) if site else ()
            found.append(ESS(amount, sites) if kind == "ess" else MCSE(site, amount))
        except ValueError as error:
            raise typer.BadParameter(f"--until {word}: {error}") from error
    return tuple(found) or None
