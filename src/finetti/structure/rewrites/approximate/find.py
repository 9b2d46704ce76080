"""Find the groups' effects that Laplace's method can integrate out, and arrange them as an arrow.

Which members interact is read off the Hessian at one generic point and checked at others; that
there is a mode is seen by climbing to one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.errors import ModelError, UnknownSite
from finetti.structure.form import Form, Given
from finetti.structure.program import Program
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.structure.rewrites.arrow.arrange import (
    closed,
    colour,
    multiply,
    terms_of,
    ways,
)
from finetti.structure.rewrites.arrow.arrow import Arrow, Vector
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.branches import every_branch
from finetti.structure.rewrites.rewrite import Found, Marginal, Sight
from finetti.structure.variables import Variable
from finetti.types import AnyArray, Bool, Constants, Tree, Values

POINTS = 3  # generic points that the Hessian is looked at


def find(sight: Sight) -> Found:
    """Return the rewrite that approximates the sites asked for, or all that fit if none is named.

    The exact rewrites come first. Raises `ModelError` where nothing fits, or something that is
    asked for does not.
    """
    program, variables, asked = sight.program, sight.variables, sight.asked
    latent = {v.name: v for v in sight.latent}
    for name in asked - set(latent):
        raise UnknownSite.among(name, latent, "approximate")
    made = [marginal for marginal, _ in sight.of(Marginal)]
    reasons = {v.name: _unfit(program, v, variables, made, asked) for v in latent.values()}
    reasons |= {name: "the plan was told not to" for name in latent if name in sight.refused}
    chosen = {name for name, reason in reasons.items() if not reason}
    left = closed(program, chosen, latent)
    tied = "the density of a variable that stays in the sampler depends on it"
    reasons |= dict.fromkeys(chosen - left, tied)
    found = _arranged(program, [latent[name] for name in latent if name in left], variables)
    if found is None:
        form = "its Hessian is no arrow with a mode: too many members interact, or none is highest"
        reasons |= dict.fromkeys(left, form)
    wanted = asked or latent
    if found is None or any(reasons[name] for name in asked):
        listed = "; ".join(f"`{name}`: {reasons[name]}" for name in wanted if reasons[name])
        raise ModelError(
            f"Laplace's method cannot integrate out {listed}. Fit with ft.NUTS(), which needs no "
            f"approximation"
        )
    return Found((found,))


def _unfit(
    program: Program,
    v: Variable,
    variables: tuple[Variable, ...],
    made: Collection[Marginal],
    asked: Collection[str],
) -> str:
    """Say why a latent variable is no case for the method; nothing if it may be one."""
    if asked and v.name not in asked:
        return "it was not asked for"
    exact = next((m for m in made if v.name in m.sites), None)
    if exact is not None:
        return f"the plan takes it out exactly ({exact.verb})"
    if v.discrete:
        return "it is discrete"
    if not asked and not _is_effect(program, v, variables):
        return "it is a parameter of its own, not one of many in a plate (name it to insist)"
    terms = set(terms_of(program, {v.name}))
    for m in made:
        for term in sorted(terms.intersection(m.terms)):
            return (
                f"in `{term}` it meets {_listed(m.sites)}, which the plan takes out exactly "
                f"(refuse that by .without({m.verb!r}) to approximate both)"
            )
    for kinked in (w for w in variables if w.name in terms and w.known.kinked):
        return f"the {kinked.family} density of `{kinked.name}` has a kink where modes tend to lie"
    return ""


def _is_effect(program: Program, v: Variable, variables: tuple[Variable, ...]) -> bool:
    """Tell a group's effect: it lies in a plate, or is a vector whose prior others determine."""
    if v.plates:
        return True
    read = program.degrees({w.name for w in variables if w.kind == "latent"} - {v.name})
    arguments = program.outputs.arguments[v.name].values()
    return prod(v.free_shape) > 1 and any(read(a) for a in arguments)


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _arranged(
    program: Program, sites: list[Variable], variables: tuple[Variable, ...]
) -> tuple[Approximate, Constants] | None:
    """Return the cheapest arrangement that the Hessian bears out."""
    if not sites:
        return None
    terms = terms_of(program, {v.name for v in sites})
    for _, plate, frame, _ in ways(sites, terms, variables):
        found = _verified(program, frame, terms, plate)
        if found is not None:
            return found
    return None


class _Found(NamedTuple):
    """Hold what is seen at a generic point: `product` is that of the precision and `probe`."""

    precision: Arrow
    product: Vector
    mode: Vector
    found: Bool[AnyArray, ""]


def _verified(
    program: Program, frame: Frame, terms: tuple[str, ...], plate: str
) -> tuple[Approximate, Constants] | None:
    """Look at generic points; None where the Hessian has another form or no mode is found."""
    sites = tuple(name for name, _ in (*frame.groups, *frame.border))
    rewrite = Approximate(sites, terms, frame, tuple(range(frame.breadth)), plate, program.dtype)
    close = 1e-8 if program.dtype == "float64" else 1e-3
    generic = np.random.default_rng(20210521)
    look, mode, pattern = _looking(program, rewrite), None, None
    for _ in range(POINTS):
        free, place, probe = _generic(generic, program, frame)
        found = jax.tree.map(np.asarray, look(program.constants, free, place, probe))
        scale = max(np.abs(a).max(initial=0) for a in found.product)
        for a, b in zip(multiply(found.precision, probe), found.product, strict=True):
            if not np.allclose(a, b, rtol=close, atol=close * scale):
                return None
        seen = jax.tree.map(lambda a: a != 0, found.precision)
        pattern = seen if pattern is None else jax.tree.map(np.logical_or, seen, pattern)
        if found.found and mode is None:
            mode = found.mode
    if mode is None or pattern is None:
        return None
    colours, patterns = colour(pattern)
    constants = {"groups": mode.groups, "border": mode.border, **patterns}
    return replace(rewrite, colours=colours), constants


def _generic(
    generic: np.random.Generator, program: Program, frame: Frame
) -> tuple[dict, Vector, Vector]:
    """Return free values, a place for the sites and a vector to multiply with."""
    dtype = np.dtype(program.dtype)

    def uniform(low: float, shape: tuple[int, ...]) -> Any:
        return np.asarray(generic.uniform(low, low + 0.6, shape)).astype(dtype)

    free = {name: uniform(0.2, v.aval.shape) for name, v in program.inputs.items()}
    zero = frame.zeros(dtype)
    place, probe = (
        Vector(uniform(low, zero.groups.shape), uniform(low, zero.border.shape))
        for low in (-0.3, 0.7)
    )
    return free, place, probe


def _looking(program: Program, rewrite: Approximate) -> Any:
    """Return the compiled function that looks at a point and climbs from there."""

    @compiled(ONCE)
    def look(data: Tree, free: Values, place: Vector, probe: Vector) -> _Found:
        form, given = Form(program, (rewrite,)), Given(data, {rewrite.name: {}})
        # What interacts is looked at with all branches taken; the climb is that of the density
        # itself.
        terms = form.terms(rewrite, given, free)
        whole = form.terms(rewrite, given, free, evaluate=every_branch(program))
        _, precision = rewrite.look(whole, place, {})
        product = jax.tree.map(jnp.negative, rewrite.push(whole, place, probe))
        peak = rewrite.expand(terms, {"groups": place.groups, "border": place.border})
        return _Found(precision, product, peak.mode, peak.found)

    return look
