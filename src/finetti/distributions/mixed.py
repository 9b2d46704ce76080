"""Give mixtures their moments also where components do not all vary over the same rows."""

from __future__ import annotations

import jax.numpy as jnp
from numpyro import distributions as dist

from finetti.types import Array


class MixtureGeneral(dist.MixtureGeneral):
    """Borrow numpyro's, whose moments fail on components of different batch shapes.

    >>> parts = [dist.Normal(jnp.zeros(3), 1.0), dist.Normal(2.0, 1.0)]
    >>> MixtureGeneral(dist.Categorical(jnp.array([0.5, 0.5])), parts).mean.tolist()
    [1.0, 1.0, 1.0]
    """

    @property
    def component_mean(self) -> Array:
        """Return the components' means, shape (*batch_shape, component, *event_shape)."""
        return self._stacked("mean")

    @property
    def component_variance(self) -> Array:
        """Return the components' variances, shape (*batch_shape, component, *event_shape)."""
        return self._stacked("variance")

    def _stacked(self, moment: str) -> Array:
        shape = self.batch_shape + self.event_shape
        parts = [getattr(part, moment) for part in self.component_distributions]
        return jnp.stack([jnp.broadcast_to(part, shape) for part in parts], self.mixture_dim)


__all__ = ["MixtureGeneral"]
