"""Sample by the no-U-turn sampler, one leapfrog a step.

Multinomial sampling with biased progression between subtrees and the generalised U-turn
criterion (Hoffman & Gelman 2014; Betancourt 2017, appendix A), built without recursion from
checkpoints (Phan, Pradhan & Jankowiak 2019). The criterion is also asked of each half with the
nearest leaf of the other, as Stan does since 2.21: else a trajectory that doubles to a whole period
of its oscillation looks as if it had not turned. A state machine makes exactly one leapfrog a step,
so no chain waits for another's longer trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from finetti.kernels.kernel import Info, Kernel, Point, Tuning, anywhere, evaluate, select
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import Array, Bool, Float, Int, Key, LogDensity, Position, Scalar

MAX_ENERGY_ERROR = 1000.0


class Phase(NamedTuple):
    """Hold one end of a trajectory: position, momentum and gradient."""

    position: Position
    momentum: Position
    gradient: Position


class Noise(NamedTuple):
    """Hold the randomness of one step: a key for momenta, a direction, and two uniforms."""

    momentum_key: Key
    forward: Bool[Array, ""]
    log_uniforms: Float[Array, "2"]


class Subtree(NamedTuple):
    """Hold the subtree being built: its tip, proposal, weight and checkpoints.

    Row k of `momenta`, `before` and `sums` holds the momentum at the k-th open balanced subtree's
    first leaf, that at the leaf before it, and the sum of momenta up to it.
    """

    forward: Bool[Array, ""]
    leaf: Int[Array, ""]
    tip: Phase
    proposal: Point
    log_weight: Scalar
    momentum_sum: Position
    momenta: Float[Array, "depth dim"]
    before: Float[Array, "depth dim"]
    sums: Float[Array, "depth dim"]


class State(NamedTuple):
    """Hold a chain's last draw and the trajectory that is being built from it."""

    draw: Point
    fresh: Bool[Array, ""]
    step_size: Scalar
    energy: Scalar
    depth: Int[Array, ""]
    left: Phase
    right: Phase
    proposal: Point
    log_weight: Scalar
    momentum_sum: Position
    subtree: Subtree
    acceptance_sum: Scalar
    leapfrogs: Int[Array, ""]


@dataclass(frozen=True)
class NoUTurn(Kernel):
    """Move by trajectories that double until they turn back.

    `max_depth` bounds a trajectory to 2^max_depth - 1 leapfrogs.
    """

    max_depth: int = 10
    target_acceptance: float = 0.8
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = True

    def noise(self, key, dim, dtype):
        momentum_key, uniform_key = jax.random.split(key)
        uniforms = jax.random.uniform(uniform_key, (3,), dtype)
        return Noise(momentum_key, uniforms[0] < 0.5, jnp.log(uniforms[1:]))

    def init(self, point: Point) -> State:
        zero, none = jnp.zeros_like(point.log_density), jnp.zeros((), jnp.int32)
        end = Phase(point.position, jnp.zeros_like(point.position), point.gradient)
        # A checkpoint for each level of subtrees within the longest, which has 2^(max_depth - 1)
        # leaves.
        rows = jnp.zeros((max(self.max_depth - 1, 1), *point.position.shape), point.position.dtype)
        subtree = Subtree(
            jnp.array(True), none, end, point, zero - jnp.inf, end.momentum, rows, rows, rows
        )
        return State(
            draw=point, fresh=jnp.array(True), step_size=zero, energy=zero, depth=none,
            left=end, right=end, proposal=point, log_weight=zero, momentum_sum=end.momentum,
            subtree=subtree, acceptance_sum=zero, leapfrogs=none,
        )  # fmt: skip

    def restart(self, state: State, when) -> State:
        return state._replace(fresh=state.fresh | when)

    def advance(self, noise: Noise, state: State, target: LogDensity, tuning: Tuning):
        state = _begin(noise, state, tuning)
        # One leaf is grown, and all that it may complete is looked at: under vmap a branch not
        # taken would be computed all the same.
        subtree, log_weight = self._grow(noise, state, target, tuning)
        energy_error = -log_weight
        diverging = ~(energy_error < MAX_ENERGY_ERROR)
        subtree, turning = _check_subtree(subtree, state.subtree.tip.momentum)
        complete = subtree.leaf + 1 == (1 << state.depth)
        stopped = diverging | turning
        state = state._replace(
            acceptance_sum=state.acceptance_sum + jnp.exp(jnp.minimum(log_weight, 0.0)),
            leapfrogs=state.leapfrogs + 1,
        )
        across = _turns_across(state, subtree)
        # A subtree that diverges or turns is dropped whole, and the trajectory before it has the
        # draw.
        state = select(complete & ~stopped, _merge(noise, state, subtree), state)
        turned = across | turns(state.left.momentum, state.right.momentum, state.momentum_sum)
        done = stopped | (complete & (turned | (state.depth >= self.max_depth)))
        draw = select(done, state.proposal, state.draw)
        ended = complete | stopped
        subtree = subtree._replace(leaf=jnp.where(ended, 0, subtree.leaf + 1))
        info = Info(
            done=done,
            acceptance=state.acceptance_sum / state.leapfrogs,
            diverging=diverging,
            energy=state.energy,
            depth=state.depth,
            gradients=state.leapfrogs,
        )
        return state._replace(draw=draw, fresh=done, subtree=subtree), info

    def _grow(
        self, noise: Noise, state: State, target: LogDensity, tuning: Tuning
    ) -> tuple[Subtree, Scalar]:
        """Make one leapfrog at the tip of the subtree; return it and the leaf's log weight."""
        old = state.subtree
        opening = old.leaf == 0
        forward = jnp.where(opening, noise.forward, old.forward)
        tip = select(opening, select(forward, state.right, state.left), old.tip)
        step = jnp.where(forward, state.step_size, -state.step_size)
        half = tip.momentum + 0.5 * step * self.metric.backward(tuning.scale, tip.gradient)
        point = evaluate(target, tip.position + step * self.metric.forward(tuning.scale, half))
        momentum = half + 0.5 * step * self.metric.backward(tuning.scale, point.gradient)
        log_weight = state.energy - 0.5 * jnp.sum(momentum**2) + point.log_density
        log_weight = jnp.where(jnp.isnan(log_weight), -jnp.inf, log_weight)
        total = jnp.where(opening, log_weight, jnp.logaddexp(old.log_weight, log_weight))
        take = opening | (noise.log_uniforms[0] < log_weight - total)
        before = jnp.where(opening, 0.0, old.momentum_sum)
        subtree = Subtree(
            forward=forward,
            leaf=old.leaf,
            tip=Phase(point.position, momentum, point.gradient),
            proposal=select(take, point, old.proposal),
            log_weight=total,
            momentum_sum=before + momentum,
            momenta=old.momenta,
            before=old.before,
            sums=old.sums,
        )
        return subtree, log_weight


def _begin(noise: Noise, state: State, tuning: Tuning) -> State:
    """Start a new trajectory from the last draw, where none is under way."""
    draw = state.draw
    momentum = jax.lax.cond(
        anywhere(state.fresh),
        lambda key: jax.random.normal(key, draw.position.shape, draw.position.dtype),
        lambda key: jnp.zeros_like(draw.position),
        noise.momentum_key,
    )
    end = Phase(draw.position, momentum, draw.gradient)
    zero, none = jnp.zeros_like(state.energy), jnp.zeros_like(state.depth)
    begun = state._replace(
        step_size=jnp.asarray(tuning.step_size, zero.dtype),
        energy=0.5 * jnp.sum(momentum**2) - draw.log_density,
        depth=none,
        left=end,
        right=end,
        proposal=draw,
        log_weight=zero,
        momentum_sum=momentum,
        subtree=state.subtree._replace(leaf=none),
        acceptance_sum=zero,
        leapfrogs=none,
    )
    return select(state.fresh, begun, state)


def _check_subtree(subtree: Subtree, before: Position) -> tuple[Subtree, Bool[Array, ""]]:
    """Look for a U-turn in every balanced subtree that the new leaf completes.

    Even leaves open subtrees and are written to a checkpoint, with the momentum `before` them; odd
    ones close as many subtrees as their binary expansion ends in ones. The second half of a closed
    subtree begins at the next checkpoint.
    """
    leaf, momentum = subtree.leaf, subtree.tip.momentum
    rows = jnp.arange(subtree.momenta.shape[0], dtype=jnp.int32)
    last = jax.lax.population_count(leaf >> 1)
    closed = jax.lax.population_count(leaf & ~(leaf + 1))
    write = ((leaf % 2 == 0) & (rows == last))[:, None]
    momenta = jnp.where(write, momentum, subtree.momenta)
    befores = jnp.where(write, before, subtree.before)
    sums = jnp.where(write, subtree.momentum_sum, subtree.sums)
    inside = (rows <= last) & (rows > last - closed)
    whole = turns(momenta, momentum, subtree.momentum_sum - sums + momenta)
    second, ending, until = (jnp.roll(a, -1, 0) for a in (momenta, befores, sums))
    first_half = turns(momenta, second, until - sums + momenta)
    second_half = turns(ending, momentum, subtree.momentum_sum - until + second + ending)
    turning = whole | ((rows < last) & (first_half | second_half))
    subtree = subtree._replace(momenta=momenta, before=befores, sums=sums)
    return subtree, (inside & turning).any()


def _turns_across(state: State, subtree: Subtree) -> Bool[Array, ""]:
    """Look for a U-turn in each half of the whole with the nearest leaf of the other.

    The subtree's first leaf is that of the first checkpoint.
    """
    outer = select(subtree.forward, state.left.momentum, state.right.momentum)
    joint = select(subtree.forward, state.right.momentum, state.left.momentum)
    first = subtree.momenta[0]
    return turns(outer, first, state.momentum_sum + first) | turns(
        joint, subtree.tip.momentum, subtree.momentum_sum + joint
    )


def _merge(noise: Noise, state: State, subtree: Subtree) -> State:
    """Join the finished subtree to the trajectory, favouring its proposal."""
    take = noise.log_uniforms[1] < subtree.log_weight - state.log_weight
    return state._replace(
        depth=state.depth + 1,
        left=select(subtree.forward, state.left, subtree.tip),
        right=select(subtree.forward, subtree.tip, state.right),
        proposal=select(take, subtree.proposal, state.proposal),
        log_weight=jnp.logaddexp(state.log_weight, subtree.log_weight),
        momentum_sum=state.momentum_sum + subtree.momentum_sum,
    )


def turns(left: Array, right: Array, total: Array) -> Bool[Array, "..."]:
    """Tell whether a trajectory between two momenta turns back, given the sum of its momenta.

    The ends count half, as in the trapezoid rule for the distance travelled.
    """
    travelled = total - 0.5 * (left + right)
    return (jnp.sum(left * travelled, -1) <= 0) | (jnp.sum(right * travelled, -1) <= 0)
