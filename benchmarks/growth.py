"""Measure how seconds, memory and draws grow with groups of ten rows, fitted as called."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.results import Column, Sample

EACH = 10  # rows a group, on average
KEPT = {"normal": ("mu", "tau", "sigma"), "Poisson": ("mu", "tau")}
COLUMNS = (
    Column("until the draws, s", lambda s: s["setup"]),
    Column("draws, s", lambda s: s["sampling"]),
    Column("recovery, s", lambda s: s["recovery"]),
    Column("all, s", lambda s: s["wall"]),
    Column("peak memory, GiB", lambda s: s["memory"], ".2f"),
    Column("dimensions", lambda s: s["dimensions"], ",.0f"),
    Column("least ESS", lambda s: s["ess"], ",.0f"),
    Column("ESS/draw", lambda s: s["ess"] / s["draws"], ".2f"),
)


@dataclass(frozen=True)
class Case:
    """Hold a likelihood, "normal" or "Poisson", and a number of groups."""

    likelihood: str
    groups: int

    @property
    def name(self) -> str:
        return f"{self.likelihood}, {self.groups:,} groups"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Simulate each row's group, sizes being Poisson, and its value, with a fixed seed."""
        random = np.random.default_rng(2026)
        codes = np.repeat(np.arange(self.groups), random.poisson(EACH, self.groups))
        theta = (1 + 0.5 * random.standard_normal(self.groups))[codes]
        if self.likelihood == "normal":
            return codes, theta + random.standard_normal(len(codes))
        return codes, random.poisson(np.exp(theta))

    def model(self) -> Any:
        """Return the model with its data."""
        import jax.numpy as jnp

        import finetti as ft

        codes, y = self.data()
        normal = self.likelihood == "normal"

        @ft.model
        def intercepts(group):
            mu = ft.sample("mu", ft.Normal(0, 10 if normal else 2))
            tau = ft.sample("tau", ft.HalfNormal(1))
            sigma = ft.sample("sigma", ft.HalfNormal(1)) if normal else None
            with ft.plate("group", group):
                theta = ft.sample("theta", ft.Normal(mu, tau))
            with ft.plate("row", len(group)):
                if normal:
                    ft.sample("y", ft.Normal(theta[group], sigma))
                else:
                    ft.sample("y", ft.Poisson(jnp.exp(theta[group])))

        return intercepts(ft.groups(codes)).condition(y=y)


NORMAL = tuple(Case("normal", 10**power) for power in range(2, 7))
POISSON = tuple(Case("Poisson", 10**power) for power in range(2, 6))


def measure(cases: tuple[Case, ...], rounds: int) -> dict[str, list[Sample]]:
    """Return each case's samples, one a round, each in a process of its own.

    Raises `RuntimeError` where a case fails.
    """
    return {case.name: [_apart(case, seed) for seed in range(1, rounds + 1)] for case in cases}


def _apart(case: Case, seed: int) -> Sample:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=run, args=(there, case, seed))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise RuntimeError(f"{case.name} failed; its error is printed above") from None
    finally:
        process.join()


def run(connection: Connection, case: Case, seed: int) -> None:
    """Be a case's process: fit the model and send a sample."""
    import finetti as ft
    from finetti.inference.progress import Display

    class Watch(Display):
        """Note when each phase begins and ends."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def phase(self, name: str, *counts: int) -> Callable[[Any], None]:
            self.times += [perf_counter()] * 2

            def report(chunk: Any) -> None:
                self.times[-1] = perf_counter()

            return report

    watch, began = Watch(), perf_counter()
    model = case.model()
    plan = model.plan()
    dimensions = ft.density(model, plan).dim
    kept = list(KEPT[case.likelihood])
    posterior = ft.fit(model, seed=seed, plan=plan, keep=kept, progress=watch)
    ended, table = perf_counter(), posterior.summary()
    *_, start, stop = watch.times
    sizes = posterior.tree["posterior"].sizes
    connection.send(
        {
            "setup": start - began,
            "sampling": stop - start,
            "recovery": ended - stop,
            "wall": ended - began,
            "memory": getrusage(RUSAGE_SELF).ru_maxrss / 2**20,
            "dimensions": dimensions,
            "ess": float(np.min(table["ess_bulk"])),
            "draws": sizes["chain"] * sizes["draw"],
        }
    )
