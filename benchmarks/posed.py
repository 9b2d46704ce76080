"""Measure digits and lines of text that are larger, smaller and turned."""

from __future__ import annotations

import random
import string
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.captchas import common
from benchmarks.digits import first, load, pair
from benchmarks.results import record

SEED = 20261129  # on seed 1 it was tried
DIGITS, LINES = 100, {"digits": 30, "capitals": 20}
ALPHABETS = {"digits": string.digits, "capitals": string.ascii_uppercase}
SIZES, TURN = (0.5, 2.0), 20.0  # of what was learned; degrees to either side
BEYOND = ((0.35, 0.0), (2.8, 0.0), (1.0, 35.0))  # where it ends
FONT = "DejaVuSans.ttf"


def digits() -> dict[str, Any]:
    """Recognise held-out digits in random poses, ten examples a class learned, and as they are."""
    from finetti.vision import RCN, Poses
    from finetti.vision.rcn.posing import Pose, posed

    train, test = load()
    network, rng = RCN().fit(*pair(first(train, 10))), np.random.default_rng(SEED)
    right: list[tuple[bool, bool, bool]] = []
    began = process_time()
    for i in rng.choice(len(test.labels), DIGITS, replace=False):
        size, turn = float(np.exp(rng.uniform(*np.log(SIZES)))), float(rng.uniform(-TURN, TURN))
        image, label = np.pad(test.images[i].astype(float), 4), test.labels[i]
        seen = posed(image, Pose(1 / size, -turn))
        plain = _frame(seen)
        found = network.predict(seen[None], poses=Poses())[0]
        upright = network.predict(test.images[i][None])[0]
        right.append((found == label, network.predict(plain[None])[0] == label, upright == label))
    names = ("with poses", "without", "never posed")
    return _rates(names, right) | {"CPU s": (process_time() - began) / DIGITS}


def _frame(image: np.ndarray) -> np.ndarray:
    """Cut or pad an image about its middle to 28 pixels a side."""
    large = np.pad(image, 28)
    corner = [n // 2 - 14 for n in large.shape]
    return large[corner[0] : corner[0] + 28, corner[1] : corner[1] + 28]


def line(text: str, size: float, turn: float) -> np.ndarray:
    """Draw a line of text in the font, of so many times 50 pixels, turned clockwise."""
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/{FONT}", round(50 * size))
    image = Image.new("L", (int(font.getlength(text)) + 40, int(90 * size)), 255)
    ImageDraw.Draw(image).text((20, 10), text, font=font, fill=30)
    turned = image.rotate(-turn, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    return np.asarray(turned, float)


def lines(name: str, count: int, pose: tuple[float, float] | None = None) -> dict[str, Any]:
    """Read lines of four to six characters in random poses, or all in one."""
    import matplotlib as mpl

    from finetti.vision import Poses, Reader, glyphs, ink

    alphabet, rng = ALPHABETS[name], random.Random(SEED)
    font = Path(mpl.get_data_path()) / "fonts" / "ttf" / FONT
    reader = Reader().fit(*glyphs(font, alphabet, leans=[-12.0, 0.0, 12.0]))
    right, parts, began = [], [], process_time()
    for _ in range(count):
        size = float(np.exp(rng.uniform(*np.log(SIZES))))
        turn = rng.uniform(-TURN, TURN)
        size, turn = pose or (size, turn)
        text = "".join(rng.choice(alphabet) for _ in range(rng.randint(4, 6)))
        found = reader.read(ink(line(text, size, turn)), poses=Poses()).text
        print(text, found, f"{size:.2f} {turn:.0f}", flush=True)
        right.append((found == text,))
        parts.append(common(text, found) / len(text))
    error = float(np.std(parts) / np.sqrt(count))
    found = {"characters": float(np.mean(parts)), "characters, standard error": error}
    return _rates(("lines",), right) | found | {"CPU s": (process_time() - began) / count}


def _rates(names: tuple[str, ...], right: list[tuple[bool, ...]]) -> dict[str, Any]:
    """Return shares with their standard errors."""
    found: dict[str, Any] = {"count": len(right)}
    for name, column in zip(names, np.array(right, float).T, strict=True):
        found[name] = float(column.mean())
        found[f"{name}, standard error"] = float(column.std() / np.sqrt(len(column)))
    return found


def run() -> None:
    """Measure, print and save."""
    found: dict[str, Any] = {"handwritten digits": digits()}
    print(found, flush=True)
    for name, count in LINES.items():
        found[f"lines of {name}"] = lines(name, count)
        print(name, found[f"lines of {name}"], flush=True)
    for pose in BEYOND:
        found[f"lines of digits at {pose[0]} of the size, {pose[1]:.0f} degrees"] = lines(
            "digits", 8, pose
        )
        print(pose, list(found.values())[-1], flush=True)
    record(
        "posed",
        "digits and lines, 0.5 to 2 times the size, turned by up to 20 degrees",
        ("finetti", "matplotlib", "numpy", "scipy"),
        found,
    )
