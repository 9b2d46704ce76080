"""Time gradients of a logistic model whose rows are divided over devices, and over processes.

`python -m benchmarks divided` fits with a fixed number of leapfrogs, so that each way does the same
work; programs are compiled by a fit before. A process has as many cores as it has devices, so that
processes stand for machines; where the machine has fewer cores in all a case is left out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from time import perf_counter

import numpy as np

from benchmarks.results import Column, Result, Sample

GROUPS, COVARIATES = 1_000, 4
CHAINS, DRAWS, LEAPFROGS = 4, 10, 10
PER_GRADIENT = Column("ms a gradient of 4 chains", lambda s: s["gradient"], ".1f")
COLUMNS = (PER_GRADIENT, Column("peak memory of a process, GiB", lambda s: s["memory"], ".2f"))


@dataclass(frozen=True)
class Case:
    """Hold how many rows there are, and over how many processes and devices of each they lie."""

    rows: int
    processes: int
    devices: int
    cores: int

    @property
    def name(self) -> str:
        if self.processes > 1:
            return f"{self.rows:,} rows, {self.processes} processes"
        devices = f"{self.devices} device{'s' * (self.devices > 1)}"
        return f"{self.rows:,} rows, {devices}, {self.cores} core{'s' * (self.cores > 1)}"


WAYS = ((1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 1, 1), (1, 4, 4), (4, 1, 1))
CORES = len(os.sched_getaffinity(0))
CASES = tuple(
    Case(rows, *way)
    for rows in (10_000, 100_000, 1_000_000)
    for way in WAYS
    if way[0] * way[2] <= CORES
)


def run(case: Case, rank: int, port: int) -> Sample:
    """Be one of a case's processes."""
    import resource

    cores = sorted(os.sched_getaffinity(0))[rank * case.cores :][: case.cores]
    os.sched_setaffinity(0, cores)
    import jax
    import jax.numpy as jnp

    if case.processes > 1:
        jax.distributed.initialize(f"localhost:{port}", case.processes, rank)
    import finetti as ft

    @ft.model
    def clicks(g, x, y):
        b = ft.sample("b", ft.Normal(jnp.zeros(COVARIATES), 1.0).to_event(1))
        tau = ft.sample("tau", ft.HalfNormal(1.0))
        with ft.plate("shop", GROUPS):
            a = ft.sample("a", ft.Normal(0.0, tau))
        with ft.plate("visit", len(y)):
            ft.sample("y", ft.Bernoulli(logits=a[g] + x @ b), obs=y)

    random = np.random.default_rng(1)
    g, x = random.integers(0, GROUPS, case.rows), random.normal(size=(case.rows, COVARIATES))
    model = clicks(g, x, random.integers(0, 2, case.rows))
    method = ft.HMC(step_size=1e-3, leapfrogs=LEAPFROGS, draws=DRAWS, warmup=0, chains=CHAINS)
    devices = jax.devices() if case.processes * case.devices > 1 else None
    init = {"tau": 1.0, "a": np.zeros(GROUPS), "b": np.zeros(COVARIATES)}
    seconds = []
    for draws in (DRAWS, DRAWS, 3 * DRAWS):  # compiled first; what all do besides is taken off
        began = perf_counter()
        longer = replace(method, draws=draws)
        ft.fit(model, longer, init=init, keep=["tau"], progress=False, devices=devices)
        seconds.append(perf_counter() - began)
    gradients = 2 * DRAWS * LEAPFROGS
    return {
        "gradient": 1000 * (seconds[2] - seconds[1]) / gradients,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def measure(cases: tuple[Case, ...] = CASES) -> dict[str, list[Sample]]:
    """Start each case's processes, and return what the first of them measured."""
    found = {}
    for case in cases:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        flags = f"--xla_force_host_platform_device_count={case.devices}"
        command = [sys.executable, "-m", "benchmarks.divided", json.dumps(asdict(case))]
        started = [
            subprocess.Popen(
                [*command, str(rank), str(port)],
                env={**os.environ, "XLA_FLAGS": flags},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for rank in range(case.processes)
        ]
        said = [process.communicate()[0] for process in started]
        if any(process.returncode for process in started):
            raise RuntimeError(f"a process of {case.name} failed")
        found[case.name] = [json.loads(said[0].splitlines()[-1])]
        print(case.name, found[case.name], flush=True)
    return found


def report() -> Result:
    """Measure all cases and return the table."""
    title = f"a logistic model of {GROUPS:,} groups, {COVARIATES} covariates, {CHAINS} chains"
    return Result("divided", title, measure(), COLUMNS, PER_GRADIENT, ())


if __name__ == "__main__":
    print(json.dumps(run(Case(**json.loads(sys.argv[1])), *map(int, sys.argv[2:]))))
