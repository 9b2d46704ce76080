"""Measure how the time of an image grows with the examples that were learned, and what it costs."""

from __future__ import annotations

from time import process_time
from typing import Any

import numpy as np

from benchmarks.covered import share
from benchmarks.digits import first, load, pair, spread
from benchmarks.results import record

SIZES = (10, 100)  # training images a class
ASKED = 100  # held-out digits
ALL = 10**6  # so many shapes are matched: every one


def measure() -> dict[str, Any]:
    """Recognise each image with few and many examples, and with many of which all are matched."""
    from finetti.vision import RCN
    from finetti.vision.rcn import agreeing

    train, test = load()
    networks = {n: RCN().fit(*pair(first(train, n))) for n in SIZES}
    usual, asked = agreeing.MATCHED, spread(test, ASKED)
    ways = {"10": (10, usual), "100": (100, usual), "100, all matched": (100, ALL)}
    seconds, labels = ({way: [] for way in ways} for _ in range(2))
    for image in asked.images:  # in turn, so that what else runs slows all alike
        for way, (n, agreeing.MATCHED) in ways.items():
            began = process_time()
            labels[way].append(networks[n].predict(image[None])[0])
            seconds[way].append(process_time() - began)
    agreeing.MATCHED = usual
    told: dict[str, Any] = {
        way: {"CPU s": share(np.array(seconds[way])), "right": share(found == asked.labels)}
        for way, found in ((way, np.array(labels[way])) for way in ways)
    }
    few, many, every = (np.array(seconds[way]) for way in ways)
    told["times as long, 100 as 10"] = float(many.mean() / few.mean())
    told["times as long, all matched"] = float(every.mean() / few.mean())
    changed = np.array(labels["100"]) != np.array(labels["100, all matched"])
    return told | {"labels changed": int(changed.sum()), "images": len(changed)}


def run() -> None:
    """Measure and save."""
    found = measure()
    print(found, flush=True)
    title = "digits recognised with more and more examples: time, and what it costs"
    record("examples", title, ("finetti", "numpy", "scipy"), found)
