"""Propose from one known distribution whatever the chain's place, and accept by importance weights.

Where the proposal is close to the target nearly every proposal is accepted, and draws are nearly
independent (Tierney 1994, section 2.3.3; Mengersen & Tweedie 1996).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from finetti.kernels.kernel import Kernel, Point, Standing, Tuning, settle
from finetti.kernels.metric import Metric, Moments
from finetti.kernels.polynomial import slices
from finetti.types import AnyArray, Float, LogDensity, Position, Scalar

FREEDOM = 6  # degrees of freedom of a component, an even number: most posteriors' tails are lighter


class Component(NamedTuple):
    """Hold Student-t distributions: means, factors L of their scale matrices L L', log weights.

    Arrays have a leading axis of components; `inverse` holds each L^-1.
    """

    mean: Float[AnyArray, "k dim"]
    factor: Float[AnyArray, "k dim dim"]
    inverse: Float[AnyArray, "k dim dim"]
    log_weight: Float[AnyArray, " k"]

    def packed(self) -> Float[np.ndarray, "k rows dim"]:
        """Return all as one array, as a tuning's scale holds it."""
        dim = self.mean.shape[-1]
        weights = np.broadcast_to(self.log_weight[:, None, None], (len(self.mean), 1, dim))
        return np.concatenate([self.mean[:, None], self.factor, self.inverse, weights], 1)

    @classmethod
    def unpacked(cls, scale: Float[AnyArray, "k rows dim"]) -> Component:
        """Return what `packed` put together."""
        dim = scale.shape[-1]
        rows = scale[:, 1 : dim + 1], scale[:, dim + 1 : 2 * dim + 1]
        weights = scale[:, -1, 0] if dim else np.zeros(len(scale))
        return cls(scale[:, 0], *rows, weights)

    def terms(self, position: AnyArray, xp: ModuleType = jnp) -> tuple[AnyArray, AnyArray]:
        """Return each component's log density times its weight, and its squared distance.

        `position` has shape (..., dim), what comes back (..., k). `xp` computes: jax.numpy, or
        numpy on the host, where nothing is to be compiled.
        """
        dim = position.shape[-1]
        gap = position[..., None, :] - self.mean
        far = xp.sum(xp.sum(self.inverse * gap[..., None, :], -1) ** 2, -1)
        size = xp.sum(xp.log(xp.sum(self.inverse * np.eye(dim), -1)), -1)
        tails = -0.5 * (FREEDOM + dim) * xp.log1p(far / FREEDOM)
        return self.log_weight + size + log_constant(dim) + tails, far

    def log_density(self, position: Position) -> Scalar:
        """Return the log density of the mixture."""
        terms, _ = self.terms(position)
        most = jnp.max(terms, -1)
        return most + jnp.log(jnp.sum(jnp.exp(terms - most[..., None]), -1))


def log_constant(dim: int) -> float:
    """Return the log of what a standard one's density is at its mean."""
    half = 0.5 * (FREEDOM + dim)
    return float(gammaln(half) - gammaln(0.5 * FREEDOM) - 0.5 * dim * np.log(FREEDOM * np.pi))


@dataclass(frozen=True)
class Mixture(Metric):
    """Stand in the place of a metric: what it learns are the components, and not from moments.

    Where it is `emulated`, a polynomial that stands for the log density comes after them.
    """

    emulated: bool = False

    def parts(self, scale: Float[AnyArray, "k rows dim"]) -> tuple[Component, AnyArray]:
        """Return a scale's components, and its polynomial, packed: empty where there is none."""
        end = len(scale) - (slices(scale.shape[-1]) if self.emulated else 0)
        return Component.unpacked(scale[:end]), scale[end:]

    def lasting(self, scale):
        return scale[: len(scale) - slices(scale.shape[-1])] if self.emulated else scale

    def identity(self, dim, dtype):
        unit = np.eye(dim)[None]
        one = Component(np.zeros((1, dim)), unit, unit, np.zeros(1))
        return jnp.asarray(one.packed(), dtype)

    def fits(self, shape, dim):
        return len(shape) == 3 and shape[1:] == (2 * dim + 2, dim)

    def forward(self, scale, vector):
        raise NotImplementedError("a mixture maps no vectors")

    def backward(self, scale, vector):
        raise NotImplementedError("a mixture maps no vectors")

    def empty(self, dim, dtype):
        return Moments(jnp.zeros((), dtype), jnp.zeros((2, dim), dtype), jnp.zeros((2, dim), dtype))

    def products(self, deviation, other):
        return (deviation * other).sum(-1)

    def estimate(self, moments, gradients):
        raise NotImplementedError("a mixture is not learned from moments")


class Noise(NamedTuple):
    """Hold the randomness of one step: a component's, a white vector, how far out, log uniform."""

    component: Scalar
    direction: Position
    reach: Scalar
    log_uniform: Scalar


@dataclass(frozen=True)
class Independence(Kernel):
    """Propose from a mixture of Student-t distributions: the tuning's scale, packed."""

    target_acceptance: float = 0.9
    metric: Mixture = field(default_factory=Mixture)
    uses_gradient: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    ahead: ClassVar[bool] = True

    def noise(self, key, dim, dtype):
        normal_key, uniform_key = jax.random.split(key)
        uniforms = jax.random.uniform(uniform_key, (2 + FREEDOM // 2,), dtype, 1e-300)
        squares = -2 * jnp.log(uniforms[2:]).sum()  # chi-square: two degrees for a uniform
        direction = jax.random.normal(normal_key, (dim,), dtype)
        return Noise(uniforms[0], direction, jnp.sqrt(FREEDOM / squares), jnp.log(uniforms[1]))

    def init(self, point: Point) -> Standing:
        return Standing.at(point)

    def restart(self, state: Standing, when) -> Standing:
        return state

    def advance(self, noise: Noise, state: Standing, target: LogDensity, tuning: Tuning):
        old, (mixture, _) = state.draw, self.metric.parts(tuning.scale)
        position = propose(mixture, noise)
        log_density = target(position)
        ahead = log_density - mixture.log_density(position)
        behind = old.log_density - mixture.log_density(old.position)
        proposed = Point(position, log_density, old.gradient)
        draw, info = settle(noise.log_uniform, ahead - behind, proposed, old)
        return Standing(draw), info


def propose(mixture: Component, noise: Noise) -> Position:
    """Return the mixture's draw that the noise makes."""
    weights = jnp.exp(mixture.log_weight)
    below = np.tri(len(weights))  # a cumulated sum would keep the loop from being one function
    ends = jnp.sum(below * weights, -1)
    number = jnp.sum(noise.component * ends[-1] >= ends)
    picked = (jnp.arange(len(weights)) == number).astype(weights.dtype)
    mean = jnp.sum(picked[:, None] * mixture.mean, 0)
    factor = jnp.sum(picked[:, None, None] * mixture.factor, 0)
    return mean + noise.reach * jnp.sum(factor * noise.direction, -1)
