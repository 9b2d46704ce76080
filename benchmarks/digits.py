"""Measure how well digits are recognised from few examples, plain and spoilt, beside baselines."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.results import record

DATA = Path(__file__).parent / "data" / "mnist_subset.npz"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZES = (1, 5, 10, 100)  # training images a class
HELD_OUT = {1: 1000, 5: 1000, 10: 1000, 100: 500}  # of the 2000 test images, evenly spread
DRAWS, EACH = 5, 100  # random choices of training images, and test images of each
SPOILT = 200  # test images of each kind of damage, with 10 training images a class
Spoil = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Digits:
    """Hold images (image, row, col) and their labels."""

    images: np.ndarray
    labels: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Digits:
        return Digits(self.images[chosen], self.labels[chosen])


def load() -> tuple[Digits, Digits]:
    """Return the training and the test digits."""
    with np.load(DATA) as held:
        return tuple(  # type: ignore[return-value]
            Digits(held[f"{part}_images"], held[f"{part}_labels"]) for part in ("train", "test")
        )


def spread(of: Digits, n: int) -> Digits:
    """Return `n` digits, evenly spread over the classes."""
    step = len(of.labels) // n
    return of[np.arange(step // 2, len(of.labels), step)[:n]]


def first(train: Digits, n: int) -> Digits:
    """Return the first `n` training images of each class."""
    return train[np.concatenate([np.flatnonzero(train.labels == c)[:n] for c in range(10)])]


def drawn(train: Digits, n: int, rng: np.random.Generator) -> Digits:
    """Return `n` random training images of each class."""
    classes = [np.flatnonzero(train.labels == c) for c in range(10)]
    return train[np.concatenate([rng.choice(c, n, replace=False) for c in classes])]


def noise(rng: np.random.Generator, image: np.ndarray) -> tuple[np.ndarray, None]:
    """Add normal noise with a standard deviation of 50 of 255."""
    return np.clip(image + rng.normal(0, 50, image.shape), 0, 255), None


def cover(rng: np.random.Generator, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cover a square of 9 pixels, centred on the digit's ink, with the ground's colour."""
    row, col = rng.permutation(np.argwhere(image > 128))[0].clip(4, 23)
    hidden = np.zeros(image.shape, bool)
    hidden[row - 4 : row + 5, col - 4 : col + 5] = True
    return np.where(hidden, 0, image), hidden


def clutter(rng: np.random.Generator, image: np.ndarray) -> tuple[np.ndarray, None]:
    """Draw two bright lines, one pixel thick, right across the image."""
    spoilt = np.array(image, float)
    along = np.linspace(0, 27, 200)
    for level in (True, False):
        across = np.linspace(*rng.uniform(0, 27, 2), 200)
        place = (across, along) if level else (along, across)
        spoilt[tuple(np.round(p).astype(int) for p in place)] = 255
    return spoilt, None


DAMAGE: dict[str, Spoil] = {"noise": noise, "a part covered": cover, "lines across": clutter}


@dataclass(frozen=True)
class Baseline:
    """Hold a classifier of scikit-learn, to be used on pixels scaled to 0 to 1."""

    classifier: Any

    def fit(self, images: np.ndarray, labels: np.ndarray) -> Baseline:
        """Fit on the pixels."""
        self.classifier.fit(images.reshape(len(images), -1) / 255, labels)
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Predict from the pixels."""
        return self.classifier.predict(images.reshape(len(images), -1) / 255)


def recognisers() -> dict[str, Any]:
    """Return the network and the baselines, each fresh."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    from finetti.vision import RCN

    return {
        "RCN": RCN(),
        "nearest neighbour": Baseline(KNeighborsClassifier(1)),
        "logistic regression": Baseline(LogisticRegression(max_iter=1000)),
        "random forest": Baseline(RandomForestClassifier(500, random_state=0)),
    }


def judge(recogniser: Any, train: Digits, test: Digits) -> dict[str, float]:
    """Fit and predict; return the accuracy with its standard error, and CPU seconds an image."""
    began = process_time()
    fitted = recogniser.fit(train.images, train.labels)
    learned = process_time()
    right = fitted.predict(test.images) == test.labels
    return {
        "accuracy": float(right.mean()),
        "standard error": float(right.std() / np.sqrt(len(right))),
        "images": len(right),
        "learning": (learned - began) / len(train.labels),
        "recognising": (process_time() - learned) / len(right),
    }


def measure() -> dict[str, Any]:
    """Measure learning curves, on the first images and on random ones, and robustness."""
    train, test = load()
    found: dict[str, Any] = {"first": {}, "random": {}, "spoilt": {}}
    for n in SIZES:
        for name, recogniser in recognisers().items():
            result = judge(recogniser, first(train, n), spread(test, HELD_OUT[n]))
            found["first"].setdefault(name, {})[n] = result
            print(n, name, result, flush=True)
    for n in SIZES:
        for draw in range(DRAWS):
            rng = np.random.default_rng((n, draw))
            some, held = drawn(train, n, rng), test[rng.choice(len(test.labels), EACH, False)]
            for name, recogniser in recognisers().items():
                result = judge(recogniser, some, held)["accuracy"]
                found["random"].setdefault(name, {}).setdefault(n, []).append(result)
    found["spoilt"] = robustness(train, spread(test, SPOILT))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**found, "peak memory, MB": peak}


def robustness(train: Digits, test: Digits) -> dict[str, dict[str, float]]:
    """Return each recogniser's accuracy on spoilt digits; 10 clean ones a class were learned."""
    found: dict[str, dict[str, float]] = {}
    fitted = {n: r.fit(*pair(first(train, 10))) for n, r in recognisers().items()}
    for kind, spoil in {"none": lambda rng, image: (image, None), **DAMAGE}.items():
        rng = np.random.default_rng(1)
        images, masks = zip(*(spoil(rng, image) for image in test.images), strict=True)
        for name, recogniser in fitted.items():
            right = recogniser.predict(np.stack(images)) == test.labels
            found.setdefault(name, {})[kind] = float(right.mean())
        if masks[0] is not None:
            right = fitted["RCN"].predict(np.stack(images), np.stack(masks)) == test.labels
            found.setdefault("RCN, told where", {})[kind] = float(right.mean())
        print(kind, {name: row.get(kind) for name, row in found.items()}, flush=True)
    return found


def pair(digits: Digits) -> tuple[np.ndarray, np.ndarray]:
    return digits.images, digits.labels


def show(found: dict[str, Any]) -> None:
    """Print the accuracies, with standard errors over random choices of training images."""
    table = Table(title="digits recognised, % (random training images ± standard error)")
    for title in ("", *(f"{n} a class" for n in SIZES), "CPU s/image at 10"):
        table.add_column(title, justify="right")
    for name, sizes in found["first"].items():
        cells = []
        for n, at in sizes.items():
            draws = np.array(found["random"][name][n])
            error = draws.std(ddof=1) / np.sqrt(len(draws))
            cells.append(f"{at['accuracy']:.1%} ({draws.mean():.1%} ± {error:.1%})")
        table.add_row(name, *cells, f"{sizes[10]['recognising']:.3f}")
    Console(width=140).print(table)


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the learning curves over random training images, with standard errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, sizes in found["random"].items():
        draws = 100 * np.array([sizes[n] for n in SIZES])
        error = draws.std(1, ddof=1) / np.sqrt(draws.shape[1])
        axes.errorbar(SIZES, draws.mean(1), error, label=name, marker="o", capsize=3)
    axes.set(xscale="log", xlabel="training images a class", ylabel="digits recognised, %")
    axes.set_xticks(SIZES, SIZES)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def run() -> None:
    """Measure, print, draw and save."""
    found = measure()
    show(found)
    draw(found, IMAGES / "digits.png")
    save("digits", "digits recognised from few examples", found)


def run_spoilt() -> None:
    """Measure recognition of spoilt digits only, and save."""
    train, test = load()
    found = robustness(train, spread(test, SPOILT))
    save("spoilt", f"{SPOILT} spoilt digits recognised, 10 examples a class", found)


def save(name: str, title: str, found: dict[str, Any]) -> None:
    """Write what was measured, with the machine and the versions."""
    packages = ("finetti", "numpy", "scipy", "scikit-learn")
    record(name, title, packages, found)
