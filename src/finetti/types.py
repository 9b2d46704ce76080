"""Name the types that finetti's signatures speak of, with jaxtyping's shapes if installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import Array

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ImportError:  # shapes are checked in the tests, where jaxtyping is installed

        class _Unchecked:
            def __class_getitem__(cls, item):
                return item[0]

        Bool = Float = Int = _Unchecked

Key = Array
Scalar = Float[Array, ""]
Position = Float[Array, " dim"]
Values = Mapping[str, Any]
Constants = Any
DType = Any
AnyArray = Array | np.ndarray
LogDensity = Callable[[Position], Scalar]

__all__ = [
    "AnyArray",
    "Array",
    "Bool",
    "Constants",
    "DType",
    "Float",
    "Int",
    "Key",
    "LogDensity",
    "Position",
    "Scalar",
    "Values",
]
