"""Sample by adaptive Metropolis, which learns its proposal's covariance from its own past."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from finetti.kernels.kernel import Kernel, Point, Tuning, anywhere, settle
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import Array, Float, Int, LogDensity, Position, Scalar

EARLY, LATE = 0.5, 0.05  # shares of small, safe steps before and after the first covariance


class Noise(NamedTuple):
    """Hold the randomness of one step: a direction, a choice of scale, and a log uniform."""

    direction: Position
    choice: Scalar
    log_uniform: Scalar


class State(NamedTuple):
    """Hold a chain's point, the moments of its past, and the factor of its covariance."""

    draw: Point
    count: Int[Array, ""]
    mean: Position
    spread: Float[Array, "dim dim"]
    factor: Float[Array, "dim dim"]


@dataclass(frozen=True)
class AdaptiveWalk(Kernel):
    """Propose from a normal with 2.38^2 / dim times the covariance of the chain's own past.

    The covariance is renewed every `interval` steps from step `delay` on, for as long as the
    chain runs: the change dies out, so that averages converge (Haario, Saksman & Tamminen 2001).
    Until then proposals have the tuning's scale. A share of small steps keeps a bad covariance
    from lasting (Roberts & Rosenthal 2009). The tuning's step size multiplies all proposals.
    """

    delay: int = 200
    interval: int = 50
    target_acceptance: float = 0.234
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = False

    def noise(self, key, dim, dtype):
        normal_key, uniform_key = jax.random.split(key)
        uniforms = jax.random.uniform(uniform_key, (2,), dtype)
        direction = jax.random.normal(normal_key, (dim,), dtype)
        return Noise(direction, uniforms[0], jnp.log(uniforms[1]))

    def init(self, point: Point) -> State:
        zero = jnp.zeros_like(point.position)
        square = zero[:, None] * zero
        none = jnp.zeros((), jnp.int32)
        return State(point._replace(gradient=zero), none, zero, square, square)

    def restart(self, state: State, when) -> State:
        return state

    def advance(self, noise: Noise, state: State, target: LogDensity, tuning: Tuning):
        old, dim = state.draw, state.draw.position.shape[0]
        learned = state.count >= self.delay
        small = noise.choice < jnp.where(learned, LATE, EARLY)
        plain = self.metric.forward(tuning.scale, noise.direction)
        wide = jnp.where(learned, state.factor @ noise.direction, plain)
        shift = jnp.where(small, 0.1 * plain, 2.38 * wide) / jnp.sqrt(1.0 * dim)
        position = old.position + tuning.step_size * shift
        log_density = target(position)
        proposed = Point(position, log_density, old.gradient)
        ratio = log_density - old.log_density
        draw, info = settle(noise.log_uniform, ratio, proposed, old)
        return self._learn(state, draw), info

    def _learn(self, state: State, draw: Point) -> State:
        """Add a draw to the moments, and renew the covariance's factor when it is time."""
        count = state.count + 1
        deviation = draw.position - state.mean
        mean = state.mean + deviation / count
        spread = state.spread + deviation[:, None] * (draw.position - mean)
        due = (count >= self.delay) & ((count - self.delay) % self.interval == 0)

        def renew(_) -> Array:
            covariance = spread / jnp.maximum(count - 1, 1)
            ridge = 1e-8 * jnp.mean(jnp.diag(covariance)) + 1e-12
            return jnp.linalg.cholesky(covariance + ridge * jnp.eye(len(mean), dtype=mean.dtype))

        renewed = jax.lax.cond(anywhere(due), renew, lambda _: state.factor, None)
        usable = due & jnp.isfinite(renewed).all()
        return State(draw, count, mean, spread, jnp.where(usable, renewed, state.factor))
