"""Measure what one example teaches: new instances that are drawn, and characters of scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.digits import DRAWS, IMAGES, drawn, load, pair, spread
from benchmarks.results import record
from benchmarks.sure import letters

EACH = 20  # new instances of each digit
HELD_OUT = 200
WAYS = 20  # characters of a script
SCRIPTS = {
    "Greek": "αβγδεζηθικλμνξπρστυφχψω",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщыэюя",
    "Armenian": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփք",
    "Georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
}
LEARNED, ASKED = ("DejaVuSans.ttf",), ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf")


def recognisers() -> dict[str, Any]:
    """Return the network and what it is compared with."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from finetti.vision import RCN

    def flat(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1) / 255

    first = FunctionTransformer(flat)
    return {
        "RCN": RCN(),
        "nearest neighbour": make_pipeline(first, KNeighborsClassifier(1)),
        "logistic regression": make_pipeline(first, LogisticRegression(max_iter=500)),
    }


def instances() -> dict[str, Any]:
    """Draw instances of single digits: are they recognised, and do they teach others anything?"""
    from finetti.vision import RCN

    train, test = load()
    held, found = spread(test, HELD_OUT), {}
    judge = RCN().fit(*pair(drawn(train, 10, np.random.default_rng(99))))
    for draw in range(DRAWS):
        one = drawn(train, 1, np.random.default_rng((1, draw)))
        network = RCN().fit(*pair(one))
        more = np.concatenate([network.sample(c, EACH, seed=draw) for c in range(10)])
        labels = np.repeat(np.arange(10), EACH)
        some = np.random.default_rng(draw).choice(len(labels), 40, replace=False)
        row = {
            "new instances recognised": judge.score(more[some], labels[some]),
            "their originals recognised": judge.score(*pair(one)),
        }
        for name, recogniser in list(recognisers().items())[1:]:
            alone = recogniser.fit(*pair(one)).predict(held.images)
            both = np.concatenate([one.images, more]), np.concatenate([one.labels, labels])
            told = recogniser.fit(*both).predict(held.images)
            row[f"{name}, one example"] = np.mean(alone == held.labels)
            row[f"{name}, and {EACH} drawn"] = np.mean(told == held.labels)
        for name, share in row.items():
            found.setdefault(name, []).append(float(share))
        print(row, flush=True)
    return found


def scripts() -> dict[str, Any]:
    """Learn each of 20 characters from one font, and recognise them in others of another kind."""
    found: dict[str, Any] = {}
    for name, characters in SCRIPTS.items():
        chosen = "".join(np.random.default_rng(0).permutation(list(characters))[:WAYS])
        learned, asked = letters(chosen, LEARNED), letters(chosen, ASKED)
        for who, recogniser in recognisers().items():
            right = recogniser.fit(*learned).predict(asked[0]) == np.array(asked[1])
            found.setdefault(who, {})[name] = float(right.mean())
        print(name, {who: row[name] for who, row in found.items()}, flush=True)
    return found


def draw(path: Path) -> None:
    """Draw new instances of one digit of each class, the learned ones first."""
    from matplotlib.figure import Figure

    from finetti.vision import RCN

    train, _ = load()
    one = drawn(train, 1, np.random.default_rng((1, 0)))
    network = RCN().fit(*pair(one))
    rows = [np.hstack([image, *network.sample(c, 9)]) for image, c in zip(*pair(one), strict=True)]
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.vstack(rows), cmap="gray_r")
    axes.axvline(27.5, color="0.6", lw=1)
    axes.set_axis_off()
    figure.savefig(path, dpi=100)


def summary(found: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Return means with their standard errors over random choices of the examples."""
    return {
        name: (float(np.mean(v)), float(np.std(v, ddof=1) / np.sqrt(len(v))))
        for name, v in found.items()
    }


def run() -> None:
    """Measure, print, draw and save."""
    draw(IMAGES / "instances.png")
    found = {"scripts": scripts(), "instances": instances()}
    found["means and standard errors"] = summary(found["instances"])
    print(json.dumps(found["means and standard errors"], indent=1), flush=True)
    record(
        "oneshot",
        "what one example teaches",
        ("finetti", "matplotlib", "numpy", "scikit-learn"),
        found,
    )
