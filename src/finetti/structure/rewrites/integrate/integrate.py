"""Integrate out the sites that are Gaussian given the rest, and draw them back exactly.

The log density of the terms is quadratic in the sites (the degrees of the traced program say so),
f(g) = f(g0) + b'(g - g0) - (g - g0)' P (g - g0) / 2, so that

    log of the integral of exp f = f(g0) + b' P^-1 b / 2 - log|P| / 2 + d log(2 pi) / 2

for any g0. It is taken at the maximum, where rounding errors are small, and held constant there, so
that none is differentiated. P is read off with as many products with vectors as its columns need
colours (Curtis, Powell & Reid 1974), but for terms of which all but a scale is known (`curvature`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import log, pi

import jax
import jax.numpy as jnp

from finetti.structure.rewrites.arrow.arrow import (
    Arrow,
    Factor,
    Vector,
    factorise,
    log_determinant,
    solve,
)
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.integrate.curvature import Curvature
from finetti.structure.rewrites.rewrite import Marginal, Terms
from finetti.structure.words import listed
from finetti.types import Array, Constants, Key, Scalar

# Nats that are taken from a density of which rounding has left too little. No draw is there; but a
# trajectory that touches it, as those of a scale near zero may, has not diverged (by 1,000 nats).
CLIFF = 500.0
ROOM = 50_000_000  # numbers in a product of the terms' size with each column


@dataclass(frozen=True)
class Integrate(Marginal):
    """Integrate out sites that are jointly Gaussian given the rest.

    `colours` numbers the border's columns; columns that share a colour share no row, but for what
    `curved` terms have there, whose precision is formed ahead. `reach` is the size of the terms.
    It is `loose` where terms that are not formed ahead have a diagonal on the border and nothing
    else. `settled` names priors that are numbers among the constants, not terms. In words, `seen`
    says how each site is seen by the rest and `priced` what the frame and others take.
    """

    sites: tuple[str, ...]
    terms: tuple[str, ...]
    frame: Frame
    colours: tuple[int, ...]
    plate: str
    dtype: str
    curved: tuple[Curvature, ...] = ()
    seen: tuple[str, ...] = ()
    priced: str = ""
    reach: int = 0
    loose: bool = False
    settled: tuple[str, ...] = ()
    verb = "integrate out"
    eases = True

    @property
    def absorbed(self) -> tuple[str, ...]:
        """Return the sites whose log densities it accounts for."""
        return (*self.terms, *self.settled)

    @property
    def products(self) -> int:
        """Return how many products with vectors tell the precision."""
        seeds = self.frame.width + max(self.colours, default=-1) + 1
        return seeds + sum(c.classes for c in self.curved)

    @property
    def work(self) -> int:
        """Return about how many numbers are at work beside the sites in one evaluation."""
        return self.frame.entries

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "integrate out"

    def reason(self, site: str) -> str:
        """Say why."""
        return f"Gaussian given the rest: {self.seen[self.sites.index(site)]}"

    def cost(self) -> str:
        """Say which factorisation is done, what it takes and what others would have taken."""
        ahead = [c.term for c in self.curved]
        formed = (
            f", the precision of {listed(ahead)} formed once but for its scale" if ahead else ""
        )
        return f"{self.frame.describe(self.plate)}{formed}: {self.priced}"

    def log_marginal(self, terms: Terms, constants: Constants) -> Scalar:
        """Return the log of the Gaussian integral."""
        expansion = self.expand(terms, constants)
        return expansion.value + 0.5 * (self.frame.dim * log(2 * pi) - expansion.log_determinant())

    def draw(self, key: Key, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Draw the sites from their Gaussian conditional."""
        expansion = self.expand(terms, constants)
        return self.frame.split(expansion.mean.plus(expansion.factor.noise(key)))

    def mode(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return the mean, which is the mode."""
        return self.frame.split(self.expand(terms, constants).mean)

    def moments(self, terms: Terms, constants: Constants) -> dict[str, tuple[Array, Array]]:
        """Return each site's mean and variance under its Gaussian conditional."""
        expansion = self.expand(terms, constants)
        means = self.frame.split(expansion.mean)
        variances = self.frame.split(expansion.factor.variances())
        return {name: (means[name], variances[name]) for name in self.sites}

    def expand(self, terms: Terms, constants: Constants) -> Expansion:
        """Expand the terms about their mode."""
        # Expanded at a constant point, then again at the mode found there: the second slope is what
        # rounding left, so that this is one round of iterative refinement. The mode is held
        # constant, but value and slope there are not, and of them the formula's derivatives are
        # made.
        fixed = Vector(constants["groups"], constants["border"])
        slope, precision = self.read(terms, fixed, constants)
        factor = factorise(precision, constants.get("pairs"))
        mode = jax.lax.stop_gradient(fixed.plus(factor.solve(slope)))
        value, slope = jax.value_and_grad(self.whole(terms, constants))(mode)
        step = solve(precision, factor, slope)  # what rounding left of it
        left = 0.5 * slope.dot(step)
        # else scales are too far apart to be told by floats: there is no density there, not NaN
        sound = factor.told(precision) & (jnp.abs(left) <= 0.1 * (1 + jnp.abs(value)))
        something = (factor.pivot(precision) > 0) & jnp.isfinite(value)
        rough = jnp.where(something, jax.lax.stop_gradient(value), -jnp.inf)
        value = jnp.where(sound, value + left, rough - CLIFF)
        return Expansion(value, mode.plus(step), precision, factor, sound)

    def read(self, terms: Terms, centre: Vector, constants: Constants) -> tuple[Vector, Arrow]:
        """Return the terms' slope at a point, and their precision."""
        # Terms that are formed ahead give a slope and a few numbers; only the others are
        # linearised.
        formed = [c.term for c in self.curved]
        others = [name for name in self.terms if name not in formed]
        seeds = self.frame.seeds(self.colours, centre.groups.dtype)
        slope, push = jax.linearize(jax.grad(self.summed(terms, others)), centre)
        products = jax.tree.map(jnp.negative, self._pushed(push, seeds))
        ahead: Arrow | None = None
        for curvature, own in zip(self.curved, constants.get("curved", ()), strict=True):
            term = self.summed(terms, [curvature.term])
            slope = slope.plus(jax.grad(term)(centre))
            more = curvature.read(term, centre, own)
            ahead = more if ahead is None else Arrow(*map(jnp.add, ahead, more))
        # The products' border columns all have one colour then, so that `arrow` could not tell them
        # apart; their sum is a diagonal, which `added` takes it for.
        if ahead is not None and self.loose:
            precision = self.frame.added(ahead, products)
        else:
            precision = self.frame.arrow(self.colours, products, constants)
            precision = precision if ahead is None else Arrow(*map(jnp.add, precision, ahead))
        if (settled := constants.get("settled")) is not None:
            slope, precision = slope.plus(settled.slope(centre)), settled.added(precision)
        return slope, precision

    def _pushed(self, push: Callable[[Vector], Vector], seeds: Vector) -> Vector:
        """Return what each seed is taken to, so many at once as there is room for."""
        if len(seeds.border) * self.reach <= ROOM:
            return jax.vmap(push)(seeds)
        return jax.lax.map(push, seeds, batch_size=max(ROOM // self.reach, 1))

    def whole(self, terms: Terms, constants: Constants) -> Callable[[Vector], Scalar]:
        """Return the function that gives the sum of all terms, those that are numbers too."""
        read, settled = self.summed(terms, self.terms), constants.get("settled")
        return read if settled is None else lambda g: read(g) + settled.value(g)

    def summed(self, terms: Terms, names: Collection[str]) -> Callable[[Vector], Scalar]:
        """Return the function that gives the sum of some terms."""
        none = jnp.zeros((), self.dtype)

        def value(g: Vector) -> Scalar:
            found = terms(self.frame.split(g))
            return sum((x for name, x in found.items() if name in names), none)

        return value


@dataclass(frozen=True)
class Expansion:
    """Hold a quadratic's value at its maximum, its mean, its precision and the factor of that.

    Where rounding leaves too little of them it is not `sound`, and its value lower by `CLIFF`, or
    minus infinity where nothing is left.
    """

    value: Scalar
    mean: Vector
    precision: Arrow
    factor: Factor
    sound: Array

    def log_determinant(self, weights: Array | float = 1.0) -> Scalar:
        """Return the precision's log determinant, the groups' parts as often as `weights` say.

        Where the expansion is not sound it has no slope, and is 0 if it is NaN.
        """
        found = log_determinant(self.precision, self.factor, weights)
        rough = jnp.nan_to_num(jax.lax.stop_gradient(found), nan=0.0, posinf=0.0, neginf=0.0)
        return jnp.where(self.sound, found, rough)
