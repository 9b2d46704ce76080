"""Measure digits and letters of a textured colour over coloured clutter: labels, and pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.covered import share
from benchmarks.digits import Digits, first, load, spread
from benchmarks.results import record
from benchmarks.sure import letters

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DIGITS = 30  # held-out ones of each kind; 10 training images a class
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LEARNED, ASKED = ("DejaVuSans.ttf",), ("DejaVuSerif.ttf",)
KINDS = ("plain", "patches", "strokes", "own colour")
PATCHES, STROKES = 8, 4
DEPTH, NOISE = 30.0, 6.0  # of 255: how far a texture reaches to each side, and the pixels' noise
APART = 100.0  # of 255: how far every colour of the ground is from the shape's, in red, green, blue
SOLID = 200.0  # of 255: ink that covers the ground fully
GREY = (0.299, 0.587, 0.114)  # what red, green and blue add to brightness


@dataclass(frozen=True)
class Shown:
    """Hold a picture (row, col, channel), and which pixels are the shape's."""

    image: np.ndarray
    mask: np.ndarray


def texture(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return stripes, checks or grain, from -1 to 1."""
    row, col = np.indices(shape)
    angle, period, phase = rng.uniform(0, np.pi), rng.uniform(3, 6), rng.uniform(0, 2 * np.pi)
    along = 2 * np.pi * (np.cos(angle) * row + np.sin(angle) * col) / period + phase
    across = 2 * np.pi * (np.cos(angle) * col - np.sin(angle) * row) / period
    kind = rng.integers(3)
    if kind < 2:
        return np.sign(np.sin(along) * (np.sin(across) if kind else 1))
    grain = gaussian_filter(rng.normal(size=shape), 0.7)
    return np.clip(grain / grain.std(), -1.5, 1.5)


def paint(rng: np.random.Generator, shape: tuple[int, ...], colour: np.ndarray) -> np.ndarray:
    """Return a textured surface whose colour varies along a random way."""
    way = rng.normal(size=3)
    return colour + DEPTH * texture(rng, shape)[..., None] * way / np.linalg.norm(way)


def colour(rng: np.random.Generator, away: np.ndarray | None = None) -> np.ndarray:
    """Return a random colour, far from another's."""
    while True:
        found = rng.uniform(40, 215, 3)
        if away is None or np.linalg.norm(found - away) >= APART:
            return found


def stroke(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return which pixels a random straight stroke covers, as thick as a digit's."""
    places = np.moveaxis(np.indices(shape), 0, -1) - rng.uniform(0, shape)
    way = rng.uniform(0, shape) - rng.uniform(0, shape)
    along = np.clip((places @ way) / (way @ way), 0, 1)
    return np.linalg.norm(places - along[..., None] * way, axis=-1) < rng.uniform(1, 2)


def shown(rng: np.random.Generator, ink: np.ndarray, kind: str) -> Shown:
    """Paint a shape of one textured colour over a ground of others."""
    shape, own = ink.shape, colour(rng)
    ground = paint(rng, shape, colour(rng, own))
    if kind != "plain":
        seeds = rng.uniform(0, shape, (PATCHES, 2))
        away = np.moveaxis(np.indices(shape), 0, -1)[:, :, None] - seeds
        which = (away**2).sum(-1).argmin(-1)
        for k in range(PATCHES):
            ground[which == k] = paint(rng, shape, colour(rng, own))[which == k]
    for k in range(STROKES if kind in ("strokes", "own colour") else 0):
        where, last = stroke(rng, shape), k == STROKES - 1 and kind == "own colour"
        ground[where] = paint(rng, shape, own if last else colour(rng, own))[where]
    cover = np.clip(ink / SOLID, 0, 1)[..., None]
    image = cover * paint(rng, shape, own) + (1 - cover) * ground
    noisy = np.clip(image + rng.normal(0, NOISE, image.shape), 0, 255)
    return Shown(noisy, cover[..., 0] > 0.5)


def by_contours(network: Any, image: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return label and pixels by contours alone: those of red, green or blue.

    Each may be the brighter for the shape or for the ground; the one that agrees best counts.
    """
    planes = np.moveaxis(image, -1, 0)
    planes = [np.clip(255 * (p - p.min()) / np.ptp(p), 0, 255) for p in planes]
    best = max((*planes, *(255 - p for p in planes)), key=lambda p: network.agreement(p).max())
    found = network.explain(best)
    return found.label, found.ink > 0.5


def nearest(learned: Digits, image: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return label and pixels of the learned image whose correlation is strongest, up or down."""
    flat, grey = learned.images.reshape(len(learned.images), -1), (image @ GREY).reshape(-1)
    alike = [abs(np.corrcoef(one, grey)[0, 1]) for one in flat]
    best = int(np.argmax(alike))
    return learned.labels[best], learned.images[best] > 127


def nearest_surface(learned: Digits, image: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return the label that is nearest to one of the image's surfaces, and that surface."""
    from finetti.vision.rcn.surfaces import Appearance, Palette

    figures = Palette.of(image, Appearance().surfaces).figures()
    flat = [x.reshape(len(x), -1) for x in (np.stack(figures), learned.images.astype(float))]
    one, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in flat)
    figure, best = np.unravel_index((one @ other.T).argmax(), (len(one), len(other)))
    return learned.labels[best], figures[figure] > 0.5


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the shared part of the union of two sets of pixels."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def rows(
    network: Any, learned: Digits, asked: Digits, kind: str, seed: int
) -> Iterator[dict[str, tuple[bool, float]]]:
    """Yield for each image, and each way, whether the label is right, and the pixels' overlap."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    for ink, label in zip(asked.images, asked.labels, strict=True):
        picture, began = shown(rng, np.asarray(ink, float), kind), process_time()
        found = network.explain(picture.image)
        seconds = process_time() - began
        answers = {
            "appearance": (found.label, found.surface.pixels == 0),
            "appearance, its surface alone": (found.label, found.image > 127),
            "contours alone": by_contours(network, picture.image),
            "nearest neighbour": nearest(learned, picture.image),
            "nearest neighbour of surfaces": nearest_surface(learned, picture.image),
        }
        row = {n: (a[0] == label, overlap(a[1], picture.mask)) for n, a in answers.items()}
        yield {**row, "chance": (False, found.chances[0][1]), "CPU s": (False, seconds)}


def summary(found: list[dict[str, tuple[bool, float]]]) -> dict[str, Any]:
    """Return the shares of labels right and of pixels shared, with their standard errors."""
    ways = [name for name in found[0] if name not in ("chance", "CPU s")]
    told: dict[str, Any] = {
        name: {
            "right": share(np.array([row[name][0] for row in found])),
            "pixels": share(np.array([row[name][1] for row in found])),
        }
        for name in ways
    }
    for beside in ways[1:]:
        gain = np.array([[float(r["appearance"][i]) - r[beside][i] for i in (0, 1)] for r in found])
        told[f"appearance, more than {beside}"] = {
            "right": share(gain[:, 0]),
            "pixels": share(gain[:, 1]),
        }
    return told | {n: float(np.mean([row[n][1] for row in found])) for n in ("chance", "CPU s")}


def taught() -> dict[str, tuple[Any, Digits, Digits]]:
    """Return the networks, what they learned, and what they are asked, none of it learned."""
    from finetti.vision import RCN

    train, test = load()
    some, (drawn, named) = first(train, 10), letters(CAPITALS, LEARNED)
    other, names = letters(CAPITALS, ASKED)
    sets = {
        "digits": (some, spread(test, DIGITS)),
        "letters": (Digits(drawn, np.array(named)), Digits(other, np.array(names))),
    }
    return {n: (RCN().fit(s.images, s.labels), s, asked) for n, (s, asked) in sets.items()}


def draw(sets: dict[str, tuple[Any, Digits, Digits]], path: Path) -> None:
    """Draw pictures of each kind, and below each the pixels that the shape is found to have."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2), layout="constrained")
    axes = figure.subplots(4, 8)
    for k, kind in enumerate(KINDS):
        for j, (network, _, asked) in enumerate(sets.values()):
            rng = np.random.default_rng([9, k])
            for i in (0, 1):
                which = int(rng.integers(len(asked.labels)))
                picture = shown(rng, np.asarray(asked.images[which], float), kind)
                top, below = axes[2 * j : 2 * j + 2, 2 * k + i]
                top.imshow(picture.image / 255)
                top.set_title(kind, size=9)
                top.set_axis_off()
                network.explain(picture.image).surface.picture(below)
    figure.savefig(path, dpi=80)


def run() -> None:
    """Draw, measure and save."""
    sets, found = taught(), {}
    draw(sets, IMAGES / "coloured.png")
    for seed, (name, (network, learned, asked)) in enumerate(sets.items()):
        for kind in KINDS:
            told = summary(list(rows(network, learned, asked, kind, seed)))
            found.setdefault(name, {})[kind] = told
            print(name, kind, told, flush=True)
            record(
                "coloured",
                "digits and letters of a textured colour over coloured clutter",
                ("finetti", "numpy", "scipy"),
                found,
            )
