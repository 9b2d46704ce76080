"""Give the gallery's pictures one look: its colours, its type, its canvas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

# Okabe & Ito's colours, which the colour-blind tell apart; greys for what is not data.
BLUE, VERMILION, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7"
SKY = "#B2D4E8"  # blue, at rest
CHAINS = (BLUE, ORANGE, GREEN, PINK)
INK, GREY, PALE, WASH = "#222222", "#6E6E6E", "#D4D4D4", "#ECECEC"
SMALL = 8.5  # points

STYLE = {
    "figure.dpi": 150,
    "savefig.dpi": "figure",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
}


@contextmanager
def sheet(file: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of a size in inches, and write it to the file when it is drawn."""
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)
    with Image.open(file) as drawn:  # 128 colours are enough, and a third of the size
        few = drawn.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
    print(f"drew {file}")


def spread_labels(
    axes: Axes, x: float, values: Sequence[float], labels: Sequence[str], gap: float
) -> None:
    """Write a label right of each curve's end, equal ones in one, none nearer than `gap`."""
    merged: dict[float, list[str]] = {}
    for value, label in sorted(zip(values, labels, strict=True)):
        merged.setdefault(round(value, 6), []).append(label)
    wanted = np.array(list(merged))
    placed = wanted.copy()
    for _ in range(200):  # push neighbours apart, half the lack each
        lack = np.maximum(gap - np.diff(placed), 0)
        placed[:-1] -= lack / 2
        placed[1:] += lack / 2
    for y, names in zip(placed, merged.values(), strict=True):
        axes.annotate(
            ", ".join(names), (x, y), xytext=(6, 0), textcoords="offset points", va="center",
            fontsize=SMALL, annotation_clip=False,
        )  # fmt: skip
