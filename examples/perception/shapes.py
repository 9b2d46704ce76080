"""Restore a degraded shape pixel by pixel, with and without knowing what shapes there are.

    python examples/perception/shapes.py

An image shows one of four shapes at one of 36 places, and a share of its pixels is flipped. Pixel
by pixel little can be said: each is black or white with its own probability, and the noise. Above
the pixels stands the shape, which ties them all together: what is seen in one corner tells of the
other. Such a prior from above is what Lee & Mumford (2003), Journal of the Optical Society of
America A 20(7), 1434-1448, call top-down.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import SubFigure

import finetti as ft
from finetti.reporting.drawing import BLUE, GREY, PALE, SMALL, VERMILION, canvas, tidy

DRAWN = """
    ####### ..###.. ...#... ...#...
    #.....# .#...#. ..#.#.. ...#...
    #.....# #.....# ..#.#.. ...#...
    #.....# #.....# .#...#. #######
    #.....# #.....# .#...#. ...#...
    #.....# .#...#. #.....# ...#...
    ####### ..###.. ####### ...#...
"""
SHAPES = np.array([[list(shape) for shape in row.split()] for row in DRAWN.strip().split("\n")])
SHAPES = np.moveaxis(SHAPES == "#", 1, 0).astype(float)  # (shape, row, col)
NAMES = ("square", "ring", "triangle", "cross")
SIDE = 12  # pixels of an image, down and across
FLAW = 0.02  # how often a pixel of a shape is not as it should be
NOISES = np.linspace(0.05, 0.45, 9)  # how often a pixel is seen flipped
IMAGES, OTHERS = 100, 4000  # a noise, to be read by finetti, and to find the optimum


def placed(shapes: np.ndarray = SHAPES, side: int = SIDE) -> np.ndarray:
    """Return each shape at each of its places in an image, shape (shape, place, row, col)."""
    size = shapes.shape[-1]
    room = range(side - size + 1)
    found = np.zeros((len(shapes), len(room) ** 2, side, side))
    for place, (down, across) in enumerate((d, a) for d in room for a in room):
        found[:, place, down : down + size, across : across + size] = shapes
    return found


@ft.model
def images(patterns, flaw, noise, seen):
    """State a shape and its place, pixels with flaws, and how they are seen through noise.

    Shapes: `patterns` (shape, place, row, col), `noise` (image,), `seen` (image, row, col).
    """
    patterns = jnp.asarray(patterns)
    flipped = jnp.asarray(noise)[:, None, None]
    shapes, places, rows, columns = patterns.shape
    with ft.plate("image", len(seen)):
        shape = ft.sample("shape", ft.Categorical(probs=jnp.full(shapes, 1 / shapes)))
        place = ft.sample("place", ft.Categorical(probs=jnp.full(places, 1 / places)))
        with ft.plate("row", rows), ft.plate("col", columns):
            black = flaw + (1 - 2 * flaw) * patterns[shape, place]
            pixel = ft.sample("pixel", ft.Bernoulli(black))
            ft.sample("seen", ft.Bernoulli(flipped + (1 - 2 * flipped) * pixel), obs=seen)


@dataclass(frozen=True)
class Read:
    """Hold beliefs of images: P(black), (image, row, col), and P(shape), (image, shape)."""

    black: np.ndarray
    shape: np.ndarray


def read(model: ft.Model) -> Read:
    """Return what a model believes of its images."""
    one = ft.NUTS(draws=1, warmup=0, chains=1)  # all is summed out: the probabilities are exact
    found = ft.fit(model, one, progress=False)
    return Read(
        found.probabilities("pixel").to_numpy()[..., 1], found.probabilities("shape").to_numpy()
    )


def by_pixel(patterns: np.ndarray) -> np.ndarray:
    """Return patterns that let a pixel be black as often as these do, whatever the others are."""
    return np.broadcast_to(patterns.mean((0, 1)), patterns.shape)


def enumerated(patterns: np.ndarray, flaw: float, noise: float, seen: np.ndarray) -> Read:
    """Return the same by adding up all shapes and places, by Bayes' rule."""
    prior = flaw + (1 - 2 * flaw) * patterns.reshape(-1, seen[0].size)  # (pattern, pixel)
    flat = seen.reshape(len(seen), -1)
    told = noise + (1 - 2 * noise) * prior  # P(seen black | pattern)
    logs = flat @ np.log(told).T + (1 - flat) @ np.log(1 - told).T
    weights = np.exp(logs - logs.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    given = {
        s: prior * p / (prior * p + (1 - prior) * (1 - p)) for s, p in ((1, 1 - noise), (0, noise))
    }
    found = np.where(flat, weights @ given[1], weights @ given[0])
    shape = weights.reshape(len(seen), *patterns.shape[:2]).sum(-1)
    return Read(found.reshape(seen.shape), shape)


def drawn(patterns: np.ndarray, noise: float, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Draw images from the model: each one's shape, its pixels as they are, and as seen."""
    rng = np.random.default_rng([seed, round(1000 * noise)])
    shape, place = (rng.integers(size, size=count) for size in patterns.shape[:2])
    clear = patterns[shape, place].astype(int)
    pixel = clear ^ (rng.random(clear.shape) < FLAW)
    return shape, pixel, pixel ^ (rng.random(clear.shape) < noise)


@dataclass(frozen=True)
class Rate:
    """Hold a share of errors and its standard error over images, one of each a noise."""

    mean: np.ndarray
    error: np.ndarray

    @classmethod
    def over(cls, wrong: list[np.ndarray]) -> Rate:
        """Take the mean over images, one array of them a noise."""
        means = [w.mean() for w in wrong]
        return cls(np.array(means), np.array([w.std(ddof=1) / len(w) ** 0.5 for w in wrong]))


@dataclass(frozen=True)
class Seen:
    """Hold images of one noise, as `drawn` returns them, and what is believed of them."""

    shape: np.ndarray
    pixel: np.ndarray
    seen: np.ndarray
    found: Read


def look(patterns: np.ndarray, known: np.ndarray, count: int = IMAGES) -> list[Seen]:
    """Draw images from `patterns` at every noise, and read them by a model that holds `known`."""
    found = []
    for noise in NOISES:
        shape, pixel, seen = drawn(patterns, noise, count, seed=1)
        model = images(known, FLAW, np.full(count, noise), seen)
        found.append(Seen(shape, pixel, seen, read(model)))
    return found


def measured(looks: list[Seen]) -> dict[str, Rate]:
    """Return the rates of wrong pixels and of wrong shapes."""
    pixel = [((s.found.black > 0.5) != s.pixel).mean((1, 2)) for s in looks]
    shape = [(s.found.shape.argmax(1) != s.shape).astype(float) for s in looks]
    return {"pixel": Rate.over(pixel), "shape": Rate.over(shape)}


def optimum(patterns: np.ndarray, count: int = OTHERS) -> dict[str, Rate]:
    """Return the least rates there can be, as enumeration expects them of other images.

    Whoever says what is likelier errs with the probability of the other: the mean of that has the
    expectation of the errors themselves, and varies less.
    """
    least = {"pixel": [], "shape": []}
    for noise in NOISES:
        _, _, seen = drawn(patterns, noise, count, seed=2)
        found = enumerated(patterns, FLAW, noise, seen)
        least["pixel"].append(np.minimum(found.black, 1 - found.black).mean((1, 2)))
        least["shape"].append(1 - found.shape.max(1))
    return {name: Rate.over(values) for name, values in least.items()}


def least_by_pixel(patterns: np.ndarray) -> np.ndarray:
    """Return the least rate of wrong pixels if each is judged by itself, one a noise, exactly."""
    prior = FLAW + (1 - 2 * FLAW) * patterns.mean((0, 1))
    black = [np.minimum(prior * (1 - e), (1 - prior) * e) for e in NOISES]
    white = [np.minimum(prior * e, (1 - prior) * (1 - e)) for e in NOISES]
    return np.add(black, white).mean((1, 2))


def main(out: Path = Path("runs/perception"), count: int = IMAGES) -> dict[str, Rate]:
    """Read images at every noise, print, and draw the picture under `out`."""
    patterns = placed()
    looks = [look(patterns, known, count) for known in (by_pixel(patterns), patterns)]
    pixels, tied = map(measured, looks)
    least = optimum(patterns)
    print("noise  by pixel        by shape        optimum  shapes wrong")
    for i, noise in enumerate(NOISES):
        said = [f"{r.mean[i]:.4f} ± {r.error[i]:.4f}" for r in (pixels["pixel"], tied["pixel"])]
        wrong = tied["shape"]
        print(f"{noise:.2f}  ", *said, f" {least['pixel'].mean[i]:.4f}  ", end=" ")
        print(f"{wrong.mean[i]:.3f} ± {wrong.error[i]:.3f} of {least['shape'].mean[i]:.3f}")
    with canvas(8.4, 3.9) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.05))
        _examples(left, *looks)
        above, below = right.subplots(2, 1, sharex=True)
        above.plot(NOISES, NOISES, color=GREY, lw=1, label="as seen")
        above.plot(NOISES, least_by_pixel(patterns), color=VERMILION, lw=1, label="each by itself")
        above.plot(NOISES, least["pixel"].mean, color=BLUE, lw=1, label="by the shape")
        for rate, colour in ((pixels["pixel"], VERMILION), (tied["pixel"], BLUE)):
            above.errorbar(NOISES, rate.mean, rate.error, fmt="o", color=colour, ms=4, lw=1)
        above.set(ylabel="pixels wrong", ylim=(0, None))
        above.legend()
        rate = tied["shape"]
        below.plot(NOISES, least["shape"].mean, color=BLUE, lw=1, label="optimum, enumerated")
        below.errorbar(
            NOISES, rate.mean, rate.error, fmt="o", color=BLUE, ms=4, lw=1, label="finetti"
        )
        below.axhline(1 - 1 / len(NAMES), color=PALE, lw=1, label="by chance")
        below.set(xlabel="pixels flipped", ylabel="shapes wrong", ylim=(-0.03, 0.8))
        below.legend()
        for axes in (above, below):
            tidy(axes)
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "perception_shapes.png")
    return {"by pixel": pixels["pixel"], **tied, "optimum": least["pixel"], "least": least["shape"]}


def _examples(figure: SubFigure, pixels: list[Seen], tied: list[Seen]) -> None:
    """Draw the first image of a few noises, and what is believed of it both ways."""
    chosen = range(2, 7, 2)
    titles = ("as it is", "as seen", "each pixel\nby itself", "by the shape")
    panels = figure.subplots(len(chosen), len(titles))
    for row, i in zip(panels, chosen, strict=True):
        one = tied[i]
        shown = (one.pixel[0], one.seen[0], pixels[i].found.black[0], one.found.black[0])
        for axes, image in zip(row, shown, strict=True):
            axes.imshow(image, cmap="Greys", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=PALE)
        row[0].set_ylabel(f"{NOISES[i]:.0%} flipped", fontsize=SMALL)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=SMALL)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
