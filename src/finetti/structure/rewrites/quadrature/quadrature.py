"""Integrate a group's effects out, one number a member, by adaptive Gauss-Hermite quadrature.

Given the rest, members are independent: the integral is a product of integrals over one number.
With f the log density of what a member meets, m its maximum and s^-2 the curvature there,

    integral of exp f  ~  s sum_k w_k exp(f(m + s t_k) + t_k^2 / 2)

with t_k and w_k the nodes and weights for the standard normal (Naylor & Smith 1982; Pinheiro &
Bates 1995). With one node it is Laplace's method; the error falls so fast as nodes are added that
a number of them is found at which it is nothing beside what the data leave open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from finetti.structure.rewrites.approximate.climb import LONGEST, changed
from finetti.structure.rewrites.owned import Owned
from finetti.structure.rewrites.rewrite import Marginal, Terms
from finetti.structure.words import counted
from finetti.types import Array, Constants, Float, Int, Key, Scalar

NEAR = 0.01  # nats that a last step to a maximum gains, where nodes are to be put about it
ROUNDED = 1e-14  # nats: less is rounding
SEEN, GRID = 13, 25  # places at which a density is looked at to draw from it, and is read between
REACH, BENT = 12.0, 2.0  # how far they go, in s, and how much denser they lie in the middle
AGAIN = 2  # further proposals: each leaves a twentieth of what the reading has missed

Heights = Callable[[Array], Array]


@dataclass(frozen=True)
class Quadrature(Marginal):
    """Integrate one site of independent members out by quadrature with so many `nodes`.

    Constants: those of `owned`, `start`, shape (member,), where the way to a maximum begins, and
    once it is `seen`, `bent`, shape (place, member), how far each is from normal about it.
    """

    sites: tuple[str, ...]
    shape: tuple[int, ...]
    owned: Owned
    nodes: int
    plate: str
    dtype: str
    verb = "quadrature"
    ahead = True
    by_values = True
    by_sums = True
    taught = ("start", "bent", "seen")
    passing = ("bent", "seen")

    @property
    def terms(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the terms that depend on the site."""
        return self.owned.terms

    @property
    def work(self) -> int:
        """Return about how many numbers are at work beside the sites in one evaluation."""
        return self.owned.count * GRID

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "integrate out by quadrature"

    def reason(self, site: str) -> str:
        """Say why."""
        return f"given the rest the members of {self.plate} are independent, and each is one number"

    def cost(self) -> str:
        """Say what is evaluated."""
        members = counted(self.owned.count, "member")
        return f"{members}, each looked at in {self.nodes} places about its maximum"

    def log_marginal(self, terms: Terms, constants: Constants) -> Scalar:
        """Return the log of the integral."""
        places, logs = nodes(self.nodes)
        heights, rest = self._heights(terms, constants)
        found, _, spread = self._looked(heights, constants, places)
        return _added(found, logs, spread) + rest

    def levels(
        self, terms: Terms, constants: Constants, many: tuple[int, ...]
    ) -> Float[Array, " level"]:
        """Return the log of the integral by each of `many` numbers of nodes, the rest aside."""
        heights, _ = self._heights(terms, constants)
        rules = [nodes(k) for k in many]
        every = jnp.concatenate([places for places, _ in rules])
        found, _, spread = self._looked(heights, constants, every)
        parts = jnp.split(found, np.cumsum(many)[:-1])
        return jnp.stack([_added(f, r[1], spread) for f, r in zip(parts, rules, strict=True)])

    def draw(self, key: Key, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Draw the members from what their densities are between places of a grid, then mend that.

        A draw is kept against `AGAIN` others by the ratio of the densities to what was read, as a
        Metropolis step has it. How far a member is from normal hardly changes with the rest, where
        these are well known, once it is told where it lies and how wide it is: it need not be
        looked at for each draw.
        """
        heights, _ = self._heights(terms, constants)
        _, grid, read = _reading()
        middle, spread = self._around(heights, constants)

        def known() -> Array:
            return constants["bent"].astype(self.dtype)

        bent = jax.lax.cond(constants["seen"], known, lambda: _bent(heights, middle, spread))
        logs = jnp.asarray(read) @ bent - grid[:, None] ** 2 / 2
        high = jnp.exp(logs - logs.max(0))
        number, chance = jax.random.split(key)
        several = (1 + AGAIN, *middle.shape)
        which = jax.random.uniform(number, (2, *several), self.dtype)
        places, read_there = _between(which, jnp.asarray(grid), high)
        x = middle + spread * places
        weights = jax.lax.map(heights, x) - read_there
        bars = jnp.log(jax.random.uniform(chance, several, self.dtype))
        kept, weight = x[0], weights[0]
        for y, there, bar in zip(x[1:], weights[1:], bars[1:], strict=True):
            taken = bar < there - weight
            kept, weight = jnp.where(taken, y, kept), jnp.where(taken, there, weight)
        return self._named(kept)

    def mode(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return the members at their maxima."""
        heights, _ = self._heights(terms, constants)
        return self._named(self._around(heights, constants, near=0.0)[0])

    def teach(self, terms: Terms, constants: Constants) -> Constants:
        """Return the maxima as where ways to others begin, and how the densities are about them."""
        heights, _ = self._heights(terms, constants)
        middle, spread = self._around(heights, constants, near=0.0)
        bent = _bent(heights, middle, spread).astype(constants["bent"].dtype)
        return {"start": middle, "bent": bent, "seen": jnp.asarray(True)}

    def untaught(self) -> Constants:
        """Return the constants that are taught before anything is."""
        bent = np.zeros((SEEN, self.owned.count), np.float32)
        return {"start": np.zeros(self.owned.count, self.dtype), "bent": bent, "seen": np.bool_(0)}

    def moments(self, terms: Terms, constants: Constants) -> dict[str, tuple[Array, Array]]:
        """Return the members' means and variances."""
        heights, _ = self._heights(terms, constants)
        places, logs = nodes(self.nodes)
        found, middle, spread = self._looked(heights, constants, places)
        weights = jax.nn.softmax(found + logs[:, None], 0)
        mean = jnp.sum(weights * places[:, None], 0)
        variance = jnp.sum(weights * (places[:, None] - mean) ** 2, 0)
        ((site, mean),) = self._named(middle + spread * mean).items()
        return {site: (mean, (spread**2 * variance).reshape(self.shape))}

    def _heights(self, terms: Terms, constants: Constants) -> tuple[Heights, Scalar | float]:
        """Return the members' log densities as a function of their values, and what is aside."""

        def heights(x: Array) -> Array:
            return self.owned.sums(terms(self._named(x)), constants)

        # No element that is aside depends on the members.
        found = terms(self._named(constants["start"]))
        lacking = sum(found[name] for name in found if name not in self.terms)
        return heights, self.owned.rest(found, constants) + lacking

    def _looked(
        self, heights: Heights, constants: Constants, places: Float[Array, " place"]
    ) -> tuple[Float[Array, "place member"], Array, Array]:
        """Look at each member in places about its maximum; return the maxima and s as well."""
        middle, spread = self._around(heights, constants)
        return _seen(heights, middle, spread, places), middle, spread

    def _around(
        self, heights: Heights, constants: Constants, near: float = NEAR
    ) -> tuple[Array, Array]:
        """Return the members' maxima, and how wide each is; they have no slopes.

        Where nodes lie changes the integral by no more than its error.
        """

        def around(start: Array) -> tuple[Array, Array]:
            return climb(heights, start, near)

        still, closed = jax.closure_convert(around, constants["start"])
        return still(constants["start"], *jax.lax.stop_gradient(closed))

    def _named(self, x: Array) -> dict[str, Array]:
        (site,) = self.sites
        return {site: x.reshape(self.shape)}


def _bent(heights: Heights, middle: Array, spread: Array) -> Float[Array, "place member"]:
    """Return how far from normal each member is in places about its maximum: this is smooth."""
    places, _, _ = _reading()
    looked = _seen(heights, middle, spread, jnp.asarray(places))
    return looked - looked.max(0) + places[:, None] ** 2 / 2


def _seen(
    heights: Heights, middle: Array, spread: Array, places: Float[Array, " place"]
) -> Float[Array, "place member"]:
    """Return each member's log density in places about its maximum, in units of its spread."""
    return jax.lax.map(lambda t: heights(middle + spread * t), places)


def _added(found: Float[Array, "place member"], logs: Array, spread: Array) -> Scalar:
    """Return the sum of the logs of the members' integrals."""
    return jnp.sum(logsumexp(found + logs[:, None], 0) + jnp.log(spread))


class _Way(NamedTuple):
    """Hold where each member stands on the way to its maximum, and how it is there."""

    place: Array
    slope: Array
    bend: Array
    damping: Array
    steps: Int[Array, ""]


def climb(heights: Heights, start: Array, near: float) -> tuple[Array, Array]:
    """Return the maxima that steps from `start` lead to, and s: each member by itself.

    The last step, of Newton's, gains no more than `near` nats; the steps before are damped as
    those of `approximate.climb` are. Begun at the maxima themselves it takes one look.
    """
    ones, close = jnp.ones_like(start), max(near, ROUNDED)

    def look(place: Array) -> tuple[Array, Array]:
        slope, bend = jax.jvp(lambda x: jax.jvp(heights, (x,), (ones,))[1], (place,), (ones,))
        return slope, -bend

    def settled(at: _Way) -> Array:
        return (at.bend > 0) & (at.slope**2 <= 2 * close * at.bend)

    def on(at: _Way) -> Array:
        return ~settled(at).all() & (at.steps < LONGEST)

    def move(at: _Way) -> _Way:
        stays = settled(at)
        step = at.slope / (at.bend + at.damping * jnp.abs(at.bend))
        step = jnp.where(stays, 0.0, step)
        place = at.place + step
        slope, bend = look(place)
        # The trapezoid rule: half the sum of the slopes along the step is what it gains.
        kept = ((slope + at.slope) * step >= 0) & jnp.isfinite(slope) & jnp.isfinite(bend)
        return _Way(
            jnp.where(kept, place, at.place),
            jnp.where(kept, slope, at.slope),
            jnp.where(kept, bend, at.bend),
            changed(kept, at.damping),
            at.steps + 1,
        )

    begin = _Way(start, *look(start), jnp.zeros_like(start), jnp.zeros((), int))
    end = jax.lax.while_loop(on, move, begin)
    # Not one that is never reached: what is integrated is then looked at about where it ends.
    bend = jnp.where(end.bend > 0, end.bend, 1.0)
    last = jnp.where(settled(end), end.slope / bend, 0.0)
    return end.place + last, 1 / jnp.sqrt(bend)


def nodes(many: int) -> tuple[Array, Array]:
    """Return nodes, and the logs of their weights over the standard normal's density.

    >>> places, logs = nodes(7)  # the integral of exp(-x^2 / 8) is sqrt(8 pi)
    >>> bool(abs(jnp.sum(jnp.exp(logs - (2 * places) ** 2 / 8)) * 2 - (8 * np.pi) ** 0.5) < 1e-5)
    True
    """
    places, weights = np.polynomial.hermite_e.hermegauss(many)
    # numpy's weights are those of exp(-x^2 / 2), which the density is divided by.
    return jnp.asarray(places), jnp.asarray(np.log(weights) + places**2 / 2)


@cache
def _reading() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places to look at, places to know, and the spline from those to these as a matrix."""
    from scipy.interpolate import CubicSpline

    seen, grid = (
        REACH * np.sinh(BENT * np.linspace(-1.0, 1.0, many)) / np.sinh(BENT)
        for many in (SEEN, GRID)
    )
    return seen, grid, CubicSpline(seen, np.eye(SEEN), bc_type="natural")(grid)


def _between(
    which: Float[Array, "2 *several member"], grid: Array, high: Float[Array, "place member"]
) -> tuple[Array, Array]:
    """Turn uniform numbers into draws from densities that are linear between places.

    The logs of the densities there are returned as well. The first of `which` tells the cell, the
    other where in it.
    """
    number, within = which
    gaps = jnp.diff(grid)
    total = sum(_mass(gaps, high, i) for i in range(GRID - 1))
    wanted, below = number * total, jnp.zeros_like(high[0])
    cell = jnp.zeros(wanted.shape, jnp.int32)
    for i in range(GRID - 1):  # row by row: XLA moves arrays about for loops of its own
        below += _mass(gaps, high, i)
        cell += below < wanted
    cell = jnp.minimum(cell, len(gaps) - 1)
    left, right = (jnp.take_along_axis(high, each, 0) for each in (cell, cell + 1))
    # The share p of the cell below which the share u of its mass lies: left p + (right - left)
    # p^2 / 2 = u (left + right) / 2.
    root = jnp.sqrt(left**2 + within * (right**2 - left**2))
    part = jnp.where(left + root > 0, within * (left + right) / (left + root), within)
    return grid[cell] + part * gaps[cell], jnp.log(left + part * (right - left))


def _mass(gaps: Array, high: Array, cell: int) -> Array:
    return gaps[cell] * (high[cell] + high[cell + 1]) / 2
