"""Complete the same fragment to the letter N or S, by where the occluder lies.

    python examples/perception/occluder.py

A slanting stroke is all that is seen. Behind two upright bars it may be the middle of an N, behind
two level bars that of an S: what a bar covers is hidden, which says nothing, and what no bar covers
is absent, which says a great deal. With no bar in sight it is a stroke. Bregman (1981), "Asking the
'what for' question in auditory perception", showed so with letters under a blot of ink, which are
read where the blot is seen and are scraps where it is not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.colors import ListedColormap

import finetti as ft
from finetti.reporting.drawing import BLUE, INK, PALE, SMALL, VERMILION, canvas, tidy

DRAWN = """
    ............. ............. ............. ............. .............
    .#.........#. ...#######... .###########. .#.........#. .............
    .##........#. ..#.......#.. ..........#.. .#.........#. .............
    .#.#.......#. ..##......... .........#... .#.........#. .............
    .#..#......#. ....#........ ........#.... .#.........#. ....#........
    .#...#.....#. .....#....... .......#..... .#.........#. .....#.......
    .#....#....#. ......#...... ......#...... .###########. ......#......
    .#.....#...#. .......#..... .....#....... .#.........#. .......#.....
    .#......#..#. ........#.... ....#........ .#.........#. ........#....
    .#.......#.#. .........##.. ...#......... .#.........#. .............
    .#........##. ..#.......#.. ..#.......... .#.........#. .............
    .#.........#. ...#######... .###########. .#.........#. .............
    ............. ............. ............. ............. .............
"""
LETTERS = ("N", "S", "Z", "H", "a stroke")
EXPECTED = np.array([0.24, 0.24, 0.24, 0.24, 0.04])  # a mark is rarely a stroke and no letter
GLYPHS = np.array([[list(glyph) for glyph in row.split()] for row in DRAWN.strip().split("\n")])
GLYPHS = np.moveaxis(GLYPHS == "#", 1, 0)  # (letter, row, col)
SIDE = GLYPHS.shape[-1]
INKED, GREY = 1, 2  # the colours, beside 0 for paper
SLIP = 0.05  # how often a pixel is seen in one of the other two colours


def covers() -> dict[str, np.ndarray]:
    """Return which pixels an occluder covers where it may lie, each of shape (row, col).

    Two bars stand upright and hang down from some row to the bottom, or lie level and reach from
    some column to the right.
    """
    row, col = np.indices((SIDE, SIDE))
    upright, level = (np.abs(axis - SIDE // 2) > 2 for axis in (col, row))
    found = {"none": row < 0, "both": upright | level}
    found |= {f"upright from {k}": upright & (row >= k) for k in range(SIDE)}
    return found | {f"level from {k}": level & (col >= k) for k in range(SIDE)}


COVERS = covers()
PLACES = np.array(list(COVERS.values()))  # (cover, row, col)


@ft.model
def scene(views, glyphs, covers, slip, seen):
    """State a letter, an occluder before it, and the colours that a camera sees, with slips.

    Shapes: `glyphs` (letter, row, col), `covers` (cover, row, col), `seen` (view, row, col), whose
    colours are 0 for paper, 1 for ink and 2 for the occluder's grey.
    """
    glyphs, covers = jnp.asarray(glyphs), jnp.asarray(covers)
    camera = (1 - slip) * jnp.eye(3) + slip / 2 * (1 - jnp.eye(3))
    with ft.plate("view", views):
        letter = ft.sample("letter", ft.Categorical(probs=EXPECTED))
        cover = ft.sample("cover", ft.Categorical(probs=jnp.full(len(covers), 1 / len(covers))))
        colour = jnp.where(covers[cover], GREY, glyphs[letter])
        with ft.plate("row", glyphs.shape[1]), ft.plate("col", glyphs.shape[2]):
            ft.sample("seen", ft.Categorical(probs=camera[colour]), obs=seen)


def fragment(cover: str, noise: np.ndarray | None = None) -> np.ndarray:
    """Return the stroke behind an occluder, as a camera sees it, shape (row, col).

    `noise` shifts colours, 0 being none; it is nought unless given.
    """
    clear = np.where(COVERS[cover], GREY, GLYPHS[LETTERS.index("a stroke")])
    return clear if noise is None else (clear + noise) % 3


def slips(seed: int = 0) -> np.ndarray:
    """Draw how a camera errs: 0 where it does not, else 1 or 2, shape (row, col)."""
    rng = np.random.default_rng(seed)
    return rng.choice(3, (SIDE, SIDE), p=(1 - SLIP, SLIP / 2, SLIP / 2))


def read(model: ft.Model) -> tuple[np.ndarray, np.ndarray]:
    """Return P(letter | seen), shape (view, letter), and P(cover | seen), shape (view, cover)."""
    one = ft.NUTS(draws=1, warmup=0, chains=1)  # all is summed out: the probabilities are exact
    found = ft.fit(model, one, progress=False)
    return found.probabilities("letter").to_numpy(), found.probabilities("cover").to_numpy()


VIEWS = {
    "upright from 0": "two upright bars",
    "level from 0": "two level bars",
    "both": "both",
    "none": "none",
}
SLID = [f"upright from {k}" for k in range(SIDE)]


def views() -> np.ndarray:
    """Return what is seen of the stroke, shape (view, row, col): as in `VIEWS`, and bars sliding.

    The first have one camera's slips in common, the others none.
    """
    dim = slips()
    return np.array([*(fragment(cover, dim) for cover in VIEWS), *map(fragment, SLID)])


def exposed() -> np.ndarray:
    """Return how many pixels of an N are laid bare, where none is inked, as the bars slide off."""
    lacking = GLYPHS[LETTERS.index("N")] & ~GLYPHS[LETTERS.index("a stroke")]
    return np.array([(lacking & ~COVERS[cover]).sum() for cover in SLID])


def main(out: Path = Path("runs/perception")) -> np.ndarray:
    """Read all views, print, and draw the picture under `out`."""
    seen = views()
    letters, places = read(scene(len(seen), GLYPHS, PLACES, SLIP, seen))
    for row, lies, name in zip(letters, places, VIEWS.values(), strict=False):
        said = ", ".join(f"{n} {p:.3f}" for n, p in zip(LETTERS, row, strict=True) if p > 0.0005)
        print(f"{name:16} {said}; lies {list(COVERS)[lies.argmax()]} ({lies.max():.4f})")
    with canvas(8.4, 3.9) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=(2.1, 1))
        panels = left.subplots(2, len(VIEWS), sharex=True, sharey=True)
        look = ListedColormap(["white", INK, "#E3C48A"])
        for (above, below), image, row, name in zip(
            panels.T, seen, letters, VIEWS.values(), strict=False
        ):
            above.imshow(image, cmap=look, vmin=0, vmax=2)
            above.set_title(name, fontsize=10)
            below.imshow(np.einsum("l,lrc->rc", row, GLYPHS), cmap="Greys", vmin=0, vmax=1)
            best = [i for i in np.argsort(-row) if row[i] > 0.0005]
            said = "\n".join(f"{LETTERS[i]} {row[i]:.2f}" for i in best)
            below.set_xlabel(said, fontsize=SMALL)
            for axes in (above, below):
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set(visible=True, color=PALE)
        panels[0, 0].set_ylabel("what is seen")
        panels[1, 0].set_ylabel("what is believed there")
        axes = right.add_subplot()
        sliding = letters[len(VIEWS) :]
        odds = sliding[:, LETTERS.index("N")] / sliding[:, LETTERS.index("a stroke")]
        count = np.arange(exposed().max() + 1)
        known = EXPECTED[0] / EXPECTED[-1] * (SLIP / 2 / (1 - SLIP)) ** count
        axes.semilogy(count, known, color=VERMILION, lw=1, label="by Bayes' rule")
        axes.semilogy(exposed(), odds, "o", color=BLUE, ms=4, label="by finetti")
        axes.set(xlabel="pixels of an N laid bare", ylabel="odds of an N to a stroke")
        axes.set_title("The bars slide off", fontsize=10)
        axes.legend()
        tidy(axes)
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "perception_occluder.png")
    return letters


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
