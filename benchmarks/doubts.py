"""Measure whether a scene's deviations hold the truth, also where its priors are wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import finetti as ft
from benchmarks.results import record
from finetti.vision import Scene
from finetti.vision.scene.made import Made, hills, patches

SIZE = (14, 14)
SEEDS = range(8)


def ramp(seed: int) -> Made:
    """Paint flat ground in even light so that it fades to one side."""
    rng = np.random.default_rng(seed)
    along = _along(rng)
    return Made.of((along - along.mean()) / np.ptp(along), np.zeros(SIZE), rng)


def hard(seed: int, paint: Callable | None = None) -> Made:
    """Cast a shadow with a hard edge, that lets 40% of the light in, on one paint or on patches."""
    rng = np.random.default_rng(seed)
    along = _along(rng) + rng.uniform(-2, 2)
    painted = np.full(SIZE, np.log(0.5)) if paint is None else paint(SIZE, rng)
    return Made.of(painted, np.where(along > 0, np.log(0.4), 0.0), rng)


def _along(rng: np.random.Generator) -> np.ndarray:
    down, right = np.mgrid[: SIZE[0], : SIZE[1]]
    angle = rng.uniform(0, 2 * np.pi)
    return np.cos(angle) * (down - 6.5) + np.sin(angle) * (right - 6.5)


KINDS: dict[str, Callable[[int], Made]] = {
    "hills": lambda seed: hills(SIZE, seed),
    "a painted ramp": ramp,
    "a hard shadow": hard,
    "a hard shadow on patches": lambda seed: hard(seed, patches),
}


def measure_one(made: Made, seed: int) -> dict[str, float]:
    """Take one scene apart, and compare deviations with and without doubt with the truth."""
    method = ft.NUTS(draws=100, warmup=200, thin=1)
    found = Scene(made.image).fit(method, seed=seed, progress=False)
    off = np.abs(np.log(found.shading) - np.log(made.shading))
    trusting, doubting = found.trusting.log_shading_sd, found.log_shading_sd
    return {
        "within 2 sd, trusting": float((off < 2 * trusting).mean()),
        "within 2 sd": float((off < 2 * doubting).mean()),
        "sd, trusting": float(trusting.mean()),
        "sd": float(doubting.mean()),
        "off": float(off.mean()),
    }


def run() -> None:
    """Measure, print and save."""
    found = {
        name: [measure_one(make(seed), seed) for seed in SEEDS] for name, make in KINDS.items()
    }
    for name, rows in found.items():
        columns = np.array([list(row.values()) for row in rows])
        means, errors = columns.mean(0), columns.std(0, ddof=1) / np.sqrt(len(rows))
        for title, mean, error in zip(rows[0], means, errors, strict=True):
            print(f"{name:26} {title:22} {mean:.3f} ± {error:.3f}")
    record(
        "doubts",
        "scenes within and outside their priors: is the truth within the deviations",
        ("finetti", "jax", "numpy"),
        found,
    )
