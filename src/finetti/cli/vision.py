"""Recognise images from the shell, read lines, and draw what explains them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from finetti.cli import outputs
from finetti.cli.lines import read
from finetti.errors import DataError, MissingExtra
from finetti.posterior.whole import reason
from finetti.types import AnyArray

Examples = Annotated[
    Path,
    typer.Argument(
        metavar="EXAMPLES",
        help="An .npz file with `images` (image, row, col), 0 to 255 on dark, and `labels`.",
        show_default=False,
    ),
]
Images = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGES",
        help="An .npz file with the `images` to recognise, on dark, or in colour with channels "
        "last; if it has `labels`, they are compared.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="A folder for a picture of each explanation.", show_default=False),
]
Reject = Annotated[
    float | None,
    typer.Option(help="Name no image whose label is less probable than this.", show_default=False),
]


class Seeing(TyperGroup):
    """Take `finetti vision A B` for `finetti vision recognise A B`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return the command that the first argument names, or the one that recognises."""
        known = args[0] in self.commands
        return super().resolve_command(ctx, args if known else ["recognise", *args])


vision = typer.Typer(cls=Seeing, no_args_is_help=True, rich_markup_mode=None)
vision.command()(read)


@vision.callback()
def seeing() -> None:
    """Recognise images from a few examples, parse many shapes, or read lines of text.

    \b
      finetti vision examples.npz images.npz --out runs/vision
      finetti vision parse examples.npz images.npz --out runs/parses
      finetti vision read line.png --font DejaVuSans.ttf
    """


@vision.command()
def recognise(examples: Examples, images: Images, out: Out = None, reject: Reject = None) -> None:
    """Recognise images from a few examples, and say what explains each.

    \b
      finetti vision examples.npz images.npz --out runs/vision
    """
    from finetti.vision import RCN, Sight
    from finetti.vision.rcn.checking import as_labels, right

    if reject is not None and not 0 <= reject < 1:
        raise typer.BadParameter(f"--reject {reject} is no probability: give 0 to below 1")
    if out is not None:
        outputs.folder_path("--out", out)
    learned, asked = _arrays(examples, "images", "labels"), _arrays(images, "images")
    network = RCN().fit(learned["images"], learned["labels"])
    table = Table(box=None, pad_edge=False)
    for title in ("image", "label", "probability", "present", "absent", "unexplained"):
        table.add_column(title, justify="left" if title == "label" else "right")
    labels: list[object] = []
    known = np.array([shape.label for shape in network.shapes])
    truth = as_labels(asked["labels"], len(asked["images"]), known) if "labels" in asked else None
    for i, image in enumerate(asked["images"]):
        if network.blank(image):
            labels.append(None)
            table.add_row(str(i), "nothing seen", "", "", "", "")
            continue
        explanation = network.explain(image)
        chance = explanation.chances[0][1]
        named = reject is None or chance >= reject
        labels.append(explanation.label if named else None)
        counts = (explanation.count(Sight.PRESENT), explanation.count(Sight.ABSENT))
        loose = f"{np.mean(explanation.explained < 0):.0%}" if len(explanation.points) else ""
        said = str(explanation.label) if named else "not known"
        table.add_row(str(i), said, f"{chance:.2f}", *map(str, counts), loose)
        if out is not None:
            _draw(explanation, out / f"{i}.png")
    console = Console(highlight=False)
    console.print(table)
    if truth is not None:
        found = right(np.array(labels, object), truth)
        console.print(f"\n{found.sum()} of {len(found)} are as labelled.")
    if out is not None:
        console.print(f"\nThe pictures are in {out}.", markup=False)


@vision.command()
def parse(examples: Examples, images: Images, out: Out = None) -> None:
    """Find which shapes, however many, explain images together, where, and which is in front.

    \b
      finetti vision parse examples.npz images.npz --out runs/parses
    """
    from finetti.vision import RCN, Sight
    from finetti.vision.rcn.checking import checked

    if out is not None:
        outputs.folder_path("--out", out)
    learned, asked = _arrays(examples, "images", "labels"), _arrays(images, "images")
    network = RCN().fit(learned["images"], learned["labels"])
    table = Table(box=None, pad_edge=False)
    titles = ("image", "shape", "label", "probability", "row", "column", "present", "hidden")
    for title in (*titles, "absent", "in front of"):
        table.add_column(title, justify="left" if title == "label" else "right")
    for i, image in enumerate(checked(asked["images"])):
        found = network.parse(image)
        if not found.parts:
            table.add_row(str(i), "", "nothing")
        for j, part in enumerate(found.parts):
            counts = (str(part.count(s)) for s in (Sight.PRESENT, Sight.HIDDEN, Sight.ABSENT))
            behind = (k for k in range(len(found.parts)) if found.in_front(j, k))
            where = (f"{x:.0f}" for x in part.middle)
            row = (str(i), str(j), str(part.label), f"{part.chance:.2f}", *where, *counts)
            table.add_row(*row, ", ".join(map(str, behind)))
        if out is not None:
            _draw(found, out / f"{i}.png")
    console = Console(highlight=False)
    console.print(table)
    if out is not None:
        console.print(f"\nThe pictures are in {out}.", markup=False)


def _draw(explanation: object, path: Path) -> None:
    """Draw one explanation into a file."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra.needed("matplotlib", "vision", "a picture") from error
    figure = Figure(figsize=(5, 5), layout="constrained")
    explanation.picture(figure.subplots())  # type: ignore[attr-defined]
    outputs.draw(figure, path)


def _arrays(path: Path, *names: str) -> dict[str, AnyArray]:
    """Read the arrays of a file, or say which are missing."""
    try:
        with np.load(path, allow_pickle=False) as held:
            found = {name: held[name] for name in held.files}
    except Exception as error:  # damaged archives raise anything
        raise DataError(f"{path} cannot be read as .npz: {reason(error)}") from error
    if missing := [name for name in names if name not in found]:
        raise DataError(
            f"{path} has no {' and no '.join(f'`{m}`' for m in missing)}; "
            f"it holds {', '.join(found) or 'nothing'}"
        )
    return found
