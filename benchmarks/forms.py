"""Compare a model written centred and non-centred, as planned and as written: ESS per gradient."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.results import WALL, Column
from benchmarks.simulated import FORMS

SEEDS = (1, 2)
Sample = dict[str, float]
RATE = Column("ESS/1000 gradients", lambda s: s["ess per 1000 gradients"], ".1f")
COLUMNS = (
    WALL,
    Column("least ESS", lambda s: s["ess"], ",.0f"),
    RATE,
    Column("divergences", lambda s: s["divergences"], ".0f"),
)


def hierarchical() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return the hierarchical models of posteriordb in both forms, and simulated ones."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import zoo

    twins = {b: a for a, b in zoo.PAIRS.items()} | zoo.PAIRS
    names = ("schools", "radon_mn_centred", "seeds", "surgical", "GLMM_Poisson", "irt_2pl")
    found = {}
    for name in names:
        pair = (name, twins[name]) if name in zoo.PAIRS else (twins[name], name)
        found[name.removesuffix("_centred")] = tuple(zoo.MODELS[n] for n in pair)
    return {**found, "pilots": (zoo.MODELS["pilots"], zoo.MODELS["pilots"]), **FORMS}


def measure() -> dict[str, list[Sample]]:
    """Return the samples of each model, form and plan, one a seed."""
    found: dict[str, list[Sample]] = {}
    for name, forms in hierarchical().items():
        for form, build in zip(("centred", "non-centred"), forms, strict=True):
            for planned in (True, False):
                key = f"{name}, {form}, {'planned' if planned else 'as written'}"
                found[key] = [_fit(build(), planned, seed) for seed in SEEDS]
                print(key, *(f"{s['ess per 1000 gradients']:.1f}" for s in found[key]), flush=True)
    return found


def _fit(model: Any, planned: bool, seed: int) -> Sample:
    import finetti as ft

    plan = model.plan() if planned else model.plan().as_written()
    began = perf_counter()
    posterior = ft.fit(model, plan=plan, seed=seed, progress=False)
    wall = perf_counter() - began
    stats, table = posterior.tree["sample_stats"].dataset, posterior.summary()
    table = table[np.isfinite(table["r_hat"].astype(float))]
    gradients, ess = float(stats["n_steps"].sum()), float(table["ess_bulk"].min())
    return {
        "wall": wall,
        "ess": ess,
        "gradients": gradients,
        "ess per 1000 gradients": 1000 * ess / gradients,
        "divergences": float(stats["diverging"].sum()),
    }
