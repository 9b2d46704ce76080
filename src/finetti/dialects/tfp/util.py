"""Hold values that depend on variables: `TransformedVariable` and `DeferredTensor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import convert_to_tensor, value_of
from finetti.dialects.tf.variables import Reading, Variable, with_arithmetic
from finetti.dialects.tfp.bijector import Bijector
from finetti.types import AnyArray, DType


@with_arithmetic
class DeferredTensor(Reading):
    """Stand for what a function makes of a variable: with the value that it has when it is asked.

    >>> x = Variable(2.0)
    >>> square = DeferredTensor(x, lambda x: x**2)
    >>> _ = x.assign(3.0)
    >>> float(square)
    9.0
    """

    def __init__(
        self,
        pretransformed_input: Any,
        transform_fn: Callable[[Any], AnyArray] | Bijector,
        dtype: DType = None,
        shape: object = None,
        name: str | None = None,
    ) -> None:
        """Take the variable and the function, or the bijector."""
        self.pretransformed_input, self.transform_fn = pretransformed_input, transform_fn
        self._dtype, self.name = dtype, name or "DeferredTensor"

    def read_value(self) -> AnyArray:
        """Return what the function makes of the variable's value, which is noted as read."""
        made = self.transform_fn(value_of(self.pretransformed_input))
        return convert_to_tensor(made, self._dtype)

    value = read_value

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Return the variable that it depends on, where that is one and trained."""
        inner = self.pretransformed_input
        own = isinstance(inner, Variable) and inner.trainable
        return (inner,) if own else getattr(inner, "trainable_variables", ())

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the value."""
        return self.read_value().shape

    @property
    def dtype(self) -> DType:
        """Return the type of the value."""
        return self.read_value().dtype

    def numpy(self) -> np.ndarray:
        """Return the value as a numpy array."""
        return np.array(self.read_value())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} value={self.read_value()}>"


class TransformedVariable(DeferredTensor):
    """Hold a value in a bijector's range by a variable on the whole real line, to be trained.

    >>> from finetti.dialects.tfp import bijectors
    >>> scale = TransformedVariable(2.0, bijectors.Exp())
    >>> float(scale), round(float(scale.pretransformed_input), 6)
    (2.0, 0.693147)
    """

    def __init__(
        self,
        initial_value: ArrayLike | Callable[[], ArrayLike],
        bijector: Bijector,
        dtype: DType = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        """Take the value, or a function that gives it, and the bijector."""
        given = initial_value() if callable(initial_value) else initial_value
        inner = Variable(bijector.inverse(convert_to_tensor(given, dtype)), trainable)
        super().__init__(inner, bijector, dtype, name=name or "TransformedVariable")
        self.bijector = bijector

    def assign(self, value: ArrayLike) -> TransformedVariable:
        """Replace the value by one of the same shape, in the bijector's range."""
        self.pretransformed_input.assign(self.bijector.inverse(convert_to_tensor(value)))
        return self


__all__ = ["DeferredTensor", "TransformedVariable"]

__getattr__ = lacking("tfp.util")
