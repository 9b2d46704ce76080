"""Offer `finetti doctor`: what is installed, where it computes, what it keeps, how fast it is."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from finetti import programs
from finetti.cli.app import app
from finetti.posterior.posterior import Posterior

NEEDED = ("finetti", "jax", "jaxlib", "numpyro", "numpy", "scipy", "xarray", "arviz-base")
NEEDED += ("arviz-stats", "rich")

# By extra: the modules it brings, and what they are for. pyproject.toml has the packages.
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "io": (("h5netcdf", "h5py", "zarr"), "saving runs as Zarr and NetCDF"),
    "cli": (("narwhals", "polars", "typer"), "this command line, tables in CSV, Parquet and JSON"),
    "formulas": (("formulae", "pandas"), "ft.formula, lme4's and brms' notation"),
    "plots": (("arviz_plots", "matplotlib"), "pictures"),
    "report": (("jinja2",), "a run as one HTML page"),
    "tables": (("duckdb", "openpyxl", "pyarrow"), "Excel, DuckDB and Arrow tables"),
    "scale": (("distributed", "ibis"), "tables larger than memory; clusters"),
    "vision": (("matplotlib", "PIL"), "pictures of what is seen"),
}


@app.command()
def doctor(
    fit: Annotated[
        bool, typer.Option("--fit/--no-fit", help="Time a small fit, which takes some seconds.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Say what is installed, where it computes, what it keeps on disk, and how fast a fit is.

    Nothing is changed and nothing sent: put what it prints into a report of an error. The fit is
    of Eight Schools, 4 chains of 1,000 draws: cold, with every program compiled anew, then warm.

    \b
      finetti doctor
      finetti doctor --no-fit --json
    """
    found = examined(fit)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    console = Console(highlight=False)
    for title, rows in found.items():
        table = Table(title=title, title_justify="left", box=None, show_header=False)
        for name, value in rows.items():
            table.add_row(name, value if isinstance(value, str) else json.dumps(value))
        console.print(table)
        console.print()


def examined(fit: bool = True) -> dict[str, dict[str, Any]]:
    """Return what there is to say, by part and name."""
    found = {
        "Versions": _versions(),
        "Extras": {name: _extra(name) for name in EXTRAS},
        "Computing": _computing(),
        "Compiled programs": _kept(),
    }
    return {**found, "Eight Schools, 4 chains of 1,000 draws": _timed()} if fit else found


def _versions() -> dict[str, str]:
    found = {name: _version(name) for name in NEEDED}
    return {**found, "Python": platform.python_version(), "system": platform.platform()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _extra(name: str) -> str:
    """Say whether an extra is there, or what it would bring and how to have it."""
    modules, purpose = EXTRAS[name]
    lacking = [module for module in modules if find_spec(module) is None]
    if not lacking:
        return f"installed: {purpose}"
    return f"lacks {', '.join(lacking)}: pip install 'finetti[{name}]' brings {purpose}"


def _computing() -> dict[str, str]:
    """Return the backend, its devices, and whether numbers are of double precision."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        third = jnp.asarray(1.0) / 3
        double = third.dtype == "float64" and abs(float(third) - 1 / 3) < 1e-15
    return {
        "backend": jax.default_backend(),
        "devices": ", ".join(map(str, jax.devices())),
        "processors": str(os.cpu_count()),
        "float64": "works" if double else "does not work: finetti's answers cannot be trusted",
    }


def _kept() -> dict[str, Any]:
    """Return where compiled programs are kept, how many, and how much room they take."""
    named = os.environ.get(programs.SWITCH)
    if named is not None and named.lower() in programs.OFF:
        return {"folder": f"none: {programs.SWITCH} is {named!r}"}
    folder = Path(named).expanduser() if named is not None else programs.home()
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    size = sum(path.stat().st_size for path in files) / 2**20
    most = programs.LARGEST / 2**20
    found = {"folder": str(folder), "files": f"{len(files):,}, {size:.0f} of {most:.0f} MiB"}
    ours = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return found if ours is None else {**found, "not used": f"JAX_COMPILATION_CACHE_DIR is {ours}"}


def _timed() -> dict[str, str]:
    """Return how long a small fit takes, cold and warm, and whether its answer is right."""
    from finetti.demo import WEAK, hierarchical
    from finetti.inference.fit import fit

    def once() -> tuple[str, Posterior]:
        start = perf_counter()
        with _nothing_kept():
            posterior = fit(hierarchical(WEAK.mu, WEAK.tau), seed=1, progress=False)
        return f"{perf_counter() - start:.2f} s", posterior

    cold, _ = once()
    warm, posterior = once()
    row = posterior.summary(["tau"]).iloc[0]
    score = float((row["mean"] - WEAK.exact[-1]) / row["mcse_mean"])
    verdict = "right" if abs(score) < 4 else "WRONG"
    said = f"{verdict}: the mean of tau is {score:+.1f} standard errors from the exact one"
    return {"cold": cold, "warm": warm, "answer": said}


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Have programs neither read from disk nor written there."""
    before = os.environ.get(programs.SWITCH)
    os.environ[programs.SWITCH] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ[programs.SWITCH]
        else:
            os.environ[programs.SWITCH] = before
