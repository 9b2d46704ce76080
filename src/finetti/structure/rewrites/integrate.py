"""Integrate out the sites that are Gaussian given the rest, and draw them back exactly.

The log density of the terms is quadratic in the sites (the degrees of the traced program say so),
f(g) = f(g0) + b'(g - g0) - (g - g0)' P (g - g0) / 2, so that

    log of the integral of exp f = f(g0) + b' P^-1 b / 2 - log|P| / 2 + d log(2 pi) / 2

for any g0. It is taken at the maximum, where rounding errors are small, and held constant there, so
that none is differentiated. P is read off about a fixed point, with as many products with vectors
as its columns need colours (Curtis, Powell & Reid 1974).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.rewrites.arrow import Arrow, Factor, Vector, factorise
from finetti.structure.rewrites.rewrite import Marginal, Terms
from finetti.types import Array, Key, Scalar


@dataclass(frozen=True)
class Frame:
    """Say where each site lies in an arrow: among the groups' blocks or in the border.

    `groups` has the sites with an equal number of members, `count`; the others make the border.
    """

    count: int
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    border: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def width(self) -> int:
        """Return the size k of a group's block."""
        return sum(prod(shape) // self.count for _, shape in self.groups)

    @property
    def breadth(self) -> int:
        """Return the size m of the border."""
        return sum(prod(shape) for _, shape in self.border)

    @property
    def dim(self) -> int:
        """Return the number of dimensions in all."""
        return self.count * self.width + self.breadth

    def split(self, vector: Vector) -> dict[str, Array]:
        """Take a vector apart into the sites' values."""
        found, start = {}, 0
        for name, shape in self.groups:
            size = prod(shape) // self.count
            found[name] = vector.groups[:, start : start + size].reshape(shape)
            start += size
        start = 0
        for name, shape in self.border:
            found[name] = vector.border[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        return found

    def zeros(self, dtype: np.dtype) -> Vector:
        """Return the vector of zeros."""
        return Vector(jnp.zeros((self.count, self.width), dtype), jnp.zeros(self.breadth, dtype))

    def seeds(self, colours: tuple[int, ...], dtype: np.dtype) -> Vector:
        """Return the vectors to multiply with: one a block column, then one a colour."""
        columns, classes = self.width, max(colours, default=-1) + 1
        units = np.zeros((columns + classes, 1, self.width))
        units[:columns, 0] = np.eye(columns)
        border = np.zeros((columns + classes, self.breadth))
        for column, colour in enumerate(colours):
            border[columns + colour, column] = 1
        shape = (columns + classes, self.count, self.width)
        return Vector(
            jnp.broadcast_to(jnp.asarray(units, dtype), shape), jnp.asarray(border, dtype)
        )


@dataclass(frozen=True)
class Integrate(Marginal):
    """Integrate out sites that are jointly Gaussian given the rest.

    `colours` numbers the border's columns; columns that share a colour share no row.
    """

    sites: tuple[str, ...]
    terms: tuple[str, ...]
    frame: Frame
    colours: tuple[int, ...]
    plate: str
    dtype: str
    verb = "integrate out"

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "integrate out, draw back exactly"

    def reason(self, site: str) -> str:
        """Say why."""
        others = ", ".join(t for t in self.terms if t != site)
        return f"Gaussian given the rest: quadratic in it are its own density and {others}"

    def cost(self) -> str:
        """Say which factorisation is done and what it takes."""
        frame, products = self.frame, self.frame.width + max(self.colours, default=-1) + 1
        how = f"one dense block of {frame.breadth}"
        if frame.count:
            border = f", bordered by {frame.breadth}" if frame.breadth else ""
            how = f"{frame.count} blocks of {frame.width} along {self.plate}{border}"
        return f"{how}; {products} product{'s' if products > 1 else ''} with the precision"

    def log_marginal(self, terms: Terms, constants: Mapping[str, Any]) -> Scalar:
        """Return the log of the Gaussian integral."""
        expansion = self.expand(terms, constants)
        return expansion.value + 0.5 * (self.frame.dim * log(2 * pi) - expansion.log_determinant)

    def draw(self, key: Key, terms: Terms, constants: Mapping[str, Any]) -> dict[str, Array]:
        """Draw the sites from their Gaussian conditional."""
        expansion = self.expand(terms, constants)
        return self.frame.split(expansion.mean.plus(expansion.factor.noise(key)))

    def moments(self, terms: Terms, constants: Mapping[str, Any]) -> dict[str, tuple[Array, Array]]:
        """Return each site's mean and variance under its Gaussian conditional."""
        expansion = self.expand(terms, constants)
        means = self.frame.split(expansion.mean)
        variances = self.frame.split(expansion.factor.variances())
        return {name: (means[name], variances[name]) for name in self.sites}

    def expand(self, terms: Terms, constants: Mapping[str, Any]) -> Expansion:
        """Expand the terms about their mode."""
        fixed = Vector(constants["groups"], constants["border"])
        slope, precision = self.read(terms, fixed, constants)
        factor = factorise(precision)
        mode = jax.lax.stop_gradient(fixed.plus(factor.solve(slope)))
        value, slope = self.differentiate(terms)(mode)
        step = factor.solve(slope)  # what rounding left of it
        return Expansion(value + 0.5 * slope.dot(step), mode.plus(step), factor)

    def read(
        self, terms: Terms, centre: Vector, constants: Mapping[str, Any]
    ) -> tuple[Vector, Arrow]:
        """Return the terms' slope at a point, and their precision.

        The slope of a quadratic is linear, so its change along a seed is the Hessian's product.
        """
        seeds = self.frame.seeds(self.colours, centre.groups.dtype)
        _, slope = self.differentiate(terms)(centre)
        slopes = jax.vmap(lambda seed: self.differentiate(terms)(centre.plus(seed))[1])(seeds)
        products = jax.tree.map(lambda moved, still: still - moved, slopes, slope)
        return slope, self._precision(products, constants)

    def differentiate(self, terms: Terms) -> Callable[[Vector], tuple[Scalar, Vector]]:
        """Return the function that gives the terms' sum and its gradient."""
        none = jnp.zeros((), self.dtype)
        return jax.value_and_grad(lambda g: sum(terms(self.frame.split(g)).values(), none))

    def _precision(self, products: Vector, constants: Mapping[str, Any]) -> Arrow:
        """Read the precision off its products with the seeds."""
        k = self.frame.width
        colours = k + np.asarray(self.colours, int)
        blocks = jnp.moveaxis(products.groups[:k], 0, -1)
        couplings = jnp.moveaxis(products.groups[colours], 0, -1)
        corner = jnp.moveaxis(products.border[colours], 0, -1)
        if "couplings" in constants:  # some columns share a colour
            couplings = jnp.where(constants["couplings"], couplings, 0.0)
            corner = jnp.where(constants["corner"], corner, 0.0)
        return Arrow(blocks, couplings, corner)


@dataclass(frozen=True)
class Expansion:
    """Hold a quadratic's value at its maximum, its mean and the factor of its precision."""

    value: Scalar
    mean: Vector
    factor: Factor

    @property
    def log_determinant(self) -> Scalar:
        """Return the precision's log determinant."""
        return self.factor.log_determinant()
