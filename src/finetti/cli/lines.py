"""Read lines of text in pictures from the shell, with a font's glyphs."""

from __future__ import annotations

import string
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from finetti.cli import outputs
from finetti.errors import DataError, MissingExtra

if TYPE_CHECKING:
    from finetti.vision import Reading, Words

Pictures = Annotated[
    list[Path],
    typer.Argument(
        metavar="IMAGE...",
        help="Image files, each with one line of text, half to twice 50 pixels, nearly level.",
        show_default=False,
    ),
]
Font = Annotated[
    Path, typer.Option(help="The font's file, .ttf or .otf, or one like it.", show_default=False)
]
Characters = Annotated[
    str | None,
    typer.Option(
        help="The characters that may occur; digits and letters, or those of the words.",
        show_default=False,
    ),
]
WordsFile = Annotated[
    Path | None,
    typer.Option("--words", help="A file of words, one a line, of which texts are expected to be."),
]
Others = Annotated[
    float, typer.Option(help="With --words: how probable it is that a text is none of them.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="A folder for a picture of each reading.", show_default=False),
]


def read(
    images: Pictures,
    font: Font,
    characters: Characters = None,
    words: WordsFile = None,
    others: Others = 0.05,
    out: Out = None,
) -> None:
    """Read lines of text in pictures, with a font's glyphs.

    \b
      finetti vision read line.png --font DejaVuSans.ttf --characters 0123456789
    """
    from finetti.vision import Poses, Reader, glyphs, ink, picture

    if out is not None:
        outputs.folder_path("--out", out)
    pictures = [ink(picture(path)) for path in images]
    expected = None if words is None else _words(words, others, characters)
    if characters is None:
        letters = "".join(sorted({c for w in expected.shares for c in w})) if expected else ""
        characters = letters or string.digits + string.ascii_letters
    reader = Reader().fit(*glyphs(font, sorted(set(characters))))
    table = Table(box=None, pad_edge=False)
    for title in ("image", "text", "ink explained", "next"):
        table.add_column(title, justify="right" if title == "ink explained" else "left")
    for i, (path, line) in enumerate(zip(images, pictures, strict=True)):
        reading = reader.read(line, expected, Poses())
        share = (reading.explained >= 0).sum() / max((reading.line > 127).sum(), 1)
        others_read = ", ".join(text for text, _ in reading.others[:2])
        found = (reading.text, f"{share:.0%}", others_read) if reading.text else ("", "", "")
        table.add_row(str(path), *found)
        if out is not None:
            _draw(reading, out / f"{i}-{path.stem}.png")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table, markup=False)
    if out is not None:
        console.print(f"\nThe pictures are in {out}.", markup=False)


def _words(path: Path, others: float, characters: str | None) -> Words:
    """Read a file of words, or say what is wrong with it."""
    from finetti.vision import Words

    try:
        listed = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"there is no file of words {path}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8, so that it has no words: {error}") from error
    listed = [word for word in listed if word]
    known = [word for word in listed if characters is None or set(word) <= set(characters)]
    if not known:
        raise DataError(
            f"{path} has no word of the characters {characters!r}; give --characters all of theirs"
            if listed
            else f"{path} has no words; give one a line"
        )
    letters = characters or "".join(known)
    return Words(known, others, len(set(letters)))


def _draw(reading: Reading, path: Path) -> None:
    """Draw one reading into a file."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra.needed("matplotlib", "vision", "a picture") from error
    figure = Figure(figsize=(5, 2.4), layout="constrained")
    reading.picture(figure.subplots())
    outputs.draw(figure, path)
