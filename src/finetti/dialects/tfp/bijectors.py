"""Map unconstrained values to constrained ones, by TensorFlow Probability's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from finetti.distributions import biject_to, constraints


@dataclass(frozen=True)
class Bijector:
    """Map the real numbers onto a support: `forward`, `inverse`, `forward_log_det_jacobian`."""

    support: Any

    def forward(self, x: Any) -> Any:
        """Return the constrained value."""
        return biject_to(self.support)(jnp.asarray(x))

    def inverse(self, y: Any) -> Any:
        """Return the unconstrained value."""
        return biject_to(self.support).inv(jnp.asarray(y))

    def forward_log_det_jacobian(self, x: Any, event_ndims: int = 0) -> Any:
        """Return the log Jacobian, summed over the last `event_ndims` axes."""
        x = jnp.asarray(x)
        found = biject_to(self.support).log_abs_det_jacobian(x, self.forward(x))
        return found.sum(tuple(range(found.ndim - event_ndims, found.ndim)))


def Identity() -> Bijector:
    """Return the map that changes nothing."""
    return Bijector(constraints.real)


def Exp() -> Bijector:
    """Return the exponential, onto the positive numbers."""
    return Bijector(constraints.positive)


def Softplus() -> Bijector:
    """Return log(1 + exp(x)), onto the positive numbers."""
    return Bijector(constraints.softplus_positive)


def Sigmoid(low: float | int = 0.0, high: float = 1.0) -> Bijector:
    """Return the scaled logistic function, onto the numbers between two bounds."""
    return Bijector(constraints.interval(low, high))


def log_jacobian(bijector: Any, x: jax.Array) -> jax.Array:
    """Return a bijector's whole log Jacobian at a value of any shape."""
    return jnp.sum(bijector.forward_log_det_jacobian(x, event_ndims=0))
