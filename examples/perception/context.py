"""Read the same glyph as the letter B or the number 13, by the context it stands in.

    python examples/perception/context.py

Between A and C it is a letter, between 12 and 14 a number, though the glyph itself speaks for
both alike: what is seen is weighed with what the context lets expect. Lee & Mumford (2003),
Journal of the Optical Society of America A 20(7), 1434-1448, call it bottom-up evidence times
top-down prior.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

import finetti as ft
from finetti.reporting.drawing import BLUE, VERMILION, canvas, tidy

LETTER, NUMBER, EITHER = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5, 0.5])
LINES = {"A ? C": (LETTER, EITHER, LETTER), "12 ? 14": (NUMBER, EITHER, NUMBER)}
COLOURS = dict(zip(LINES, (BLUE, VERMILION), strict=True))
SWITCHES = np.linspace(0.01, 0.5, 15)


@ft.model
def line(glyphs, switch):
    """State that neighbours are of one kind but for a switch, and that glyphs tell of kinds.

    `glyphs` has shape (place, kind): how likely each glyph is of a letter and of a number.
    """
    glyphs = jnp.asarray(glyphs)
    stay = jnp.array([[1 - switch, switch], [switch, 1 - switch]])
    kind = ft.sample("kind_0", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("seen_0", ft.Bernoulli(glyphs[0][kind]), obs=1)
    for place in range(1, len(glyphs)):
        kind = ft.sample(f"kind_{place}", ft.Categorical(probs=stay[kind]))
        ft.sample(f"seen_{place}", ft.Bernoulli(glyphs[place][kind]), obs=1)


def read(context: str, switch: float) -> float:
    """Return the probability that the glyph in the middle of a line is a letter."""
    model = line(np.array(LINES[context]), switch)
    one = ft.NUTS(draws=1, warmup=0, chains=1)  # all is summed out: the probabilities are exact
    return ft.fit(model, one, progress=False).probabilities("kind_1").to_numpy()[0].item()


def main(out: Path = Path("runs/perception"), switches: np.ndarray = SWITCHES) -> dict:
    """Read both lines for each switch probability, print, and draw the picture under `out`."""
    found = {c: np.array([read(c, float(e)) for e in switches]) for c in LINES}
    for context, letter in found.items():
        print(
            f"{context}: P(B) is {letter[0]:.4f} where kinds switch {switches[0]:.0%} of the time"
        )
    grid = np.linspace(0.001, 0.5, 200)
    stays = (1 - grid) ** 2 / ((1 - grid) ** 2 + grid**2)
    with canvas(8.4, 3.2) as figure:
        left, axes = figure.subplots(1, 2, width_ratios=(1, 1.7))
        _written(left)
        for (context, colour), known in zip(COLOURS.items(), (stays, 1 - stays), strict=True):
            axes.plot(grid, known, color=colour, lw=1, label=context)
            axes.plot(switches, found[context], "o", color=colour, ms=4)
        axes.set_title("lines by Bayes' rule, dots by finetti", fontsize=10)
        axes.set(xlabel="how often neighbours are of another kind", xlim=(0, 0.5))
        axes.set(ylabel="probability of the letter B", ylim=(-0.03, 1.03))
        axes.legend(loc="center left")
        tidy(axes)
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "perception_context.png")
    return found


def _written(axes: Axes) -> None:
    """Write both lines, with the same glyph in the middle: an upright near a 3."""
    for height, (context, colour) in zip((0.72, 0.28), COLOURS.items(), strict=True):
        before, _, after = context.split()
        for place, text in ((0.14, before), (0.86, after)):
            axes.text(place, height, text, size=34, color=colour, ha="center", va="center")
        for place, text in ((0.465, "I"), (0.545, "3")):
            axes.text(place, height, text, size=34, ha="center", va="center")
    axes.axis("off")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
