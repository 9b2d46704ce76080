"""Find the location-scale sites of groups, what the rest of the model sees of them, and blocks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod

from finetti.jaxprs import is_literal
from finetti.language.dims import Plate
from finetti.structure.degrees import degrees
from finetti.structure.program import Program
from finetti.structure.rewrites.centre.centre import Centre
from finetti.structure.rewrites.centre.part import Part, members
from finetti.structure.rewrites.centre.paths import depends, follow
from finetti.structure.rewrites.joined import NONE, Joined
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.rewrites.shift.shift import Shift
from finetti.structure.variables import Variable
from finetti.types import Atom

WIDEST = 8  # numbers of one member, and of one block
DENSEST = 64  # numbers of one member whose prior is a multivariate normal
ROOTS = ("scale_tril", "scale")


@dataclass(frozen=True)
class Seen:
    """Hold a part of a block, with the variables of the program that it is made of."""

    part: Part
    plates: tuple[Plate, ...]
    mentions: tuple[Atom, ...]
    words: str

    @property
    def middle(self) -> tuple[Atom, ...]:
        """Return what the effect's prior is about, and what is added to it or multiplies it."""
        loc, _, *met = self.mentions
        return loc, *met


def find(sight: Sight) -> Found:
    """Return a rewrite for each block of sites that can be centred.

    It says of the other location-scale sites why they stay as they are. No effect is read where
    sites have come in that others' coordinates lead to.
    """
    shifted = frozenset(s for r, _ in sight.made if r.moves for s in r.sites)
    blocks: list[list[Seen]] = []
    reasons: dict[str, str] = {}
    for name, found in effects(sight, sight.refused, shifted).items():
        if name in sight.refused:
            reasons[name] = "the plan was told not to"
        elif isinstance(found, str):
            reasons[name] = found
        else:
            _place(sight.program, found, blocks)
    made = [_centre(block, _beside(block, sight)) for block in blocks]
    return Found(tuple((move, move.start(sight.program.dtype)) for move in made), reasons)


def effects(
    sight: Sight, refused: Collection[str], barred: Collection[str]
) -> dict[str, Seen | str]:
    """Return the effect of each location-scale site, or say why it is no case for centring.

    An effect is not followed past what depends on the sites `barred`, nor on those after it that
    are not refused. It is net of its prior's location where that is made of the sites `barred`.
    """
    sites = [v for v in sight.left if v.located and v.name not in barred]
    sites = [v for v in sites if prod(v.shape) > 1 and v.free_shape == v.shape]
    latent = {v.name for v in sight.latent}
    found: dict[str, Seen | str] = {}
    for i, v in enumerate(sites):
        later = {w.name for w in sites[i:] if w.name not in refused}
        outside = later.union(sight.gone, {v.name}, barred)
        found[v.name] = _look(sight.program, v, outside, latent, latent.difference(barred))
    return found


def _look(
    program: Program,
    v: Variable,
    barred: Collection[str],
    latent: Collection[str],
    unshifted: Collection[str],
) -> Seen | str:
    """Find a site's parameters and its effect; say why it is no case for centring.

    The effect is net of a location into which none of the sites `unshifted` comes.
    """
    arguments = program.outputs.arguments[v.name]
    loc = _named(arguments, ("loc",))
    scale = _named(arguments, ROOTS)
    outside, random = depends(program, barred), depends(program, latent)
    about = outside(arguments[loc])
    net = about and v.support == "real" and not depends(program, unshifted)(arguments[loc])
    if (about and not net) or outside(arguments[scale]):
        return "its prior depends on sites that are taken out of the sampler"
    path, met = follow(program, v.name, v.support != "real", lambda other: not outside(other))
    mentions = (arguments[loc], arguments[scale], *met)
    if not any(map(random, mentions)):
        return "its prior is fixed: the metric learns its scale"
    dense = scale.endswith("scale_tril")
    count, width = members(v.shape, len(v.plates), dense, WIDEST)
    if width > DENSEST:
        return f"a prior of {width} correlated numbers is too wide"
    plain = not path.free and _is_plain(program, v.name, loc, scale)
    part = Part(v.name, v.shape, count, width, loc, scale, path, plain, net)
    return Seen(part, v.plates, mentions, _way(part, v))


def _is_plain(program: Program, site: str, loc: str, scale: str) -> bool:
    """Tell whether a site's log density reads nothing but its value, its arguments and the data."""
    arguments: dict[str, Atom] = program.outputs.arguments[site]
    tag = program.tags[site]
    standing = [a for name, a in arguments.items() if name != loc and not is_literal(a)]
    if is_literal(arguments[scale]) or standing.count(arguments[scale]) != 1:
        return False
    if not is_literal(arguments[loc]) and arguments[loc] in standing:
        return False
    given = {tag, *(a for a in arguments.values() if not is_literal(a))}
    seeds = dict.fromkeys(program.inputs.values(), 1) | dict.fromkeys(given, 0)
    return not degrees(program.jaxpr, seeds)(program.outputs.log_terms[site])


def _way(part: Part, v: Variable) -> str:
    """Say in words what a site is and how the rest of the model sees it."""
    if part.path.free:
        return f"{v.located} effects on the {v.transform.lower()} scale"
    through = " in a linear predictor" if len(part.path.steps) > 1 else ""
    return f"{v.located} effects{through}"


def _named(arguments: Mapping[str, Atom], endings: Iterable[str]) -> str:
    """Return the first argument with one of the names, its own or of an inner distribution."""
    return next(k for ending in endings for k in arguments if k.rpartition(".")[2] == ending)


def _place(program: Program, found: Seen, blocks: list[list[Seen]]) -> None:
    """Put a part into a block of the same members, or into one of its own.

    Blocks are made in order: what a part depends on must come before its block.
    """
    for number, block in enumerate(blocks):
        first, width = block[0], sum(seen.part.width for seen in block) + found.part.width
        alike = found.plates and found.plates == first.plates
        if not alike or found.part.count != first.part.count or width > WIDEST:
            continue
        after = {seen.part.site for others in blocks[number:] for seen in others}
        if not any(map(depends(program, after), found.mentions)):
            block.append(found)
            return
    blocks.append([found])


def _beside(block: list[Seen], sight: Sight) -> Joined:
    """Return the sites that are shifted by a block's effects."""
    sites = {seen.part.site for seen in block}
    by_these = (m.joined for m, _ in sight.of(Shift) if sites & {p.site for p in m.parts})
    return next(by_these, NONE)


def _centre(block: list[Seen], beside: Joined) -> Centre:
    plates = " x ".join(str(p) for p in block[0].plates) or f"{block[0].part.count} members"
    parts = tuple(seen.part for seen in block)
    return Centre(parts, plates, tuple(s.words for s in block), beside)
