"""Climb to a maximum by damped Newton steps, each group at its own pace where it can.

A step solves (P + damping R) step = slope, with P the negative Hessian in arrow form and R the sums
of its rows' absolute values: with a damping of 2 or more that matrix is positive definite wherever
P is not (Levenberg 1944; Marquardt 1963; Gershgorin's circles). A step is kept where the slopes at
its ends say, by the trapezoid rule, that it gains; else the damping grows and it is tried again.
Groups that no border ties together each keep or refuse their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.rewrites.arrow.arrow import Arrow, Vector, factorise
from finetti.types import Array, Bool, Int

LONGEST = 200  # steps, refused ones among them
FIRST, FACTOR, LEAST = 0.1, 10.0, 1e-3  # of the damping: where it starts, how it moves and ends

Look = Callable[[Vector], tuple[Vector, Arrow]]


class Climb(NamedTuple):
    """Hold where the climb stands; `damping` has one number a group, and one for the border."""

    place: Vector
    slope: Vector
    precision: Arrow
    damping: Vector
    done: Bool[Array, ""]
    steps: Int[Array, ""]


def climb(look: Look, start: Vector, dtype: str) -> tuple[Vector, Bool[Array, ""]]:
    """Return the maximum that steps from `start` lead to, and whether they arrived.

    `look` gives slope and negative Hessian at a place.
    """
    close = float(np.finfo(dtype).eps) ** 0.6  # of a step's gain: the next's is about its square

    def on(at: Climb) -> Array:
        return ~at.done & (at.steps < LONGEST)

    def move(at: Climb) -> Climb:
        step = factorise(_damp(at.precision, at.damping)).solve(at.slope)
        trial = at.place.plus(step)
        slope, precision = look(trial)
        gain = _each(step, at.slope)
        # A step that gains next to nothing is kept whatever the slopes' rounding says of it.
        last = jax.tree.map(lambda g: jnp.abs(g) <= close, gain)
        ahead = _each(step, slope)
        # The trapezoid rule: what f gains is half the sum of its slopes along the step at both
        # ends.
        kept = jax.tree.map(lambda a, b, c: (a + b >= 0) | c, gain, ahead, last)
        kept = jax.tree.map(jnp.logical_and, kept, _finite(slope, precision))
        still = jax.tree.map(lambda k, e, d: k & e & (d == 0), kept, last, at.damping)
        damping = jax.tree.map(changed, kept, at.damping)
        return Climb(
            Vector(*map(_pick, kept, trial, at.place)),
            Vector(*map(_pick, kept, slope, at.slope)),
            _pick_rows(kept, precision, at.precision),
            damping,
            still.groups.all() & still.border.all() & (at.steps > 0),
            at.steps + 1,
        )

    # The first step goes nowhere and looks around at the start: one look fewer to compile.
    level = jax.tree.map(jnp.zeros_like, start)
    shapes = jax.eval_shape(look, start)[1]
    unit = Arrow(
        *(jnp.broadcast_to(jnp.eye(*a.shape[-2:], dtype=a.dtype), a.shape) for a in shapes)
    )
    unit = unit._replace(couplings=jnp.zeros_like(unit.couplings))
    undamped = jax.tree.map(jnp.zeros_like, _each(start, level))
    begin = Climb(start, level, unit, undamped, jnp.zeros((), bool), jnp.zeros((), int))
    end = jax.lax.while_loop(on, move, begin)
    return end.place, end.done


def _each(step: Vector, slope: Vector) -> Vector:
    """Return the slopes along a step, of each group; where a border ties them, of all together."""
    groups = jnp.sum(step.groups * slope.groups, -1)
    if not slope.border.size:
        return Vector(groups[:, None], slope.border)
    whole = groups.sum() + jnp.sum(step.border * slope.border)
    return Vector(jnp.broadcast_to(whole, (*groups.shape, 1)), jnp.broadcast_to(whole, (1,)))


def _finite(slope: Vector, precision: Arrow) -> Vector:
    groups = jnp.isfinite(slope.groups).all(-1) & jnp.isfinite(precision.blocks).all((-1, -2))
    if not slope.border.size:
        return Vector(groups[:, None], jnp.isfinite(slope.border))
    parts = (slope.border, precision.couplings, precision.corner)
    whole = groups.all() & jnp.array([jnp.isfinite(a).all() for a in parts]).all()
    return Vector(jnp.broadcast_to(whole, (*groups.shape, 1)), jnp.broadcast_to(whole, (1,)))


def _damp(precision: Arrow, damping: Vector) -> Arrow:
    """Add to the diagonal the damping times the rows' sums of absolute values."""
    blocks, couplings, corner = (jnp.abs(part) for part in precision)
    rows = blocks.sum(-1) + couplings.sum(-1)
    last = couplings.sum((0, 1)) + corner.sum(-1)
    more = (damping.groups * rows)[..., None] * jnp.eye(rows.shape[-1], dtype=rows.dtype)
    corner = precision.corner + jnp.diag(damping.border * last)
    return Arrow(precision.blocks + more, precision.couplings, corner)


def changed(kept: Array, damping: Array) -> Array:
    """Return the damping: lower where a step was kept, higher where not."""
    less = jnp.where(damping < LEAST, 0.0, damping / FACTOR)
    return jnp.where(kept, less, jnp.maximum(FACTOR * damping, FIRST))


def _pick(kept: Array, new: Array, old: Array) -> Array:
    return jnp.where(kept, new, old)


def _pick_rows(kept: Vector, new: Arrow, old: Arrow) -> Arrow:
    rows = kept.groups[..., None]
    return Arrow(
        jnp.where(rows, new.blocks, old.blocks),
        jnp.where(rows, new.couplings, old.couplings),
        jnp.where(kept.border[:, None], new.corner, old.corner),
    )
