"""Find the coefficients that trade off with groups' effects in a way that centring leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import prod

from finetti.jaxprs import is_literal
from finetti.structure.program import Program
from finetti.structure.rewrites.alternate import FEWEST
from finetti.structure.rewrites.centre.find import Seen, effects
from finetti.structure.rewrites.centre.paths import depends
from finetti.structure.rewrites.joined import Joined
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.rewrites.shift import alone
from finetti.structure.rewrites.shift.shift import Shift
from finetti.structure.variables import Variable
from finetti.types import Atom

WIDEST = 32  # numbers of all coefficients
PRODUCTS = {"mul", "div", "dot_general"}


def find(sight: Sight) -> Found:
    """Return a rewrite of the coefficients that trade off with effects of groups, if any do.

    Nor is it made beside members so many that they may move by themselves: each must be independent
    of the others given the rest.
    """
    groups = _groups(sight, frozenset())
    if not groups:
        return alone.find(sight)
    if any(seen.part.count >= FEWEST for seen in groups):
        return Found()
    few = [v for v in _candidates(sight, groups) if _trades_off(sight, v, groups)]
    chosen, after = _chosen(sight, few, groups)
    names = tuple(v.name for v in chosen)
    met = {seen.part.site for v in chosen for seen in _met(sight.program, v.name, groups)}
    parts = tuple(s.part for s in after if s.part.site in met)
    if not chosen or not parts or _multiplied(sight.program, {*names, *met}):
        return Found()
    move = Shift(Joined(names, tuple(v.free_shape for v in chosen)), parts)
    return Found(((move, move.start(sight.program.dtype)),))


def _chosen(
    sight: Sight, few: list[Variable], groups: list[Seen]
) -> tuple[list[Variable], list[Seen]]:
    """Return the sites to shift, and the effects as they are read then.

    Sites that effects are centred about are left alone where these could not be centred any more.
    """
    chosen, after = _read_after(sight, few)
    if len(after) == len(groups):
        return chosen, after
    few = [v for v in few if not any(_in_prior(sight.program, v.name, s) for s in groups)]
    return _read_after(sight, few)


def _read_after(sight: Sight, few: list[Variable]) -> tuple[list[Variable], list[Seen]]:
    chosen = _narrow(few)
    return chosen, _groups(sight, frozenset(v.name for v in chosen))


def _groups(sight: Sight, shifted: Collection[str]) -> list[Seen]:
    """Return the effects that could be centred, read where no shifted site has come in yet."""
    seen = effects(sight, frozenset(), shifted)
    return [s for s in seen.values() if isinstance(s, Seen) and s.plates]


def _few(sight: Sight, groups: list[Seen]) -> list[Variable]:
    """Return the sites of few numbers that are no group's effects.

    Those that are never negative are scales or shares, and are added to nothing.
    """
    effects = {s.part.site for s in groups}
    moved = {site for r, _ in sight.made if r.moves for site in r.sites}
    left = [v for v in sight.left if not v.discrete and not v.never_negative]
    return [v for v in left if v.name not in effects | moved and prod(v.free_shape) <= WIDEST]


def _candidates(sight: Sight, groups: list[Seen]) -> list[Variable]:
    """Return the sites of few numbers that can be shifted without harm to how effects are centred.

    Of an effect's prior nothing but the location may depend on them, nor are they added to one
    before it is added to another, as in nested groups: those effects are centred about one another.
    """
    few = [v for v in _few(sight, groups) if v.name not in sight.refused]
    few = [
        v for v in few if not any(_in_prior(sight.program, v.name, s, s.part.loc) for s in groups)
    ]
    effects = {s.part.site for s in groups}
    nested = [s for s in groups if _in_middle(sight.program, effects - {s.part.site}, s)]

    def reaches(v: Variable) -> set[str]:
        return {v.name, *(s.part.site for s in groups if _in_prior(sight.program, v.name, s))}

    return [v for v in few if not any(_in_middle(sight.program, reaches(v), s) for s in nested)]


def _in_middle(program: Program, sites: Collection[str], seen: Seen) -> bool:
    return any(map(depends(program, sites), seen.middle))


def _in_prior(program: Program, site: str, seen: Seen, but: str = "") -> bool:
    """Tell whether an effect's prior depends on a site, by any argument `but` one."""
    reached = depends(program, {site})
    arguments = program.outputs.arguments[seen.part.site]
    return any(reached(a) for name, a in arguments.items() if name != but)


def _trades_off(sight: Sight, v: Variable, groups: list[Seen]) -> bool:
    """Tell whether a site meets effects that are not all centred about the same sites.

    Effects are centred about their mean and what is added to them member by member.
    """
    few = [w.name for w in _few(sight, groups)]
    about: dict[Atom, set[str]] = {}
    for seen in _met(sight.program, v.name, groups):
        found = {name for name in few if _in_middle(sight.program, {name}, seen)}
        about.setdefault(seen.plates, set()).update(found)
    # Centred about the same sites all effects move along with those, and no ridge is left.
    return not all(about.values()) or len({frozenset(found) for found in about.values()}) > 1


def _met(program: Program, site: str, groups: list[Seen]) -> list[Seen]:
    """Return the effects that some site's log density depends on as it does on this site.

    It does as well where effects are about this site.
    """
    terms: Mapping[str, Atom] = program.outputs.log_terms
    about = {s.part.site for s in groups if _in_prior(program, site, s)}
    ours = depends(program, {site, *about})
    shared = [t for t in terms.values() if not is_literal(t) and ours(t)]
    return [s for s in groups if any(map(depends(program, {s.part.site}), shared))]


def _multiplied(program: Program, sites: Collection[str]) -> bool:
    """Tell whether sites multiply one another on the way to what other sites are about.

    As in a (theta - b) of an item's slope and place: what one adds depends on the others then, and
    the same shear does not fit everywhere.
    """
    ours = depends(program, sites)
    named: list[Mapping[str, Atom]] = list(program.outputs.arguments.values())
    arguments = [a for found in named for name, a in found.items() if name != "log_weight"]
    wanted = set[Atom](a for a in arguments if not is_literal(a))
    for equation in reversed(program.jaxpr.eqns):
        if wanted.isdisjoint(equation.outvars):
            continue
        operands = set[Atom](v for v in equation.invars if not is_literal(v))
        wanted |= operands
        if equation.primitive.name in PRODUCTS and sum(map(ours, operands)) > 1:
            return True
    return False


def _narrow(sites: Iterable[Variable]) -> list[Variable]:
    """Return the first sites, of so many numbers as are allowed together."""
    kept: list[Variable] = []
    for v in sites:
        if sum(prod(w.free_shape) for w in (*kept, v)) <= WIDEST:
            kept.append(v)
    return kept
