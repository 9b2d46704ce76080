"""Measure how well images are taken apart into shading and reflectance, beside Retinex."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.results import record
from finetti.vision import Label, Scene, Shading, Surface, retinex
from finetti.vision.scene.grid import parted, steps
from finetti.vision.scene.made import LIGHT, Made, folds, hills, shadow
from finetti.vision.scene.shapes import Shape

IMAGES = Path(__file__).parents[1] / "docs" / "images"
REPORTED, TUNING = range(4), range(100, 120)  # seeds; Retinex's threshold is chosen on the second
THRESHOLDS = np.geomspace(0.02, 1, 30)
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
Numbers = dict[str, float]


@dataclass(frozen=True)
class Kind:
    """Hold a kind of scene, its size, and what is assumed of its shape.

    `hue` tells at each edge whether the paint changes, and is right there with that probability;
    None tells nothing.
    """

    make: Callable[[tuple[int, int], int], Made]
    size: tuple[int, int]
    shape: Shape
    hue: float | None = None

    def scene(self, seed: int) -> Made:
        """Make a scene of this kind."""
        return self.make(self.size, seed)

    def evidence(self, made: Made, seed: int) -> dict[Label, tuple[np.ndarray, np.ndarray]] | None:
        """Return what hue tells of the edges of a scene, or nothing."""
        if self.hue is None:
            return None
        true = painted(made)
        said = true ^ (np.random.default_rng(1000 + seed).random(true.shape) > self.hue)
        log_ratio = np.log(self.hue / (1 - self.hue))
        return {Label.REFLECTANCE: parted(np.where(said, log_ratio, -log_ratio), self.size)}


CREASED = Surface(LIGHT, creases=0.05, boundaries=0.01)
KINDS = {
    "hills": Kind(hills, (20, 20), Shading()),
    "shadow": Kind(shadow, (20, 20), Shading()),
    "folds": Kind(folds, (12, 20), CREASED),
    "folds with hue": Kind(folds, (12, 20), CREASED, hue=0.97),
}


def painted(made: Made) -> np.ndarray:
    """Tell of each edge whether the paint changes there."""
    return np.abs(steps(np.log(made.reflectance))) > 0


def error(found: np.ndarray, made: Made) -> float:
    """Return the root mean square error of the log reflectance, its mean left out."""
    return float(np.std(np.log(found) - np.log(made.reflectance)))


def threshold(kind: Kind) -> float:
    """Return the threshold with which Retinex errs the least on the tuning scenes of a kind."""
    made = [kind.scene(seed) for seed in TUNING]
    errors = [np.mean([error(retinex(m.image, t)[0], m) for m in made]) for t in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmin(errors))])


def measure_one(kind: Kind, seed: int, cut: float) -> Numbers:
    """Take one scene apart every way, and compare with its truth."""
    made = kind.scene(seed)
    began = process_time()
    scene = Scene(made.image, kind.shape, evidence=kind.evidence(made, seed))
    found = scene.fit(seed=seed, progress=False)
    seconds = process_time() - began
    off = np.log(found.shading) - np.log(made.shading)
    true = painted(made)
    parts = found.edges(Label.REFLECTANCE, Label.BOUNDARY)
    named = np.concatenate([part.ravel() for part in parts]) > 0.5
    return {
        "finetti": error(found.reflectance, made),
        "retinex": error(retinex(made.image, cut)[0], made),
        "all paint": error(made.image, made),
        "within 2 sd": float((np.abs(off) < 2 * found.trusting.log_shading_sd).mean()),
        "edges found": float(named[true].mean()),
        "edges made up": float((named & ~true).sum() / max(named.sum(), 1)),
        "rhat": found.rhat,
        "cpu seconds": seconds,
    }


def measure() -> dict[str, list[Numbers]]:
    """Take the reported scenes of every kind apart."""
    found: dict[str, list[Numbers]] = {}
    for name, kind in KINDS.items():
        cut = threshold(kind)
        found[name] = []
        for seed in REPORTED:
            found[name].append(measure_one(kind, seed, cut) | {"threshold": cut})
            print(name, seed, {k: round(v, 3) for k, v in found[name][-1].items()}, flush=True)
    return found


def show(found: dict[str, list[Numbers]]) -> None:
    """Print the means over scenes with their standard errors."""
    table = Table(box=None, pad_edge=False)
    table.add_column("scenes")
    for title in next(iter(found.values()))[0]:
        table.add_column(title, justify="right")
    for name, scenes in found.items():
        columns = np.array([list(numbers.values()) for numbers in scenes])
        means, errors = columns.mean(0), columns.std(0, ddof=1) / np.sqrt(len(columns))
        table.add_row(name, *(f"{m:.3g} ± {e:.1g}" for m, e in zip(means, errors, strict=True)))
    Console().print(table)


def draw(found: dict[str, list[Numbers]], path: Path) -> None:
    """Draw each scene's error against Retinex's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, marker, colour in zip(found, "osDv", COLOURS, strict=True):
        pairs = np.array([(n["retinex"], n["finetti"]) for n in found[name]])
        axes.plot(*pairs.T, marker, color=colour, label=name, ms=6, alpha=0.85)
    values = [n[way] for scenes in found.values() for n in scenes for way in ("retinex", "finetti")]
    ends = [0.8 * min(values), 1.25 * max(values)]
    axes.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="Retinex's error", ylabel="finetti's error")
    axes.set_title("Error of the log reflectance, a scene each", loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path)


def run() -> None:
    """Measure, print, draw and save."""
    found = measure()
    show(found)
    draw(found, IMAGES / "scene_errors.png")
    record(
        "scenes",
        "scenes taken apart into shading and reflectance",
        ("finetti", "jax", "numpy"),
        found,
    )
