"""Sample whole numbers by Metropolis: jumps up and down, and flips of zeros and ones.

Coordinates are real numbers that hold whole ones; the log density is minus infinity off its
support.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from finetti.kernels.kernel import Info, Kernel, Point, Standing, Tuning, settle
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import LogDensity, Position, Scalar


class Noise(NamedTuple):
    """Hold the randomness of one step: a jump, the coordinate to move, and a log uniform."""

    jump: Scalar
    place: Scalar
    log_uniform: Scalar


def _noise(key, dtype) -> Noise:
    jump_key, uniform_key = jax.random.split(key)
    uniforms = jax.random.uniform(uniform_key, (2,), dtype)
    return Noise(jax.random.cauchy(jump_key, (), dtype), uniforms[0], jnp.log(uniforms[1]))


def _choose(noise: Noise, old: Point) -> Position:
    """Return a vector with a one at the coordinate to move."""
    dim = old.position.shape[0]
    index = jnp.minimum((noise.place * dim).astype(jnp.int32), dim - 1)
    return (jnp.arange(dim) == index).astype(old.position.dtype)


def _decide(
    noise: Noise, old: Point, position: Position, target: LogDensity
) -> tuple[Standing, Info]:
    """Accept a proposal or stay, by Metropolis' rule for symmetric proposals."""
    log_density = target(position)
    proposed = Point(position, log_density, old.gradient)
    draw, info = settle(noise.log_uniform, log_density - old.log_density, proposed, old)
    return Standing(draw), info


@dataclass(frozen=True)
class DiscreteWalk(Kernel):
    """Move one coordinate, chosen at random, up or down by at least one.

    The jump is a Cauchy variable of the tuning's scale, rounded away from zero: a proposal never
    stays, and now and then it goes far, to leave a local mode. `least` bounds the scale from
    below, whatever warm-up learns.
    """

    least: float = 0.5
    target_acceptance: float = 0.44
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = False

    def noise(self, key, dim, dtype):
        return _noise(key, dtype)

    def init(self, point: Point) -> Standing:
        return Standing.at(point)

    def restart(self, state: Standing, when) -> Standing:
        return state

    def advance(self, noise: Noise, state: Standing, target: LogDensity, tuning: Tuning):
        here = _choose(noise, state.draw)
        scale = jnp.maximum(tuning.step_size * jnp.sum(here * tuning.scale), self.least)
        jump = jnp.sign(noise.jump) * jnp.clip(jnp.round(scale * jnp.abs(noise.jump)), 1.0, 1e9)
        return _decide(noise, state.draw, state.draw.position + jump * here, target)


@dataclass(frozen=True)
class BinaryFlip(Kernel):
    """Flip one coordinate between zero and one, chosen at random.

    With a single coordinate this moves at least as often as a Gibbs step (Liu 1996).
    """

    target_acceptance: float = 0.44
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = False

    def noise(self, key, dim, dtype):
        return _noise(key, dtype)

    def init(self, point: Point) -> Standing:
        return Standing.at(point)

    def restart(self, state: Standing, when) -> Standing:
        return state

    def advance(self, noise: Noise, state: Standing, target: LogDensity, tuning: Tuning):
        old, here = state.draw.position, _choose(noise, state.draw)
        return _decide(noise, state.draw, old + here * (1 - 2 * old), target)
