"""Centre each group's effect as far as its own data say, by an exact change of variables.

A location-scale site is u = loc + root e with e of location 0 and scale 1; the rest of the model
sees its effect w = M + S e. Were the rest's log density in w normal, with information I and pull
I h (constants learned in warm-up), then e given all else would be normal with precision
K = 1 + S' I S and mean K^-1 S' (I h - I M). So the sampler moves z, which is nearly white noise:

    e = K^-1 S' (I h - I M) + K^-1/2 z

It is exact for any constants: I = 0 is the non-centred form, a large I the centred one, and each
group has its own (Papaspiliopoulos, Roberts & Skold 2007; Gorinova, Moore & Hoffman 2020). Sites
of the same members, such as intercepts and slopes, move together.

Sites `beside` them are those that `shift` moves net of these effects: what all members have in
common they take up, so that the information I is less c c' in each such direction c, learned as I
is: their mean, and what a covariate of theirs tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from finetti.structure.program import Reader
from finetti.structure.rewrites.centre.carried import Carried
from finetti.structure.rewrites.centre.information import given_up, look, positive
from finetti.structure.rewrites.centre.part import Part
from finetti.structure.rewrites.centre.root import Root
from finetti.structure.rewrites.joined import NONE, Joined
from finetti.structure.rewrites.rewrite import Around, Move
from finetti.structure.triangular import UNROLLED, cholesky, lower_solve
from finetti.structure.words import counted
from finetti.types import Array, Constants, Float, Key

COMMON = 2  # directions in which coefficients take up what members share: mean and slope


@dataclass(frozen=True)
class Centre(Move):
    """Give sites of the same members coordinates in which they are nearly white noise."""

    parts: tuple[Part, ...]
    members: str
    seen: tuple[str, ...]
    beside: Joined = NONE
    verb = "centre"
    settles = True
    eases = True

    @property
    def sites(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the names of the sites."""
        return tuple(part.site for part in self.parts)

    @property
    def count(self) -> int:
        """Return the number of members."""
        return self.parts[0].count

    @property
    def width(self) -> int:
        """Return how many numbers each member has."""
        return sum(part.width for part in self.parts)

    @property
    def directions(self) -> int:
        """Return in how many directions the sites beside it take up what members share."""
        return min(COMMON, self.beside.width)

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "centre"

    def reason(self, site: str) -> str:
        """Say why."""
        together = " and ".join(s for s in self.sites if s != site)
        with_ = f", together with {together}" if together else ""
        return f"{self.seen[self.sites.index(site)]}: each as far as its own data say{with_}"

    def cost(self) -> str:
        """Say what an evaluation does for each member."""
        how = {1: "a square root"}.get(self.width, f"a Cholesky factor of {self.width}")
        each = " each" if self.count > 1 else ""
        return f"{counted(self.count, 'member')}, {how}{each}; constants learned in warm-up"

    def start(self, dtype: str) -> Constants:
        """Return the constants before anything is learned: the non-centred form."""
        plain = {
            "information": np.zeros((self.count, self.width, self.width), dtype),
            "pull": np.zeros((self.count, self.width), dtype),
        }
        if not self.beside.sites:
            return plain
        return {**plain, "common": np.zeros((self.directions, self.count, self.width), dtype)}

    def supply(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, tuple[Array, Array]]:
        """Return each site's unconstrained value, and the log Jacobian of all with the first."""
        view = self._view(reader, learned)
        moved = self._location(reader) + self._deviation(view, free)
        jacobian = jnp.sum(view.log_scale) - view.factor.log_determinant()
        zero = jnp.zeros_like(jacobian)
        return {
            part.site: (value.reshape(part.shape), zero if i else jacobian)
            for i, (part, value) in enumerate(self._columns(moved))
        }

    @property
    def beneath(self) -> tuple[Move, ...]:
        """Return what carries the sites whose effects are net of their locations."""
        return tuple(Carried(part) for part in self.parts if part.net)

    @property
    def told_early(self) -> tuple[str, ...]:
        """Return the sites of a block of which some effects are net of their locations."""
        return self.sites if any(part.net for part in self.parts) else ()

    def early(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return how far the sites are from their locations, which need not be known for it."""
        rows = self._deviation(self._view(reader, learned), free)
        return {part.site: own.reshape(part.shape) for part, own in self._columns(rows)}

    def elements(
        self, site: str, reader: Reader, free: Mapping[str, Array], constants: Constants
    ) -> tuple[Array, Array] | None:
        """Return the log densities of a site's standardised values, and what the scales lack.

        None where they cannot be had from these.
        """
        if not any(part.site == site and part.plain for part in self.parts):
            return None
        view = self._view(reader, constants)
        values = self._columns(self._standardised(view, free))
        scales = self._columns(view.log_scale)
        both = zip(values, scales, strict=True)
        part, e, scale = next((p, e, s) for (p, e), (_, s) in both if p.site == site)
        return part.log_standard(reader, e), -scale.sum()

    def _columns(self, rows: Float[Array, "member k"]) -> list[tuple[Part, Array]]:
        """Return each part with its own of a block's columns."""
        ends = np.cumsum([part.width for part in self.parts])[:-1]
        return list(zip(self.parts, jnp.split(rows, ends, 1), strict=True))

    def _location(self, reader: Reader) -> Float[Array, "member k"]:
        return jnp.concatenate([part.location(reader) for part in self.parts], -1)

    def _deviation(self, view: View, free: Mapping[str, Array]) -> Float[Array, "member k"]:
        e = self._standardised(view, free)
        return jnp.sum(view.root * e[..., None, :], -1)

    def _standardised(self, view: View, free: Mapping[str, Array]) -> Array:
        z = jnp.concatenate([part.flat(free[part.site]) for part in self.parts], -1)
        return view.mean + view.factor.back(z)

    def recover(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return what the sampler moves, given the sites' unconstrained values."""
        view = self._view(reader, learned)
        u = jnp.concatenate([part.flat(free[part.site]) for part in self.parts], -1)
        e = lower_solve(view.root, (u - self._location(reader))[..., None])[..., 0]
        z = view.factor.times(e - view.mean)
        return {part.site: value.reshape(part.shape) for part, value in self._columns(z)}

    def look(self, around: Around, key: Key) -> Constants:
        """Return the information and the pull of the rest of the model at a point."""
        return look(self.parts, self.sites, self.beside, self.directions, around, key)

    def agree(self, found: Constants) -> Constants:
        """Return the medians over points: no stray point moves them."""
        information = positive(jnp.median(found["information"], 0))
        if not self.beside.sites:
            return {"information": information, "pull": jnp.median(found["pull"], 0)}
        common, pulls = given_up(found, information, self.directions)
        return {"information": information, "pull": jnp.median(pulls, 0), "common": common}

    def _view(self, reader: Reader, learned: Constants) -> View:
        root = _block_diagonal([part.root(reader) for part in self.parts])
        ways = [part.way(reader) for part in self.parts]
        offset, factor = (jnp.concatenate(both, -1) for both in zip(*ways, strict=True))
        spread = factor[..., None] * root  # S
        information = jnp.asarray(learned["information"])
        about = jnp.concatenate([part.middle(reader) for part in self.parts], -1)
        middle = offset + factor * about
        pull = jnp.asarray(learned["pull"]) - _times(information, middle)
        lower = cholesky(jnp.eye(self.width) + _sandwich(spread, information))
        precision = Root(lower, ())
        if self.beside.sites:
            # The information is I - c c': so is what the pull loses to the middle.
            for common in jnp.asarray(learned["common"]):
                pull += common * jnp.sum(common * middle)
                precision = precision.less(jnp.sum(spread * common[..., None], -2))
        slope = jnp.sum(spread * pull[..., None], -2)
        mean = precision.back(precision.forward(slope))
        log_scale = jnp.concatenate([part.log_scale(reader) for part in self.parts], -1)
        return View(root, log_scale, precision, mean)


@dataclass(frozen=True)
class View:
    """Hold what a block's prior and the learned constants make of it, a row a member.

    `log_scale` has the logs of the root's diagonal, signs left aside; `factor` is the root of K,
    `mean` that of e given all else.
    """

    root: Float[Array, "member k k"]
    log_scale: Float[Array, "member k"]
    factor: Root
    mean: Float[Array, "member k"]


def _block_diagonal(roots: list[Array]) -> Array:
    if len(roots) == 1:
        return roots[0]
    width, start, rows = sum(r.shape[-1] for r in roots), 0, []
    for root in roots:
        k = root.shape[-1]
        rows.append(jnp.pad(root, ((0, 0), (0, 0), (start, width - start - k))))
        start += k
    return jnp.concatenate(rows, -2)


def _times(matrix: Array, vector: Array) -> Array:
    return jnp.sum(matrix * vector[..., None, :], -1)


def _sandwich(spread: Array, information: Array) -> Array:
    """Return S' I S; entry by entry where blocks are small, which compiles to plain loops."""
    if spread.shape[-1] > UNROLLED:
        return jnp.swapaxes(spread, -1, -2) @ information @ spread
    half = jnp.sum(information[..., None] * spread[..., None, :, :], -2)
    return jnp.sum(spread[..., None] * half[..., None, :], -3)
