"""Rows with a column of each kind, and the log densities of two models at the same points."""

import jax
import numpy as np
import polars as pl

import finetti as ft
from finetti.compiling import ONCE, compiled

COUNT = 600


def rows(count: int = COUNT) -> pl.DataFrame:
    r = np.random.default_rng(17)
    d = pl.DataFrame(
        {
            "x": r.gamma(2.0, size=count),
            "z": r.normal(10, 3, count),
            "my x": r.normal(size=count),
            "e": r.gamma(3.0, size=count),
            "g": r.integers(0, 40, count),
            "q": r.integers(1, 4, count),
            "f": r.choice(["a", "b", "c'd"], count),
            "h": r.choice(["u", "v"], count),
            "t": r.integers(0, 2, count) == 1,
            "w": r.integers(1, 3, count),
        }
    )
    return d.with_columns(
        y=pl.Series(d["x"].to_numpy() * 0.4 + d["q"].to_numpy() + r.normal(size=count)),
        k=pl.Series(r.poisson(2.0, count)),
        b=pl.Series(r.integers(0, 2, count)),
        m=pl.Series(r.binomial(3, 0.4, count)),
    )


def log_densities(*models: ft.Model) -> list[np.ndarray]:
    """Return each model's log density as written at three points, the same of each."""
    found = []
    for model in models:
        density = ft.density(model)
        points = np.random.default_rng(5).normal(size=(3, density.dim)) * 0.4
        with jax.enable_x64(True):
            found.append(np.asarray(compiled(ONCE)(jax.vmap(density.log_density))(points)))
    return found


def described(model: ft.Model) -> list[tuple]:
    """Return what a summary names: sites, shapes and labels, and the priors in the code."""
    return [
        (v.name, v.family, v.shape, v.dims, tuple((p.name, p.labels) for p in (*v.plates, *v.axes)))
        for v in model.variables
        if v.kind != "observed"
    ]


def priors(model: ft.Model) -> list[str]:
    """Return the statements of a model's code but that of what is observed."""
    return [line.strip() for line in model.code().splitlines() if "ft.sample(" in line]
