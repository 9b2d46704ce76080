"""Turn samples into tables and files: medians and ranges, of figures and of ratios."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.entry import CHAINS, DRAWS, WARMUP

FOLDER = Path(__file__).parent / "results"
Sample = dict[str, float]


@dataclass(frozen=True)
class Column:
    """Hold a column's title, the figure it takes from a sample, and the figure's format."""

    title: str
    figure: Callable[[Sample], float]
    form: str = ".3g"


WALL = Column("wall, s", lambda s: s["wall"])
CPU = Column("CPU, s", lambda s: s["cpu"])
RATE = Column("ESS/s", lambda s: s["ess"] / s["wall"], ",.0f")
SAMPLING = (
    WALL,
    CPU,
    Column("least ESS", lambda s: s["ess"], ",.0f"),
    RATE,
    Column("gradients", lambda s: s["gradients"], ",.0f"),
    Column("ESS/1000 gradients", lambda s: 1000 * s["ess"] / s["gradients"], ".1f"),
    Column("gradients/s", lambda s: s["gradients"] / s["wall"], ",.0f"),
    Column("divergences", lambda s: s["divergences"], ".0f"),
    Column("mean of scale", lambda s: s["scale"]),
)


@dataclass(frozen=True)
class Result:
    """Hold what a benchmark measured: an entry's samples, one a round.

    Each entry's figure in column `compared` is set against that of the `references`, round by
    round.
    """

    name: str
    title: str
    samples: dict[str, list[Sample]]
    columns: tuple[Column, ...]
    compared: Column
    references: tuple[str, ...]

    def show(self) -> None:
        """Print the table: median, then least to greatest."""
        table = Table(title=self.title, caption=f"ratios are of {self.compared.title}")
        table.add_column("entry")
        for column in self.columns:
            table.add_column(column.title, justify="right")
        for reference in self.references:
            table.add_column(f"{reference} / entry", justify="right")
        for name, samples in self.samples.items():
            cells = [spread(map(c.figure, samples), c.form) for c in self.columns]
            table.add_row(name, *cells, *(self._ratio(r, samples) for r in self.references))
        Console(width=None if Console().is_terminal else 200).print(table)

    def _ratio(self, reference: str, samples: list[Sample]) -> str:
        pairs = zip(self.samples[reference], samples, strict=True)
        figure = self.compared.figure
        return spread((figure(a) / figure(b) for a, b in pairs), ".2f")

    def save(self, packages: Iterable[str]) -> None:
        """Write the samples, the machine and the versions."""
        settings = {"chains": CHAINS, "warmup": WARMUP, "draws": DRAWS, "float": 64}
        record(self.name, self.title, packages, self.samples, settings=settings)


def record(
    name: str, title: str, packages: Iterable[str], samples: object, **settings: object
) -> None:
    """Write what was measured, with the day, the machine, the versions and the settings."""
    FOLDER.mkdir(exist_ok=True)
    found = {
        "benchmark": title,
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {package: version(package) for package in sorted(set(packages))},
        **settings,
        "samples": samples,
    }
    text = json.dumps(found, indent=1, default=float)  # numpy's numbers
    (FOLDER / f"{name}.json").write_text(text + "\n")


def spread(figures: Iterable[float], form: str) -> str:
    """Write the median and the range."""
    values = sorted(figures)
    middle, least, most = (format(x, form) for x in (median(values), values[0], values[-1]))
    return f"{middle} ({least}–{most})"


def machine() -> dict[str, str | int]:
    """Describe the machine in general terms."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        processor = next((x.split(": ")[1] for x in lines if "model name" in x), processor)
    return {
        "processor": processor,
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
    }
