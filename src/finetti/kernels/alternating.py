"""Move the members of a group, each accepted by itself, in turn with all other coordinates.

One step completes a trajectory of the inner kernel on the other coordinates, the members standing
still; then each member follows a short Hamiltonian trajectory of its own, given the others. Both
leave the posterior invariant, so their composition does (Tierney 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from finetti.kernels.kernel import Info, Kernel, Point, Tuning, evaluate
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import Array, DType, Float, Key, Position, Scalar, Tree, Value

LONG = (0.7, 1.0)  # shares of the step size that most steps have: they vary at random
SHORT = 0.125  # share of the steps that are short: a member may be where nothing else is accepted
SHORTEST = 2.0**-8  # times the step size, of those


@runtime_checkable
class ByMember(Protocol):
    """Give the log density, and each member's part of it."""

    def __call__(self, position: Position, /) -> Scalar:
        """Return the log density at a position."""
        ...

    def by_member(self, position: Position, /) -> Float[Array, " member"]:
        """Return the log density of each member given all else, up to what it does not touch."""
        ...


class State(NamedTuple):
    """Hold a chain's current point."""

    draw: Point


@dataclass(frozen=True)
class Alternating(Kernel):
    """Step through the rest by `inner`, then through the members by themselves.

    `spans` are the stretches of the position, first and last + 1, that hold the members' numbers,
    as many for each of the `members`, in order. The target has `by_member`. The tuning has a step
    size, and the info an acceptance, for the rest and for the members; theirs is its mean over
    them. The inner kernel's metric must be diagonal.
    """

    inner: Kernel
    spans: tuple[tuple[int, int], ...]
    members: int
    leapfrogs: int = 2
    member_acceptance: float = 0.95
    metric: Metric = Diagonal()  # noqa: RUF009 - it is frozen
    uses_gradient: ClassVar[bool] = True

    @property
    def target_acceptance(self) -> tuple[float, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the acceptance to aim at, for the rest and for the members."""
        rest = self.inner.target_acceptance
        assert isinstance(rest, float)
        return (rest, self.member_acceptance)

    def noise(self, key, dim, dtype):
        return key  # what a step takes is too much to be drawn ahead

    def init(self, point: Point) -> State:
        return State(point)

    def restart(self, state: State, when) -> State:
        return state

    def advance(self, noise: Key, state: State, target: ByMember, tuning: Tuning):
        rest_key, member_key = jax.random.split(noise)
        position, inner = self._move_rest(rest_key, state.draw, target, tuning)
        position, acceptance = self._move_members(member_key, position, target, tuning)
        info = inner._replace(
            acceptance=jnp.stack([inner.acceptance, acceptance]),
            gradients=inner.gradients + self.leapfrogs + 2,
        )
        return State(evaluate(target, position)), info

    def _move_rest(
        self, key: Key, draw: Point, target: ByMember, tuning: Tuning
    ) -> tuple[Position, Info]:
        """Make steps of the inner kernel until it completes a draw."""
        outside = np.ones(draw.position.shape, bool)
        for a, b in self.spans:
            outside[a:b] = False
        rest = np.flatnonzero(outside)
        dtype, own = draw.position.dtype, Tuning(tuning.step_size[0], tuning.scale[rest])

        def conditional(x: Position) -> Scalar:
            return target(draw.position.at[rest].set(x))

        def step(number: Value, state: Tree) -> tuple[Tree, Info]:
            noise = self.inner.noise(jax.random.fold_in(key, number), len(rest), dtype)
            return self.inner.advance(noise, state, conditional, own)

        start = self.inner.init(Point(draw.position[rest], draw.log_density, draw.gradient[rest]))
        number, blank = jnp.zeros((), jnp.int32), jax.eval_shape(step, 0, start)[1]
        info = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), blank)
        _, state, info = jax.lax.while_loop(
            lambda loop: ~loop[2].done,
            lambda loop: (loop[0] + 1, *step(loop[0], loop[1])),
            (number, start, info),
        )
        return draw.position.at[rest].set(state.draw.position), info

    def _move_members(
        self, key: Key, position: Position, target: ByMember, tuning: Tuning
    ) -> tuple[Position, Scalar]:
        """Follow a trajectory of each member and accept each by itself."""
        momentum_key, step_key, uniform_key = jax.random.split(key, 3)
        start, scale = self._gather(position), self._gather(tuning.scale)
        step = tuning.step_size[1] * self._spread(_shares(step_key, self.members, start.dtype))

        def look(x: Array) -> tuple[Array, Array]:
            found, pull = jax.vjp(lambda x: target.by_member(self._place(position, x)), x)
            return found, scale * pull(jnp.ones_like(found))[0]

        def leap(_: Value, phase: tuple[Array, ...]) -> tuple[Array, ...]:
            x, momentum, _, slope = phase
            half = momentum + 0.5 * step * slope
            x = x + step * scale * half
            found, slope = look(x)
            return x, half + 0.5 * step * slope, found, slope

        momentum = jax.random.normal(momentum_key, start.shape, start.dtype)
        here, slope = look(start)
        before = here - 0.5 * self._sums(momentum**2)
        end = jax.lax.fori_loop(0, self.leapfrogs, leap, (start, momentum, here, slope))
        x, momentum, there, _ = end
        log_ratio = there - 0.5 * self._sums(momentum**2) - before
        log_ratio = jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio)
        uniform = jax.random.uniform(uniform_key, (self.members,), start.dtype)
        taken = jnp.where(self._spread(jnp.log(uniform) < log_ratio), x, start)
        return self._place(position, taken), jnp.exp(jnp.minimum(log_ratio, 0.0)).mean()

    def _gather(self, whole: Array) -> Array:
        """Return the members' numbers, one span after another."""
        return jnp.concatenate([whole[a:b] for a, b in self.spans])

    def _place(self, whole: Array, numbers: Array) -> Array:
        """Return the position with the members' numbers in their spans."""
        start = 0
        for a, b in self.spans:
            whole = whole.at[a:b].set(numbers[start : start + b - a])
            start += b - a
        return whole

    def _sums(self, numbers: Array) -> Array:
        """Return the sum of each member's numbers."""
        parts = jnp.split(numbers, np.cumsum([b - a for a, b in self.spans])[:-1])
        return sum((p.reshape(self.members, -1).sum(-1) for p in parts), jnp.zeros(self.members))

    def _spread(self, each: Array) -> Array:
        """Return what each member has, for each of its numbers."""
        return jnp.concatenate([jnp.repeat(each, (b - a) // self.members) for a, b in self.spans])


def _shares(key: Key, members: int, dtype: DType) -> Float[Array, " member"]:
    """Draw the share of the step size that each member's step has, whatever its state.

    Where a member's density bends far more than where its scale was learned, as that of a count
    does far above its mean, a step of the usual length would be refused for ever.
    """
    which, share = jax.random.uniform(key, (2, members), dtype)
    long = LONG[0] + (LONG[1] - LONG[0]) * share
    return jnp.where(which < SHORT, SHORTEST**share, long)
