"""Stand in for a log density that is dear: a polynomial of degree 4 at most about its mode.

It is a sum of products of Hermite polynomials in coordinates in which the density is about standard
normal, so that its terms are orthogonal there, and minus infinity beyond a radius: no polynomial
tells a tail.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb, factorial
from typing import NamedTuple

import numpy as np

from finetti.types import Float, Int

DEGREE = 4


class Polynomial(NamedTuple):
    """Hold a polynomial in x = L^-1 (position - centre), out to |x| = `reach`.

    `inverse` is L^-1, `terms` are the coefficients of `powers`' products, in that order. `error` is
    the root mean square distance from the logarithm it stands for, in nats, over its density.
    """

    centre: Float[np.ndarray, " dim"]
    inverse: Float[np.ndarray, "dim dim"]
    terms: Float[np.ndarray, " term"]
    reach: float
    error: float

    def __call__(self, positions: Float[np.ndarray, "point dim"]) -> Float[np.ndarray, " point"]:
        """Return the log density that it says positions have.

        >>> terms = np.array([0.0, 0.0, -1.0, 0.0, 0.0])
        >>> normal = Polynomial(np.ones(1), np.eye(1), terms, 5.0, 0.0)
        >>> log_density = normal(np.array([[1.0], [2.0], [7.0]]))
        >>> np.round(log_density - log_density[0], 3)
        array([ 0.   , -0.707,   -inf])
        """
        standard = (positions - self.centre) @ self.inverse.T
        height = products(standard, DEGREE) @ self.terms
        return np.where(np.sum(standard**2, 1) <= self.reach**2, height, -np.inf)

    def packed(self) -> Float[np.ndarray, "k rows dim"]:
        """Return all as one array, of `slices` planes as a mixture's components have them."""
        dim = len(self.centre)
        told = np.array([self.reach, self.error])
        found = np.concatenate([told, self.centre, self.inverse.ravel(), self.terms])
        plane = (2 * dim + 2, dim)
        whole = np.zeros(slices(dim) * plane[0] * plane[1])
        whole[: len(found)] = found
        return whole.reshape(-1, *plane)

    @classmethod
    def unpacked(cls, packed: Float[np.ndarray, "k rows dim"]) -> Polynomial:
        """Return what `packed` put together."""
        dim, flat = packed.shape[-1], np.ravel(packed)
        ends = np.cumsum([2, dim, dim * dim, len(powers(dim, DEGREE))])
        (reach, error), centre, inverse, terms, _ = np.split(flat, ends)
        return cls(centre, inverse.reshape(dim, dim), terms, float(reach), float(error))


def slices(dim: int) -> int:
    """Return how many planes of (2 dim + 2, dim) numbers a packed polynomial takes."""
    return -(-(2 + dim + dim * dim + comb(dim + DEGREE, DEGREE)) // ((2 * dim + 2) * dim))


@lru_cache(maxsize=64)
def powers(dim: int, degree: int) -> Int[np.ndarray, "term dim"]:
    """Return the degree that each product of Hermite polynomials has in each coordinate.

    Those of a lower degree come first.

    >>> powers(2, 2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    places = [p for d in range(degree + 1) for p in combinations_with_replacement(range(dim), d)]
    return np.array([np.bincount(np.array(p, int), minlength=dim) for p in places])


def products(standard: Float[np.ndarray, "point dim"], degree: int) -> np.ndarray:
    """Return the products of normed Hermite polynomials at places, (point, term)."""
    ones = np.ones_like(standard)
    each = [ones, standard]
    for n in range(1, degree):
        each.append(standard * each[-1] - n * each[-2])
    normed = np.stack([h / np.sqrt(factorial(n)) for n, h in enumerate(each)])  # (n, point, dim)
    found = np.ones((len(standard), 1))
    for axis, n in enumerate(powers(standard.shape[1], degree).T):
        found = found * normed[n, :, axis].T
    return found
