"""Make up runs whose draws are known."""

from __future__ import annotations

import numpy as np
import xarray as xr

import finetti as ft

CHAINS, DRAWS = 4, 1000


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def white(seed: int = 0, *shape: int) -> np.ndarray:
    return generator(seed).normal(size=(CHAINS, DRAWS, *shape))


def run(
    draws: dict[str, np.ndarray],
    model: ft.Model | None = None,
    observed: dict[str, np.ndarray] | None = None,
    given: dict[str, np.ndarray] | None = None,
    **stats: np.ndarray,
) -> ft.Posterior:
    """Return a posterior of these draws; what follows chain and draw is plate `group`."""

    def data(arrays: dict[str, np.ndarray] | None) -> xr.Dataset:
        return xr.Dataset({
            n: (tuple(f"{n}_dim_{i}" for i in range(a.ndim)), a) for n, a in (arrays or {}).items()
        })  # fmt: skip

    stats = {"diverging": np.zeros((CHAINS, DRAWS), bool)} | stats
    groups = {
        "posterior": xr.Dataset(
            {n: (("chain", "draw", "group")[: a.ndim], a) for n, a in draws.items()},
            {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)},
        ),
        "sample_stats": xr.Dataset({n: (("chain", "draw"), a) for n, a in stats.items()}),
        "observed_data": data(observed),
        "constant_data": data(given),
    }
    return ft.Posterior(xr.DataTree.from_dict(groups), model)


def problems(posterior: ft.Posterior, **asked) -> list[str]:
    return [f.problem for f in posterior.advice(**asked)]


def the(posterior: ft.Posterior, problem: str):
    (found,) = [f for f in posterior.advice() if f.problem == problem]
    return found


def walk(rng: np.random.Generator, memory: float) -> np.ndarray:
    x = rng.normal(size=(CHAINS, DRAWS)) * np.sqrt(1 - memory**2)
    x[:, 0] /= np.sqrt(1 - memory**2)
    for i in range(1, DRAWS):
        x[:, i] += memory * x[:, i - 1]
    return x
