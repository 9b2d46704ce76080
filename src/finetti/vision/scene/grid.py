"""Take differences between neighbouring pixels, and build fields from waves."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import jax.numpy as jnp
import numpy as np
from scipy.fft import dctn, idctn

from finetti.types import AnyArray, Array, Float

Size = tuple[int, int]  # rows and columns


def size_of(image: AnyArray) -> Size:
    """Return the numbers of rows and columns of an image, grey or in colour."""
    rows, cols = np.shape(image)[:2]
    return rows, cols


def edge_count(size: Size) -> int:
    """Return how many pairs of neighbouring pixels an image has."""
    rows, cols = size
    return rows * (cols - 1) + (rows - 1) * cols


def steps(field: Float[AnyArray, "row col"]) -> Float[AnyArray, " edge"]:
    """Return a field's steps to the right, row by row, then its steps down.

    Those of numpy's arrays are numpy's, as precise as they are.

    >>> steps(np.array([[0.0, 1.0], [5.0, 7.0]])).tolist()
    [1.0, 2.0, 5.0, 6.0]
    """
    xp = np if isinstance(field, np.ndarray) else jnp
    return xp.concatenate([xp.diff(field, axis=1).ravel(), xp.diff(field, axis=0).ravel()])


def parted(values: AnyArray, size: Size) -> tuple[AnyArray, AnyArray]:
    """Return values of the edges as (row, col - 1), to the right, and (row - 1, col), down."""
    rows, cols = size
    right = rows * (cols - 1)
    return values[:right].reshape(rows, cols - 1), values[right:].reshape(rows - 1, cols)


def nearest(wanted: AnyArray, size: Size) -> Float[np.ndarray, "row col"]:
    """Return the field of mean 0 whose steps at the edges are nearest to those wanted in square.

    >>> field = np.array([[-1.0, 0.0], [0.0, 1.0]])
    >>> bool(np.allclose(nearest(steps(field), (2, 2)), field))
    True
    """
    rows, cols = size
    divergence = np.zeros(size)
    for axis, step in zip((1, 0), parted(np.asarray(wanted, float), size), strict=True):
        ends = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
        divergence += np.diff(np.pad(step, ends), axis=axis)
    waves = dctn(divergence, norm="ortho")
    laplacian = 2 * np.cos(np.pi * np.arange(rows) / rows)[:, None] - 2
    laplacian = laplacian + 2 * np.cos(np.pi * np.arange(cols) / cols) - 2
    laplacian[0, 0] = 1.0
    waves /= laplacian
    waves[0, 0] = 0.0
    return np.asarray(idctn(waves, norm="ortho"))


def wave_count(size: Size) -> int:
    """Return how many waves a field of this size has, the constant left out."""
    return prod(size) - 1


def field(waves: Float[AnyArray, " wave"], size: Size, order: float, margin: int) -> Array:
    """Return the field (row, col) that white noise `waves` gives, smooth to an order.

    It is a sum of cosines over a rectangle that is larger by `margin` on each side, so that
    nothing holds the field level at the image's border. A cosine of eigenvalue λ of the lattice
    Laplacian has the standard deviation λ^(-order / 2): order 1 is a membrane, 2 a thin plate.
    """
    along_rows, along_cols, spread = _cosines(size, order, margin)
    heights = jnp.concatenate([jnp.zeros_like(waves, shape=1), waves]).reshape(size)
    return jnp.asarray(along_rows) @ (heights * jnp.asarray(spread)) @ jnp.asarray(along_cols.T)


def cast_field(waves: Float[AnyArray, " wave"], size: Size) -> Array:
    """Return the field (row, col) of what shadows let through, of scale 1: any of mean 0."""
    return field(waves, size, 1.0, 0)


@lru_cache(maxsize=16)
def _cosines(size: Size, order: float, margin: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bases, values = [], []
    for length in size:
        wide = length + 2 * margin
        wave, place = np.arange(length), np.arange(length) + margin + 0.5
        basis = np.cos(np.pi * np.outer(place, wave) / wide) * np.sqrt(2 / wide)
        basis[:, 0] = 1 / np.sqrt(wide)
        bases.append(basis)
        values.append(2 - 2 * np.cos(np.pi * wave / wide))
    eigenvalue = values[0][:, None] + values[1]
    eigenvalue[0, 0] = 1.0  # the constant's, which no wave has
    return bases[0], bases[1], eigenvalue ** (-order / 2)
