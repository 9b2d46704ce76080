"""Measure how many freshly drawn text CAPTCHAs are read, of unknown length, as images only."""

from __future__ import annotations

import json
import random
import string
from datetime import date
from importlib.metadata import version
from time import process_time
from typing import Any

import numpy as np

from benchmarks.results import FOLDER, machine

STRINGS, LENGTH = 100, 4
ANGLES = (-24, -12, 0, 12, 24)  # degrees: the five examples of each character
ALPHABETS = {"digits": string.digits}


def glyph(character: str, angle: int, font: Any) -> np.ndarray:
    """Draw a clean character, leaning, fitted into the box it fills when upright."""
    from PIL import Image, ImageDraw

    left, top, width, height = font.getbbox(character)
    image = Image.new("L", (width, height), 0)
    ImageDraw.Draw(image).text((0, 0), character, font=font, fill=255)
    image = image.crop((left, top, width, height))
    leaning = image.rotate(angle, Image.Resampling.BILINEAR, expand=True).resize((width, height))
    placed = Image.new("L", (width + 12, 80), 0)
    placed.paste(leaning, (6, (80 - height) // 2))
    bold = np.minimum(255.0, 2 * np.asarray(placed, float))
    columns = np.flatnonzero(bold.max(0) > 40)
    return bold[:, columns[0] : columns[-1] + 1]


def measure() -> dict[str, Any]:
    """Read strings of each alphabet; the drawing cannot be seeded, so every run sees fresh ones."""
    import captcha.image
    from PIL import ImageFont

    from finetti.vision.rcn.ink import ink
    from finetti.vision.rcn.reading import Reader

    font = ImageFont.truetype(captcha.image.DEFAULT_FONTS[0], 50)
    draw, found = captcha.image.ImageCaptcha(), {}
    for name, alphabet in ALPHABETS.items():
        labels = [c for c in alphabet for _ in ANGLES]
        reader = Reader().fit([glyph(c, a, font) for c in alphabet for a in ANGLES], labels)
        pairs, began = [], process_time()
        for _ in range(STRINGS):
            text = "".join(random.SystemRandom().choice(alphabet) for _ in range(LENGTH))
            pairs.append((text, reader.read(ink(np.asarray(draw.generate_image(text)))).text))
        found[name] = summary(pairs) | {"CPU s": (process_time() - began) / STRINGS}
        print(name, found[name], flush=True)
    return found


def summary(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the shares of strings and of characters read, with standard errors.

    A string's characters are those it has in common, in order, with what was read.
    """
    whole = np.array([read == text for text, read in pairs], float)
    part = np.array([common(text, read) / len(text) for text, read in pairs])
    error = 1 / np.sqrt(len(pairs))
    return {
        "strings": whole.mean(),
        "strings, standard error": whole.std() * error,
        "characters": part.mean(),
        "characters, standard error": part.std() * error,
        "read": [f"{text} as {read}" for text, read in pairs],
    }


def common(first: str, second: str) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for a in first:
        before = row[:]
        for j, b in enumerate(second):
            row[j + 1] = before[j] + 1 if a == b else max(before[j + 1], row[j])
    return row[-1]


def run() -> None:
    """Measure and save."""
    record = {
        "benchmark": f"strings of {LENGTH} drawn by the package captcha, read as images",
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {p: version(p) for p in ("captcha", "finetti", "numpy", "scipy")},
        "samples": measure(),
    }
    (FOLDER / "captchas.json").write_text(json.dumps(record, indent=1) + "\n")
