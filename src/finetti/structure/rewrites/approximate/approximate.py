"""Integrate sites out approximately, by Laplace's method, and draw them back from a Gaussian.

With f(g) the log density of the terms in the sites' unconstrained values g, given the rest, g* its
maximum and P the negative Hessian there,

    log of the integral of exp f ~ f(g*) - log|P| / 2 + d log(2 pi) / 2

It is exact where f is quadratic and nowhere else; the plan makes it only when asked. The maximum
follows the rest by the implicit function theorem, so that derivatives of any order are exact ones
of the formula (Tierney & Kadane 1986; Rue, Martino & Chopin 2009; Margossian et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.rewrites.approximate.climb import climb
from finetti.structure.rewrites.arrow.arrow import (
    Arrow,
    Factor,
    Vector,
    factorise,
    log_determinant,
)
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.rewrite import Marginal, Terms
from finetti.types import Array, Bool, Constants, Key, Scalar


class Peak(NamedTuple):
    """Hold the maximum of f: where it is, its height, P and its factor, whether it was found."""

    mode: Vector
    value: Scalar
    precision: Arrow
    factor: Factor
    found: Bool[Array, ""]


@dataclass(frozen=True)
class Approximate(Marginal):
    """Integrate sites out by Laplace's method.

    `colours` numbers the border's columns; columns that share a colour share no row.
    """

    sites: tuple[str, ...]
    terms: tuple[str, ...]
    frame: Frame
    colours: tuple[int, ...]
    plate: str
    dtype: str
    verb = "approximate"
    asked_for = True
    by_free = True
    weighs = True

    @property
    def work(self) -> int:
        """Return about how many numbers are at work beside the sites in one evaluation."""
        return self.frame.entries

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "approximate by Laplace's method"

    def reason(self, site: str) -> str:
        """Say why."""
        return "asked for: a Gaussian at the mode given the rest stands for it, also when drawn"

    def cost(self) -> str:
        """Say which factorisation is done and what it takes."""
        return f"{self.frame.describe(self.plate)}, at each step to the mode"

    @property
    def exact(self) -> bool:
        """Tell that the posterior is approximated."""
        return False

    def log_marginal(self, terms: Terms, constants: Constants) -> Scalar:
        """Return Laplace's approximation to the log integral, minus infinity without a maximum."""
        peak = self.expand(terms, constants)
        constant = 0.5 * self.frame.dim * log(2 * pi)
        value = peak.value + constant - 0.5 * log_determinant(peak.precision, peak.factor)
        return jnp.where(peak.found, value, -jnp.inf)

    def draw(self, key: Key, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Draw the sites' unconstrained values from the Gaussian at the mode."""
        peak = self.expand(terms, constants)
        return self.frame.split(peak.mode.plus(peak.factor.noise(key)))

    def mode(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return the sites' unconstrained values at the mode."""
        return self.frame.split(self.expand(terms, constants).mode)

    def log_ratio(self, key: Key, terms: Terms, constants: Constants) -> Scalar:
        """Return the log importance ratio of `draw`'s draw: the density over the approximation.

        The approximate marginal times the Gaussian is exp(f(g*) - z'z / 2) with z the white noise
        of the draw.
        """
        peak = self.expand(terms, constants)
        white = peak.factor.white(key)
        drawn = self._total(terms)(peak.mode.plus(peak.factor.back(white)))
        return drawn - peak.value + 0.5 * white.dot(white)

    def expand(self, terms: Terms, constants: Constants) -> Peak:
        """Climb to the maximum and look around there."""
        total = self._total(terms)
        start = Vector(constants["groups"], constants["border"])

        def solve(slope: Callable[[Vector], Vector], start: Vector) -> tuple[Vector, Array]:
            place, found = climb(lambda g: self._bend(slope, g, constants), start, self.dtype)
            return place, found.astype(self.dtype)  # JAX wants a number that has a tangent

        def solve_tangent(change: Callable[[Vector], Vector], right: Vector) -> Vector:
            precision = self._read(change, constants)
            return jax.tree.map(jnp.negative, factorise(precision).solve(right))

        # The climb is not differentiated: the root's own derivatives are by the implicit function
        # theorem.
        root = jax.lax.custom_root(jax.grad(total), start, solve, solve_tangent, has_aux=True)
        mode, found = root
        # Read again at the mode, outside the root, so that log|P| is differentiated as well.
        _, precision = self._bend(jax.grad(total), mode, constants)
        factor = factorise(precision)
        found = (found > 0) & factor.told(precision)
        return Peak(mode, total(mode), precision, factor, found)

    def look(self, terms: Terms, place: Vector, constants: Constants) -> tuple[Vector, Arrow]:
        """Return the slope of the terms' sum and its negative Hessian at a place."""
        return self._bend(jax.grad(self._total(terms)), place, constants)

    def push(self, terms: Terms, place: Vector, along: Vector) -> Vector:
        """Return the Hessian at a place times a vector."""
        return jax.jvp(jax.grad(self._total(terms)), (place,), (along,))[1]

    def _total(self, terms: Terms) -> Callable[[Vector], Scalar]:
        none = jnp.zeros((), self.dtype)
        return lambda g: sum(terms(self.frame.split(g)).values(), none)

    def _bend(
        self, slope: Callable[[Vector], Vector], place: Vector, constants: Constants
    ) -> tuple[Vector, Arrow]:
        here, change = jax.linearize(slope, place)
        return here, self._read(change, constants)

    def _read(self, change: Callable[[Vector], Vector], constants: Constants) -> Arrow:
        """Read the precision off the slope's changes along the seeds."""
        seeds = self.frame.seeds(self.colours, np.dtype(self.dtype))
        products = jax.tree.map(jnp.negative, jax.vmap(change)(seeds))
        return self.frame.arrow(self.colours, products, constants)
