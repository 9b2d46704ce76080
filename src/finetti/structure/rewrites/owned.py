"""Add up the elements of log densities that each depend on one member of a group, by member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from finetti.errors import ModelError
from finetti.structure.program import Program
from finetti.structure.rewrites.rewrite import Sight
from finetti.structure.rewrites.sum_out.find import follow
from finetti.structure.scopes import NOBODY
from finetti.types import Array, Constants, Float, Scalar


@dataclass(frozen=True)
class Owned:
    """Say how elements of some terms are added up by member.

    `size` is the number of all elements, `aligned` names the terms that have as many for each
    member, in order, `loose` those that have some which depend on none. Constants: `owners`, for
    each term that is not aligned the member that each element depends on, `count` where on none.
    """

    count: int
    terms: tuple[str, ...]
    size: int
    aligned: frozenset[str]
    loose: frozenset[str]

    def sums(self, elements: Mapping[str, Array], constants: Constants) -> Float[Array, " member"]:
        """Return the sum of each member's elements."""
        total = jnp.zeros(self.count)
        for term in self.terms:
            each = elements[term].ravel()
            if term in self.aligned:
                total += each.reshape(self.count, -1).sum(-1)
            else:
                total += jax.ops.segment_sum(each, constants["owners"][term], self.count)
        return total

    def rest(self, elements: Mapping[str, Array], constants: Constants) -> Scalar | float:
        """Return the sum of the elements that depend on no member."""
        owners = constants["owners"]
        sums = (jnp.where(owners[t] == self.count, elements[t].ravel(), 0.0) for t in self.loose)
        return sum((each.sum() for each in sums), 0.0)


def owned(
    sight: Sight, members: Mapping[str, np.ndarray], count: int, terms: tuple[str, ...]
) -> tuple[Owned, Constants] | None:
    """Return how the terms' elements are added up; None if two members meet in one of them.

    `members` numbers each site's members, in the shape of its values.
    """
    owners = _owners(sight.program, members, count, terms)
    if owners is None:
        return None
    # Elements that a shortcut sums up have other owners than the program's.
    shortcuts = (m for m in sight.made if m[0].sites[0] in owners and not m[0].moves)
    for shortcut, constants in shortcuts:
        (site,) = shortcut.sites
        found = shortcut.owners(owners[site], count, constants)
        if found is None:
            return None
        owners[site] = found
    in_order = {t for t, ids in owners.items() if _in_order(ids, count)}
    left = {t: ids for t, ids in owners.items() if t not in in_order}
    size = sum(map(len, owners.values()))
    loose = frozenset(t for t, ids in left.items() if (ids == count).any())
    return Owned(count, terms, size, frozenset(in_order), loose), {"owners": left}


def _owners(
    program: Program, members: Mapping[str, np.ndarray], count: int, terms: tuple[str, ...]
) -> dict[str, np.ndarray] | None:
    """Return the one member that each element of each term depends on; None if some have more."""
    try:
        scopes, outputs = follow(program, members)
    except ModelError:  # too much depends on too much
        return None
    found = {}
    for term in terms:
        ids = scopes.read(outputs.log_terms[term])
        # Two members meet in an element: given the rest they are not independent.
        if ids.shape[-1] != 1:
            return None
        found[term] = np.where(ids == NOBODY, count, ids).astype(np.int32).ravel()
    return found


def _in_order(ids: np.ndarray, count: int) -> bool:
    each = len(ids) // count
    return each * count == len(ids) and bool((ids == np.repeat(np.arange(count), each)).all())
