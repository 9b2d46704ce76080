"""Map unconstrained values to constrained ones, by TensorFlow Probability's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from finetti.dialects import tf
from finetti.distributions import biject_to, constraints, transforms
from finetti.types import Value


@dataclass(frozen=True)
class Bijector:
    """Map the real numbers onto a support: `forward`, `inverse`, `forward_log_det_jacobian`.

    `steps` are applied one after the other.
    """

    steps: tuple[Any, ...]

    @property
    def transform(self) -> Any:
        """Return the transformation of distributions that it is."""
        return self.steps[0] if len(self.steps) == 1 else transforms.ComposeTransform(self.steps)

    def forward(self, x: Value) -> Value:
        """Return the constrained value."""
        return self.transform(jnp.asarray(tf.value_of(x)))

    __call__ = forward

    def inverse(self, y: Value) -> Value:
        """Return the unconstrained value."""
        return self.transform.inv(jnp.asarray(tf.value_of(y)))

    def forward_log_det_jacobian(self, x: Value, event_ndims: int = 0) -> Value:
        """Return the log Jacobian, summed over the last `event_ndims` axes."""
        x = jnp.asarray(tf.value_of(x))
        found = self.transform.log_abs_det_jacobian(x, self.transform(x))
        own = x.ndim - found.ndim  # axes that the transformation itself takes for an event
        return found.sum(tuple(range(found.ndim - max(event_ndims - own, 0), found.ndim)))

    def inverse_log_det_jacobian(self, y: Value, event_ndims: int = 0) -> Value:
        """Return the log Jacobian of the inverse, summed over the last `event_ndims` axes."""
        return -self.forward_log_det_jacobian(self.inverse(y), event_ndims)


def onto(support: Any) -> Bijector:
    """Return the map of the real numbers onto a support."""
    return Bijector((biject_to(support),))


def Identity() -> Bijector:
    """Return the map that changes nothing."""
    return onto(constraints.real)


def Exp() -> Bijector:
    """Return the exponential, onto the positive numbers."""
    return onto(constraints.positive)


def Softplus() -> Bijector:
    """Return log(1 + exp(x)), onto the positive numbers."""
    return onto(constraints.softplus_positive)


def Sigmoid(low: float | int = 0.0, high: float = 1.0) -> Bijector:
    """Return the scaled logistic function, onto the numbers between two bounds."""
    return onto(constraints.interval(low, high))


def Shift(shift: Value) -> Bijector:
    """Return the map that adds a number."""
    return Bijector((transforms.AffineTransform(jnp.asarray(tf.value_of(shift), float), 1.0),))


def Scale(scale: Value) -> Bijector:
    """Return the map that multiplies by a number."""
    return Bijector((transforms.AffineTransform(0.0, jnp.asarray(tf.value_of(scale), float)),))


def AffineScalar(shift: Value = 0.0, scale: Value = 1.0) -> Bijector:
    """Return the map that multiplies and then adds."""
    return Chain([Shift(shift), Scale(scale)])


def Invert(bijector: Bijector) -> Bijector:
    """Return the map turned round."""
    return Bijector(tuple(step.inv for step in bijector.steps[::-1]))


def Log() -> Bijector:
    """Return the logarithm, of positive numbers."""
    return Invert(Exp())


def Chain(bijectors: Sequence[Bijector]) -> Bijector:
    """Return maps one after the other, the last of the list first."""
    return Bijector(tuple(step for b in list(bijectors)[::-1] for step in b.steps))


def log_jacobian(bijector: Any, x: jax.Array) -> jax.Array:
    """Return a bijector's whole log Jacobian at a value of any shape."""
    return jnp.sum(bijector.forward_log_det_jacobian(x, event_ndims=0))
