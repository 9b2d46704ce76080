"""Hold values that programs assign anew: `tf.Variable`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.tensors import convert_to_tensor, value_of
from finetti.types import AnyArray, DType

Kind = TypeVar("Kind", bound=type)
Made = TypeVar("Made")
_read: ContextVar[tuple[list[Variable], ...]] = ContextVar("finetti_variables_read", default=())


def with_arithmetic(kind: Kind) -> Kind:
    """Give a class of things that stand for values the operators of these."""
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
        setattr(kind, f"__{name}__", _binary(getattr(operator, name), False))
        setattr(kind, f"__r{name}__", _binary(getattr(operator, name), True))
    for name in ("lt", "le", "gt", "ge"):
        setattr(kind, f"__{name}__", _binary(getattr(operator, name), False))
    for name in ("neg", "pos", "abs", "invert"):
        setattr(kind, f"__{name}__", _unary(getattr(operator, name)))
    return kind


def _binary(
    act: Callable[[AnyArray, AnyArray], AnyArray], turned: bool
) -> Callable[[object, object], AnyArray]:
    def method(self: object, other: object) -> AnyArray:
        a, b = value_of(self), value_of(other)
        return act(b, a) if turned else act(a, b)

    return method


def _unary(act: Callable[[AnyArray], AnyArray]) -> Callable[[object], AnyArray]:
    return lambda self: act(value_of(self))


class Reading:
    """Stand for a value that is read when it is asked for, as variables have one."""

    is_variable = True
    __array_priority__ = 1000

    def read_value(self) -> AnyArray:
        """Return the value."""
        raise NotImplementedError

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.read_value(), dtype)

    def __jax_array__(self) -> AnyArray:
        return self.read_value()

    def __getitem__(self, key: Any) -> AnyArray:
        return self.read_value()[key]

    def __iter__(self) -> Iterator[AnyArray]:
        return iter(self.read_value())

    def __float__(self) -> float:
        return float(self.read_value())


@with_arithmetic
class Variable(Reading):
    """Hold a value to assign anew; arithmetic is with the value.

    Functions take the value that it has when they are called; distributions and bijectors made of
    it that which it has when they are asked.

    >>> x = Variable([1.0, 2.0])
    >>> _ = x.assign_add([1.0, 1.0])
    >>> (2 * x).tolist()
    [4.0, 6.0]
    """

    def __init__(
        self,
        initial_value: ArrayLike | Callable[[], ArrayLike],
        trainable: bool = True,
        name: str | None = None,
        dtype: DType = None,
        **settings: object,
    ) -> None:
        """Take a value, or a function that gives it."""
        given = initial_value() if callable(initial_value) else initial_value
        self._value = convert_to_tensor(given, dtype)
        self.trainable, self.name = trainable, name or "Variable"

    def read_value(self) -> AnyArray:
        """Return the value, and note that it was read."""
        for read in _read.get():
            if all(v is not self for v in read):
                read.append(self)
        return self._value

    value = read_value

    def assign(self, value: ArrayLike) -> Variable:
        """Replace the value by one of the same shape; raise `ValueError` for another."""
        new = convert_to_tensor(value, self.dtype)
        if new.shape != self.shape:
            raise ValueError(f"tf.Variable has shape {self.shape}, and is assigned {new.shape}")
        self._value = new
        return self

    def assign_add(self, delta: ArrayLike) -> Variable:
        """Add to the value."""
        return self.assign(self._value + convert_to_tensor(delta))

    def assign_sub(self, delta: ArrayLike) -> Variable:
        """Subtract from the value."""
        return self.assign(self._value - convert_to_tensor(delta))

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the value."""
        return self._value.shape

    @property
    def dtype(self) -> DType:
        """Return the type of the value."""
        return self._value.dtype

    def numpy(self) -> np.ndarray:
        """Return the value as a numpy array."""
        return np.array(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} value={self._value}>"


@contextmanager
def reading() -> Iterator[list[Variable]]:
    """Yield a list of the variables that are read in the block, in order; blocks around it too."""
    found: list[Variable] = []
    token = _read.set((*_read.get(), found))
    try:
        yield found
    finally:
        _read.reset(token)


def followed(make: Callable[[], Made]) -> tuple[Made, Callable[[], Made] | None]:
    """Return what a function makes, and the function where it reads variables: to make it anew."""
    with reading() as read:
        made = make()
    return made, make if read else None


@contextmanager
def holding(variables: list[Variable], values: list[AnyArray]) -> Iterator[None]:
    """Let variables have other values in the block, traced ones among them."""
    before = [v._value for v in variables]
    for variable, value in zip(variables, values, strict=True):
        variable._value = value
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable._value = value
