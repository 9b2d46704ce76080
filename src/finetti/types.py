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
Tree = Any  # a pytree of arrays, which no type can tell
Value = Any  # what a program's variable holds: an array of JAX's or numpy's, or a number
Values = Mapping[str, Value]
TableLike = Any  # rows as users have them: a data frame, columns by name, a table in place
Constants = Mapping[str, Tree]  # what a rewrite needs at run time, by name
DType = Any
AnyArray = Array | np.ndarray
LogDensity = Callable[[Position], Scalar]

# What programs are made of: JAX's classes tell a checker neither shapes nor values.
Jaxpr = Any
Equation = Any
Atom = Any  # a variable or a literal
Device = Any

__all__ = [
    "AnyArray",
    "Array",
    "Atom",
    "Bool",
    "Constants",
    "DType",
    "Device",
    "Equation",
    "Float",
    "Int",
    "Jaxpr",
    "Key",
    "LogDensity",
    "Position",
    "Scalar",
    "TableLike",
    "Tree",
    "Value",
    "Values",
]
