"""Draw new instances of a learned shape: its features shift as their graph lets them.

Neighbours' shifts differ by no more than the bound that recognition has, and within it a difference
has a normal prior whose deviation is in proportion to the bound. Such shifts are drawn by
elliptical slice sampling (Murray, Adams & MacKay 2010, AISTATS 9), whose likelihood is 1 within all
bounds and 0 outside; a smooth warp then carries the learned pixels along.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.ndimage import map_coordinates

from finetti import DataError
from finetti.types import AnyArray, Float
from finetti.vision.rcn.agreeing import Shape
from finetti.vision.rcn.carrying import plate
from finetti.vision.rcn.evidence import in_pixels
from finetti.vision.rcn.template import Template

GIVE = 0.7  # of a bound: the deviation of a difference between neighbours
SPREAD = 5.0  # pixels of the enlarged image: how far a shape as a whole moves, a deviation
STEPS = 100


def labelled(shapes: Sequence[Shape], label: object) -> list[Shape]:
    """Return the shapes of a label, or say that it was never learned."""
    found = [shape for shape in shapes if shape.label == label]
    if not found:
        known = np.unique(np.array([shape.label for shape in shapes])).tolist()
        raise DataError(
            f"label {label!r} was never learned; give one of {', '.join(map(repr, known[:10]))}"
        )
    return found


def instances(
    shapes: Sequence[Shape], count: int, rng: np.random.Generator, upsampling: int, margin: int
) -> Float[AnyArray, "image row col"]:
    """Draw instances of shapes, any of them as probable, (image, row, col) from 0 to 255."""
    if count < 1:
        raise DataError(f"count is {count}; give 1 or more")
    chosen = [shapes[i] for i in rng.integers(len(shapes), size=count)]
    return np.stack([warped(s, shifts(s.template, rng), upsampling, margin) for s in chosen])


def shifts(template: Template, rng: np.random.Generator) -> Float[AnyArray, "feature 2"]:
    """Draw shifts of features, in pixels of the enlarged image, from the template's prior.

    Neighbours' shifts differ by no more than their edge's radius, in rows and in columns.
    """
    n, (first, second) = len(template.features), template.edges.T
    precision = np.eye(n) / (n * SPREAD**2)
    for i, j, radius in zip(first, second, np.maximum(template.radii, 0.5), strict=True):
        weight = 1 / (GIVE * radius) ** 2
        precision[[i, j], [i, j]] += weight
        precision[[i, j], [j, i]] -= weight
    upper = cholesky(precision)

    def possible(drawn: Float[AnyArray, "feature 2"]) -> bool:
        return bool(
            (np.abs(drawn[first] - drawn[second]).max(1, initial=0) <= template.radii).all()
        )

    drawn = np.zeros((n, 2))
    # Solved together: where cores are few, each call of LAPACK may wait for its threads.
    others = solve_triangular(upper, rng.standard_normal((n, 2 * STEPS)))
    for other in np.split(others, STEPS, 1):
        angle = rng.uniform(0, 2 * np.pi)
        low, high = angle - 2 * np.pi, angle
        while not possible(new := drawn * np.cos(angle) + other * np.sin(angle)):
            low, high = (angle, high) if angle < 0 else (low, angle)
            angle = rng.uniform(low, high)
        drawn = new
    return drawn


def warped(
    shape: Shape, drawn: Float[AnyArray, "feature 2"], upsampling: int, margin: int
) -> Float[AnyArray, "row col"]:
    """Carry a shape's pixels along with its features, by a thin plate through their new places."""
    pixels = shape.pixels
    homes = in_pixels(shape.template.features[:, 1:], upsampling, margin)
    grid = np.indices(pixels.shape).reshape(2, -1).T.astype(float)
    source = plate(homes + drawn / upsampling, homes)(grid)
    found = map_coordinates(np.asarray(pixels, float), source.T, order=1, mode="constant")
    return found.reshape(pixels.shape).clip(0, 255)
