"""Fit tables of more and more rows, in memory and where they lie, from process start to summary.

The rows are made by DuckDB, with effects that are known, and stay in a temporary folder while
`python -m benchmarks in_place` runs: 3 GB for the largest.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.results import CPU, WALL, Column, Result, Sample

COLUMNS = (
    WALL,
    CPU,
    Column("sums, s", lambda s: s["sums"], ".1f"),
    Column("plan, s", lambda s: s["plan"], ".1f"),
    Column("fit, s", lambda s: s["fit"], ".1f"),
    Column("peak memory, GiB", lambda s: s["memory"], ".2f"),
    Column("rows that came", lambda s: s["came"], ",.0f"),
    Column("least ESS", lambda s: s["ess"], ",.0f"),
)
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "scale.svg"
TEXTS = {"normal": "y ~ x + z + (1 | g)", "Bernoulli": "y ~ age + sex + (1 | g)"}
KEPT = {"normal": ("x", "z", "sigma"), "Bernoulli": ("age", "sex")}
EACH = 100  # rows a group of the normal outcome
GROUPS = 1000  # of the Bernoulli outcome


@dataclass(frozen=True)
class Case:
    """Hold an outcome, a number of rows, and whether they stay where they are."""

    outcome: str
    rows: int
    in_place: bool

    @property
    def name(self) -> str:
        where = "in place" if self.in_place else "in memory"
        return f"{self.outcome}, {self.rows:,} rows, {where}"


CASES = tuple(
    Case(outcome, 10**digits, in_place)
    for outcome in TEXTS
    for digits in range(5, 9)
    for in_place in (False, True)
    if in_place or digits < (8 if outcome == "normal" else 7)  # what memory and patience hold
)


def make(outcome: str, rows: int, file: Path) -> None:
    """Write rows to Parquet, each number a hash of its place."""
    import duckdb

    groups = rows // EACH if outcome == "normal" else GROUPS

    def uniform(key: str, k: int) -> str:
        return f"(hash({key} * 16 + {k}) / 18446744073709551616.0)"

    def normal(key: str, k: int) -> str:
        radius = f"sqrt(-2 * ln({uniform(key, k)} + 1e-18))"
        return f"{radius} * cos(2 * pi() * {uniform(key, k + 1)})"

    effect = normal("(-1 - g)", 0)
    begin = f"select i, (i % {groups})::int as g from range({rows}) t(i)"
    query = {
        "normal": f"select g, x, z, 1 + 0.5 * x - 0.25 * z + 0.7 * {effect} + 1.5 * "
        f"{normal('i', 4)} as y from (select *, {normal('i', 0)} as x, 10 * {uniform('i', 2)} as z "
        f"from ({begin}))",
        "Bernoulli": f"select g, age, sex, ({uniform('i', 4)} < 1 / (1 + exp(1 - 0.3 * (age = 'b')"
        f"::int - 0.6 * (age = 'c')::int + 0.2 * (sex = 'm')::int - 0.7 * {effect})))::int as y "
        f"from (select *, ['a', 'b', 'c'][1 + floor(3 * {uniform('i', 0)})::int] as age, "
        f"['f', 'm'][1 + floor(2 * {uniform('i', 1)})::int] as sex from ({begin}))",
    }[outcome]
    with duckdb.connect(config={"memory_limit": "4GB"}) as connection:
        connection.execute(f"copy ({query}) to '{file}' (format parquet)")


def run(case: Case, file: str) -> Sample:
    """Be a case's process: read, fit and summarise."""
    import finetti as ft

    stages = [perf_counter()]
    data = ft.table(file) if case.in_place else file
    family = "bernoulli" if case.outcome == "Bernoulli" else None
    model = ft.formula(TEXTS[case.outcome], data, family=family)
    stages.append(perf_counter())
    _ = model.plan().rewrites
    stages.append(perf_counter())
    kept = ["Intercept", "sd[g]", *KEPT[case.outcome]]
    table = ft.fit(model, seed=1, keep=kept, progress=False).summary()
    stages.append(perf_counter())
    (y,) = [v for v in model.variables if v.kind == "observed"]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "sums": stages[1] - stages[0],
        "plan": stages[2] - stages[1],
        "fit": stages[3] - stages[2],
        "cpu": sum(os.times()[:2]),
        "memory": used.ru_maxrss / 2**20,
        "came": y.shape[0],
        "ess": float(table["ess_bulk"].min()),
        **{name: float(table["mean"][name]) for name in table.index},
    }


def measure(cases: tuple[Case, ...] = CASES) -> dict[str, list[Sample]]:
    """Make each table once, and fit it by a process for each of its cases."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for outcome, rows in dict.fromkeys((c.outcome, c.rows) for c in cases):
            file = Path(folder, "rows.parquet")
            make(outcome, rows, file)
            for case in (c for c in cases if (c.outcome, c.rows) == (outcome, rows)):
                command = [sys.executable, "-m", "benchmarks.in_place", json.dumps(asdict(case))]
                began = perf_counter()
                said = subprocess.run([*command, str(file)], check=True, capture_output=True)
                sample = json.loads(said.stdout.splitlines()[-1])
                found[case.name] = [{"wall": perf_counter() - began, **sample}]
                print(case.name, found[case.name], flush=True)
            file.unlink()
    return found


def draw(samples: dict[str, list[Sample]]) -> None:
    """Draw CPU seconds over rows of the normal outcome, in place and in memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    for in_place, style in ((False, "o--"), (True, "o-")):
        cases = [c for c in CASES if c.outcome == "normal" and c.in_place == in_place]
        cases = [c for c in cases if c.name in samples]
        seconds = [samples[c.name][0]["cpu"] for c in cases]
        label = "in place" if in_place else "in memory"
        axes.loglog([c.rows for c in cases], seconds, style, label=label)
    axes.set(title=TEXTS["normal"], xlabel="rows", ylabel="CPU seconds, start to summary")
    axes.legend(frameon=False)
    figure.savefig(PICTURE, metadata={"Date": None})


def report(outcome: str) -> Result:
    """Measure all cases of an outcome and return the table; the normal one's is drawn as well."""
    samples = measure(tuple(c for c in CASES if c.outcome == outcome))
    if outcome == "normal":
        draw(samples)
    title = f"{outcome} rows in memory and in place, from process start to summary"
    return Result(f"in_place_{outcome.lower()}", title, samples, COLUMNS, WALL, ())


if __name__ == "__main__":
    print(json.dumps(run(Case(**json.loads(sys.argv[1])), sys.argv[2])))
