"""Write down as numbers the normal priors that depend on nothing: a regression's coefficients'.

Each would be some dozens of operations of every program, in its value, its slope and its curvature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, pi
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from finetti.jaxprs import is_literal
from finetti.structure.program import Program
from finetti.structure.rewrites.arrow.arrow import Arrow, Vector
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.variables import Variable
from finetti.types import Array, Atom, Scalar


class Settled(NamedTuple):
    """Hold independent normal laws of the border: centres and precisions, and a constant."""

    centre: Array
    precision: Array
    constant: Array

    def value(self, at: Vector) -> Scalar:
        """Return the sum of their log densities."""
        return self.constant - 0.5 * jnp.sum(self.precision * (at.border - self.centre) ** 2)

    def slope(self, at: Vector) -> Vector:
        """Return its gradient."""
        border = self.precision * (self.centre - at.border)
        return Vector(jnp.zeros_like(at.groups), border)

    def added(self, arrow: Arrow) -> Arrow:
        """Return a precision with theirs added."""
        return arrow._replace(corner=arrow.corner + jnp.diag(jnp.asarray(self.precision)))


def settle(
    program: Program, frame: Frame, sites: Sequence[Variable], terms: tuple[str, ...]
) -> tuple[tuple[str, ...], Settled | None]:
    """Return the terms that are such priors, and their numbers, where there are no groups.

    Where there are, members that are alike may be counted together, which reads every term.
    """
    if frame.count or program.varying:
        return (), None
    constants = dict(zip(program.data, program.constants, strict=True))
    latent, found = {v.name: v for v in sites}, {}
    for name, _ in frame.border:
        known = _known(program, latent[name], constants)
        if known is not None and name in terms:
            found[name] = known
    if not found or len(found) == len(terms):
        return (), None
    # A row without such a prior has a scale without end: its precision is 0, its value adds
    # nothing.
    nothing = {name: (np.zeros(shape), np.full(shape, np.inf)) for name, shape in frame.border}
    each = {**nothing, **found}
    centre, scale = (
        np.concatenate([np.ravel(each[n][i]) for n, _ in frame.border]) for i in (0, 1)
    )
    finite = scale[np.isfinite(scale)]
    constant = -np.sum(np.log(finite)) - 0.5 * len(finite) * log(2 * pi)
    made = (centre, scale**-2.0, constant)
    arrays: Any = [np.asarray(a, program.dtype) for a in made]
    return tuple(found), Settled(*arrays)


def _known(
    program: Program, v: Variable, constants: Mapping[Atom, np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a normal site's location and scale, where both stand in the program as numbers."""
    arguments = program.outputs.arguments[v.name]
    named: dict[str, Atom] = {name.rpartition(".")[2]: a for name, a in arguments.items()}
    if v.family != "Normal" or v.foreign or set(named) != {"loc", "scale"}:
        return None
    read = [a.val if is_literal(a) else constants.get(a) for a in (named["loc"], named["scale"])]
    if any(a is None or np.size(a) not in (1, np.prod(v.shape)) for a in read):
        return None
    loc, scale = (np.broadcast_to(np.asarray(a, float), v.shape) for a in read)
    fine = np.isfinite(loc).all() and np.isfinite(scale).all() and (scale > 0).all()
    return (loc, scale) if fine else None
