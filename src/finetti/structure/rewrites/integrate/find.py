"""Find the sites that are jointly Gaussian given the rest, and arrange them as an arrow.

That the log density is quadratic in them is read off the traced program; which of their members
interact is read off the precision at one generic point, with every branch taken (`branches`), and
checked against a generic product.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.structure.form import Form, Given
from finetti.structure.program import Program
from finetti.structure.rewrites.arrow.arrange import (
    WIDEST,
    Way,
    closed,
    colour,
    compare,
    multiply,
    paired,
    terms_of,
    ways,
)
from finetti.structure.rewrites.arrow.arrow import Arrow, Vector, factorise
from finetti.structure.rewrites.branches import every_branch
from finetti.structure.rewrites.integrate.assemble import assembler
from finetti.structure.rewrites.integrate.curvature import Curvature, recognise
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.structure.rewrites.integrate.obstacles import obstacles
from finetti.structure.rewrites.integrate.settled import settle
from finetti.structure.rewrites.rewrite import Found, Made, Sight
from finetti.structure.variables import Variable
from finetti.structure.words import listed
from finetti.types import Array, Constants

MANY = 8  # products with columns: forming ahead must spare as many, less one a pair of classes
FEW = 5  # dimensions left to sample, which are nearly always drawn by values alone
WIDEST_OF_FEW = 2500  # rows that a border may have then
WIDE = 200  # columns of the border: more are put together from single observations if they can be
COLOURS = 64  # products that may tell what of a wide border is not formed ahead

Shortcuts = Sequence[Made]


def find(sight: Sight) -> Found:
    """Return the rewrite that integrates out all it can, with its constants, if there is any.

    The precision is read faster through observations that are condensed.
    """
    found = _found(sight)
    return Found((found,) if found is not None else (), obstacles)


def _found(sight: Sight) -> tuple[Integrate, Constants] | None:
    program, variables, refused = sight.program, sight.variables, sight.refused
    condensed = [made for made in sight.made if not made[0].takes_out]
    latent = {v.name: v for v in sight.latent}
    fitting = [v for v in latent.values() if _may_be_gaussian(v) and v.name not in refused]
    chosen = _jointly_quadratic(program, fitting)
    chosen = closed(program, chosen, latent)
    while chosen:
        sites = [latent[name] for name in latent if name in chosen]
        terms = terms_of(program, chosen)
        left = sum(prod(v.free_shape) for v in latent.values() if v.name not in chosen)
        found_ways = ways(sites, terms, variables, WIDEST_OF_FEW if left <= FEW else WIDEST)
        for number, way in enumerate(found_ways):
            found = _verified(program, way, (sites, terms), condensed)
            if found is not None:
                rewrite, constants = found
                seen = tuple(_seen(program, site) for site in rewrite.sites)
                if "pairs" in constants:
                    found_ways[number] = way.sparse(len(constants["pairs"].place))
                priced = compare(found_ways, number, rewrite.products)
                return replace(rewrite, seen=seen, priced=priced), constants
        # A flat prior leaves the precision singular unless the data make up for it: without such
        # sites the others may do.
        flat = {v.name for v in sites if v.known.improper}
        if not flat:  # improper where it must not be, or too wide
            return None
        chosen = closed(program, chosen - flat, latent)
    return None


def _may_be_gaussian(v: Variable) -> bool:
    return not v.discrete and v.support == "real" and v.free_shape == v.shape


def _is_quadratic(program: Program, sites: Collection[str]) -> bool:
    read = program.degrees(sites)
    return all(read(v) <= 2 for v in program.outputs.log_terms.values())


def _jointly_quadratic(program: Program, fitting: list[Variable]) -> set[str]:
    """Return as large a set of sites as is jointly quadratic, the largest sites first."""
    chosen: set[str] = set()
    # Of sites that are Gaussian only given one another, as loadings and scores are, the larger is
    # worth more.
    for v in sorted(fitting, key=lambda v: -prod(v.shape)):
        if _is_quadratic(program, {v.name}) and _is_quadratic(program, {*chosen, v.name}):
            chosen.add(v.name)
    return chosen


def _seen(program: Program, site: str) -> str:
    """Say in words how the rest of a program sees a site."""
    outputs = program.outputs
    others = [name for name in terms_of(program, {site}) if name != site]
    linear = [name for name in others if name in outputs.values]
    bent = [name for name in others if name not in outputs.values]  # factors
    said = [
        f"{listed(names)} {'are' if len(names) > 1 else 'is'} {how} in it"
        for names, how in ((linear, "linear"), (bent, "quadratic"))
        if names
    ]
    return " and ".join(said) or "nothing else depends on it"


def _verified(
    program: Program,
    way: Way,
    seen: tuple[list[Variable], tuple[str, ...]],
    condensed: Shortcuts,
) -> tuple[Integrate, Constants] | None:
    """Read the precision at a generic point; None where it has another form or is not positive.

    Nor is it where a pivot of its factor is nothing but rounding: what it stands for is not told
    apart from the others, neither by the data nor by a prior.
    """
    frame, (variables, terms) = way.frame, seen
    sites = tuple(name for name, _ in (*frame.groups, *frame.border))
    colours = tuple(range(frame.breadth))
    settled, numbers = settle(program, frame, variables, terms)
    terms = tuple(t for t in terms if t not in settled)
    rewrite = Integrate(
        sites, terms, frame, colours, way.plate, program.dtype, reach=way.size, settled=settled
    )
    known = {} if numbers is None else {"settled": numbers}
    # Beyond WIDEST reading column by column is no way out.
    if frame.breadth > WIDE and not program.varying:
        found = _assembled(program, rewrite, variables, condensed, known)
        if found is not None or frame.breadth > WIDEST:
            return found
    found = jax.tree.map(np.asarray, _look(program, rewrite, condensed, known))
    if not _sound(program, found):
        return None
    colours, patterns = colour(found.precision)
    rewrite = replace(rewrite, colours=colours)
    mode = {"groups": found.mode.groups, "border": found.mode.border}
    constants = {**known, **mode, **patterns}
    quicker = _ahead(program, rewrite, constants, condensed)
    return quicker or (rewrite, constants)


def _ahead(
    program: Program, rewrite: Integrate, constants: Constants, condensed: Shortcuts
) -> tuple[Integrate, Constants] | None:
    """Form ahead what precision is known but for its scale, where that spares many products."""
    if rewrite.products < MANY or program.varying:
        return None
    look = _reader(program, replace(rewrite, curved=()), condensed)
    # Classes are told by how diagonals grow between points: at two points they may agree by chance.
    seen = [look(_generic_point(program, seed), float(seed)) for seed in range(3)]
    known: list[tuple[Curvature, Constants]] = []
    for term in rewrite.terms:
        found = recognise(term, rewrite.frame, [arrows[term] for arrows in seen])
        alone = replace(rewrite, colours=colour(seen[0][term])[0]).products
        if found is not None and alone >= MANY + found[0].classes ** 2:
            known.append(found)
    if not known:
        return None
    rewrite, patterns, _ = _with_ahead(rewrite, known, seen[0])
    kept = {name: constants[name] for name in ("groups", "border", "settled") if name in constants}
    constants = {**kept, **patterns, "curved": [own for _, own in known]}
    found = jax.tree.map(np.asarray, _look(program, rewrite, condensed, constants))
    return (rewrite, constants) if _agrees(program, found) else None


def _assembled(
    program: Program,
    rewrite: Integrate,
    sites: list[Variable],
    condensed: Shortcuts,
    constants: Constants,
) -> tuple[Integrate, Constants] | None:
    """Return the rewrite of a wide border, its precisions put together from observations."""
    form, frame = Form(program, (rewrite,)), rewrite.frame
    given = Given(program.constants, {rewrite.name: {}})
    assemble = assembler(form, given, frame, rewrite.terms, sites)
    seen: list[dict[str, Arrow]] = []
    for seed in range(3):
        arrows = assemble(_generic_point(program, seed), float(seed))
        if arrows is None:
            return None
        seen.append(arrows)
    dear = [t for t in rewrite.terms if _fewest_colours(seen[0][t]) >= MANY]
    read = [recognise(t, frame, [arrows[t] for arrows in seen]) for t in dear]
    known = [found for found in read if found is not None]
    rewrite, patterns, rest = _with_ahead(rewrite, known, seen[0])
    if len(set(rewrite.colours)) > COLOURS:
        return None
    corner = np.asarray(rest.corner)
    # What is not formed ahead, priors of the border's rows, is often a diagonal: a single product
    # with ones reads it.
    if known and not np.any(rest.couplings) and not np.any(corner - np.diag(np.diag(corner))):
        rewrite, patterns = replace(rewrite, loose=True), {}
    pairs = paired(sum(np.abs(arrow.couplings) for arrow in seen[0].values()))  # pyright: ignore
    constants = {**constants, **patterns, "curved": [own for _, own in known]}
    constants |= {} if pairs is None else {"pairs": pairs}
    found = jax.tree.map(np.asarray, _look(program, rewrite, condensed, constants))
    if not _sound(program, found):
        return None
    return rewrite, {**constants, "groups": found.mode.groups, "border": found.mode.border}


def _with_ahead(
    rewrite: Integrate, known: list[tuple[Curvature, Constants]], seen: Mapping[str, Arrow]
) -> tuple[Integrate, dict[str, Any], Arrow]:
    """Return the rewrite with what is known ahead, its patterns, and where all else is not zero."""
    ahead = [curvature.term for curvature, _ in known]
    rest = [arrow for term, arrow in seen.items() if term not in ahead]
    none: Any = jax.tree.map(np.zeros_like, seen[rewrite.terms[0]])
    pattern = jax.tree.map(lambda *parts: sum(np.abs(part) for part in parts), none, *rest)
    colours, patterns = colour(pattern)
    curved = tuple(curvature for curvature, _ in known)
    return replace(rewrite, colours=colours, curved=curved), patterns, pattern


def _fewest_colours(arrow: Arrow) -> int:
    """Return as many colours as the border's columns need at least: those that meet in a row."""
    met = [(part != 0).sum(-1).max(initial=0) for part in (arrow.couplings, arrow.corner)]
    return int(max(met))


def _sound(program: Program, found: _Found) -> bool:
    """Tell whether the precision read is that of the terms, and positive definite."""
    finite = all(np.isfinite(part).all() for part in found.mode)
    return finite and bool(found.told) and _agrees(program, found)


def _agrees(program: Program, found: _Found) -> bool:
    """Tell whether the precision read is that of the terms."""
    close = 1e-9 if program.dtype == "float64" else 1e-3
    # Entries that cancel are as exact as the largest ones, not as they are themselves.
    scale = max(np.abs(a).max(initial=0) for a in found.product)
    pairs = zip(multiply(found.precision, found.probe), found.product, strict=True)
    return all(np.allclose(a, b, rtol=close, atol=close * scale) for a, b in pairs)


def _generic_point(program: Program, seed: int) -> dict[str, np.ndarray]:
    """Return free values of generic size, of either sign."""
    generic, found = np.random.default_rng(20210521 + seed), {}
    for name, v in program.inputs.items():
        size = generic.uniform(0.2, 0.8, v.aval.shape)
        sign = generic.choice([-1.0, 1.0], v.aval.shape) if seed else 1.0
        found[name] = np.asarray(sign * size, program.dtype)
    return found


class _Found(NamedTuple):
    """Hold what is seen at a generic point: `product` is that of the precision and `probe`.

    It is `told` where rounding leaves enough of the precision's pivots.
    """

    precision: Arrow
    told: Array
    mode: Vector
    probe: Vector
    product: Vector


def _look(
    program: Program, rewrite: Integrate, condensed: Shortcuts, constants: Constants
) -> _Found:
    """Read the quadratic at a generic point."""
    generic = np.random.default_rng(1965)
    origin = jax.tree.map(np.asarray, rewrite.frame.zeros(np.dtype(rewrite.dtype)))
    probe = jax.tree.map(lambda x: generic.uniform(0.5, 1.5, x.shape).astype(x.dtype), origin)
    form = Form(program, (rewrite, *(shortcut for shortcut, _ in condensed)))

    @compiled(ONCE)
    def look(given, free, origin, probe):
        terms = form.terms(rewrite, given, free, evaluate=every_branch(program))
        slope, precision = rewrite.read(terms, origin, given.rewrites[rewrite.name])
        # by a derivative elsewhere: the difference of two slopes would lose digits to large data
        own = given.rewrites[rewrite.name]
        _, push = jax.linearize(jax.grad(rewrite.whole(terms, own)), origin.plus(probe))
        product = jax.tree.map(jnp.negative, push(probe))
        factor = factorise(precision, constants.get("pairs"))
        return _Found(precision, factor.told(precision), factor.solve(slope), probe, product)

    given = _given(program, rewrite, condensed, constants)
    return look(given, _generic_point(program, 0), origin, probe)


def _reader(
    program: Program, rewrite: Integrate, condensed: Shortcuts
) -> Callable[[Mapping[str, np.ndarray], float], dict[str, Arrow]]:
    """Return the function that reads each term's precision by itself, all columns one by one.

    Its number says how branches are weighed.
    """
    whole = replace(rewrite, colours=tuple(range(rewrite.frame.breadth)))
    origin = jax.tree.map(np.asarray, rewrite.frame.zeros(np.dtype(rewrite.dtype)))
    form = Form(program, (whole, *(shortcut for shortcut, _ in condensed)))

    @compiled(ONCE)
    def look(given, free, origin, salt):
        terms = form.terms(whole, given, free, evaluate=every_branch(program, salt))
        return {t: replace(whole, terms=(t,)).read(terms, origin, {})[1] for t in whole.terms}

    given = _given(program, whole, condensed, {})
    return lambda free, salt: jax.tree.map(np.asarray, look(given, free, origin, salt))


def _given(
    program: Program, rewrite: Integrate, condensed: Shortcuts, constants: Constants
) -> Given:
    others = {shortcut.name: own for shortcut, own in condensed}
    return Given(program.constants, {rewrite.name: constants, **others})
