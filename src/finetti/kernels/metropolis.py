"""Sample by random-walk Metropolis: the small exemplar of the kernel contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from finetti.kernels.kernel import Info, Kernel, Point, Tuning, select
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import LogDensity, Position, Scalar


class Noise(NamedTuple):
    """Hold the randomness of one step."""

    direction: Position
    log_uniform: Scalar


class State(NamedTuple):
    """Hold a chain's current point; its gradient is never used."""

    draw: Point


@dataclass(frozen=True)
class RandomWalk(Kernel):
    """Propose x + step_size L z and accept with probability min(1, p(x') / p(x)).

    The default acceptance rate is optimal in many dimensions (Roberts, Gelman & Gilks 1997).
    """

    target_acceptance: float = 0.234
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = False

    def noise(self, key, dim, dtype):
        normal_key, uniform_key = jax.random.split(key)
        return Noise(
            jax.random.normal(normal_key, (dim,), dtype),
            jnp.log(jax.random.uniform(uniform_key, (), dtype)),
        )

    def init(self, point: Point) -> State:
        return State(point._replace(gradient=jnp.zeros_like(point.position)))

    def restart(self, state: State, when) -> State:
        return state

    def advance(self, noise: Noise, state: State, target: LogDensity, tuning: Tuning):
        old = state.draw
        shift = self.metric.forward(tuning.scale, noise.direction)
        position = old.position + tuning.step_size * shift
        log_density = target(position)
        log_ratio = jnp.nan_to_num(log_density - old.log_density, nan=-jnp.inf)
        accepted = noise.log_uniform < log_ratio
        draw = select(accepted, Point(position, log_density, old.gradient), old)
        zero, one = jnp.zeros((), jnp.int32), jnp.ones((), jnp.int32)
        info = Info(
            done=jnp.array(True),
            acceptance=jnp.exp(jnp.minimum(log_ratio, 0.0)),
            diverging=jnp.array(False),
            energy=-draw.log_density,
            depth=zero,
            gradients=one,
        )
        return State(draw), info
