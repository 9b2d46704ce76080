"""Share what stories are told with: a console, finetti's own tables, a closing line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from finetti.demo import head, seconds_since_start, tell

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

TABLES = Path(__file__).parent / "tables"
__all__ = ["TABLES", "close", "console", "head", "table_to", "tell"]


def console() -> Console:
    """Return where a story is told."""
    from rich.console import Console

    return Console(highlight=False)


def table_to(out: Path, name: str) -> Path:
    """Put a table of finetti's where the story's results go, to go on with; return its place."""
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(TABLES / name, out / name))


def close(screen: Console, figure: Figure, path: Path, shows: str, further: str = "") -> None:
    """Write a story's picture, say where it is, and how to go on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    tell(screen, f"{path}: {shows}.")
    if further:
        tell(screen, "To go on:")
        screen.print(f"  {further}", markup=False, soft_wrap=True)
    tell(screen, f"From the start of the process to here: {seconds_since_start():.1f} seconds.")
