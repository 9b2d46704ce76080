"""Measure how pairs of overlapping digits are parsed: which two, which in front, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

from benchmarks.covered import share
from benchmarks.digits import Digits, first, load
from benchmarks.results import record

IMAGES = Path(__file__).parents[1] / "docs" / "images"
TALL, WIDE = 40, 56  # pixels of a scene
BOX, FRAME = 20, 28  # pixels of the box that a digit of MNIST fills, and of its image
OVERLAPS = (4, 8, 12, 16, 20)  # pixels by which the boxes overlap from side to side
PAIRS = 12  # of each kind and overlap, of held-out digits; 10 training images a class
OTHERS = {1: 24, 3: 12}  # scenes of so many digits, merged
DOWN = 4  # pixels by which one may lie higher, at most
RIM = 2  # pixels of dark rim around the front digit
LEVELS = (255.0, 140.0)  # brightness of the two shades
SWAPPED = (140.0, 255.0)
CROSSING = 10  # pixels of ink that both have: with fewer nothing is asked of the order
KINDS = ("merged", "outlined", "shaded")


@dataclass(frozen=True)
class Pair:
    """Hold a picture of two digits, the first of which is in front, with their places."""

    image: np.ndarray
    labels: tuple[int, int]
    corners: tuple[tuple[int, int], tuple[int, int]]
    levels: tuple[float, float]
    crossing: int


def paste(images: np.ndarray, corner: tuple[int, int], wide: int = WIDE) -> np.ndarray:
    """Put images with their first pixel at a corner of an empty scene, which may cut them off."""
    room = FRAME
    scene = np.zeros((*images.shape[:-2], TALL + 2 * room, wide + 2 * room), np.float32)
    row, col = (c + room for c in corner)
    scene[..., row : row + FRAME, col : col + FRAME] = images
    return scene[..., room:-room, room:-room]


def drawn(kind: str, front: np.ndarray, back: np.ndarray, levels: tuple[float, float]) -> Any:
    """Draw one digit over another: merged, the front one with a dark rim, or in two shades."""
    if kind == "merged":
        return np.maximum(front, back)
    if kind == "outlined":
        shape = (*(1,) * (front.ndim - 2), 3, 3)
        return np.where(binary_dilation(front > 64, np.ones(shape), RIM), front, back)
    cover, behind = (np.clip(x / 200, 0, 1) for x in (front, back))
    return cover * levels[0] + (1 - cover) * behind * levels[1]


def pair(rng: np.random.Generator, of: Digits, overlap: int, kind: str) -> Pair:
    """Draw two random digits whose boxes overlap by so many pixels, somewhere in a scene."""
    chosen = rng.choice(len(of.labels), 2, replace=False)
    apart, edge = BOX - overlap, (FRAME - BOX) // 2
    row = int(rng.integers(0, TALL - FRAME + 1))
    col = int(rng.integers(-edge, WIDE - FRAME - apart + edge + 1))
    other = int(np.clip(row + rng.integers(-DOWN, DOWN + 1), -edge, TALL - FRAME + edge))
    corners = ((row, col), (other, col + apart))
    corners = (corners[1], corners[0]) if rng.random() < 0.5 else corners
    levels = LEVELS if rng.random() < 0.5 else SWAPPED
    front, back = (paste(of.images[i], c) for i, c in zip(chosen, corners, strict=True))
    crossing = int(((front > 128) & (back > 128)).sum())
    one, two = of.labels[chosen].tolist()
    return Pair(drawn(kind, front, back, levels), (one, two), corners, levels, crossing)


def several(rng: np.random.Generator, of: Digits, count: int) -> tuple[np.ndarray, list[int]]:
    """Draw digits, merged, side by side with boxes that overlap by up to 8 pixels."""
    chosen, wide = rng.choice(len(of.labels), count, replace=False), WIDE + BOX * (count // 2)
    steps = np.cumsum([rng.integers(0, 9), *rng.integers(BOX - 8, BOX + 5, count - 1)])
    rows = rng.integers(0, TALL - FRAME + 1, count)
    layers = [
        paste(of.images[i], (int(r), int(c)), wide)
        for i, r, c in zip(chosen, rows, steps, strict=True)
    ]
    return np.max(layers, 0), sorted(of.labels[chosen].tolist())


def nearest(train: Digits, shown: Pair, kind: str) -> tuple[list[int], bool]:
    """Return the labels, and whether the order is right, of the nearest composition of two.

    It is told that there are two, where each lies, how they are drawn, and their brightnesses
    apart from which is which: all pairs of training images are drawn so, in either order.
    """
    best, found = np.inf, ([0, 0], False)
    layers = [paste(train.images, corner) for corner in shown.corners]
    for right in (True, False) if kind != "merged" else (True,):
        for levels in (LEVELS, SWAPPED) if kind == "shaded" else (LEVELS,):
            front, back = layers if right else layers[::-1]
            for label, image in zip(train.labels.tolist(), front, strict=True):
                apart = ((drawn(kind, image[None], back, levels) - shown.image) ** 2).sum((1, 2))
                if apart.min() < best:
                    best = float(apart.min())
                    found = [label, int(train.labels[apart.argmin()])], right
    return sorted(found[0]), found[1]


def fronted(parse: Any, shown: Pair) -> bool | None:
    """Tell whether the parse has the right one of two in front, None where it leaves that open."""
    true = [np.array(c) + (FRAME - 1) / 2 for c in shown.corners]
    apart = [
        sum(
            np.linalg.norm(np.array(parse.parts[i].middle) - place)
            + 1000 * (parse.parts[i].label != label)
            for i, place, label in zip(chosen, true, shown.labels, strict=True)
        )
        for chosen in ((0, 1), (1, 0))
    ]
    return parse.in_front(0, 1) if apart[0] <= apart[1] else parse.in_front(1, 0)


def pairs(network: Any, train: Digits, of: Digits, kind: str) -> Iterator[dict[str, Any]]:
    """Parse pairs of one kind; yield what was asked and found of each."""
    for overlap in OVERLAPS:
        print(kind, overlap, flush=True)
        rng = np.random.default_rng([overlap, KINDS.index(kind), 1])
        for _ in range(PAIRS):
            shown, began = pair(rng, of, overlap, kind), process_time()
            parse = network.parse(shown.image)
            seconds, truth = process_time() - began, sorted(shown.labels)
            both = sorted(parse.labels) == truth
            labels, order = nearest(train, shown, kind)
            yield {
                "overlap": overlap,
                "both": both,
                "two": len(parse.parts) == 2,
                "known": len(set(parse.labels) & set(truth)) / len(set(truth)),
                "sure": float(np.prod([part.chance for part in parse.parts])),
                "front": fronted(parse, shown) if both else None,
                "crossing": shown.crossing >= CROSSING,
                "nearest": labels == truth,
                "nearest, front": order,
                "seconds": seconds,
            }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the shares of pairs parsed, by overlap and in all, and of orders told."""
    by = {str(n): [r for r in rows if r["overlap"] == n] for n in OVERLAPS} | {"all": rows}
    asked = [r for r in rows if r["both"] and r["crossing"]]
    told = [r for r in asked if r["front"] is not None]
    beside = [r for r in rows if r["nearest"] and r["crossing"]]
    found: dict[str, Any] = {
        name: {n: share(np.array([r[key] for r in some])) for n, some in by.items()}
        for name, key in {"both labels": "both", "two shapes": "two", "nearest": "nearest"}.items()
    }
    found["labels among those found"] = share(np.array([r["known"] for r in rows]))
    found["said to be right"] = share(np.array([r["sure"] for r in rows]))
    found["crossing pairs with both labels"] = len(asked)
    if asked:
        found["order told"] = share(np.array([r["front"] is not None for r in asked]))
    if told:
        found["order right, of those told"] = share(np.array([bool(r["front"]) for r in told]))
    if beside:
        found["nearest: order right"] = share(np.array([r["nearest, front"] for r in beside]))
        found["nearest: crossing pairs with both labels"] = len(beside)
    return found | {"CPU s": float(np.mean([r["seconds"] for r in rows]))}


def counted(network: Any, of: Digits) -> dict[str, Any]:
    """Return how often scenes of one and of three digits are parsed, all labels right."""
    found = {}
    for count, scenes in OTHERS.items():
        rng, right, number = np.random.default_rng([count, 9]), [], []
        for _ in range(scenes):
            image, truth = several(rng, of, count)
            labels = sorted(network.parse(image).labels)
            right.append(labels == truth)
            number.append(len(labels) == count)
        found[f"{count} digits"] = {
            "all labels": share(np.array(right)),
            "number": share(np.array(number)),
        }
        print(count, found[f"{count} digits"], flush=True)
    return found


def draw(network: Any, of: Digits, path: Path) -> None:
    """Draw two pairs of each kind, and what explains them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(4, 3)
    for kind, column in zip(KINDS, axes.T, strict=True):
        rng = np.random.default_rng([8, KINDS.index(kind)])
        for i in (0, 2):
            shown = pair(rng, of, 8 + 2 * i, kind)
            column[i].imshow(shown.image, cmap="gray_r", vmin=0, vmax=255)
            column[i].set_axis_off()
            parse = network.parse(shown.image)
            parse.picture(column[i + 1])
            told = fronted(parse, shown) if sorted(parse.labels) == sorted(shown.labels) else None
            column[i].set_title(f"{kind}: {shown.labels[0]} over {shown.labels[1]}", size=9)
            says = {True: "front right", False: "front wrong", None: "front not told"}[told]
            column[i + 1].set_title(f"{', '.join(map(str, parse.labels))}; {says}", size=9)
    figure.savefig(path, dpi=75)


def run() -> None:
    """Draw, measure and save."""
    from finetti.vision import RCN

    train, test = load()
    learned = first(train, 10)
    network, found = RCN().fit(learned.images, learned.labels), {}
    draw(network, test, IMAGES / "overlap.png")
    for kind in KINDS:
        found[kind] = summary(list(pairs(network, learned, test, kind)))
        print(kind, found[kind], flush=True)
        save(found)
    save(found | counted(network, test))


def save(found: dict[str, Any]) -> None:
    """Write what was measured so far."""
    record(
        "overlap",
        "pairs of held-out digits that overlap, merged, outlined and in two shades",
        ("finetti", "numpy", "scipy"),
        found,
    )
