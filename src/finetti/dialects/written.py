"""Define distributions by their log density alone, and ask any for its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from finetti.distributions import Distribution, constraints, unchecked
from finetti.types import Array, Key, Value


class Written(Distribution):
    """Distribute values by a function that gives their log densities, one a batch element.

    `sampler(key, shape)` draws; without it drawing raises `NotImplementedError`.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 (numpyro's own form)
    pytree_aux_fields = ("density", "sampler", "_support")

    def __init__(
        self,
        density: Callable[[Array], Array],
        support: Any = constraints.real,
        batch_shape: tuple[int, ...] = (),
        event_shape: tuple[int, ...] = (),
        sampler: Callable[[Key, tuple[int, ...]], Array] | None = None,
    ) -> None:
        self.density, self._support, self.sampler = density, support, sampler
        super().__init__(batch_shape, event_shape, validate_args=False)

    @constraints.dependent_property
    def support(self) -> Any:
        """Return the constraint on its values."""
        return self._support

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw values, shape (*sample_shape, *batch shape, *event shape)."""
        if self.sampler is None:
            raise NotImplementedError("this distribution is known by its density alone")
        return self.sampler(key, sample_shape + self.batch_shape + self.event_shape)

    def log_prob(self, value: Value, intermediates: Value = None) -> Array:
        """Return the log density of values."""
        return jnp.asarray(self.density(jnp.asarray(value)))


def log_density(made: Distribution, value: Value) -> Array:
    """Return the log density at values, one a batch element: minus infinity off the support.

    Nothing is rounded: of 0.9 events there is no probability.
    """
    with unchecked():
        value = jnp.asarray(value)
        support: Any = made.support
        inside = support(value)
        if support.is_discrete and value.dtype.kind == "f":
            value = jnp.round(value).astype(int)
        return jnp.where(inside, made.log_prob(value), -jnp.inf)
