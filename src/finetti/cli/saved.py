"""Name the arguments that the commands on saved runs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SavedRun = Annotated[
    Path, typer.Argument(metavar="RUN", help="A saved run, .zarr or .nc.", show_default=False)
]
RunModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="The run's model, file.py or file.py:name. Default: the one that the run notes, if "
        "you fitted it here and its text is the same.",
        show_default=False,
    ),
]
RunData = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The run's table. Default: the one that the run notes.", show_default=False
    ),
]
Draws = Annotated[
    int | None, typer.Option(min=1, help="Take about so many of the draws. Default: all of them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
