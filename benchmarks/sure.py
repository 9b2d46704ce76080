"""Measure whether the network is right as often as it says, and knows what it has not learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.digits import IMAGES, Digits, first, load, pair
from benchmarks.results import record

SIZES = (1, 5, 10, 100)  # training images a class
HELD_OUT = {1: 400, 5: 400, 10: 400, 100: 200}
STRANGE = "ACEFHKMNPRTUVWXYacdefhkmnprtuvwxy"  # letters that are no digit in any font used
FONTS = ("DejaVuSans.ttf", "DejaVuSerif-Bold.ttf", "STIXGeneralItalic.ttf")
BINS = (0, 0.5, 0.7, 0.9, 0.97, 1.0)
REJECT = 0.5


def letters(characters: str, fonts: tuple[str, ...], side: int = 28) -> tuple[np.ndarray, list]:
    """Draw characters as MNIST's digits are: 20 pixels at the longer side, in the middle."""
    import matplotlib as mpl
    from PIL import Image

    from finetti.vision import glyphs

    folder, images, labels = Path(mpl.get_data_path()) / "fonts" / "ttf", [], []
    for font in fonts:
        drawn, named = glyphs(folder / font, characters, 60, [0.0])
        for glyph in drawn:
            rows = np.flatnonzero(glyph.max(1) > 0)
            tight = Image.fromarray(glyph[rows[0] : rows[-1] + 1].astype(np.uint8))
            by = (side - 8) / max(tight.size)
            small = np.asarray(tight.resize([max(round(by * n), 3) for n in tight.size]), float)
            (r, c), image = ((side - n) // 2 for n in small.shape), np.zeros((side, side))
            image[r : r + small.shape[0], c : c + small.shape[1]] = small
            images.append(image)
        labels += named
    return np.stack(images), labels


def last(test: Digits, n: int) -> Digits:
    """Return the last `n` images of each class: how sure to be was looked at on others."""
    return test[np.concatenate([np.flatnonzero(test.labels == c)[-n:] for c in range(10)])]


def strangers() -> dict[str, np.ndarray]:
    """Return what is no digit: letters, noise, blobs, digits that are upside down, blanks."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    white = rng.normal(size=(60, 28, 28))
    return {
        "letters": letters(STRANGE, FONTS)[0],
        "noise": np.clip(60 + 60 * white, 0, 255),
        "blobs": np.stack([255.0 * (gaussian_filter(w, 2) > 0.12) for w in white]),
        "blanks": np.zeros((3, 28, 28)),
    }


def rates(said: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Return how often the network is right among images of which it is about so sure."""
    found: dict[str, Any] = {"right": right.mean(), "kept": (said >= REJECT).mean()}
    found["right of those kept"] = right[said >= REJECT].mean()
    found["said, all"], found["images"] = said.mean(), len(said)
    at = np.digitize(said, BINS[1:-1])
    found["bins"] = [
        (said[at == b].mean(), right[at == b].mean(), int((at == b).sum()))
        for b in range(len(BINS) - 1)
        if (at == b).any()
    ]
    off = [n * abs(s - r) for s, r, n in found["bins"]]
    found["calibration error"] = sum(off) / len(said)
    return found


def measure() -> dict[str, Any]:
    """Ask networks of each size about digits they have not seen, and about strangers."""
    from finetti.vision import RCN

    train, test = load()
    strange, found = strangers(), {}
    for n in SIZES:
        network = RCN(strangers=0.1).fit(*pair(first(train, n)))
        held = last(test, HELD_OUT[n] // 10)
        chance = network.predict_proba(held.images)
        right = network.classes[chance.argmax(1)] == held.labels
        sure = chance.max(1)
        known = chance / chance.sum(1, keepdims=True)  # told that all are digits
        row = {
            "as digits": rates(known.max(1), right),
            "as digits or strangers": rates(sure, right),
            "none, digits": 1 - chance.sum(1).mean(),
        }
        for name, images in strange.items():
            other = network.predict_proba(images)
            row[name] = {
                "none": 1 - other.sum(1).mean(),
                "rejected": (other.max(1) < REJECT).mean(),
                "images": len(images),
            }
        mixed = np.concatenate([sure, network.predict_proba(strange["letters"]).max(1)])
        weight = np.r_[0.9 / len(sure) * np.ones(len(sure)), 0.1 / 99 * np.ones(99)]
        truth = np.r_[right, np.zeros(99)]
        row["nine digits to a letter"] = {
            "said": float(weight @ mixed), "right": float(weight @ truth)
        }  # fmt: skip
        found[n] = row
        print(n, json.dumps(row, default=float), flush=True)
    return found


def show(found: dict[int, Any]) -> None:
    """Print the figures with their standard errors."""
    table = Table(title=f"digits and strangers, reject={REJECT}")
    for title in ("a class", "right", "said", "kept", "right if kept", *strangers()):
        table.add_column(title, justify="right")
    for n, row in found.items():
        digits, tells = row["as digits"], row["as digits or strangers"]
        count = digits["images"]
        cells = [_share(digits["right"], count), _share(digits["said, all"], count)]
        cells += [_share(tells["kept"], count)]
        cells += [_share(tells["right of those kept"], count * tells["kept"])]
        cells += [_share(row[name]["rejected"], row[name]["images"]) for name in strangers()]
        table.add_row(str(n), *cells)
    Console(width=140).print(table)


def _share(p: float, n: float) -> str:
    return f"{100 * p:.1f} ± {100 * np.sqrt(p * (1 - p) / n):.1f}"


def draw(found: dict[int, Any], path: Path) -> None:
    """Draw how often the network is right against how sure it is, with standard errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    for n, row in found.items():
        said, right, count = np.array(row["as digits"]["bins"]).T
        error = np.sqrt(np.maximum(said * (1 - said), 0.25 / count) / count)
        axes.errorbar(said, right, error, marker="o", capsize=3, label=f"{n} a class")
    axes.set(xlabel="probability of the label", ylabel="share that is right", aspect="equal")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def run() -> None:
    """Measure, print, draw and save."""
    found = measure()
    show(found)
    draw(found, IMAGES / "sure.png")
    record(
        "sure",
        "digits held out, and strangers: how sure, and how often right",
        ("finetti", "numpy", "scipy"),
        found,
    )
