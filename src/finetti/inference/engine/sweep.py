"""Make steps of all chains in one compiled program, learning the tuning while asked to.

Chains are the last axis of every array, those of one fit side by side; what a fit has for itself,
its tuning, has the fits as its last axis. The randomness of step i of a chain depends on the
chain's key and i alone, so draws do not depend on how the steps are cut into chunks. A while loop
stops as soon as every chain has its draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import OFTEN, ONCE, compiled
from finetti.dividing import mesh_of
from finetti.inference.engine import warmup
from finetti.inference.engine.batch import Own, joined
from finetti.inference.engine.native import at_once
from finetti.kernels.kernel import Info, Kernel, Point, Tuning, select
from finetti.types import AnyArray, Array, DType, Float, Int, Key, Position, Scalar, Tree, Value

T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """Hold what the compiled sampler depends on: equal courses share it.

    `target` has `log_density(constants, position)`; `ends` are the totals of a fit's draws at which
    warm-up's windows close; `capacity` is the most steps that one call can make; the chains are
    those of so many `fits`.
    """

    kernel: Kernel
    target: Any
    ends: tuple[int, ...] = ()
    capacity: int = 0
    fits: int = 1


class Orders(NamedTuple):
    """Hold what may change from call to call without compiling again.

    `shared` are the constants that all fits have, `own` those of each; None where there is but one
    fit, and all are shared. `keys` has one key a chain; `phase` numbers the run's phases.
    `learning` is a flag; `wanted` draws a chain and at most `limit` steps end the call.
    """

    shared: Tree
    own: Own | None
    keys: Key
    phase: Value
    learning: Value
    wanted: Value
    limit: Value


class Carry(NamedTuple):
    """Hold all that goes from one step to the next."""

    states: Tree
    tuning: Tuning
    adaptation: warmup.Adaptation
    counts: Int[Array, " chain"]
    steps: Int[Array, ""]


class Record(NamedTuple):
    """Hold what a chunk of steps emits, shapes (step, ..., chain)."""

    position: Float[Array, "step dim chain"]
    log_density: Float[Array, "step chain"]
    step_size: Float[Array, "step *block fit"]
    info: Info


class Loop(NamedTuple):
    """Hold a loop's variables: steps made, carry, record."""

    made: Int[Array, ""]
    carry: Carry
    record: Record


class Bound:
    """Give a target its constants: the log density, or each member's, as a function of position."""

    def __init__(self, target: Any, constants: Tree) -> None:
        self.target, self.constants = target, constants

    def __call__(self, position: Position) -> Scalar:
        """Return the log density."""
        return self.target.log_density(self.constants, position)

    def by_member(self, position: Position) -> Float[Array, " member"]:
        """Return the log density of each member that moves by itself."""
        return self.target.by_member(self.constants, position)


@compiled(ONCE, "kernel", "fits")
def launch(kernel: Kernel, fits: int, points: Point, step_sizes: AnyArray) -> Carry:
    """Put chains at their starting points, chains last, with nothing learned yet.

    `step_sizes` has one for each fit, last axis.
    """
    dim, chains = points.position.shape
    states = jax.vmap(kernel.init, -1, -1)(points)

    def begin(size: Array) -> tuple[Tuning, warmup.Adaptation]:
        return warmup.begin(kernel, (dim, chains // fits), size, points.position.dtype)

    sizes = jnp.asarray(step_sizes, points.position.dtype)
    tuning, adaptation = jax.vmap(begin, -1, -1)(sizes)
    none = jnp.zeros((), jnp.int32)
    return Carry(states, tuning, adaptation, jnp.zeros(chains, jnp.int32), none)


_plain: set[Course] = set()  # whose loops the compiler could not make one function of
REFUSALS = ("UNIMPLEMENTED", "Failed to materialize symbols")  # what it says then


def sweep(course: Course, orders: Orders, carry: Carry) -> tuple[Carry, Record, Array]:
    """Make up to `orders.limit` steps of all chains; the tuning changes only while `learning`.

    Returns the carry, the record, of which the first n steps are valid, and n.
    """
    if course not in _plain and mesh_of(orders.shared) is None:
        try:
            return _sweep(course, True, orders, carry)
        except jax.errors.JaxRuntimeError as error:
            if not any(words in str(error) for words in REFUSALS):
                raise
            _plain.add(course)
    return _sweep(course, False, orders, carry)


def _steps(
    course: Course, native: bool, orders: Orders, carry: Carry
) -> tuple[Carry, Record, Array]:
    """Make the steps, in one native function where that pays."""
    noise = draw_noise(course, orders, carry)
    own = jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1), orders.own)
    own = _for_chains(course, len(orders.keys), own)
    loop, none = partial(_loop, course), jnp.zeros(len(orders.keys))
    plainly = orders._replace(keys=none)  # the noise is drawn
    return (partial(at_once, loop) if native else loop)(noise, own, plainly, carry)


_sweep = compiled(OFTEN, "course", "native")(_steps)


def _loop(
    course: Course, noise: Tree, own: Tree, orders: Orders, carry: Carry
) -> tuple[Carry, Record, Array]:
    """Make the steps whose noise is given."""

    def advance_chain(
        noise: Tree, state: Tree, tuning: Tuning, own: Own | None
    ) -> tuple[Tree, Info]:
        shared: Tree = orders.shared
        target = Bound(course.target, shared if own is None else joined(shared, own))
        return course.kernel.advance(noise, state, target, tuning)

    @partial(jax.jit, inline=True)  # traced once, for the record's shapes and in the loop
    def advance(noise: Tree, states: Tree, tuning: Tuning) -> tuple[Tree, Info]:
        both = partial(_for_chains, course, states.draw.position.shape[-1])
        axis = None if course.fits == 1 else -1
        step = jax.vmap(advance_chain, (-1, -1, axis, axis), -1)
        return step(noise, states, both(tuning), own)

    def move(loop: Loop) -> tuple[Carry, Record, Info]:
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
        return moved, record, info

    def more(loop: Loop) -> Array:
        return (loop.made < orders.limit) & (loop.carry.counts < orders.wanted).any()

    def move_and_learn(loop: Loop) -> Loop:
        """Move, and learn where a chain has completed a draw.

        A loop inside this one, until a draw is complete, would copy all states at each of its ends.
        """
        carry, record, info = move(loop)
        taught = orders.learning & info.done.any()
        carry = jax.lax.cond(taught, partial(_learn, course, orders, info), lambda c: c, carry)
        return Loop(loop.made + 1, carry, record)

    first = jax.tree.map(lambda a: a[0], noise)
    states, info = jax.eval_shape(advance, first, carry.states, carry.tuning)
    record = _blank(course.capacity, states, info, carry.tuning)
    start = Loop(jnp.zeros((), jnp.int32), carry, record)
    end = jax.lax.while_loop(more, move_and_learn, start)
    return end.carry, end.record, end.made


def _for_chains(course: Course, chains: int, own: Tree) -> Tree:
    """Return what each fit has for itself, fits last, for each of so many chains.

    One fit's is not repeated: all its chains are given the same arrays.
    """
    if course.fits == 1:
        return jax.tree.map(lambda a: jnp.squeeze(a, -1), own)
    return jax.tree.map(lambda a: jnp.repeat(a, chains // course.fits, -1), own)


def draw_noise(course: Course, orders: Orders, carry: Carry) -> Tree:
    """Draw the noise of every step ahead, shapes (step, ..., chain)."""
    position = carry.states.draw.position
    return noise_of(
        course.kernel, course.capacity, len(position), position.dtype, orders.keys, orders.phase,
        carry.steps,
    )  # fmt: skip


def noise_of(  # noqa: PLR0913 - all that the noise depends on
    kernel: Kernel, count: int, dim: int, dtype: DType, keys: Key, phase: Value, first: Value
) -> Tree:
    """Draw the noise of so many steps from the first on, shapes (step, ..., chain)."""

    def draw(key: Key, number: Array) -> Tree:
        key = jax.random.fold_in(jax.random.fold_in(key, phase), number)
        return kernel.noise(key, dim, dtype)

    numbers = first + jnp.arange(count, dtype=jnp.int32)
    return jax.vmap(jax.vmap(draw, (0, None), -1), (None, 0), 0)(keys, numbers)


def _learn(course: Course, orders: Orders, info: Info, carry: Carry) -> Carry:
    """Let each fit learn from its chains that completed a draw, unless all had theirs before."""
    fits = course.fits

    def learn(old: tuple[warmup.Adaptation, Tuning], chains: Tree) -> Tree:
        draws, counts, info = chains
        *new, changed = warmup.update(course.kernel, course.ends, *old, draws, info)
        learned = info.done.any() & (counts - info.done < orders.wanted).any()
        return *select(learned, tuple(new), old), learned & changed

    old, chains = (carry.adaptation, carry.tuning), (carry.states.draw, carry.counts, info)
    if fits == 1:
        found = learn(jax.tree.map(lambda a: jnp.squeeze(a, -1), old), chains)
        found = jax.tree.map(lambda a: a[..., None], found)
    else:
        apart = jax.tree.map(lambda a: a.reshape(*a.shape[:-1], fits, a.shape[-1] // fits), chains)
        found = jax.vmap(learn, (-1, -2), -1)(old, apart)
    adaptation, tuning, changed = found
    when = jnp.repeat(changed, len(carry.counts) // fits)
    states = jax.vmap(course.kernel.restart, -1, -1)(carry.states, when)
    return carry._replace(states=states, tuning=tuning, adaptation=adaptation)


def _blank(capacity: int, states: Tree, info: Info, tuning: Tuning) -> Record:
    """Return an empty record."""
    draw = states.draw
    emitted = Record(draw.position, draw.log_density, tuning.step_size, info)
    return jax.tree.map(lambda s: jnp.zeros((capacity, *s.shape), s.dtype), emitted)


def to_numpy(tree: T) -> T:
    """Bring a pytree of arrays to the host."""
    return jax.tree.map(np.asarray, tree)
