"""Set finetti beside Bambi and nutpie on regressions by formula: from the start, and warm.

Every entry has 4 chains of 1,000 draws, and the warm-up that is its default.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import geometric_mean, median

from rich.console import Console
from rich.table import Table

from benchmarks import cold, formulas, warm
from benchmarks.entry import Entry
from benchmarks.results import record

Samples = dict[str, dict[str, list[dict[str, float]]]]


def measure(entries: tuple[Entry, ...], names: Iterable[str], rounds: int) -> Samples:
    """Return the samples of every entry by problem: "warm NAME", "cold NAME", "again NAME"."""
    found: Samples = {}
    for name in names:
        problem = formulas.PROBLEMS[name]
        commands = [command for entry in entries for command in cold.sampling(name, entry)]
        whole = cold.measure(commands, rounds)
        runs = warm.measure(problem, entries, rounds)
        found[name] = {
            f"{kind} {entry.name}": samples
            for entry in entries
            for kind, samples in (
                ("cold", whole[entry.name]),
                ("again", whole[f"{entry.name}, again"]),
                ("warm", runs[entry.name]),
            )
        }
        show(entries, found)
    return found


def show(entries: tuple[Entry, ...], samples: Samples) -> None:
    """Print a row for each problem: both medians, and the first as a share of the second.

    Other work on the machine changes seconds by the clock more than those of the CPU: the samples
    have both.
    """
    table = Table(title="regressions by formula: medians, and the first as a share of the second")
    table.add_column("problem")
    heads = ("CPU s, fresh", "CPU s, again", "least ESS a CPU s, warm")
    for head in heads:
        for column in (*(f"{head}: {entry.name}" for entry in entries), "ratio"):
            table.add_column(column, justify="right")
    ratios: list[list[float]] = []
    for name, found in samples.items():
        cells, row = [name], []
        for kind, figure in (("cold", _cpu), ("again", _cpu), ("warm", _rate)):
            both = [median(map(figure, found[f"{kind} {entry.name}"])) for entry in entries]
            row.append(both[0] / both[1])
            cells += [*(f"{x:,.3g}" if x < 100 else f"{x:,.0f}" for x in both), f"{row[-1]:.2f}"]
        ratios.append(row)
        table.add_row(*cells)
    means = [f"{geometric_mean(column):.2f}" for column in zip(*ratios, strict=True)]
    table.add_row("geometric mean", *(cell for mean in means for cell in ("", "", mean)))
    Console(width=None if Console().is_terminal else 160).print(table)


def _cpu(sample: dict[str, float]) -> float:
    return sample["cpu"]


def _rate(sample: dict[str, float]) -> float:
    return sample["ess"] / sample["cpu"]


def run(entries: tuple[Entry, ...], rounds: int = 3) -> None:
    """Measure all problems whose table is to hand, print and store what was found."""
    names = [name for name in formulas.PROBLEMS if formulas.at_hand(name)]
    samples = measure(entries, names, rounds)
    packages = [package for entry in entries for package in entry.packages]
    record("formulas", "regressions by formula", packages, samples, rounds=rounds)
