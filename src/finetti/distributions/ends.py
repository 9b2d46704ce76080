"""Say where distributions have their support: ends that vary by row, and which is within which."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpyro.distributions import Distribution, biject_to, constraints

from finetti.types import AnyArray, Array


class RowLimits(type(constraints.interval(0.0, 1.0))):
    """Be an interval whose ends vary by row, and are infinite in some."""

    def feasible_like(self, prototype: AnyArray) -> Array:
        """Return a value within the ends of each row; the middle of endless ones is none."""
        low, high = self.lower_bound, self.upper_bound
        xp = jnp if isinstance(low, Tracer) or isinstance(high, Tracer) else np
        from_low, to_high = xp.isfinite(low), xp.isfinite(high)
        least, most = xp.where(from_low, low, 0.0), xp.where(to_high, high, 0.0)
        one = xp.where(from_low, least + 1.0, xp.where(to_high, most - 1.0, 0.0))
        return jnp.broadcast_to(
            xp.where(from_low & to_high, (least + most) / 2, one), jnp.shape(prototype)
        )


biject_to.register(
    RowLimits, lambda s: biject_to(constraints.interval(s.lower_bound, s.upper_bound))
)


def ends(distribution: Distribution) -> tuple[float, float]:
    """Return the lower and the upper end of a support on the real line, infinite where none is.

    >>> from numpyro.distributions import HalfNormal
    >>> ends(HalfNormal(1.0))
    (0.0, inf)
    """
    support: Any = distribution.support
    support = getattr(support, "base_constraint", support)
    low, high = (getattr(support, f"{side}_bound", None) for side in ("lower", "upper"))
    return (
        -np.inf if low is None else float(np.min(low)),
        np.inf if high is None else float(np.max(high)),
    )


def beyond(wished: Distribution, known: Distribution) -> bool:
    """Tell whether one distribution of numbers has values that the other cannot have."""
    (low, high), (least, most) = ends(wished), ends(known)
    discrete = (getattr(d.support, "is_discrete", False) for d in (wished, known))
    return len(set(discrete)) > 1 or low < least or high > most
