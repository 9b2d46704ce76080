"""Shift coefficients by the effects that trade off with them, by an exact change of variables.

Without effects of groups coefficients that the data tie to one another are moved together, x = R z.

Where effects of several groupings are added to an intercept, the data tell the sum of the intercept
and each grouping's mean effect far better than any of them: a narrow ridge, along which a sampler
creeps. Given the effects w, coefficients x whose joint log density is nearly quadratic have
precision P and mean m - P^-1 C w, where C is how the slope in x changes with w. So the sampler
moves z, which hardly depends on the effects:

    x = R z - P^-1 C w,   R R' = P^-1

It is exact for any R that can be inverted and any shear P^-1 C, both constants learned in warm-up
(they are what sweeping means out of effects, Gilks & Roberts 1996 or Vines, Gilks & Wild 1996, does
in balanced designs, and hold for any other).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.program import Reader
from finetti.structure.rewrites.centre.part import Part
from finetti.structure.rewrites.joined import Joined, inverse_root
from finetti.structure.rewrites.rewrite import Around, Move
from finetti.structure.words import counted, listed
from finetti.types import Array, Constants, Key


@dataclass(frozen=True)
class Shift(Move):
    """Give coefficients coordinates that hardly depend on the effects of groups.

    The effects of `parts` must not depend on the coefficients: those of sites whose priors are
    about them are net of their locations.
    """

    joined: Joined
    parts: tuple[Part, ...]
    verb = "shift"

    @property
    def sites(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the names of the sites."""
        return self.joined.sites

    @property
    def width(self) -> int:
        """Return how many numbers the sites have."""
        return self.joined.width

    @property
    def count(self) -> int:
        """Return how many numbers the effects have."""
        return sum(prod(part.shape) for part in self.parts)

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "shift"

    def reason(self, site: str) -> str:
        """Say why."""
        if not self.parts:
            return "the data tie it to others: moved together"
        return f"trades off with {listed(p.site for p in self.parts)}: moved net of what they add"

    def cost(self) -> str:
        """Say what an evaluation does."""
        numbers = self.count or self.width
        return f"{counted(self.width * numbers, 'product')}; constants learned in warm-up"

    def start(self, dtype: str) -> Constants:
        """Return the constants before anything is learned: the sites as they are."""
        return {
            "root": np.eye(self.width, dtype=dtype),
            "shear": np.zeros((self.width, max(self.count, 1)), dtype),
        }

    def supply(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, tuple[Array, Array]]:
        """Return each site's unconstrained value, and the log Jacobian of all with the first."""
        root = jnp.triu(jnp.asarray(learned["root"]))
        x = jnp.sum(root * self.joined.join(free), -1) - self._shift(reader, learned)
        jacobian = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(root))))
        zero = jnp.zeros_like(jacobian)
        values = self.joined.split(x).items()
        return {n: (value, zero if i else jacobian) for i, (n, value) in enumerate(values)}

    def recover(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return what the sampler moves, given the sites' unconstrained values."""
        plain = self.joined.join(free) + self._shift(reader, learned)
        z = jax.scipy.linalg.solve_triangular(jnp.asarray(learned["root"]), plain)
        return self.joined.split(z)

    def look(self, around: Around, key: Key) -> Constants:
        """Return the precision of the sites given the effects, and what it has of both.

        That is minus the second derivatives of the log density.
        """
        reader, program = around.reader, around.reader.program
        effects = [part.effect(reader) for part in self.parts]
        here = self.joined.join({n: reader.read(program.inputs[n]) for n in self.sites})

        def log_density(x: Array, effects: list[Array]) -> Array:
            fixed = self.joined.fixed(program, x)
            there = around.at(fixed)
            for part, effect in zip(self.parts, effects, strict=True):
                fixed |= part.fixed(there, effect)
            return around.log_density(fixed, ())

        slope = jax.grad(log_density, (0, 1))
        _, push = jax.linearize(lambda x: slope(x, effects), here)
        rows, others = jax.lax.map(push, jnp.eye(self.width, dtype=here.dtype))
        flat = [a.reshape(self.width, -1) for a in others]
        cross = jnp.concatenate(flat, -1) if flat else jnp.zeros((self.width, 1), rows.dtype)
        return {"precision": -(rows + rows.T) / 2, "cross": -cross}

    def agree(self, found: Constants) -> Constants:
        """Return the constants by the medians over points: no stray point moves them.

        The medians are taken where one of the points is white, the middle one by its size: entries
        of several points make no matrix that is nearly singular in the direction that all share.
        """
        each, cross = found["precision"], jnp.median(found["cross"], 0)
        known = jnp.isfinite(each).all((-2, -1))
        # If no point is known, what follows is not finite and the plain constants are taken.
        sizes = jnp.where(known, jnp.trace(each, axis1=-2, axis2=-1), jnp.inf)
        middle = jnp.argsort(sizes)[(known.sum() - 1) // 2]
        each = jnp.where(known[:, None, None], each, each[middle])
        first = inverse_root(each[middle])
        root = jnp.triu(first @ inverse_root(jnp.median(first.T @ each @ first, 0)))
        shear = root @ (root.T @ cross)
        fine = jnp.isfinite(root).all() & jnp.isfinite(shear).all()
        plain = self.start(cross.dtype.name)
        return {
            "root": jnp.where(fine, root, plain["root"]),
            "shear": jnp.where(fine, shear, plain["shear"]),
        }

    def _shift(self, reader: Reader, learned: Constants) -> Array:
        if not self.parts:  # a column of zeros stands for no effects
            return jnp.zeros(self.width, jnp.asarray(learned["root"]).dtype)
        read = [jnp.ravel(part.effect(reader)) for part in self.parts]
        return jnp.sum(jnp.asarray(learned["shear"]) * jnp.concatenate(read), -1)
