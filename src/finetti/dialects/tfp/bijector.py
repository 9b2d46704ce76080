"""Hold a bijector by the interface of TensorFlow Probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.tf.tensors import settled
from finetti.dialects.tf.variables import followed
from finetti.distributions import biject_to, constraints, transforms
from finetti.types import AnyArray, Array


@dataclass(frozen=True)
class Bijector:
    """Map the real numbers onto a support: `forward`, `inverse`, `forward_log_det_jacobian`.

    Steps are applied one after the other. What is made of a `tf.Variable` has the value that the
    variable has when it is asked: `again` makes the steps anew.
    """

    made: tuple[transforms.Transform, ...]
    again: Callable[[], tuple[transforms.Transform, ...]] | None = None

    @property
    def steps(self) -> tuple[transforms.Transform, ...]:
        """Return the transformations, in the order in which they are applied."""
        return self.made if self.again is None else self.again()

    @property
    def transform(self) -> transforms.Transform:
        """Return the transformation of distributions that it is."""
        steps = self.steps
        return steps[0] if len(steps) == 1 else transforms.ComposeTransform(steps)

    def forward(self, x: ArrayLike, name: str = "") -> AnyArray:
        """Return the constrained value."""
        with jax.enable_x64(True):
            return settled(self.transform(as_array(x)))

    def __call__(self, x: Any, name: str = "") -> Any:
        """Return the constrained value; of a distribution that of its draws, of maps a chain."""
        if isinstance(x, Bijector):
            return following(lambda: x.steps + self.steps)
        return x.transformed(self) if hasattr(x, "transformed") else self.forward(x)

    def inverse(self, y: ArrayLike, name: str = "") -> AnyArray:
        """Return the unconstrained value."""
        with jax.enable_x64(True):
            return settled(self.transform.inv(as_array(y)))

    def forward_log_det_jacobian(
        self, x: ArrayLike, event_ndims: int = 0, name: str = ""
    ) -> AnyArray:
        """Return the log Jacobian, summed over the last `event_ndims` axes."""
        with jax.enable_x64(True):
            x = as_array(x)
            found = jnp.asarray(self.transform.log_abs_det_jacobian(x, self.transform(x)))
            own = x.ndim - found.ndim  # axes that the transformation itself takes for an event
            last = max(event_ndims - own, 0)
            return settled(found.sum(tuple(range(found.ndim - last, found.ndim))))

    def inverse_log_det_jacobian(
        self, y: ArrayLike, event_ndims: int = 0, name: str = ""
    ) -> AnyArray:
        """Return the log Jacobian of the inverse, summed over the last `event_ndims` axes."""
        return -self.forward_log_det_jacobian(self.inverse(y), self.free_rank(event_ndims))

    def free_rank(self, rank: int) -> int:
        """Return how many axes a value of a rank has before it is mapped."""
        with jax.enable_x64(True):
            transform = self.transform
            return rank - transform.codomain.event_dim + transform.domain.event_dim


Made = TypeVar("Made", bound=Callable[..., Bijector])


def named(make: Made) -> Made:
    """Let a bijector's function take `name` and `validate_args`, which change nothing."""

    @wraps(make)
    def call(
        *args: object, name: str = "", validate_args: bool = False, **kwargs: object
    ) -> Bijector:
        return following(lambda: make(*args, **kwargs).steps)

    return cast(Made, call)


def following(make: Callable[[], tuple[transforms.Transform, ...]]) -> Bijector:
    """Return the bijector of the steps that a function makes, anew where it reads variables."""
    return Bijector(*followed(make))


def as_array(value: ArrayLike) -> Array:
    return jnp.asarray(tf.convert_to_tensor(value))


def onto(support: constraints.Constraint | None) -> Bijector:
    """Return the map of the real numbers onto a support."""
    return Bijector((biject_to(support),))
