"""Move the members of a large group one by one given the rest, and the rest given the members.

Given all else the effects of different members are independent, so each can be proposed and
accepted by itself: one that is refused holds no other up, and the steps need not shrink as members
are added, as they must where all are accepted together (with the fourth root of their number:
Beskos et al. 2013). The rest moves by trajectories of its own while the members' coordinates stand
still. In centred coordinates (`centre`) these are nearly independent of the rest, so that the
alternation mixes about as fast as drawing from the whole would (Papaspiliopoulos, Roberts & Skold
2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from finetti.structure.rewrites.arrow.arrange import terms_of
from finetti.structure.rewrites.centre.centre import Centre
from finetti.structure.rewrites.owned import Owned, owned
from finetti.structure.rewrites.rewrite import Found, Rewrite, Sight
from finetti.structure.words import counted
from finetti.types import Array, Constants, Float

FEWEST = 500  # members: with fewer one trajectory of all is as good
SHARE = 4  # times the numbers of all the rest, that the members must have


@dataclass(frozen=True)
class Alternate(Rewrite):
    """Tell which sites' members move by themselves, and how the terms that they meet are added up.

    Constants: those of `owned`.
    """

    sites: tuple[str, ...]
    owned: Owned
    verb = "alternate"

    @property
    def terms(self) -> tuple[str, ...]:
        """Return the log densities that depend on the sites."""
        return self.owned.terms

    @property
    def members_apart(self) -> int:
        """Return how many members move by themselves."""
        return self.owned.count

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "move member by member"

    def reason(self, site: str) -> str:
        """Say why."""
        return "given the rest the members are independent"

    def cost(self) -> str:
        """Say how the sampler goes on."""
        members = counted(self.owned.count, "member")
        return f"{members}, each accepted by itself, in turn with the rest"

    def collect(
        self, elements: Mapping[str, Array], constants: Constants
    ) -> Float[Array, " member"]:
        """Return the sum of each member's log densities, given all elements of each term."""
        return self.owned.sums(elements, constants)


def find(sight: Sight) -> Found:
    """Return the rewrite for the largest block of centred sites if it is worth making."""
    blocks = [block for block, _ in sight.of(Centre)]
    block = max(blocks, key=lambda move: move.count * move.width, default=None)
    if block is None or not sight.refused.isdisjoint(block.sites):
        return Found()
    found = _found(block, sight)
    return Found((found,) if found is not None else ())


def _found(block: Centre, sight: Sight) -> tuple[Alternate, Constants] | None:
    """Return the rewrite of a block with its constants; None where it is small, or members meet."""
    if block.count < FEWEST or any(p.path.free for p in block.parts):
        return None
    size, free = block.count * block.width, sum(prod(v.free_shape) for v in sight.left)
    if size < SHARE * (free - size):
        return None
    terms = terms_of(sight.program, set(block.sites))
    if not sight.absorbed.isdisjoint(terms):
        return None
    members = {
        part.site: np.repeat(np.arange(part.count, dtype=np.int32), part.width).reshape(part.shape)
        for part in block.parts
    }
    found = owned(sight, members, block.count, terms)
    return None if found is None else (Alternate(block.sites, found[0]), found[1])
