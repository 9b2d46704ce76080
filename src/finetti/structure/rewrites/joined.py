"""Join the unconstrained values of a few sites into one vector, and scale it to be nearly white."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.program import Program
from finetti.types import Array, Atom, Float

SLIGHT = 1e-8  # the least precision of any combination, where each number has precision 1


@dataclass(frozen=True)
class Joined:
    """Lay sites out in one vector; `shapes` are those of their unconstrained values."""

    sites: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()

    @property
    def width(self) -> int:
        """Return how many numbers the sites have."""
        return sum(map(prod, self.shapes))

    def join(self, values: Mapping[str, Array]) -> Float[Array, " k"]:
        """Return the sites' values as one vector."""
        if not self.sites:
            return jnp.zeros(0)
        return jnp.concatenate([jnp.ravel(values[name]) for name in self.sites])

    def split(self, numbers: Float[Array, " k"]) -> dict[str, Array]:
        """Return the sites' values by name."""
        ends = np.cumsum([prod(shape) for shape in self.shapes])[:-1]
        both = zip(self.sites, self.shapes, jnp.split(numbers, ends), strict=False)
        return {name: piece.reshape(shape) for name, shape, piece in both}

    def fixed(self, program: Program, numbers: Float[Array, " k"]) -> dict[Atom, Array]:
        """Return the program's variables that hold the unconstrained values, with these."""
        return {program.inputs[name]: value for name, value in self.split(numbers).items()}


NONE = Joined()


def inverse_root(precision: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """Return an upper triangle R with R R' the inverse of a matrix, made positive definite first.

    >>> inverse_root(jnp.array([[4.0, 0.0], [0.0, 0.25]])).tolist()
    [[0.5, 0.0], [0.0, 2.0]]
    """
    # Scaled to a unit diagonal first, so that what is negligible is told by correlations, not by
    # the sites' units. With P = L L' the root R is L^-T, an upper triangle: its determinant is read
    # off the diagonal.
    diagonal = jnp.diagonal(precision)
    unit = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    values, vectors = jnp.linalg.eigh(precision / unit / unit[:, None], symmetrize_input=False)
    positive = (vectors * jnp.maximum(values, SLIGHT)) @ vectors.T
    eye = jnp.eye(len(diagonal), dtype=precision.dtype)
    root = jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(positive), eye, lower=True).T
    return jnp.triu(root) / unit[:, None]
