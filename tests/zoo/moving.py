"""Make constants of moves at random, as laws need them that hold whatever is learned."""

from __future__ import annotations

import numpy as np

from finetti.structure.rewrites.centre.centre import Centre
from finetti.structure.rewrites.rewrite import Move

TAKEN = 0.8  # of the information, by all directions together


def constants(rng: np.random.Generator, move: Move, size: float) -> dict[str, np.ndarray]:
    """Return random constants, with semi-definite information, some of it of low rank.

    What many effects are shifted by is of the size of one, so that nothing overflows. What members
    have in common is of the information's span and less than that: whatever a prior's spread,
    nowhere is more taken from a precision than there is, beyond which numbers lose their digits.
    """
    found = {n: rng.normal(0, size, np.shape(a)) for n, a in move.start("float64").items()}
    if "shear" in found:
        found["shear"] /= np.sqrt(max(found["shear"][0].size, 1))
    if isinstance(move, Centre):
        root = rng.normal(0, 2, (move.count, move.width, move.width))
        root[::3, :, 0] = 0
        found["information"] = root @ root.transpose(0, 2, 1)
        if "common" in found:
            among = rng.normal(size=found["common"].shape)
            among *= np.sqrt(TAKEN / np.sum(among**2))
            found["common"] = np.einsum("mij,dmj->dmi", root, among)
    return found
