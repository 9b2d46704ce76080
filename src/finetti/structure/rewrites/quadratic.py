"""Find the sites that are jointly Gaussian given the rest, and arrange them as an arrow.

That the log density is quadratic in them is read off the traced program; which of their members
interact is read off the precision at one generic point, and checked against a generic product.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.degrees import degrees
from finetti.structure.form import Form, Given
from finetti.structure.program import Program
from finetti.structure.rewrites.arrow import Arrow, Vector, factorise
from finetti.structure.rewrites.integrate import Frame, Integrate
from finetti.structure.rewrites.rewrite import Shortcut
from finetti.structure.variables import Variable

Shortcuts = Sequence[tuple[Shortcut, dict[str, Any]]]

WIDEST = 1000  # border rows: beyond it the dense corner costs more than sampling


def find(
    program: Program,
    variables: tuple[Variable, ...],
    refused: Collection[str],
    condensed: Shortcuts = (),
) -> tuple[Integrate, dict[str, Any]] | None:
    """Return the rewrite that integrates out all it can, with its constants, if there is any.

    `condensed` are the shortcuts for observed sites, through which the precision is read faster.
    """
    latent = {v.name: v for v in variables if v.kind == "latent"}
    fitting = [v for v in latent.values() if _may_be_gaussian(v) and v.name not in refused]
    chosen = _jointly_quadratic(program, fitting)
    chosen = _closed(program, chosen, latent)
    while chosen:
        sites = [latent[name] for name in latent if name in chosen]
        terms = _terms_of(program, chosen)
        for frame, plate in _frames(sites, terms, variables):
            found = _verified(program, frame, terms, plate, condensed)
            if found is not None:
                return found
        flat = {v.name for v in sites if v.family == "Flat"}
        if not flat:  # improper where it must not be, or too wide
            return None
        chosen = _closed(program, chosen - flat, latent)
    return None


def _may_be_gaussian(v: Variable) -> bool:
    return not v.discrete and v.support == "real" and v.free_shape == v.shape


def _degrees(program: Program, sites: Collection[str]) -> Any:
    tags = program.tags()
    return degrees(program.jaxpr, {tags[name]: 1 for name in sites})


def _terms_of(program: Program, sites: Collection[str]) -> tuple[str, ...]:
    """Return the terms that depend on the sites."""
    read = _degrees(program, sites)
    return tuple(t for t, v in program.outputs.log_terms.items() if read(v))


def _is_quadratic(program: Program, sites: Collection[str]) -> bool:
    read = _degrees(program, sites)
    return all(read(v) <= 2 for v in program.outputs.log_terms.values())


def _jointly_quadratic(program: Program, fitting: list[Variable]) -> set[str]:
    """Return as large a set of sites as is jointly quadratic, the largest sites first."""
    chosen: set[str] = set()
    for v in sorted(fitting, key=lambda v: -prod(v.shape)):
        if _is_quadratic(program, {v.name}) and _is_quadratic(program, {*chosen, v.name}):
            chosen.add(v.name)
    return chosen


def _closed(program: Program, chosen: set[str], latent: dict[str, Variable]) -> set[str]:
    """Drop sites on which the density of a variable that stays in the sampler depends.

    Integrated out, they would tie its members together and hide their prior from the plan.
    """
    while True:
        dropped = {name for name in chosen if _stays(program, name, chosen, latent)}
        if not dropped:
            return chosen
        chosen = chosen - dropped


def _stays(
    program: Program, name: str, chosen: Collection[str], latent: dict[str, Variable]
) -> bool:
    read, outputs = _degrees(program, {name}), program.outputs
    others = [site for site in latent if site not in chosen]
    hidden = [outputs.log_jacobians[s] for s in others if s in outputs.log_jacobians]
    own = [outputs.log_terms[site] for site in others]
    if any(read(v) for v in (*hidden, *own)):
        return True
    discrete = {v.name for v in latent.values() if v.discrete}
    return bool(set(_terms_of(program, {name})) & set(_terms_of(program, discrete)))


def _frames(
    sites: list[Variable], terms: tuple[str, ...], variables: tuple[Variable, ...]
) -> Iterator[tuple[Frame, str]]:
    """Yield the ways to arrange the sites, cheapest first, each with its plate's name."""
    size = sum(prod(v.shape) for v in variables if v.name in terms)
    priced = [(_price(_arrange(sites, ()), size), "", _arrange(sites, ()))]
    for plates in {v.plates for v in sites if v.plates}:
        frame = _arrange(sites, plates)
        priced.append((_price(frame, size), " x ".join(p.name for p in plates), frame))
    for _, plate, frame in sorted(priced, key=lambda one: one[:2]):
        if frame.breadth <= WIDEST:
            yield frame, plate


def _arrange(sites: list[Variable], plates: tuple) -> Frame:
    inside = [v for v in sites if plates and v.plates == plates]
    border = [v for v in sites if v not in inside]
    shapes = tuple((v.name, v.shape) for v in inside), tuple((v.name, v.shape) for v in border)
    return Frame(prod(p.size for p in plates) if plates else 0, *shapes)


def _price(frame: Frame, size: int) -> float:
    """Return about how many multiplications one evaluation takes; `size` is that of the terms."""
    j, k, m = frame.count, frame.width, frame.breadth
    return (k + m + 2) * size + j * (k**3 / 3 + k**2 * m + k * m**2) + m**3 / 3


def _verified(
    program: Program, frame: Frame, terms: tuple[str, ...], plate: str, condensed: Shortcuts
) -> tuple[Integrate, dict[str, Any]] | None:
    """Read the precision at a generic point; None where it has another form or is not positive."""
    sites = tuple(name for name, _ in (*frame.groups, *frame.border))
    colours = tuple(range(frame.breadth))
    rewrite = Integrate(sites, terms, frame, colours, plate, program.dtype)
    found = jax.tree.map(np.asarray, _look(program, rewrite, condensed))
    close = 1e-9 if program.dtype == "float64" else 1e-3
    scale = max(np.abs(a).max(initial=0) for a in found.product)
    ours = _multiply(found.precision, found.probe)
    for a, b in zip(ours, found.product, strict=True):
        if not np.allclose(a, b, rtol=close, atol=close * scale):
            return None
    if not np.isfinite(found.mode.groups).all() or not np.isfinite(found.mode.border).all():
        return None
    rewrite, patterns = _coloured(rewrite, found.precision)
    return rewrite, {"groups": found.mode.groups, "border": found.mode.border, **patterns}


class _Found(NamedTuple):
    """Hold what is seen at a generic point: `product` is that of the precision and `probe`."""

    precision: Arrow
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

    @jax.jit
    def look(given, free, origin, probe):
        terms = form.terms(rewrite, given, free)
        slope, precision = rewrite.read(terms, origin, {})
        _, moved = rewrite.differentiate(terms)(origin.plus(probe))
        product = jax.tree.map(jnp.subtract, slope, moved)
        return _Found(precision, factorise(precision).solve(slope), probe, product)

    given = Given(program.constants, {rewrite.name: {}, **constants})
    return look(given, {n: a.astype(dtype) for n, a in free.items()}, origin, probe)


def _multiply(arrow: Arrow, vector: Vector) -> Vector:
    groups = np.einsum("jab,jb->ja", arrow.blocks, vector.groups)
    groups = groups + np.einsum("jam,m->ja", arrow.couplings, vector.border)
    border = np.einsum("jam,ja->m", arrow.couplings, vector.groups) + arrow.corner @ vector.border
    return Vector(groups, border)


def _coloured(rewrite: Integrate, arrow: Arrow) -> tuple[Integrate, dict[str, Any]]:
    """Let columns of the border that share no row share a product."""
    couplings, corner = arrow.couplings != 0, arrow.corner != 0
    rows = np.concatenate([np.concatenate([corner[:0], *couplings]), corner])
    taken: list[np.ndarray] = []
    colours = []
    for column in rows.T:
        colour = next((i for i, used in enumerate(taken) if not (used & column).any()), None)
        if colour is None:
            colour = len(taken)
            taken.append(np.zeros_like(column))
        taken[colour] |= column
        colours.append(colour)
    rewrite = replace(rewrite, colours=tuple(colours))
    shared = len(taken) < len(colours)
    return rewrite, {"couplings": couplings, "corner": corner} if shared else {}
