"""Find coefficients that the data tie to one another, where no effects of groups come in."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.structure.program import Program, Reader
from finetti.structure.rewrites.centre.paths import depends
from finetti.structure.rewrites.joined import Joined, inverse_root
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.rewrites.shift.shift import Shift
from finetti.types import AnyArray, Array

WIDEST = 32  # numbers of all coefficients
TIED = 30.0**2  # ratio of precisions; its root is the condition of Belsley, Kuh & Welsch (1980)

STEADY = 100.0  # the most that is left of such a ratio where other sites have other values
ELSEWHERE = 0.7  # unconstrained value of the other sites at the second look


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
    left = [v for v in left if v.name not in moved and _has_fixed_prior(sight, v.name)]
    joined = Joined(tuple(v.name for v in left), tuple(v.free_shape for v in left))
    if not 2 <= joined.width <= WIDEST or sight.refused.intersection(joined.sites):
        return Found()
    precision = _precision(sight, joined, 0.0)
    if precision is None or not _tied(precision):
        return Found()
    root = np.asarray(inverse_root(jnp.asarray(precision)))
    # In the coordinates that make the first look white the second must be nearly so as well.
    others = _precision(sight, joined, ELSEWHERE)
    if others is None or _spread(root.T @ others @ root) > STEADY:
        return Found()  # how they are tied hangs on other sites, as in a Gaussian process
    move = Shift(joined, ())
    start = move.start(sight.program.dtype)
    return Found(((move, {**start, "root": root.astype(start["root"].dtype)}),))


def _has_fixed_prior(sight: Sight, site: str) -> bool:
    """Tell whether a site's prior depends on no other latent site."""
    reached = depends(sight.program, {v.name for v in sight.latent} - {site})
    return not any(map(reached, sight.program.outputs.arguments[site].values()))


def _precision(sight: Sight, joined: Joined, elsewhere: float) -> np.ndarray | None:
    """Return minus the second derivatives of the log density at 0, None where it has none.

    Other sites than those joined have the unconstrained value `elsewhere`.
    """
    program: Program = sight.program
    others = tuple((v.name, v.free_shape) for v in sight.latent)
    place = np.asarray(elsewhere, program.dtype)
    try:
        found = -np.asarray(_curved(program, joined, others, program.constants, place))
    except (TypeError, ValueError, NotImplementedError):  # no second derivative is known
        return None
    return found if np.isfinite(found).all() else None


@compiled(ONCE, "program", "joined", "others")
def _curved(
    program: Program,
    joined: Joined,
    others: tuple[tuple[str, tuple[int, ...]], ...],
    constants: Sequence[AnyArray],
    elsewhere: AnyArray,
) -> Array:
    """Return the second derivatives of the log density in the joined sites at 0."""
    fixed = {name: jnp.full(shape, elsewhere) for name, shape in others}

    def log_density(x: Array) -> Array:
        reader = Reader(program, constants, {**fixed, **joined.split(x)})
        terms = program.outputs.log_terms.values()
        return sum((jnp.sum(reader.read(term)) for term in terms), jnp.zeros(()))

    return jax.hessian(log_density)(jnp.zeros(joined.width, program.dtype))


def _tied(precision: np.ndarray) -> bool:
    diagonal = np.diagonal(precision)
    if (diagonal <= 0).any():
        return False
    unit = np.sqrt(diagonal)
    return _spread(precision / unit / unit[:, None]) > TIED


def _spread(matrix: np.ndarray) -> float:
    """Return the largest eigenvalue over the smallest, infinite where one is not positive."""
    values = np.linalg.eigvalsh(matrix)
    return float(values[-1] / values[0]) if values[0] > 0 else np.inf
