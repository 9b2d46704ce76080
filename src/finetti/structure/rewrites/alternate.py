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

import jax
import jax.numpy as jnp
import numpy as np

from finetti.errors import ModelError
from finetti.structure.program import Program
from finetti.structure.rewrites.arrow.arrange import terms_of
from finetti.structure.rewrites.centre.centre import Centre
from finetti.structure.rewrites.rewrite import Found, Rewrite, Sight
from finetti.structure.rewrites.sum_out.find import follow
from finetti.structure.scopes import NOBODY
from finetti.structure.words import counted
from finetti.types import Array, Constants, Float

FEWEST = 500  # members: with fewer one trajectory of all is as good
SHARE = 4  # times the numbers of all the rest, that the members must have


@dataclass(frozen=True)
class Alternate(Rewrite):
    """Tell which sites' members move by themselves, and which terms each of them meets.

    `terms` names the log densities that depend on the sites, `aligned` those that have the same
    number of elements for each member, in order. Constants: `owners`, for each other term the
    member that each element depends on, `count` where it depends on none.
    """

    sites: tuple[str, ...]
    count: int
    terms: tuple[str, ...]
    aligned: frozenset[str]
    verb = "alternate"

    @property
    def members_apart(self) -> int:
        """Return how many members move by themselves."""
        return self.count

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "move member by member"

    def reason(self, site: str) -> str:
        """Say why."""
        return "given the rest the members are independent"

    def cost(self) -> str:
        """Say how the sampler goes on."""
        return f"{counted(self.count, 'member')}, each accepted by itself, in turn with the rest"

    def collect(
        self, elements: Mapping[str, Array], constants: Constants
    ) -> Float[Array, " member"]:
        """Return the sum of each member's log densities, given all elements of each term."""
        total = jnp.zeros(self.count)
        for term in self.terms:
            each = elements[term]
            if term in self.aligned:
                total += each.reshape(self.count, -1).sum(-1)
            else:
                owners = constants["owners"][term]
                total += jax.ops.segment_sum(each.ravel(), owners, self.count)
        return total


def find(sight: Sight) -> Found:
    """Return the rewrite for the largest block of centred sites if it is worth making."""
    program, blocks = sight.program, [block for block, _ in sight.of(Centre)]
    block = max(blocks, key=lambda move: move.count * move.width, default=None)
    if block is None or not sight.refused.isdisjoint(block.sites):
        return Found()
    found = _found(program, block, sight)
    return Found((found,) if found is not None else ())


def _found(program: Program, block: Centre, sight: Sight) -> tuple[Alternate, Constants] | None:
    """Return the rewrite of a block with its constants; None where it is small, or members meet."""
    if block.count < FEWEST or any(p.path.free for p in block.parts):
        return None
    size, free = block.count * block.width, sum(prod(v.free_shape) for v in sight.left)
    if size < SHARE * (free - size):
        return None
    terms = terms_of(program, set(block.sites))
    if not sight.absorbed.isdisjoint(terms):
        return None
    owners = _owners(program, block, terms)
    if owners is None:
        return None
    # Elements that a shortcut sums up have other owners than the program's.
    for shortcut in (r for r, _ in sight.made if r.sites[0] in owners and not r.moves):
        (site,) = shortcut.sites
        found = shortcut.owners(program, owners[site], block.count)
        if found is None:
            return None
        owners[site] = found
    in_order = {t for t, ids in owners.items() if _in_order(ids, block.count)}
    left = {t: ids for t, ids in owners.items() if t not in in_order}
    return Alternate(block.sites, block.count, terms, frozenset(in_order)), {"owners": left}


def _owners(
    program: Program, block: Centre, terms: tuple[str, ...]
) -> dict[str, np.ndarray] | None:
    """Return the one member that each element of each term depends on; None if some have more."""
    numbers = {
        part.site: np.repeat(np.arange(part.count, dtype=np.int32), part.width).reshape(part.shape)
        for part in block.parts
    }
    try:
        scopes, outputs = follow(program, numbers)
    except ModelError:  # too much depends on too much
        return None
    found = {}
    for term in terms:
        ids = scopes.read(outputs.log_terms[term])
        # Two members meet in an element: given the rest they are not independent.
        if ids.shape[-1] != 1:
            return None
        found[term] = np.where(ids == NOBODY, block.count, ids).astype(np.int32).ravel()
    return found


def _in_order(ids: np.ndarray, count: int) -> bool:
    each = len(ids) // count
    return each * count == len(ids) and bool((ids == np.repeat(np.arange(count), each)).all())
