"""Time runs of prepared programs: each entry in its own process, all entries in turn."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from multiprocessing.connection import Connection
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter

import numpy as np

from benchmarks.entry import Entry, Run
from benchmarks.problem import Problem

Sample = dict[str, float]


def measure(problem: Problem, entries: Iterable[Entry], rounds: int) -> dict[str, list[Sample]]:
    """Return each entry's samples, one a round; a round runs all entries with one seed.

    The first run, which compiles, is not among them. Raises `RuntimeError` where an entry fails.
    """
    context = multiprocessing.get_context("spawn")
    workers: dict[str, Connection] = {}
    for entry in entries:
        here, there = context.Pipe()
        context.Process(target=serve, args=(there, problem.name, entry)).start()
        there.close()
        workers[entry.name] = here
        _ask(entry.name, here, 0)
    samples: dict[str, list[Sample]] = {name: [] for name in workers}
    for seed in range(1, rounds + 1):
        for name, worker in workers.items():
            samples[name].append(_ask(name, worker, seed))
    for worker in workers.values():
        worker.send(None)
    return samples


def _ask(name: str, worker: Connection, seed: int) -> Sample:
    worker.send(seed)
    try:
        return worker.recv()
    except EOFError:
        raise RuntimeError(f"{name} failed with seed {seed}; its error is printed above") from None


def serve(connection: Connection, problem_name: str, entry: Entry) -> None:
    """Be an entry's process: run with each seed received, until None comes, and send a sample."""
    from benchmarks.problems import PROBLEMS

    problem = PROBLEMS[problem_name]
    entry.prepare(problem)
    while (seed := connection.recv()) is not None:
        cpu, began = _cpu_seconds(), perf_counter()
        entry.sample(seed)
        wall, cpu = perf_counter() - began, _cpu_seconds() - cpu
        connection.send({"wall": wall, "cpu": cpu, **_judge(entry.read(problem.watched), problem)})


def _cpu_seconds() -> float:
    """Return the seconds that this process and the children it has waited for spent on a CPU."""
    usages = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _judge(run: Run, problem: Problem) -> Sample:
    """Return the least bulk ESS of all scalars, by arviz-stats, and the mean of the scale."""
    from arviz_stats.base.array import array_stats

    def ess(draws: np.ndarray) -> float:
        found = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")
        fixed = np.ptp(draws, (0, 1)) == 0  # as ones of a matrix of correlations
        return float(np.min(found, initial=np.inf, where=~fixed))

    names = (problem.scale,) if isinstance(problem.scale, str) else problem.scale
    scale = next(run.draws[name] for name in names if name in run.draws)
    return {
        "ess": min(map(ess, run.draws.values())),
        "gradients": run.gradients,
        "divergences": run.divergences,
        "scale": float(scale.mean()),
    }
