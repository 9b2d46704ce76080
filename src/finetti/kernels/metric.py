"""Measure distance on the parameter space: a linear map from white noise to the target's scale.

With x = L z, dynamics on z need no mass matrix: momenta are standard normal, x moves along
`forward(L, p)` and p along `backward(L, gradient)`. This is Hamiltonian Monte Carlo with inverse
mass matrix L L' (Neal 2011, section 5.4.1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp

from finetti.types import AnyArray, Array, Bool, DType, Float, Position

SMALL = 1e-3  # variance that few draws are shrunk towards, unless their own is smaller


class Moments(NamedTuple):
    """Hold running moments of draws and gradients over a warm-up window.

    `count` is a scalar; `mean` and `spread` (sums of squares, or of products) have a leading
    axis of 2: draws, then gradients.
    """

    count: Float[Array, ""]
    mean: Float[Array, "2 dim"]
    spread: Float[Array, "2 ..."]


class Metric(ABC):
    """Map white noise to the target's scale, and learn the map from moments."""

    @abstractmethod
    def identity(self, dim: int, dtype: DType) -> Array:
        """Return the scale that leaves vectors as they are."""

    @abstractmethod
    def forward(self, scale: Array, vector: Position) -> Position:
        """Return L v."""

    @abstractmethod
    def backward(self, scale: Array, vector: Position) -> Position:
        """Return L' v."""

    @abstractmethod
    def empty(self, dim: int, dtype: DType) -> Moments:
        """Return the moments of no draws."""

    @abstractmethod
    def products(self, deviation: Float[Array, "2 dim n"], other: Float[Array, "2 dim n"]) -> Array:
        """Sum the products of deviations that `spread` accumulates."""

    @abstractmethod
    def estimate(self, moments: Moments, gradients: bool) -> Array:
        """Return the scale learned from moments, of the draws alone if not `gradients`."""

    def fits(self, shape: tuple[int, ...], dim: int) -> bool:
        """Tell whether a scale of such a shape is one for so many dimensions."""
        return set(shape) == {dim}

    def lasting(self, scale: AnyArray) -> AnyArray:
        """Return what of a scale holds for other data of the model as well."""
        return scale

    def absorb(
        self,
        moments: Moments,
        positions: Float[Array, "dim chain"],
        gradients: Float[Array, "dim chain"],
        mask: Bool[Array, " chain"],
    ) -> Moments:
        """Add the draws of the masked chains to the moments (Chan et al. 1983)."""
        new = jnp.stack([positions, gradients])
        # What is not finite counts as one at the mean.
        new = jnp.where(mask & jnp.isfinite(new).all((0, 1)), new, moments.mean[..., None])
        added = mask.sum().astype(moments.count.dtype)
        count = moments.count + added
        deviation = jnp.where(mask, new - moments.mean[..., None], 0.0)
        mean = moments.mean + deviation.sum(-1) / jnp.maximum(count, 1.0)
        after = jnp.where(mask, new - mean[..., None], 0.0)
        return Moments(count, mean, moments.spread + self.products(deviation, after))


@dataclass(frozen=True)
class Diagonal(Metric):
    """Scale each coordinate by itself: costs nothing, learns from few draws.

    The squared scale is sqrt(var(x) / var(gradient)), which minimises the Fisher divergence
    between the whitened target and a standard normal (Seyboldt, Carlson & Carpenter 2024).

    >>> NUTS().metric
    Diagonal()
    """

    def identity(self, dim, dtype):
        return jnp.ones(dim, dtype)

    def forward(self, scale, vector):
        return scale * vector

    def backward(self, scale, vector):
        return scale * vector

    def empty(self, dim, dtype):
        return Moments(jnp.zeros((), dtype), jnp.zeros((2, dim), dtype), jnp.zeros((2, dim), dtype))

    def products(self, deviation, other):
        return (deviation * other).sum(-1)

    def estimate(self, moments, gradients):
        draws, slopes = moments.spread / jnp.maximum(moments.count - 1, 1.0)
        squared = jnp.sqrt(draws / jnp.maximum(slopes, 1e-300)) if gradients else draws
        # Five draws' worth of prior, as in Stan.
        weight = moments.count / (moments.count + 5)
        known = weight * squared + (1 - weight) * jnp.minimum(squared, SMALL)
        # No draws, or none that moved.
        squared = jnp.where(weight * squared > 0, known, SMALL)
        return jnp.sqrt(jnp.clip(squared, 1e-20, 1e20))


@dataclass(frozen=True)
class Dense(Metric):
    """Follow all linear correlations: costs dim^2 a step; for dim up to a few hundred.

    The scale is the Cholesky factor of the draws' covariance, shrunk as Stan does.

    >>> NUTS(metric=Dense()).metric
    Dense()
    """

    def identity(self, dim, dtype):
        return jnp.eye(dim, dtype=dtype)

    def forward(self, scale, vector):
        return scale @ vector

    def backward(self, scale, vector):
        return scale.T @ vector

    def empty(self, dim, dtype):
        mean = jnp.zeros((2, dim), dtype)
        return Moments(jnp.zeros((), dtype), mean, jnp.zeros((1, dim, dim), dtype))

    def products(self, deviation, other):
        return deviation[:1] @ jnp.swapaxes(other[:1], -1, -2)

    def estimate(self, moments, gradients):
        covariance = moments.spread[0] / jnp.maximum(moments.count - 1, 1.0)
        covariance = (covariance + covariance.T) / 2
        weight = moments.count / (moments.count + 5)
        ridge = (1 - weight) * jnp.diag(jnp.minimum(jnp.diag(covariance), SMALL))
        factor = jnp.linalg.cholesky(weight * covariance + ridge)
        known = jnp.nan_to_num(jnp.diag(weight * covariance + ridge), posinf=1e20)
        # Of a covariance that has no factor the diagonal is taken.
        plain = jnp.diag(jnp.sqrt(jnp.clip(known, 1e-20, 1e20)))
        return jnp.where(jnp.isfinite(factor).all(), factor, plain)
