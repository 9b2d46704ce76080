"""Find the group whose effects quadrature can integrate out, and how many nodes that takes."""

from __future__ import annotations

from dataclasses import replace
from math import prod, sqrt

import numpy as np

from finetti.compiling import BY_SIZE, compiled
from finetti.structure.form import Form, Given
from finetti.structure.rewrites.arrow.arrange import closed, terms_of
from finetti.structure.rewrites.owned import owned
from finetti.structure.rewrites.quadrature.quadrature import Quadrature
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.variables import Variable
from finetti.types import Array, Constants, Tree, Values

FEWEST = 500  # members: fewer move well beside all else
LEAST = 5_000  # log densities: of fewer, trajectories are as cheap
MOST = 8  # dimensions that are left: so many a mixture is fitted to
LEVELS = (3, 5, 7, 11, 15), (15, 23, 31, 47)  # nodes that are tried together
REACHES = 1.0, 1.0, 2.0  # of generic points at which they are, on the unconstrained scale
ERROR = 0.01  # of a standard deviation, that one node more may move what all members tell


def find(sight: Sight) -> Found:
    """Return the rewrite for the site with the most members if it is worth making."""
    latent = {v.name: v for v in sight.latent}
    fitting = [v for v in sight.left if _fits(v) and v.name not in sight.refused]
    v = max(fitting, key=lambda v: prod(v.shape), default=None)
    if v is None or sum(prod(w.free_shape) for w in sight.left) - prod(v.shape) > MOST:
        return Found()
    terms = terms_of(sight.program, {v.name})
    alone = closed(sight.program, {v.name}, latent) and sight.absorbed.isdisjoint(terms)
    found = _made(sight, v, terms) if alone else None
    return Found(() if found is None else (found,))


def _fits(v: Variable) -> bool:
    """Tell many members of one real number each, whose prior is normal."""
    one = prod(v.shape) == prod(p.size for p in v.plates) and v.free_shape == v.shape
    return v.located == "Normal" and v.support == "real" and one and prod(v.shape) >= FEWEST


def _made(sight: Sight, v: Variable, terms: tuple[str, ...]) -> tuple[Quadrature, Constants] | None:
    """Return the rewrite with its constants; None where members meet or no level is enough."""
    program, count = sight.program, prod(v.shape)
    members = {v.name: np.arange(count, dtype=np.int32).reshape(v.shape)}
    found = owned(sight, members, count, terms)
    if found is None or found[0].size < LEAST:
        return None
    how, owners = found
    plate = " x ".join(p.name for p in v.plates)
    rewrite = Quadrature((v.name,), v.shape, how, 1, plate, program.dtype)
    constants = {**owners, **rewrite.untaught()}
    for levels in LEVELS:
        many = _enough(sight, rewrite, constants, levels)
        if many is not None:
            return replace(rewrite, nodes=many), constants
    return None


def _enough(
    sight: Sight, rewrite: Quadrature, constants: Constants, levels: tuple[int, ...]
) -> int | None:
    """Return as many nodes as generic points ask for; None where none but the last is enough.

    An error that changes by e as the rest moves by one unit displaces it by e times its variance,
    which is e over its standard deviation of about the root of the members' number.
    """
    program, made = sight.program, (*sight.made, (rewrite, constants))
    form = Form(program, tuple(r for r, _ in made))
    given = Given(program.constants, {r.name: own for r, own in made})
    gone = {*sight.gone, *rewrite.sites}
    inputs = {n: v.aval for n, v in program.inputs.items() if n not in gone}

    @compiled(BY_SIZE, calls=len(REACHES))
    def look(given: Tree, free: Values) -> Array:
        terms = form.terms(rewrite, given, free)
        return rewrite.levels(terms, given.rewrites[rewrite.name], levels)

    generic, enough = np.random.default_rng(1982), 0
    allowed = ERROR * sqrt(rewrite.owned.count)
    for reach in REACHES:
        free = {
            n: generic.uniform(-reach, reach, v.shape).astype(program.dtype)
            for n, v in inputs.items()
        }
        found = np.asarray(look(given, free))
        wrong = ~(np.abs(np.diff(found)) <= allowed)
        enough = max(enough, int(np.flatnonzero(wrong).max(initial=-1)) + 1)
    return levels[enough] if enough < len(levels) - 1 else None
