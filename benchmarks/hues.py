"""Measure how well colour images are taken apart, beside Retinex and the mean of the channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from time import process_time

import numpy as np

import finetti as ft
from benchmarks.results import record
from finetti.vision import Label, Scene, Shading, Surface, retinex
from finetti.vision.scene.colour import brightness
from finetti.vision.scene.grid import steps
from finetti.vision.scene.made import LIGHT, Made, folds, hard_shadow, hills, shadow
from finetti.vision.scene.shapes import Shape

REPORTED, TUNING = range(4), range(100, 120)  # seeds; Retinex's thresholds are chosen on the second
THRESHOLDS = np.geomspace(0.02, 1, 15)
HUE = 0.35
METHOD = ft.NUTS(draws=60, warmup=120, thin=1)


@dataclass(frozen=True)
class Kind:
    """Hold a kind of scene, its size, and what is assumed of its shape."""

    make: Callable[..., Made]
    size: tuple[int, int]
    shape: Shape

    def scene(self, seed: int) -> Made:
        """Make a scene of this kind in colour."""
        return self.make(self.size, seed, HUE)


CREASED = Surface(LIGHT, creases=0.05, boundaries=0.01)
KINDS = {
    "folds": Kind(folds, (10, 16), CREASED),
    "hard shadow": Kind(hard_shadow, (14, 14), Shading()),
    "hills": Kind(hills, (14, 14), Shading()),
    "shadow": Kind(shadow, (14, 14), Shading()),
}


def error(shading: np.ndarray, made: Made) -> float:
    """Return the root mean square error of the log shading, which is that of each channel."""
    return float(np.std(np.log(shading) - np.log(made.shading)))


def thresholds(kind: Kind) -> tuple[float, float]:
    """Return the thresholds of brightness and hue with which Retinex errs the least when tuned."""
    made = [kind.scene(seed) for seed in TUNING]
    errors = {
        pair: np.mean([error(retinex(m.image, *pair)[1], m) for m in made])
        for pair in product([*THRESHOLDS, np.inf], [*THRESHOLDS, np.inf])
    }
    return min(errors, key=lambda pair: errors[pair])


def measure_one(kind: Kind, seed: int, cuts: tuple[float, float]) -> dict[str, float]:
    """Take one scene apart every way, and compare with its truth."""
    made = kind.scene(seed)
    began = process_time()
    found = Scene(made.image, kind.shape).fit(METHOD, seed=seed, progress=False)
    seconds = process_time() - began
    off = np.abs(np.log(found.shading) - np.log(made.shading))
    true = np.abs(steps(brightness(np.log(made.reflectance)))) > 0
    parts = found.edges(Label.REFLECTANCE, Label.BOUNDARY)
    named = np.concatenate([part.ravel() for part in parts]) > 0.5
    grey = np.exp(brightness(np.log(made.image)))
    mean = Scene(grey, kind.shape).fit(METHOD, seed=seed, progress=False)
    return {
        "finetti": error(found.shading, made),
        "finetti, grey": error(mean.shading, made),
        "retinex": error(retinex(made.image, *cuts)[1], made),
        "all paint": error(np.ones(grey.shape), made),
        "within 2 sd, trusting": float((off < 2 * found.trusting.log_shading_sd).mean()),
        "within 2 sd": float((off < 2 * found.log_shading_sd).mean()),
        "edges found": float(named[true].mean()),
        "edges made up": float((named & ~true).sum() / max(named.sum(), 1)),
        "rhat": found.rhat,
        "cpu seconds": seconds,
    }


def run() -> None:
    """Measure, print and save."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, kind in KINDS.items():
        cuts = thresholds(kind)
        print(name, "retinex", cuts, flush=True)
        found[name] = []
        for seed in REPORTED:
            found[name].append(measure_one(kind, seed, cuts))
            print(name, seed, {k: round(v, 3) for k, v in found[name][-1].items()}, flush=True)
        columns = np.array([list(row.values()) for row in found[name]])
        means, errors = columns.mean(0), columns.std(0, ddof=1) / np.sqrt(len(columns))
        for title, mean, spread in zip(found[name][0], means, errors, strict=True):
            print(f"{name:12} {title:22} {mean:.3f} ± {spread:.3f}", flush=True)
    record("hues", "coloured scenes taken apart", ("finetti", "jax", "numpy"), found)
