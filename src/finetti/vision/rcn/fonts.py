"""Draw glyphs from a font file, leaning to either side, and open pictures: by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetti import DataError, MissingExtra
from finetti.types import AnyArray, Float

LEANS = (-24.0, -12.0, 0.0, 12.0, 24.0)  # degrees
HEIGHT = 80  # pixels of a glyph's image at a size of 50
EDGE = 6  # pixels of ground on each side
ROOM = 40.0  # of 255: ink by which a glyph's first and last column are known
MISSING = "\uffff"  # a code point that no font may draw
PIXELS = 40_000_000  # of a picture, at most


def glyphs(
    font: str | Path, characters: Sequence[str], size: int = 50, leans: Sequence[float] = LEANS
) -> tuple[list[Float[AnyArray, "row col"]], list[str]]:
    """Draw clean glyphs of characters, each leaning by so many degrees; return them and labels.

    `font` is a TrueType or OpenType file and `size` its size in pixels. Images are (row, col), 0 to
    255, bright on dark, as `Reader.fit` takes them: `Reader().fit(*glyphs("font.ttf", "0123"))`.
    Raises DataError for a file that is no font, and for characters that the font has not.

    >>> from pathlib import Path
    >>> import matplotlib
    >>> font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    >>> images, labels = glyphs(font, "ab", leans=[0.0])
    >>> labels, images[0].shape[0]
    (['a', 'b'], 80)
    """
    if size != int(size) or not 8 <= size <= 400:
        raise DataError(f"size is {size!r}; give a font's size from 8 to 400 pixels")
    if not len(characters) or not len(leans):
        raise DataError(f"{len(characters)} characters at {len(leans)} leans; give one or more")
    drawn = _font(font, int(size))
    missing = bytes(drawn.getmask(MISSING))
    for character in characters:
        inked = bytes(drawn.getmask(character))
        if len(character) != 1 or not any(inked) or inked == missing:
            raise DataError(
                f"the font {Path(font).name} draws nothing for the character {character!r}; "
                "leave it out, or give a font that has it"
            )
    pairs = [(c, lean) for c in characters for lean in leans]
    return [_glyph(drawn, c, lean, int(size)) for c, lean in pairs], [c for c, _ in pairs]


def picture(path: str | Path) -> Float[AnyArray, "row col 3"]:
    """Open an image file, of any kind that Pillow reads, as (row, col, channel) from 0 to 255.

    What is transparent is white, and a photograph is turned as its camera was held. `ink` makes the
    text of it bright on dark. Raises `DataError` for a file that is no image.

    >>> picture("line.png").shape  # doctest: +SKIP
    (40, 96, 3)
    """
    pillow = _pillow("Image", "ImageOps")
    try:
        with pillow["Image"].open(path) as opened:
            if opened.width * opened.height > PIXELS:
                raise DataError(
                    f"{path} has {opened.width} by {opened.height} pixels, more than {PIXELS:,}; "
                    "cut the text out, or shrink it"
                )
            deep = opened.mode.startswith(("I", "F"))
            values = np.asarray(opened, float) if deep else None
            turned = pillow["ImageOps"].exif_transpose(opened).convert("RGBA")
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except Exception as error:  # damaged images raise anything
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    if values is not None:  # whole numbers of 16 bits, or real ones
        least, most = float(values.min()), float(max(values.max(), values.min() + 1))
        return np.repeat((255 * (values - least) / (most - least))[:, :, None], 3, 2)
    ground = pillow["Image"].new("RGBA", turned.size, "white")
    return np.asarray(pillow["Image"].alpha_composite(ground, turned).convert("RGB"), float)


def _font(path: str | Path, size: int) -> Any:
    """Open a font file, or say what is wrong with it."""
    pillow = _pillow("ImageFont")
    if not Path(path).is_file():
        raise DataError(f"there is no font file {path}; give the path of a .ttf or .otf file")
    try:
        return pillow["ImageFont"].truetype(str(path), size)
    except Exception as error:  # FreeType's own
        raise DataError(f"{path} is no font that can be read: {error}") from error


def _glyph(font: Any, character: str, lean: float, size: int) -> Float[AnyArray, "row col"]:
    """Draw a character, turned and fitted into the box that it fills when upright."""
    pillow = _pillow("Image", "ImageDraw")
    left, top, right, bottom = font.getbbox(character)
    width, height = int(right - left), int(bottom - top)
    image = pillow["Image"].new("L", (width, height), 0)
    pillow["ImageDraw"].Draw(image).text((-left, -top), character, font=font, fill=255)
    turned = image.rotate(lean, pillow["Image"].Resampling.BILINEAR, expand=True)
    fitted = 2 * np.asarray(turned.resize((width, height)), float)
    tall = max(round(HEIGHT * size / 50), height + 2 * EDGE)
    down = (tall - height) // 2
    found = np.pad(fitted, ((down, tall - height - down), (EDGE, EDGE))).clip(0, 255)
    columns = np.flatnonzero(found.max(0) > ROOM)
    return found[:, columns[0] : columns[-1] + 1]


def _pillow(*names: str) -> dict[str, Any]:
    """Bring in modules of Pillow, or say how to install it."""
    from importlib import import_module

    try:
        return {name: import_module(f"PIL.{name}") for name in names}
    except ImportError as error:
        raise MissingExtra.needed("Pillow", "vision", "fonts and image files") from error
