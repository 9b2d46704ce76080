"""Find observed counts whose parameter is the same for all observations of a group, or alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import Pooled
from finetti.jaxprs import is_literal
from finetti.structure.commute import fills
from finetti.structure.degrees import degrees
from finetti.structure.equations import variables
from finetti.structure.program import Program, Reader
from finetti.structure.rewrites.narrow import Unlike
from finetti.structure.rewrites.pool.pool import Pool
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.variables import Variable
from finetti.types import Atom, Constants

FEWEST = 64  # observations: fewer are not worth pooling
REPEATED = 1000  # observations: among fewer, rows that are alike are not looked for
SPARED = 0.6  # of the observations: more different rows are not worth it
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
    """Form the sums, if observations share what their parameter is made of, and enough do."""
    arguments = {k.rpartition(".")[2]: a for k, a in program.outputs.arguments[v.name].items()}
    parameter = arguments.get(how.parameter)
    if parameter is None or is_literal(parameter):
        return None
    assert v.data is not None
    found = _handed_out(program, parameter, v) or _repeated(program, parameter, v.data.size)
    if found is None:
        return None
    y, counts = np.asarray(v.data), np.ones(v.data.size) if v.counts is None else v.counts
    firsts = np.full(found.count, y.size, np.int32)
    firsts[found.member[::-1]] = np.arange(y.size, dtype=np.int32)[::-1]
    data = dict(zip(program.data, program.constants, strict=True))
    constants = {
        "numbers": np.bincount(found.member, counts, found.count).astype(program.dtype),
        "sums": np.bincount(found.member, counts * y, found.count).astype(program.dtype),
        "base": np.sum(counts * how.base(y)),
        "firsts": firsts,
        "rows": tuple(data[program.data[i]][firsts] for i in found.columns),
    }
    where = (found.gathers, y.size, found.count, round(_many(v)), found.columns)
    return Pool((v.name,), v.family, *where), constants


class _Members(NamedTuple):
    """Hold the member that each observation is of, how many there are, and how they are told."""

    member: np.ndarray
    count: int
    gathers: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()


def _handed_out(program: Program, parameter: Atom, v: Variable) -> _Members | None:
    """Return the members of a group that hands all out that reaches the parameter."""
    makers = {w: i for i, e in enumerate(program.jaxpr.eqns) for w in e.outvars}
    read = degrees(program.jaxpr, dict.fromkeys(program.inputs.values(), 1))
    data = dict(zip(program.data, program.constants, strict=True))
    assert v.data is not None
    # Up from the parameter, by what is as long as the data and depends on latent sites, to the
    # gathers that hand out members' values. All must do so by the same member numbers.
    gathers, waiting, seen = [], [parameter], set()
    members = None
    while waiting:
        w = waiting.pop()
        if is_literal(w) or w in seen or not read(w) or w.aval.shape != v.data.shape:
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
        if not simple or places not in data or data[places].shape != (v.data.size, 1):
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
    return _Members(*members, gathers=tuple(sorted(gathers)))


def _repeated(program: Program, parameter: Atom, count: int) -> _Members | None:
    """Return the different rows of the data that the parameter is made of, if they are fewer."""
    if count < REPEATED:
        return None
    needed = {parameter}
    for equation in reversed(program.jaxpr.eqns):
        if not needed.isdisjoint(equation.outvars):
            needed.update(variables(equation.invars))
    if any(v in needed and count in v.aval.shape for v in program.inputs.values()):
        return None
    columns = tuple(
        i for i, v in enumerate(program.data) if v in needed and v.aval.shape[:1] == (count,)
    )
    if not columns:
        return None
    rows = [program.constants[i].reshape(count, -1) for i in columns]
    key = np.zeros(count, np.uint64)
    random = np.random.default_rng(1964)
    for column in (c for row in rows for c in row.T):
        with np.errstate(over="ignore"):
            key = (key ^ _bits(column)) * np.uint64(random.integers(2**62) * 2 + 1)
            key ^= key >> np.uint64(29)
    _, firsts, member = np.unique(key, return_index=True, return_inverse=True)
    if len(firsts) > SPARED * count:
        return None
    # By their codes, so that what groups share lies together.
    codes = [row for row in rows if row.dtype.kind == "i"]
    order = np.lexsort([c for row in codes[::-1] for c in row[firsts].T[::-1]] or [firsts])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    firsts, member = firsts[order], place[member]
    same = all((row[firsts][member] == row).all() for row in rows)  # a hash may be that of two
    return _Members(member, len(firsts), columns=columns) if same else None


def _bits(column: np.ndarray) -> np.ndarray:
    """Return numbers as their bits; 0 and -0 are alike."""
    return (column.astype(np.float64) + 0.0).view(np.uint64)


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
