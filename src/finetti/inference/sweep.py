"""Make steps of all chains in one compiled program, learning the tuning while asked to.

Chains are the last axis of every array. The randomness of step i of a chain depends on the
chain's key and i alone, so draws do not depend on how the steps are cut into chunks. A while
loop stops as soon as every chain has its draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import OFTEN, ONCE, compiled
from finetti.inference import warmup
from finetti.kernels.kernel import Info, Kernel, Point, Tuning, select
from finetti.types import Array, Constants, Float, Int, Key, Position, Scalar


@dataclass(frozen=True)
class Course:
    """Hold what a compiled program depends on: equal courses share it.

    `target` has `log_density(constants, position)`; `ends` are the totals of draws at which
    warm-up's windows close; `capacity` is the most steps that one call can make.
    """

    kernel: Kernel
    target: Any
    ends: tuple[int, ...]
    capacity: int


class Orders(NamedTuple):
    """Hold what may change from call to call without compiling again.

    `keys` has one key a chain; `phase` numbers the run's phases. `learning` is a flag; `wanted`
    draws a chain and at most `limit` steps end the call.
    """

    constants: Constants
    keys: Key
    phase: Any
    learning: Any
    wanted: Any
    limit: Any


class Carry(NamedTuple):
    """Hold all that goes from one step to the next."""

    states: Any
    tuning: Tuning
    adaptation: warmup.Adaptation
    counts: Int[Array, " chain"]
    steps: Int[Array, ""]


class Record(NamedTuple):
    """Hold what a chunk of steps emits, shapes (step, ..., chain)."""

    position: Float[Array, "step dim chain"]
    log_density: Float[Array, "step chain"]
    step_size: Float[Array, "step *block"]
    info: Info


class Loop(NamedTuple):
    """Hold a loop's variables: steps made, carry, record, the last step's info."""

    made: Int[Array, ""]
    carry: Carry
    record: Record
    info: Info


class Bound:
    """Give a target its constants: the log density, or each member's, as a function of position."""

    def __init__(self, target: Any, constants: Constants) -> None:
        self.target, self.constants = target, constants
        self.whole = jax.jit(target.log_density, inline=True)  # traced once, used twice

    def __call__(self, position: Position) -> Scalar:
        """Return the log density."""
        return self.whole(self.constants, position)

    def by_member(self, position: Position) -> Float[Array, " member"]:
        """Return the log density of each member that moves by itself."""
        return self.target.by_member(self.constants, position)


@compiled(ONCE, "kernel")
def launch(kernel: Kernel, points: Point, step_size: Any) -> Carry:
    """Put chains at their starting points, chains last, with nothing learned yet."""
    dim, chains = points.position.shape
    states = jax.vmap(kernel.init, -1, -1)(points)
    tuning, adaptation = warmup.begin(kernel, (dim, chains), step_size, points.position.dtype)
    none = jnp.zeros((), jnp.int32)
    return Carry(states, tuning, adaptation, jnp.zeros(chains, jnp.int32), none)


@compiled(OFTEN, "course")
def sweep(course: Course, orders: Orders, carry: Carry) -> tuple[Carry, Record, Array]:
    """Make up to `orders.limit` steps of all chains; the tuning changes only while `learning`.

    Returns the carry, the record, of which the first n steps are valid, and n.
    """
    noise = draw_noise(course, orders, carry)
    target = Bound(course.target, orders.constants)
    advance = jax.vmap(
        lambda n, s, t: course.kernel.advance(n, s, target, t),
        in_axes=(-1, -1, None),
        out_axes=-1,
    )

    def move(loop: Loop) -> Loop:
        i, carry = loop.made, loop.carry
        here = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, i, 0, False), noise)
        states, info = advance(here, carry.states, carry.tuning)
        emitted = Record(
            states.draw.position, states.draw.log_density, carry.tuning.step_size, info
        )
        record = jax.tree.map(
            lambda rows, x: jax.lax.dynamic_update_index_in_dim(rows, x, i, 0), loop.record, emitted
        )
        counts = carry.counts + info.done
        moved = carry._replace(states=states, counts=counts, steps=carry.steps + 1)
        return Loop(i + 1, moved, record, info)

    def more(loop: Loop) -> Array:
        return (loop.made < orders.limit) & (loop.carry.counts < orders.wanted).any()

    def untaught(loop: Loop) -> Array:
        return more(loop) & ~(orders.learning & loop.info.done.any())

    def move_and_learn(loop: Loop) -> Loop:
        """Move until some chain completes a draw, then learn from it.

        There is one loop that moves and no step before it: two copies could round differently.
        """
        unfinished = loop.info._replace(done=jnp.zeros_like(loop.info.done))
        loop = jax.lax.while_loop(untaught, move, loop._replace(info=unfinished))
        return loop._replace(carry=_learn(course, orders, loop))

    first = jax.tree.map(lambda a: a[0], noise)
    states, info = jax.eval_shape(advance, first, carry.states, carry.tuning)
    record, info = _blank(course.capacity, states, info, carry.tuning)
    start = Loop(jnp.zeros((), jnp.int32), carry, record, info)
    end = jax.lax.while_loop(more, move_and_learn, start)
    return end.carry, end.record, end.made


def draw_noise(course: Course, orders: Orders, carry: Carry) -> Any:
    """Draw the noise of every step ahead, shapes (step, ..., chain)."""
    position = carry.states.draw.position

    def draw(key: Key, number: Array) -> Any:
        key = jax.random.fold_in(jax.random.fold_in(key, orders.phase), number)
        return course.kernel.noise(key, position.shape[0], position.dtype)

    numbers = carry.steps + jnp.arange(course.capacity, dtype=jnp.int32)
    return jax.vmap(jax.vmap(draw, (0, None), -1), (None, 0), 0)(orders.keys, numbers)


def _learn(course: Course, orders: Orders, loop: Loop) -> Carry:
    carry, old = loop.carry, (loop.carry.adaptation, loop.carry.tuning)
    *new, changed = warmup.update(course.kernel, course.ends, *old, carry.states.draw, loop.info)
    learned = orders.learning & loop.info.done.any()
    adaptation, tuning = select(learned, tuple(new), old)
    states = jax.vmap(course.kernel.restart, (-1, None), -1)(carry.states, learned & changed)
    return carry._replace(states=states, tuning=tuning, adaptation=adaptation)


def _blank(capacity: int, states: Any, info: Info, tuning: Tuning) -> tuple[Record, Info]:
    """Return an empty record and the info of a step that has not been made."""
    draw = states.draw
    emitted = Record(draw.position, draw.log_density, tuning.step_size, info)
    rows = jax.tree.map(lambda s: jnp.zeros((capacity, *s.shape), s.dtype), emitted)
    return rows, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), info)


def to_numpy(tree: Any) -> Any:
    """Bring a pytree of arrays to the host."""
    return jax.tree.map(np.asarray, tree)
