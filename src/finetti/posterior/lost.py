"""Tell a chain that is lost: its log density lies astronomically below another's."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from finetti.types import Value

FURTHER = 10.0  # times the size of the best log density, and as many for each dimension


def lost(log_density: Value, best: Value, dim: int) -> Value:
    """Tell which log densities are so far below the best that their points count for nothing.

    Draws of one posterior differ by about half the number of dimensions, modes that share it by the
    log of their weights, and starts by a small multiple of the log density itself. A recursion that
    explodes, or an exponential of an exponential, lies beyond all of them.

    >>> bool(lost(-1e62, -300.0, 4)), bool(lost(-900.0, -300.0, 4))
    (True, False)
    """
    given = np if isinstance(log_density, np.ndarray | float) else jnp
    with np.errstate(invalid="ignore"):
        return best - log_density > FURTHER * (given.abs(best) + dim)
