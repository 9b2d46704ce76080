"""Find coefficients that the data tie to one another, where no effects of groups come in."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.program import Program, Reader
from finetti.structure.rewrites.joined import Joined, inverse_root
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.rewrites.shift.shift import Shift

WIDEST = 32  # numbers of all coefficients
TIED = 30.0**2  # ratio of precisions; its root is the condition of Belsley, Kuh & Welsch (1980)


def find(sight: Sight) -> Found:
    """Return a rewrite of coefficients that are moved together, where a diagonal metric creeps.

    An intercept and the slope of a year, 2000 and more, are known a thousand times better in one
    direction than in another. How far they are tied is told by the second derivatives of the log
    density at 0, which give the first coordinates as well.
    """
    if sight.program.varying or sight.gone or any(v.discrete for v in sight.latent):
        return Found()
    moved = {site for r, _ in sight.made if r.moves for site in r.sites}
    left = [v for v in sight.left if v.support == "real" and v.free_shape == v.shape]
    left = [v for v in left if v.name not in moved]
    joined = Joined(tuple(v.name for v in left), tuple(v.free_shape for v in left))
    if not 2 <= joined.width <= WIDEST or sight.refused.intersection(joined.sites):
        return Found()
    precision = _precision(sight, joined)
    if precision is None or not _tied(precision):
        return Found()
    move = Shift(joined, ())
    start = move.start(sight.program.dtype)
    root = np.asarray(inverse_root(jnp.asarray(precision)), start["root"].dtype)
    return Found(((move, {**start, "root": root}),))


def _precision(sight: Sight, joined: Joined) -> np.ndarray | None:
    """Return minus the second derivatives of the log density at 0, None where it has none."""
    program: Program = sight.program
    zero = {v.name: jnp.zeros(v.free_shape, program.dtype) for v in sight.latent}

    def log_density(x: Any) -> Any:
        reader = Reader(program, program.constants, {**zero, **joined.split(x)})
        terms = program.outputs.log_terms.values()
        return sum((jnp.sum(reader.read(term)) for term in terms), jnp.zeros(()))

    try:
        found = -np.asarray(jax.hessian(log_density)(jnp.zeros(joined.width, program.dtype)))
    except (TypeError, ValueError, NotImplementedError):  # no second derivative is known
        return None
    return found if np.isfinite(found).all() else None


def _tied(precision: np.ndarray) -> bool:
    diagonal = np.diagonal(precision)
    if (diagonal <= 0).any():
        return False
    unit = np.sqrt(diagonal)
    values = np.linalg.eigvalsh(precision / unit / unit[:, None])
    return bool(values[-1] > TIED * max(values[0], 0.0))
