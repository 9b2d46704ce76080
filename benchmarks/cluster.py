"""Time many fits in this process and in processes on this machine, side by side.

`python -m benchmarks cluster` fits the same model to each of 24 segments.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.results import WALL, Column, Result, Sample

SEGMENTS = 24
PROCESSES = (None, 1, 2)
COLUMNS = (WALL, Column("fits a second", lambda s: SEGMENTS / s["wall"], ".2f"))


def segments() -> dict[int, Any]:
    """Return a Poisson model of 20 shops for each segment."""
    import jax.numpy as jnp

    import finetti as ft

    @ft.model
    def shops(shop, sold):
        mu = ft.sample("mu", ft.Normal(0, 2))
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("shop", 20):
            level = ft.sample("level", ft.Normal(mu, tau))
        with ft.plate("day", len(sold)):
            ft.sample("sold", ft.Poisson(jnp.exp(level[shop])), obs=sold)

    random, shop = np.random.default_rng(1), np.repeat(np.arange(20), 30)
    rates = np.exp(random.normal(1, 0.7, (SEGMENTS, 20)))
    return {i: shops(shop, random.poisson(rates[i][shop])) for i in range(SEGMENTS)}


def measure() -> dict[str, list[Sample]]:
    """Fit all segments each way, once every worker has compiled."""
    import finetti as ft
    from finetti.inference.cluster.reached import reached

    models, method, found = segments(), ft.NUTS(draws=1000, warmup=500), {}
    for processes in PROCESSES:
        with reached(processes) as client:
            first = dict(list(models.items())[: 2 * (processes or 1)])
            ft.fit_many(first, method, seed=1, on=client)
            began = perf_counter()
            ft.fit_many(models, method, seed=1, on=client)
            taken = perf_counter() - began
        name = "this process" if processes is None else f"processes: {processes}"
        found[name] = [{"wall": taken}]
        print(name, found[name], flush=True)
    return found


def report() -> Result:
    """Measure, and return the table."""
    title = f"{SEGMENTS} fits of one model, programs compiled"
    return Result("cluster", title, measure(), COLUMNS, WALL, ("this process",))
