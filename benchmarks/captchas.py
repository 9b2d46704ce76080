"""Measure how many freshly drawn text CAPTCHAs are read, of unknown length, as images only."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.results import record

LENGTH = 4
SEED = 20261128  # settings were chosen on strings of seeds 1 and 2
ANGLES = (-24, -12, 0, 12, 24)  # degrees: the five examples of each character
LENGTHS = (4, 5, 6)  # of letters; each has 40 pixels of width, as the package's four have
ALPHABETS = {
    "digits": string.digits,
    "digits and capitals": string.digits + string.ascii_uppercase,
}
STRINGS = {"digits": 200, "digits and capitals": 60}
LETTERS = {
    "capitals": string.ascii_uppercase,
    "lower case": string.ascii_lowercase,
    "mixed": string.ascii_letters,
}
DRAWN = {"capitals": 40, "lower case": 40, "mixed": 30, "words": 40}
OTHERS = 0.2  # of the strings that are drawn as words: none of the list
IMAGES = Path(__file__).parents[1] / "docs" / "images"
SHOWN = 6  # strings in the picture, the first drawn


class Dice(random.Random):
    """Stand in for the module `secrets`, so that the package draws the same strings every time."""

    def randbelow(self, limit: int) -> int:
        """Return a whole number below the limit."""
        return self.randrange(limit)

    def randbits(self, k: int) -> int:
        """Return a whole number of k bits."""
        return self.getrandbits(k)


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


def reader(alphabet: str) -> Any:
    """Learn five clean glyphs of each character, in the package's font."""
    import captcha.image
    from PIL import ImageFont

    from finetti.vision import Reader

    font = ImageFont.truetype(captcha.image.DEFAULT_FONTS[0], 50)
    glyphs = [glyph(c, a, font) for c in alphabet for a in ANGLES]
    return Reader().fit(glyphs, [c for c in alphabet for _ in ANGLES])


def strings(alphabet: str, count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Draw strings by the package; yield each text and its picture, (row, col, colour)."""
    import captcha.image

    dice = Dice(seed)
    captcha.image.secrets = dice  # type: ignore[attr-defined]
    drawing = captcha.image.ImageCaptcha()
    for _ in range(count):
        text = "".join(dice.choice(alphabet) for _ in range(LENGTH))
        yield text, np.asarray(drawing.generate_image(text))


def lexicon() -> list[str]:
    """Return the words of four to six small letters in finetti's own documentation."""
    texts = [path.read_text() for path in sorted((IMAGES.parent).glob("*.md"))]
    return sorted({w for text in texts for w in re.findall(r"\b[a-z]{4,6}\b", text)})


def drawn(words: list[str], alphabet: str, count: int, seed: int) -> Iterator[tuple[str, Any]]:
    """Draw words, or strings of the lengths above; yield each text and its picture."""
    import captcha.image

    dice = Dice(seed)
    captcha.image.secrets = dice  # type: ignore[attr-defined]
    for i in range(count):
        strange = not words or dice.random() < OTHERS
        length = LENGTHS[i % len(LENGTHS)]
        free = "".join(dice.choice(alphabet) for _ in range(length))
        text = free if strange else dice.choice(words)
        drawing = captcha.image.ImageCaptcha(width=40 * len(text))
        yield text, np.asarray(drawing.generate_image(text))


def letters() -> dict[str, Any]:
    """Read strings of letters, and words with and without a list of them."""
    from finetti.vision import Words, ink

    found: dict[str, Any] = {}
    for name, alphabet in LETTERS.items():
        learned, pairs, began = reader(alphabet), [], process_time()
        for text, picture in drawn([], alphabet, DRAWN[name], SEED):
            pairs.append((text, learned.read(ink(picture)).text))
        found[name] = summary(pairs) | {"CPU s": (process_time() - began) / DRAWN[name]}
        if name == "mixed":
            caseless = [(text.lower(), read.lower()) for text, read in pairs]
            found["mixed, whatever the case"] = summary(caseless)
        print(name, {k: v for k, v in found[name].items() if k != "read"}, flush=True)
    words, small = lexicon(), string.ascii_lowercase
    learned, alone, told = reader(small), [], []
    for text, picture in drawn(words, small, DRAWN["words"], SEED + 1):
        line = ink(picture)
        alone.append((text, learned.read(line).text))
        told.append((text, learned.read(line, Words(words, OTHERS)).text))
    for name, pairs in {"words": alone, "words, told of them": told}.items():
        found[name] = summary(pairs) | {"words in the list": len(words)}
        listed = [pair for pair in pairs if pair[0] in words]
        found[f"{name}, listed ones"] = summary(listed)
        print(name, {k: v for k, v in found[name].items() if k != "read"}, flush=True)
    return found


def measure() -> dict[str, Any]:
    """Read freshly drawn strings of each alphabet."""
    from finetti.vision import ink

    found = {}
    for name, alphabet in ALPHABETS.items():
        learned, pairs, began = reader(alphabet), [], process_time()
        for text, picture in strings(alphabet, STRINGS[name], SEED):
            pairs.append((text, learned.read(ink(picture)).text))
            print(*pairs[-1], flush=True)
        found[name] = summary(pairs) | {"CPU s": (process_time() - began) / STRINGS[name]}
        print(name, {k: v for k, v in found[name].items() if k != "read"}, flush=True)
        save(found)
    return found


def draw(path: Path) -> None:
    """Draw what explains which pixels in the first strings of digits and capitals."""
    from matplotlib.figure import Figure

    from finetti.vision import ink

    alphabet = ALPHABETS["digits and capitals"]
    learned = reader(alphabet)
    figure = Figure(figsize=(9, 1.9 * SHOWN // 2), layout="constrained")
    axes = figure.subplots(SHOWN // 2, 4).reshape(-1, 2)
    for (text, picture), (left, right) in zip(strings(alphabet, SHOWN, SEED), axes, strict=True):
        left.imshow(picture)
        left.set_axis_off()
        reading = learned.read(ink(picture))
        reading.picture(right)
        right.set_xlabel(f"{text} drawn, {reading.text} read")
    figure.savefig(path, dpi=80)


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
        "too long": sum(len(read) > len(text) for text, read in pairs),
        "too short": sum(len(read) < len(text) for text, read in pairs),
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


def save(found: dict[str, Any], name: str = "captchas") -> None:
    """Write what was measured so far."""
    record(
        name,
        "strings drawn by the package captcha, read as images",
        ("captcha", "finetti", "numpy", "scipy"),
        found,
        seed=SEED,
    )


def run_letters() -> None:
    """Measure and save how letters and words are read."""
    save(letters(), "letters")


def run() -> None:
    """Draw the picture, measure and save."""
    draw(IMAGES / "captchas.png")
    measure()
