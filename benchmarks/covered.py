"""Measure how digits are recognised and completed where a part is covered, told where or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.digits import Digits, clutter, cover, first, load, noise, spread
from benchmarks.results import record

IMAGES = Path(__file__).parents[1] / "docs" / "images"
RECOGNISED, COMPLETED = 100, 40  # held-out digits; 10 training images a class
WIDE = 11  # pixels of the square whose contours are completed
NEAR, ALIKE = 2.0, 1  # pixels and orientations within which two features are the same


def recognised(network: Any, test: Digits) -> dict[str, Any]:
    """Return shares recognised and their standard errors, and how well covers are found."""
    from finetti.vision import Covered

    rng, found, overlap = np.random.default_rng(1), {}, []
    covered, masks = (np.stack(x) for x in zip(*(cover(rng, i) for i in test.images), strict=True))
    asked = {
        "clean": (test.images, None),
        "clean, perhaps covered": (test.images, Covered()),
        "covered": (covered, None),
        "covered, perhaps covered": (covered, Covered()),
        "covered, told where": (covered, masks),
        "noise": (np.stack([noise(rng, image)[0] for image in test.images]), None),
        "lines across": (np.stack([clutter(rng, image)[0] for image in test.images]), None),
    }
    for name, (images, hidden) in asked.items():
        found[name] = share(network.predict(images, hidden) == test.labels)
        print(name, found[name], flush=True)
    for image, mask in zip(covered, masks, strict=True):
        square = network.uncover(image)
        overlap.append(0.0 if square is None else (square & mask).sum() / (square | mask).sum())
    found["cover and inferred one, shared part of their union"] = share(np.array(overlap))
    return found


def share(of: np.ndarray) -> dict[str, float]:
    """Return the mean with its standard error."""
    return {"mean": float(np.mean(of)), "standard error": float(np.std(of) / np.sqrt(len(of)))}


def completed(network: Any, train: Digits, test: Digits) -> dict[str, Any]:
    """Return how much of the contours under a known cover is reconstructed, and how much rightly.

    Beside it the contours of the training image nearest by the visible pixels.
    """
    rng = np.random.default_rng(2)
    figures: dict[str, list[float]] = {}
    for image in test.images:
        row, col = rng.permutation(np.argwhere(image > 128))[0].clip(WIDE // 2, 27 - WIDE // 2)
        hidden = np.zeros(image.shape, bool)
        reach = np.arange(-(WIDE // 2), WIDE // 2 + 1)
        hidden[np.ix_(row + reach, col + reach)] = True
        truth = within(network, network.explain(image).points, hidden)
        explanation = network.explain(np.where(hidden, 0, image), hidden)
        apart = ((train.images.astype(float) - image) ** 2 * ~hidden).sum((1, 2))
        nearest = network.explain(train.images[apart.argmin()]).points
        for name, points in (("RCN", explanation.contour), ("nearest neighbour", nearest)):
            guess = within(network, points, hidden)
            figures.setdefault(f"{name}: true features reconstructed", []).append(met(truth, guess))
            figures.setdefault(f"{name}: reconstructed features true", []).append(met(guess, truth))
    return {name: share(np.array([x for x in v if x >= 0])) for name, v in figures.items()}


def within(network: Any, points: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return the features, (orientation, row, col) in pixels of the image, that a mask hides."""
    margin = network.pool // 2 + 20
    places = (points[:, 1:] - margin + 0.5) / network.upsampling - 0.5
    pixel = np.rint(places).astype(int).clip(0, len(hidden) - 1)
    return np.concatenate([points[:, :1], places], 1)[hidden[tuple(pixel.T)]]


def met(these: np.ndarray, by: np.ndarray) -> float:
    """Return the share of features that have one of the others near and alike; -1 for none."""
    if not len(these):
        return -1.0
    if not len(by):
        return 0.0
    off = np.abs(these[:, None, 0] - by[:, 0]) % 16
    apart = np.linalg.norm(these[:, None, 1:] - by[:, 1:], axis=-1)
    return float(((np.minimum(off, 16 - off) <= ALIKE) & (apart <= NEAR)).any(1).mean())


def draw(network: Any, test: Digits, path: Path) -> None:
    """Draw digits of which a part is covered, and what explains them with the cover inferred."""
    from matplotlib.figure import Figure

    from finetti.vision import Covered

    rng = np.random.default_rng(1)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(2, 4)
    for digit, column in zip(test.images[:: len(test.images) // 4], axes.T, strict=False):
        spoilt, _ = cover(rng, digit)
        column[0].imshow(spoilt, cmap="gray_r")
        column[0].set_axis_off()
        network.explain(spoilt, Covered()).picture(column[1])
    figure.savefig(path, dpi=80)


def run() -> None:
    """Measure, draw and save."""
    from finetti.vision import RCN

    train, test = load()
    learned = first(train, 10)
    network = RCN().fit(learned.images, learned.labels)
    draw(network, spread(test, RECOGNISED), IMAGES / "covered.png")
    contours = completed(network, learned, spread(test, COMPLETED))
    print(contours, flush=True)
    record(
        "covered",
        "digits of which a part is covered, with noise, and with lines across",
        ("finetti", "numpy", "scipy"),
        {"recognised": recognised(network, spread(test, RECOGNISED))} | {"completed": contours},
    )
