"""Integrate out the sites that are Gaussian given the rest, and draw them back exactly.

The log density of the terms is quadratic in the sites (the degrees of the traced program say so),
f(g) = f(g0) + b'(g - g0) - (g - g0)' P (g - g0) / 2, so that

    log of the integral of exp f = f(g0) + b' P^-1 b / 2 - log|P| / 2 + d log(2 pi) / 2

for any g0. It is taken at the maximum, where rounding errors are small, and held constant there, so
that none is differentiated. P is read off with as many products with vectors as its columns need
colours (Curtis, Powell & Reid 1974).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi
from typing import Any

import jax
import jax.numpy as jnp

from finetti.structure.rewrites.arrow.arrow import Arrow, Factor, Vector, factorise
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.rewrite import Marginal, Terms
from finetti.types import Array, Key, Scalar


@dataclass(frozen=True)
class Integrate(Marginal):
    """Integrate out sites that are jointly Gaussian given the rest.

    `colours` numbers the border's columns; columns that share a colour share no row. In words,
    `seen` says how each site is seen by the rest and `priced` what the frame and others take.
    """

    sites: tuple[str, ...]
    terms: tuple[str, ...]
    frame: Frame
    colours: tuple[int, ...]
    plate: str
    dtype: str
    seen: tuple[str, ...] = ()
    priced: str = ""
    verb = "integrate out"
    eases = True

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "integrate out"

    def reason(self, site: str) -> str:
        """Say why."""
        return f"Gaussian given the rest: {self.seen[self.sites.index(site)]}"

    def cost(self) -> str:
        """Say which factorisation is done, what it takes and what others would have taken."""
        return f"{self.frame.describe(self.plate)}: {self.priced}"

    def log_marginal(self, terms: Terms, constants: Mapping[str, Any]) -> Scalar:
        """Return the log of the Gaussian integral."""
        expansion = self.expand(terms, constants)
        return expansion.value + 0.5 * (self.frame.dim * log(2 * pi) - expansion.log_determinant)

    def draw(self, key: Key, terms: Terms, constants: Mapping[str, Any]) -> dict[str, Array]:
        """Draw the sites from their Gaussian conditional."""
        expansion = self.expand(terms, constants)
        return self.frame.split(expansion.mean.plus(expansion.factor.noise(key)))

    def mode(self, terms: Terms, constants: Mapping[str, Any]) -> dict[str, Array]:
        """Return the mean, which is the mode."""
        return self.frame.split(self.expand(terms, constants).mean)

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
        left = 0.5 * slope.dot(step)
        sound = jnp.abs(left) <= 0.1 * (1 + jnp.abs(value))  # else scales are too far apart
        value = jnp.where(sound, value + left, -jnp.inf)
        return Expansion(value, mode.plus(step), factor)

    def read(
        self, terms: Terms, centre: Vector, constants: Mapping[str, Any]
    ) -> tuple[Vector, Arrow]:
        """Return the terms' slope at a point, and their precision."""
        seeds = self.frame.seeds(self.colours, centre.groups.dtype)
        slope, push = jax.linearize(lambda g: self.differentiate(terms)(g)[1], centre)
        products = jax.tree.map(jnp.negative, jax.vmap(push)(seeds))
        return slope, self.frame.arrow(self.colours, products, constants)

    def differentiate(self, terms: Terms) -> Callable[[Vector], tuple[Scalar, Vector]]:
        """Return the function that gives the terms' sum and its gradient."""
        none = jnp.zeros((), self.dtype)
        return jax.value_and_grad(lambda g: sum(terms(self.frame.split(g)).values(), none))


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
