"""Tell how digits that lean, touch and are crossed out are read by what could have made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from finetti.errors import MissingExtra
from finetti.reporting.drawing import canvas
from finetti.stories.telling import close, console, head, tell
from finetti.vision import Reader, Reading, ink

DIGITS = "0123456789"
ANGLES = (-20, 0, 20)  # degrees: three examples of each digit
LENGTH, SIZE = 4, 52


def main(out: Path = Path("runs/captcha"), seed: int = 0) -> Reading:
    """Learn the digits, draw a string, read it, tell, and draw what explains it under `out`."""
    screen = console()
    head(screen, "Four digits")
    font = _font()
    glyphs = [glyph(digit, angle, font) for digit in DIGITS for angle in ANGLES]
    reader = Reader().fit(glyphs, [digit for digit in DIGITS for _ in ANGLES])
    text, picture = written(font, np.random.default_rng(seed))
    tell(
        screen,
        f"A machine has learned ten digits from {len(ANGLES)} clean pictures of each, as graphs of "
        f"contours that may bend a little and not tear. Now it is shown {LENGTH} of them that "
        f"lean, touch, and have a line drawn across. How many they are it is not told.",
    )
    reading = reader.read(ink(picture))
    verdict = "that is right" if reading.text == text else f"and it was {text}"
    others = [str(other[0]) for other in reading.others[:3]]
    tell(
        screen,
        f"It reads {reading.text!r}, {verdict}. Readings that explain less: "
        f"{', '.join(map(repr, others)) or 'none'}. Each digit explains its own pixels; what none "
        f"explains, such as the line, costs every reading the same.",
    )
    with canvas(5.6, 4.6) as figure:
        above, below = figure.subplots(2, 1)
        above.imshow(255 - picture, cmap="gray")
        above.set_title("seen")
        reading.picture(below)
        for axes in (above, below):
            axes.set_axis_off()
    close(screen, figure, out / "captcha.png", "which digit explains which pixels")
    return reading


def _font() -> Any:
    """Return the bold font that comes with matplotlib."""
    try:
        import matplotlib as mpl
        from PIL import ImageFont
    except ImportError as error:
        raise MissingExtra.needed("matplotlib", "vision", "drawing digits") from error
    path = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")
    return ImageFont.truetype(str(path), SIZE)


def glyph(digit: str, angle: float, font: Any) -> np.ndarray:
    """Draw a clean digit that leans by an angle, (row, col) from 0 to 255, bright on dark."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(digit)
    image = Image.new("L", (int(right - left) + 24, 80), 0)
    place = (12 - left, (80 - (bottom - top)) // 2 - top)
    ImageDraw.Draw(image).text(place, digit, font=font, fill=255)
    leaning = np.asarray(image.rotate(angle, Image.Resampling.BILINEAR), float)
    columns = np.flatnonzero(leaning.max(0) > 40)
    return leaning[:, columns[0] : columns[-1] + 1]


def written(font: Any, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """Return a string, and a picture of it: digits that overlap, and an arc across."""
    from PIL import Image, ImageDraw

    text = "".join(rng.choice(list(DIGITS), LENGTH))
    paper, at = np.zeros((96, 60 * LENGTH)), 12
    for digit in text:
        drawn = glyph(digit, float(rng.uniform(-20, 20)), font)
        top = int(rng.integers(0, paper.shape[0] - drawn.shape[0] + 1))
        region = paper[top : top + drawn.shape[0], at : at + drawn.shape[1]]
        np.maximum(region, drawn[:, : region.shape[1]], out=region)
        at += drawn.shape[1] - int(rng.integers(1, 5))
    image = Image.fromarray(paper[:, : at + 12].astype(np.uint8))
    box = (0, int(rng.integers(20, 40)), at + 12, int(rng.integers(70, 110)))
    ImageDraw.Draw(image).arc(box, 200, 340, fill=200, width=2)
    return text, np.asarray(image, float)
