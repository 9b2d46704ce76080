"""Hold each model's plan against the model as it is written: CPU seconds for an effective draw.

`python -m benchmarks dearer` fits every model of the tests' zoo both ways, each in a process of its
own with no compiled program to hand, so that planning and compiling count. A plan that takes more
than `BOUND` times as long as none is an offender, and is named.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.results import CPU, Column, Result, Sample

BOUND = 1.2
PATIENCE = 300  # seconds, after which a fit is given up
TESTS = Path(__file__).parents[1] / "tests"
PER_DRAW = Column("CPU ms an effective draw", lambda s: 1000 * s["cpu"] / s["ess"], ".2f")
COLUMNS = (
    CPU,
    Column("least ESS", lambda s: s["ess"], ",.0f"),
    PER_DRAW,
    Column("largest R-hat", lambda s: s["r_hat"], ".3f"),
)


def run(name: str, planned: bool) -> Sample:
    """Be the process that fits a model one way, from its plan to its summary."""
    sys.path.insert(0, str(TESTS))
    import finetti as ft
    import zoo

    model = zoo.MODELS[name]()
    began = sum(os.times()[:2])
    plan = model.plan() if planned else model.plan().as_written()
    table = ft.fit(model, plan=plan, seed=1, progress=False).summary()
    taken = sum(os.times()[:2]) - began
    told = table[np.isfinite(table["r_hat"].astype(float))]
    return {"cpu": taken, "ess": float(told["ess_bulk"].min()), "r_hat": float(told["r_hat"].max())}


def measure(names: list[str]) -> dict[str, list[Sample]]:
    """Fit each model both ways, and say how they compare; what cannot be fitted has no sample."""
    found: dict[str, list[Sample]] = {}
    for name in names:
        for planned in (True, False):
            key = f"{name}, {'planned' if planned else 'as written'}"
            command = [sys.executable, "-m", "benchmarks.dearer", name, str(int(planned))]
            try:
                said = subprocess.run(
                    command,
                    env={**os.environ, "FINETTI_CACHE": "off"},
                    capture_output=True,
                    text=True,
                    timeout=PATIENCE,
                    check=True,
                )
            except subprocess.CalledProcessError as error:
                print(key, "is refused:", error.stderr.splitlines()[-1][:150], flush=True)
            except subprocess.TimeoutExpired:
                print(key, f"is given up after {PATIENCE} s", flush=True)
            else:
                found[key] = [json.loads(said.stdout.splitlines()[-1])]
                print(key, found[key], flush=True)
    return found


def ratios(samples: dict[str, list[Sample]]) -> dict[str, float]:
    """Return by model how many times as long an effective draw takes with its plan as without."""
    found = {}
    for key in samples:
        name, _, way = key.rpartition(", ")
        if way == "planned" and f"{name}, as written" in samples:
            with_it, without = samples[key][0], samples[f"{name}, as written"][0]
            found[name] = PER_DRAW.figure(with_it) / PER_DRAW.figure(without)
    return found


def report(names: list[str] | None = None) -> Result:
    """Measure, name the offenders, and return the table."""
    if names is None:
        sys.path.insert(0, str(TESTS))
        import zoo

        names = list(zoo.MODELS)
    samples = measure(names)
    found = ratios(samples)
    for name, ratio in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{ratio:6.2f}  {name}{'  <- dearer than no plan' if ratio > BOUND else ''}")
    print(f"geometric mean of {len(found)}: {np.exp(np.mean(np.log(list(found.values())))):.2f}")
    return Result("dearer", "models planned and as written", samples, COLUMNS, PER_DRAW, ())


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], bool(int(sys.argv[2])))))
