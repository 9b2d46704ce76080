"""Find the sites that are jointly Gaussian given the rest, and arrange them as an arrow.

That the log density is quadratic in them is read off the traced program; which of their members
interact is read off the precision at one generic point, and checked against a generic product.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    closed,
    colour,
    compare,
    multiply,
    terms_of,
    ways,
)
from finetti.structure.rewrites.arrow.arrow import Arrow, Vector, factorise
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.structure.rewrites.integrate.obstacles import obstacles
from finetti.structure.rewrites.rewrite import Found, Made, Sight
from finetti.structure.variables import Variable
from finetti.structure.words import listed
from finetti.types import Scalar

ROUNDING = 200  # times a float's precision: less of a pivot is rounding

Shortcuts = Sequence[Made]


def find(sight: Sight) -> Found:
    """Return the rewrite that integrates out all it can, with its constants, if there is any.

    The precision is read faster through observations that are condensed.
    """
    found = _found(sight)
    return Found((found,) if found is not None else (), obstacles)


def _found(sight: Sight) -> tuple[Integrate, dict[str, Any]] | None:
    program, variables, refused = sight.program, sight.variables, sight.refused
    condensed = [made for made in sight.made if not made[0].takes_out]
    latent = {v.name: v for v in sight.latent}
    fitting = [v for v in latent.values() if _may_be_gaussian(v) and v.name not in refused]
    chosen = _jointly_quadratic(program, fitting)
    chosen = closed(program, chosen, latent)
    while chosen:
        sites = [latent[name] for name in latent if name in chosen]
        terms = terms_of(program, chosen)
        found_ways = ways(sites, terms, variables)
        for number, way in enumerate(found_ways):
            found = _verified(program, way.frame, terms, way.plate, condensed)
            if found is not None:
                rewrite, constants = found
                seen = tuple(_seen(program, site) for site in rewrite.sites)
                return replace(rewrite, seen=seen, priced=compare(found_ways, number)), constants
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
    program: Program, frame: Frame, terms: tuple[str, ...], plate: str, condensed: Shortcuts
) -> tuple[Integrate, dict[str, Any]] | None:
    """Read the precision at a generic point; None where it has another form or is not positive.

    Nor is it where a pivot of its factor is nothing but rounding: what it stands for is not told
    apart from the others, neither by the data nor by a prior.
    """
    sites = tuple(name for name, _ in (*frame.groups, *frame.border))
    colours = tuple(range(frame.breadth))
    rewrite = Integrate(sites, terms, frame, colours, plate, program.dtype)
    found = jax.tree.map(np.asarray, _look(program, rewrite, condensed))
    close = 1e-9 if program.dtype == "float64" else 1e-3
    scale = max(np.abs(a).max(initial=0) for a in found.product)
    ours = multiply(found.precision, found.probe)
    for a, b in zip(ours, found.product, strict=True):
        if not np.allclose(a, b, rtol=close, atol=close * scale):
            return None
    finite = all(np.isfinite(part).all() for part in found.mode)
    if not finite or not found.pivot > ROUNDING * np.finfo(program.dtype).eps:
        return None
    colours, patterns = colour(found.precision)
    rewrite = replace(rewrite, colours=colours)
    return rewrite, {"groups": found.mode.groups, "border": found.mode.border, **patterns}


class _Found(NamedTuple):
    """Hold what is seen at a generic point: `product` is that of the precision and `probe`.

    `pivot` is the least of the precision's, NaN where it is not positive definite.
    """

    precision: Arrow
    pivot: Scalar
    mode: Vector
    probe: Vector
    product: Vector


def _look(program: Program, rewrite: Integrate, condensed: Shortcuts) -> _Found:
    """Read the quadratic at a generic point."""
    frame, dtype = rewrite.frame, np.dtype(rewrite.dtype)
    generic = np.random.default_rng(20210521)
    free = {
        n: np.asarray(generic.uniform(0.2, 0.8, v.aval.shape)) for n, v in program.inputs.items()
    }
    origin = jax.tree.map(np.asarray, frame.zeros(dtype))
    probe = jax.tree.map(lambda x: generic.uniform(0.5, 1.5, x.shape).astype(dtype), origin)

    constants = {shortcut.name: own for shortcut, own in condensed}
    form = Form(program, (rewrite, *(shortcut for shortcut, _ in condensed)))

    @compiled(ONCE)
    def look(given, free, origin, probe):
        terms = form.terms(rewrite, given, free)
        slope, precision = rewrite.read(terms, origin, {})
        # by a derivative elsewhere: the difference of two slopes would lose digits to large data
        _, push = jax.linearize(lambda g: rewrite.differentiate(terms)(g)[1], origin.plus(probe))
        product = jax.tree.map(jnp.negative, push(probe))
        factor = factorise(precision)
        return _Found(precision, factor.pivot(precision), factor.solve(slope), probe, product)

    given = Given(program.constants, {rewrite.name: {}, **constants})
    return look(given, {n: a.astype(dtype) for n, a in free.items()}, origin, probe)
