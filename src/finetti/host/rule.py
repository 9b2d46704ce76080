"""What a rule is: it turns an equation of a program into a function of numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.types import Equation

Numpy = Any  # an array or a scalar of numpy's
Step = Callable[..., Numpy | Sequence[Numpy]]  # of the inputs' values; several results are a tuple
Rule = Callable[[Equation], Step]


class Unknown(Exception):
    """Say that numpy has no way to run an equation as XLA does."""


def is_key(dtype: Any) -> bool:
    """Tell whether a dtype is that of random keys."""
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


def dtype_of(equation: Equation) -> np.dtype:
    """Return the dtype of an equation's first result; keys are numbers of 64 bits here."""
    dtype = equation.outvars[0].aval.dtype
    return np.dtype(np.uint64 if is_key(dtype) else dtype)


def shape_of(equation: Equation) -> tuple[int, ...]:
    """Return the shape of an equation's first result."""
    return tuple(equation.outvars[0].aval.shape)
