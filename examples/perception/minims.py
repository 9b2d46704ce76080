"""Read a row of minims as m, n, u and i by the word that the same strokes stand in.

    python examples/perception/minims.py

In a gothic hand the letters i, n, u and m are one, two, two and three equal strokes, the minims,
and only faint hairlines say which belong together: n and m are joined above, u below. Where the
hairlines are hardly seen, five strokes may be "um", "mu", "uni", "inn" or any of 28 readings. A
word above the letters decides: the very same strokes are read one way in one word and another way
in the next.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

import finetti as ft
from finetti.reporting.drawing import BLUE, GREY, INK, SMALL, VERMILION, canvas, tidy

LETTERS = {"i": "", "n": "^", "u": "_", "m": "^^"}  # how each letter joins its own minims
JOINS = "^_ "  # above, below, not at all
SEEN = "_^ ^"  # the hairlines as seen; no reading has all four
SLIP = 0.3  # how often a hairline is seen as one of the other two
SLIPS = np.linspace(0.02, 2 / 3, 14)  # at two thirds what is seen says nothing
STRANGE = 0.05  # how often a word is not in the lexicon
LEXICON = re.findall(
    r"\w+",
    """
    dim din dinner dun fin fun gin gum gun him hint hum inn inner mid mine minim minimum mint minute
    moon much mud mum music must nine noon numb nun rim ruin rum run sin sinner sum summer sun thin
    thumb tin tune under union unit until win winner
    """,
)
FRAMES = ("g|||||", "|||||d", "|||||t", "d|||||er", "r|||||")


def minims(text: str) -> str:
    """Return the text as it is written: each i, n, u and m as its minims."""
    return "".join("|" * (len(LETTERS[c]) + 1) if c in LETTERS else c for c in text)


def readings(count: int) -> list[str]:
    """Return every sequence of letters that takes so many minims."""
    if not count:
        return [""]
    heads = [c for c in LETTERS if len(LETTERS[c]) < count]
    return [c + rest for c in heads for rest in readings(count - len(LETTERS[c]) - 1)]


def joins(reading: str) -> list[int]:
    """Return how each two neighbouring minims of a reading are joined, as places in `JOINS`."""
    return [JOINS.index(join) for join in " ".join(LETTERS[c] for c in reading)]


def letters(count: int) -> np.ndarray:
    """Return the shares of each letter in each minim, shape (reading, minim, letter)."""
    spread = ["".join(c * (len(LETTERS[c]) + 1) for c in reading) for reading in readings(count)]
    return np.array([[[c == letter for letter in LETTERS] for c in row] for row in spread], float)


def spelling(count: int) -> np.ndarray:
    """Return P(reading | word), shape (word, reading), the words being the lexicon's.

    The last row is of a word that is not in it: each letter is then as likely as any.
    """
    known = readings(count)
    free = np.array([len(LETTERS) ** -float(len(reading)) for reading in known])
    rows = [[reading in re.findall("[inum]+", word) for reading in known] for word in LEXICON]
    free, rows = free / free.sum(), np.array(rows, float)
    return np.vstack([np.where(rows.any(1, keepdims=True), rows, free), free])


def expected(frame: str, strange: float = STRANGE) -> np.ndarray:
    """Return P(word) given the clear letters: words that fit share it, but for the strange ones."""
    if not re.fullmatch(r"[^|]*\|+[^|]*", frame):
        raise ft.DataError(f"`{frame}` is not letters around one run of minims, such as `g|||||`")
    fits = np.array([minims(word) == frame for word in LEXICON], float)
    known = (1 - strange) * fits / fits.sum() if fits.any() else fits
    return np.append(known, 1 - known.sum())


@ft.model
def written(frames, words, spelt, ways, pen, seen):
    """State words, their letters, the hairlines that letters make, and how these are seen.

    Shapes: `words` (frame, word), `spelt` (word, reading), `ways` (reading, gap), `pen` (join,
    seen join), `seen` (frame, gap).
    """
    spelt, ways, pen = map(jnp.asarray, (spelt, ways, pen))
    with ft.plate("frame", frames):
        word = ft.sample("word", ft.Categorical(probs=words))
        reading = ft.sample("reading", ft.Categorical(probs=spelt[word]))
        with ft.plate("gap", ways.shape[1]):
            ft.sample("seen", ft.Categorical(probs=pen[ways[reading]]), obs=seen)


def page(frames: Sequence[str] = FRAMES, seen: str = SEEN, slip: float = SLIP) -> ft.Model:
    """Return the model of the same strokes in no word at all, and in each of the frames.

    `frames` are clear letters around one run of minims, all of equal length; `seen` has a
    hairline, "^", "_" or " ", for each two neighbours.
    """
    count = len(seen) + 1
    if not set(seen) <= set(JOINS):
        raise ft.DataError(f"the hairlines {seen!r} hold others than '^', '_' and ' '")
    for frame in frames:
        if frame.count("|") != count:
            raise ft.DataError(
                f"`{frame}` has {frame.count('|')} minims, but {len(seen)} hairlines are seen, as "
                f"between {count}; give one for each two neighbours"
            )
    none = np.append(np.zeros(len(LEXICON)), 1)
    words = np.array([none, *map(expected, frames)])
    ways = np.array([joins(reading) for reading in readings(count)])
    pen = (1 - slip) * np.eye(3) + slip / 2 * (1 - np.eye(3))
    hairlines = np.tile([JOINS.index(join) for join in seen], (len(words), 1))
    return written(["alone", *frames], words, spelling(count), ways, pen, hairlines)


def read(model: ft.Model) -> np.ndarray:
    """Return P(reading | strokes), shape (frame, reading); the first row is of no word."""
    one = ft.NUTS(draws=1, warmup=0, chains=1)  # all is summed out: the probabilities are exact
    return ft.fit(model, one, progress=False).probabilities("reading").to_numpy()


def main(
    out: Path = Path("runs/perception"), slips: np.ndarray = SLIPS
) -> tuple[np.ndarray, np.ndarray]:
    """Read every frame, and the last at every slip; print, and draw the picture under `out`."""
    found = read(page())
    curves = np.array([read(page(slip=float(slip)))[-1] for slip in slips])
    known = readings(len(SEEN) + 1)
    for frame, row in zip(("alone", *FRAMES), found, strict=True):
        best = np.argsort(-row)[:3]
        print(f"{frame:9}", *(f"{known[i]:4} {row[i]:.3f}  " for i in best))
    with canvas(8.4, 5.4) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=(1.65, 1))
        panels = left.subplots(len(found), 2, width_ratios=(1.25, 1))
        for axes, frame, row in zip(panels, ("|" * 5, *FRAMES), found, strict=True):
            _strokes(axes[0], frame)
            _shares(axes[1], np.einsum("r,rml->lm", row, letters(len(SEEN) + 1)))
            best = int(row.argmax())
            word = re.sub(r"\|+", known[best], frame)
            axes[1].set_title(f"{word}  {row[best]:.2f}", loc="right", fontsize=10, pad=3)
        panels[0, 0].set_title("the same strokes ...", fontsize=10, pad=3)
        panels[0, 1].set_title("whose?", fontsize=10, pad=3)
        axes = right.add_subplot()
        near = len(slips) // 6
        for word, colour in (("ruin", BLUE), ("rum", VERMILION)):
            chance = curves[:, known.index(word[1:])]
            axes.plot(slips, chance, "o-", color=colour, ms=4, lw=1)
            axes.annotate(word, (slips[near], chance[near]), (9, -2), textcoords="offset points")
        axes.set(xlabel="how often a hairline is misseen", ylabel="probability", ylim=(-0.03, 1.03))
        axes.set_title("Where two words fit,\nthe strokes decide", fontsize=10)
        tidy(axes)
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "perception_minims.png")
    return found, curves


def _strokes(axes: Axes, frame: str) -> None:
    """Draw the clear letters, the minims, and the hairlines between them as they are seen."""
    start, end = frame.index("|"), frame.rindex("|")
    for place, letter in enumerate(frame):
        if letter != "|":
            near = start - 0.8 * (start - place) if place < start else end + 0.8 * (place - end)
            axes.text(near, 0.1, letter, size=22, family="serif", ha="center", va="baseline")
            continue
        axes.plot([place, place], [0.1, 0.9], color=INK, lw=4, solid_capstyle="butt")
        axes.plot([place - 0.14, place + 0.1], [0.8, 0.93], color=INK, lw=2.2)
        axes.plot([place - 0.1, place + 0.14], [0.07, 0.2], color=INK, lw=2.2)
    for place, join in zip(range(start, end), SEEN, strict=True):
        if join != " ":
            ends = (0.62, 0.9) if join == "^" else (0.1, 0.38)
            axes.plot([place, place + 1], ends, color=GREY, lw=1)
    axes.set(xlim=(-0.6 - (start == 0), 7.6 - (start == 0)), ylim=(-0.25, 1.15))
    axes.axis("off")


def _shares(axes: Axes, shares: np.ndarray) -> None:
    """Draw how likely each minim is of each letter, shape (letter, minim)."""
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(len(LETTERS)), list(LETTERS), fontsize=SMALL)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(0.5, shares.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(shares) - 1), minor=True)
    axes.grid(which="minor", color="white", lw=1.5)
    axes.tick_params(which="minor", length=0)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
