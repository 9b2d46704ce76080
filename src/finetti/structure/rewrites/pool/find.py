"""Find observed counts whose parameter is the same for all observations of a group."""

from __future__ import annotations

import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import Pooled
from finetti.jaxprs import is_literal
from finetti.structure.commute import fills
from finetti.structure.degrees import degrees
from finetti.structure.program import Program, Reader
from finetti.structure.rewrites.narrow import Unlike
from finetti.structure.rewrites.pool.pool import Pool
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.variables import Variable
from finetti.types import Constants

FEWEST = 64  # observations: fewer are not worth pooling
CLOSE = 1e-9


def find(sight: Sight) -> Found:
    """Return a rewrite for each observed site whose values can be pooled, with its sums.

    Each is checked against the program's own terms at a generic point.
    """
    program, barred, found = sight.program, sight.refused | sight.absorbed, []
    for v in sight.variables:
        if v.data is None or v.known.pooled is None or v.name in barred:
            continue
        if v.data.ndim == 1 and _many(v) >= FEWEST:
            pooled = _pooled(program, v, v.known.pooled)
            if pooled is not None and _holds(program, *pooled):
                found.append(pooled)
    return Found(tuple(found))


def _pooled(program: Program, v: Variable, how: Pooled) -> tuple[Pool, Constants] | None:
    """Form the sums, if all that reaches the site is handed out by the same group numbers."""
    y = np.asarray(v.data)
    arguments = {k.rpartition(".")[2]: a for k, a in program.outputs.arguments[v.name].items()}
    parameter = arguments.get(how.parameter)
    if parameter is None or is_literal(parameter):
        return None
    makers = {w: i for i, e in enumerate(program.jaxpr.eqns) for w in e.outvars}
    read = degrees(program.jaxpr, dict.fromkeys(program.inputs.values(), 1))
    data = dict(zip(program.data, program.constants, strict=True))
    # Up from the parameter, by what is as long as the data and depends on latent sites, to the
    # gathers that hand out members' values. All must do so by the same member numbers.
    gathers, waiting, seen = [], [parameter], set()
    members = None
    while waiting:
        w = waiting.pop()
        if is_literal(w) or w in seen or not read(w) or w.aval.shape != y.shape:
            continue
        seen.add(w)
        equation = program.jaxpr.eqns[makers[w]] if w in makers else None
        if equation is None:
            return None
        if equation.primitive.name != "gather":
            waiting += equation.invars
            continue
        source, places = equation.invars
        # One number an observation is looked up in a vector.
        simple = equation.params["slice_sizes"] == (1,) and source.aval.ndim == 1
        if not simple or places not in data or data[places].shape != (y.size, 1):
            return None
        found = (data[places][:, 0], source.aval.size)
        if fills(equation) or not ((found[0] >= 0) & (found[0] < found[1])).all():
            return None
        if members is not None and (found[1] != members[1] or (found[0] != members[0]).any()):
            return None
        members = found
        gathers.append(makers[w])
    # Two sums a member: that must be no more than there are observations.
    if members is None or 2 * members[1] > _many(v):
        return None
    member, count = members
    counts = np.ones(y.size) if v.counts is None else v.counts
    constants = {
        "numbers": np.bincount(member, counts, count).astype(program.dtype),
        "sums": np.bincount(member, counts * y, count).astype(program.dtype),
        "base": np.sum(counts * how.base(y)),
    }
    found = Pool((v.name,), v.family, tuple(sorted(gathers)), y.size, count, round(_many(v)))
    return found, constants


def _many(v: Variable) -> float:
    """Return how many observations a site's values stand for."""
    assert v.data is not None
    return float(v.data.size) if v.weights is None else float(v.weights.sum())


def _holds(program: Program, rewrite: Pool, constants: Constants) -> bool:
    """Tell whether the sum is that of the program's own terms at a generic point."""
    random = np.random.default_rng(1837)
    free = {n: random.uniform(0.2, 0.8, v.aval.shape) for n, v in program.inputs.items()}
    free = {n: x.astype(program.dtype) for n, x in free.items()}

    @compiled(ONCE)
    def both(data, constants, free):
        own = Reader(program, data, free, {}).read(program.outputs.log_terms[rewrite.sites[0]])
        return own.sum(), rewrite.total(Reader(program, data, free, {}), constants)

    try:
        own, ours = both(program.constants, constants, free)
    except Unlike:
        return False
    close = CLOSE if program.dtype == "float64" else 1e-4
    return bool(np.isclose(own, ours, rtol=close, atol=0))
