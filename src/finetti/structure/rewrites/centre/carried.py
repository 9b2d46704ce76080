"""Let a site keep its distance from its prior's location while coefficients in that are moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp

from finetti.structure.program import Reader
from finetti.structure.rewrites.centre.part import Part
from finetti.structure.rewrites.rewrite import Move
from finetti.types import Array, Constants


@dataclass(frozen=True)
class Carried(Move):
    """Give a site's distance from its prior's location in its place: it is carried along by that.

    A plan does not make it. Other moves are looked at under it, so that what coefficients teach is
    told at effects that are the same, and not at values that are.
    """

    part: Part
    verb = "carry"

    @property
    def sites(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the name of the site."""
        return (self.part.site,)

    @property
    def told_early(self) -> tuple[str, ...]:
        """Return the name of the site."""
        return self.sites

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "carry"

    def reason(self, site: str) -> str:
        """Say why."""
        return "its effect is told without its location"

    def cost(self) -> str:
        """Say what an evaluation does."""
        return "1 sum"

    def start(self, dtype: str) -> Constants:
        """Return no constants."""
        return {}

    def early(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return the distance, which is what stands for the site."""
        return {self.part.site: free[self.part.site]}

    def supply(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, tuple[Array, Array]]:
        """Return the site's value: a distance from its location, with a log Jacobian of zero."""
        value = self.part.location(reader) + self.part.flat(free[self.part.site])
        return {self.part.site: (value.reshape(self.part.shape), jnp.zeros(()))}

    def recover(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return how far the site is from its location."""
        distance = self.part.flat(free[self.part.site]) - self.part.location(reader)
        return {self.part.site: distance.reshape(self.part.shape)}
