"""Sample by random-walk Metropolis: the small exemplar of the kernel contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from finetti.kernels.kernel import Kernel, Point, Standing, Tuning, settle
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import LogDensity, Position, Scalar


class Noise(NamedTuple):
    """Hold the randomness of one step."""

    direction: Position
    log_uniform: Scalar


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

    def init(self, point: Point) -> Standing:
        return Standing.at(point)

    def restart(self, state: Standing, when) -> Standing:
        return state

    def advance(self, noise: Noise, state: Standing, target: LogDensity, tuning: Tuning):
        old = state.draw
        shift = self.metric.forward(tuning.scale, noise.direction)
        position = old.position + tuning.step_size * shift
        log_density = target(position)
        proposed = Point(position, log_density, old.gradient)
        ratio = log_density - old.log_density
        draw, info = settle(noise.log_uniform, ratio, proposed, old)
        return Standing(draw), info
