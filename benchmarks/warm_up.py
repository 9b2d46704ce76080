"""Compare warm-up of 300 and of 1,000 draws a chain: ESS, leapfrogs, and answers where known."""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.results import CPU, Column, Sample

SEEDS = (1, 2, 3)
LENGTHS = (300, 1000)
OTHERS = ("crossed", "nested", "crossed_answers", "nested_counts", "horseshoe")
ESS = Column("least ESS", lambda s: s["ess"], ",.0f")
COLUMNS = (
    CPU,
    ESS,
    Column("leapfrogs of warm-up, a chain", lambda s: s["leapfrogs"], ",.0f"),
    Column("largest R-hat", lambda s: s["r_hat"], ".3f"),
    Column("divergences", lambda s: s["divergences"], ".0f"),
    Column("rms error, in its standard error", lambda s: s["error"], ".2f"),
)


def measure() -> dict[str, list[Sample]]:
    """Return the samples of posteriordb's models and others, by length of warm-up, one a seed."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import zoo
    from zoo.posteriordb import POSTERIORDB, posteriordb

    found: dict[str, list[Sample]] = {}
    for name in (*POSTERIORDB, *OTHERS):
        case = posteriordb(name) if name in POSTERIORDB else None
        build, known = (case.build, case.reference) if case else (zoo.MODELS[name], {})
        for length in LENGTHS:
            key = f"{name}, {length}"
            found[key] = [_fit(build(), known, length, seed) for seed in SEEDS]
            print(key, *(f"{s['ess']:.0f}" for s in found[key]), flush=True)
    return found


def _fit(model: Any, known: Any, length: int, seed: int) -> Sample:
    import finetti as ft
    from zoo.reference import misses

    began = process_time()
    posterior = ft.fit(model, ft.NUTS(warmup=length), seed=seed, progress=False)
    spent = process_time() - began
    table, stats = posterior.summary(), posterior.tree["sample_stats"].dataset
    before = posterior.tree["warmup_sample_stats"]["n_steps"]
    scores = np.array(list(misses(posterior, known).values()))
    return {
        "cpu": spent,
        "wall": spent,
        "ess": float(np.nanmin(table["ess_bulk"])),
        "r_hat": float(np.nanmax(table["r_hat"])),
        "leapfrogs": float(before.sum() / before.sizes["chain"]),
        "divergences": float(stats["diverging"].sum()),
        "error": float(np.sqrt(np.mean(scores**2))) if scores.size else np.nan,
    }
