"""Sample by Hamiltonian Monte Carlo with trajectories of a fixed number of leapfrogs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from finetti.kernels.kernel import Info, Kernel, Point, Tuning, evaluate, select
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import LogDensity, Position, Scalar

MAX_ENERGY_ERROR = 1000.0


class Noise(NamedTuple):
    """Hold the randomness of one step: a momentum and the logarithm of a uniform."""

    momentum: Position
    log_uniform: Scalar


class State(NamedTuple):
    """Hold a chain's current point."""

    draw: Point


@dataclass(frozen=True)
class Hamiltonian(Kernel):
    """Follow a trajectory from a fresh momentum and accept its end, or stay.

    One step makes `leapfrogs` leapfrogs and accepts with probability min(1, exp(H - H')), H being
    minus the log density plus half the momentum's square. The default acceptance rate is near
    the best in many dimensions (Beskos et al. 2013).

    Duane, Kennedy, Pendleton & Roweth 1987; Neal 2011.
    """

    leapfrogs: int = 10
    target_acceptance: float = 0.8
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = True

    def noise(self, key, dim, dtype):
        momentum_key, uniform_key = jax.random.split(key)
        return Noise(
            jax.random.normal(momentum_key, (dim,), dtype),
            jnp.log(jax.random.uniform(uniform_key, (), dtype)),
        )

    def init(self, point: Point) -> State:
        return State(point)

    def restart(self, state: State, when) -> State:
        return state

    def advance(self, noise: Noise, state: State, target: LogDensity, tuning: Tuning):
        old, step = state.draw, tuning.step_size
        energy = 0.5 * jnp.sum(noise.momentum**2) - old.log_density

        def leap(_, phase: tuple[Point, Position]) -> tuple[Point, Position]:
            point, momentum = phase
            half = momentum + 0.5 * step * self.metric.backward(tuning.scale, point.gradient)
            moved = evaluate(
                target, point.position + step * self.metric.forward(tuning.scale, half)
            )
            return moved, half + 0.5 * step * self.metric.backward(tuning.scale, moved.gradient)

        point, momentum = jax.lax.fori_loop(0, self.leapfrogs, leap, (old, noise.momentum))
        log_ratio = energy + point.log_density - 0.5 * jnp.sum(momentum**2)
        # A trajectory that has left what numbers can hold is refused, and has diverged.
        log_ratio = jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio)
        draw = select(noise.log_uniform < log_ratio, point, old)
        info = Info(
            done=jnp.array(True),
            acceptance=jnp.exp(jnp.minimum(log_ratio, 0.0)),
            diverging=~(log_ratio > -MAX_ENERGY_ERROR),
            energy=energy,
            depth=jnp.zeros((), jnp.int32),
            gradients=jnp.asarray(self.leapfrogs, jnp.int32),
        )
        return State(draw), info
