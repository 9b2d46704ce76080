"""Count which illnesses the advice names in sick and healthy models: a confusion table."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

NOTHING = "nothing"


def measure(seeds: tuple[int, ...] = (1,)) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Return how often each illness was given each name, and what was missed.

    A run counts under its illness's own name if that is among those given, and under the first
    of them otherwise; what is named besides counts as well, so that a row may hold more than its
    runs. Signs, such as divergences, count for healthy models alone.
    """
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import jax

    from zoo.healthy import HEALTHY
    from zoo.patients import diagnoses
    from zoo.sick import SICK

    found: Counter[tuple[str, str]] = Counter()
    missed = []
    for name, patient in {**SICK, **HEALTHY}.items():
        for seed in seeds:
            advice = patient.examine(seed)
            given = diagnoses(advice) if patient.problem else tuple(f.problem for f in advice)
            found.update((patient.problem or NOTHING, said) for said in given or (NOTHING,))
            wrong = patient.missed(advice)
            print(f"{name}, seed {seed}: {', '.join(given) or NOTHING}", flush=True)
            if wrong:
                missed.append(f"{name}, seed {seed}: {wrong}")
        jax.clear_caches()  # a process can hold only so many pieces of code
    return found, missed


def show(found: Counter[tuple[str, str]], missed: list[str]) -> None:
    """Print the table, a row an illness that is there and a column a name that was given."""
    from rich.console import Console
    from rich.table import Table

    there = list(dict.fromkeys(pair[0] for pair in found))
    given = [*dict.fromkeys([*there, *(pair[1] for pair in found)])]
    given = [name for name in given if any((row, name) in found for row in there)]
    table = Table("is there \\ is named", *(str(i + 1) for i in range(len(given))))
    for row in there:
        number = f"{given.index(row) + 1} " if row in given else ""
        table.add_row(f"{number}{row}", *(str(found[row, name] or "") for name in given))
    console = Console(width=140)
    console.print(table)
    for i, name in enumerate(given):
        if name not in there:
            console.print(f"{i + 1} is {name}")
    console.print(f"{len(missed)} missed" + "".join(f"\n{m}" for m in missed), markup=False)
