"""Compare where distributions have their support, to tell whether one can take another's place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpyro.distributions import Distribution


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
