"""Make steps of the chains of many fits in one compiled program, each fit with its own tuning.

The fits are of one model to different data. A step moves every chain of every fit by one leapfrog;
chains are the last axis of every array, those of one fit side by side. What differs from fit to
fit is given with the chains, what does not is given once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from finetti.compiling import OFTEN, ONCE, compiled
from finetti.inference import warmup
from finetti.inference.sweep import Bound, Carry, Course, Orders, draw_noise
from finetti.kernels.kernel import Info, Kernel, Point, Tuning, select
from finetti.structure.form import Given
from finetti.types import AnyArray, Array, Bool, Float, Int


class Own(NamedTuple):
    """Hold the constants that each fit has for itself, every array with a leading axis of fits.

    `data` are the last of the program's constants; `rewrites` has by name those of a rewrite's that
    the data determine, or warm-up learns.
    """

    data: tuple[AnyArray, ...]
    rewrites: dict[str, dict[str, Any]]


def joined(shared: Given, own: Own) -> Given:
    """Return the constants of one fit: the shared ones with its own in their places."""
    kept = shared.data[: len(shared.data) - len(own.data)]
    rewrites = {n: {**c, **own.rewrites.get(n, {})} for n, c in shared.rewrites.items()}
    return Given((*kept, *own.data), rewrites)


@dataclass(frozen=True)
class Wide:
    """Hold what a compiled program depends on: a course, and how many chains a fit has."""

    course: Course
    chains: int


class Emitted(NamedTuple):
    """Hold what a chunk of steps emits, shapes (step, ..., chain)."""

    position: Float[Array, "step dim chain"]
    done: Bool[Array, "step chain"]
    diverging: Bool[Array, "step chain"]


class Loop(NamedTuple):
    """Hold a loop's variables: steps made, carry, what was emitted."""

    made: Int[Array, ""]
    carry: Carry
    emitted: Emitted


@compiled(ONCE, "kernel", "fits")
def launch_wide(kernel: Kernel, fits: int, points: Point, step_size: Any) -> Carry:
    """Put chains at their starting points, chains last, with nothing learned by any fit.

    `step_size` has one for each fit, last axis, or is one for all.
    """
    dim, chains = points.position.shape
    states = jax.vmap(kernel.init, -1, -1)(points)
    sizes = jnp.asarray(step_size, points.position.dtype)
    sizes = jnp.broadcast_to(sizes, (*sizes.shape[:-1], fits))

    def begin(size: Array) -> tuple[Tuning, warmup.Adaptation]:
        return warmup.begin(kernel, (dim, chains // fits), size, points.position.dtype)

    tuning, adaptation = jax.vmap(begin, -1, -1)(sizes)
    none = jnp.zeros((), jnp.int32)
    return Carry(states, tuning, adaptation, jnp.zeros(chains, jnp.int32), none)


@compiled(OFTEN, "wide")
def sweep_wide(wide: Wide, orders: Orders, carry: Carry) -> tuple[Carry, Emitted, Array]:
    """Make up to `orders.limit` steps of all chains; a fit learns until its chains have `wanted`.

    `orders.constants` is the pair of shared and own constants. Returns the carry, what the steps
    emitted, of which the first n are valid, and n.
    """
    course, (shared, own) = wide.course, orders.constants
    noise = draw_noise(course, orders, carry)
    each = jax.tree.map(lambda a: jnp.moveaxis(jnp.repeat(a, wide.chains, 0), 0, -1), own)

    def advance(noise: Any, state: Any, tuning: Tuning, own: Own) -> tuple[Any, Info]:
        target = Bound(course.target, joined(shared, own))
        return course.kernel.advance(noise, state, target, tuning)

    def move(loop: Loop) -> Loop:
        i, carry = loop.made, loop.carry
        here = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, i, 0, False), noise)
        tuning = jax.tree.map(lambda a: jnp.repeat(a, wide.chains, -1), carry.tuning)
        states, info = jax.vmap(advance, -1, -1)(here, carry.states, tuning, each)
        new = Emitted(states.draw.position, info.done, info.diverging)
        emitted = jax.tree.map(
            lambda rows, x: jax.lax.dynamic_update_index_in_dim(rows, x, i, 0), loop.emitted, new
        )
        carry = carry._replace(states=states, steps=carry.steps + 1)
        carry = jax.lax.cond(
            orders.learning, lambda c: _learn(wide, orders.wanted, c, info), lambda c: c, carry
        )
        return Loop(i + 1, carry._replace(counts=carry.counts + info.done), emitted)

    def more(loop: Loop) -> Array:
        return (loop.made < orders.limit) & (loop.carry.counts < orders.wanted).any()

    draw = carry.states.draw
    rows = (course.capacity, *draw.position.shape)
    flags = jnp.zeros((course.capacity, draw.position.shape[1]), bool)
    start = Loop(
        jnp.zeros((), jnp.int32), carry, Emitted(jnp.zeros(rows, draw.position.dtype), flags, flags)
    )
    end = jax.lax.while_loop(more, move, start)
    return end.carry, end.emitted, end.made


def _learn(wide: Wide, wanted: Any, carry: Carry, info: Info) -> Carry:
    """Let each fit learn from its chains that completed a draw, unless all have theirs."""
    course = wide.course

    def apart(a: Array) -> Array:
        return a.reshape(*a.shape[:-1], a.shape[-1] // wide.chains, wide.chains)

    def one(adaptation: Any, tuning: Tuning, counts: Array, draws: Point, info: Info) -> Any:
        old = (adaptation, tuning)
        *new, changed = warmup.update(course.kernel, course.ends, *old, draws, info)
        learned = info.done.any() & (counts < wanted).any()
        return *select(learned, tuple(new), old), learned & changed

    chains = jax.tree.map(apart, (carry.counts, carry.states.draw, info))
    adaptation, tuning, changed = jax.vmap(one, (-1, -1, -2, -2, -2), -1)(
        carry.adaptation, carry.tuning, *chains
    )
    when = jnp.repeat(changed, wide.chains)
    states = jax.vmap(course.kernel.restart, -1, -1)(carry.states, when)
    return carry._replace(states=states, tuning=tuning, adaptation=adaptation)
