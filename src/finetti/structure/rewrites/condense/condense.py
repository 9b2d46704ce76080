"""Condense normal observations to sufficient statistics, formed once.

With mean c + L u, where u are small quantities (a number a group, a coefficient) and c and L come
from the data alone, and weights w, the log density needs u only through

    sum_i w_i (y_i - c_i - (L u)_i)^2 = rss - 2 q'(u - u0) + (u - u0)' G (u - u0)

with G = L' W L; u0 are least-squares values, near which little is lost to rounding. What an
evaluation costs does not grow with the observations of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, pi

import jax
import jax.numpy as jnp

from finetti.structure.program import Reader
from finetti.structure.rewrites.rewrite import Shortcut
from finetti.types import Array, Constants, Scalar


@dataclass(frozen=True)
class Source:
    """Point at one small quantity u in a program: an equation's output and one of its columns.

    `column` counts along the last axis, None stands for the whole.
    """

    equation: int
    output: int
    column: int | None = None

    def read(self, reader: Reader) -> Array:
        """Return the quantity's value as a flat vector."""
        equation = reader.program.jaxpr.eqns[self.equation]
        value = reader.read(equation.outvars[self.output])
        if self.column is not None:  # a slice: an index would be transposed into a scatter
            value = jax.lax.index_in_dim(value, self.column, -1)
        return jnp.ravel(value)


@dataclass(frozen=True)
class Pair:
    """Say how the block of G between two sources is stored.

    "aligned": one entry a member, both sources having the same members; "dense": a matrix;
    "sparse": entries with their row and column numbers.
    """

    left: int
    right: int
    kind: str


@dataclass(frozen=True)
class Condense(Shortcut):
    """Compute an observed normal site's log density from sufficient statistics.

    `count` is the number of observations, `size` that of the numbers they are condensed to.
    """

    sites: tuple[str, ...]
    sources: tuple[Source, ...]
    pairs: tuple[Pair, ...]
    count: int | float
    size: int
    weighted: bool
    verb = "condense"

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "condense"

    def reason(self, site: str) -> str:
        """Say why."""
        return f"observed: {self.count:,.15g} values, normal with a mean linear in few numbers"

    def cost(self) -> str:
        """Say what is left of the observations."""
        return f"{self.count:,.15g} observations enter through {self.size:,} sums, formed once"

    def total(self, reader: Reader, constants: Constants) -> Scalar:
        """Return the sum of the observations' log densities."""
        shifted = [
            source.read(reader) - centre
            for source, centre in zip(self.sources, constants["centres"], strict=True)
        ]
        squares = constants["rss"]
        for slope, u in zip(constants["slopes"], shifted, strict=True):
            squares = squares - 2 * jnp.sum(slope * u)
        for pair, entries in zip(self.pairs, constants["entries"], strict=True):
            squares = squares + _product(pair, entries, shifted[pair.left], shifted[pair.right])
        if self.weighted:
            return -0.5 * squares + constants["log_weights"]
        (site,) = self.sites
        named = reader.program.outputs.arguments[site]
        own = next(k for k in named if k.rpartition(".")[2] == "scale")  # under `to_event` too
        scale = jnp.ravel(reader.argument(site, own))[0]
        return -0.5 * squares / scale**2 - self.count * (jnp.log(scale) + 0.5 * log(2 * pi))


def _product(pair: Pair, entries: Mapping[str, Array], left: Array, right: Array) -> Scalar:
    """Return left' G right for one block, twice where the block lies off the diagonal."""
    values = entries["values"]
    if pair.kind == "aligned":
        found = jnp.sum(values * left * right)
    elif pair.kind == "dense":
        found = jnp.sum(left * jnp.sum(values * right, -1))
    else:
        found = jnp.sum(values * left[entries["rows"]] * right[entries["columns"]])
    return found if pair.left == pair.right else 2 * found
