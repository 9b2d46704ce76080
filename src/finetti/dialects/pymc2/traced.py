"""Run Python functions written for numpy on traced values.

A function of a PyMC2 program is called with `Traced` values in place of arrays, and with a stand-in
for numpy in its globals, so that even `out = np.empty(n); out[:s] = e` becomes part of the density.
Where that fails the function runs as it stands, on the host (`host`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jax_special
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.host import ZeroProbability, on_host
from finetti.types import AnyArray, Array, Tree

UNTRACEABLE = (
    TypeError, ValueError, AttributeError, IndexError, KeyError, NotImplementedError,
    RuntimeError, OverflowError,
)  # fmt: skip


class Traced:
    """Hold a traced array that behaves as numpy's do, assignment to parts of it included."""

    def __init__(self, array: ArrayLike) -> None:
        """Wrap an array."""
        self.array = jnp.asarray(array)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.array, name)
        return wrapped(found) if callable(found) else wrap(found)

    def __getitem__(self, key: object) -> Traced:
        return wrap(self.array[unwrap(key)])

    def __setitem__(self, key: object, value: object) -> None:
        at, new = unwrap(key), unwrap(value)
        if isinstance(at, slice) and any(isinstance(k, Tracer) for k in (at.start, at.stop)):
            self.array = self._within(at, new)
        else:
            self.array = self.array.at[at].set(new)

    def _within(self, part: slice, value: AnyArray | float) -> Array:
        """Return the array with one number assigned between two traced bounds."""
        if part.step not in (None, 1) or np.ndim(value):
            raise NotImplementedError("only one number can go between traced bounds")
        size = self.array.shape[0]
        low = 0 if part.start is None else part.start
        high = size if part.stop is None else part.stop
        low, high = (jnp.where(b < 0, b + size, b) for b in (low, high))
        rows = jnp.arange(size)
        inside = ((rows >= low) & (rows < high)).reshape(-1, *[1] * (self.array.ndim - 1))
        return jnp.where(inside, value, self.array)

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Traced]:
        return iter([wrap(row) for row in self.array])

    def __bool__(self) -> bool:
        return bool(self.array)

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __index__(self) -> int:
        return operator.index(self.array)

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *inputs: object, **kwargs: object
    ) -> object:
        if method != "__call__" or kwargs:
            return NotImplemented
        return _twin(function.__name__)(*inputs)

    def __array_function__(
        self, function: Callable, types: object, args: tuple, kwargs: dict[str, object]
    ) -> object:
        return _twin(function.__name__)(*args, **kwargs)


def _forward(name: str) -> Callable[..., Traced]:
    act = getattr(operator, name)

    def method(self: Traced, *others: object) -> Traced:
        return wrap(act(self.array, *map(unwrap, others)))

    return method


def _reverse(name: str) -> Callable[[Traced, object], Traced]:
    act = getattr(operator, name)
    return lambda self, other: wrap(act(jnp.asarray(unwrap(other)), self.array))


BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
for _name in (*BINARY, "lt", "le", "gt", "ge", "eq", "ne", "and_", "or_", "xor"):
    _plain = _name.strip("_")
    setattr(Traced, f"__{_plain}__", _forward(_name))
    if _name in BINARY:
        setattr(Traced, f"__r{_plain}__", _reverse(_name))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Traced, f"__{_name}__", _forward(_name))
Traced.__hash__ = object.__hash__


def wrap(value: Tree) -> Tree:
    """Wrap arrays, also those inside lists, tuples and dicts."""
    if isinstance(value, jax.Array | Tracer):
        return Traced(value)
    if isinstance(value, list | tuple):
        return type(value)(map(wrap, value))
    return {k: wrap(v) for k, v in value.items()} if isinstance(value, dict) else value


def unwrap(value: Tree) -> Tree:
    """Undo `wrap`."""
    if isinstance(value, Traced):
        return value.array
    if isinstance(value, list | tuple):
        return type(value)(map(unwrap, value))
    if isinstance(value, slice):
        return slice(unwrap(value.start), unwrap(value.stop), unwrap(value.step))
    return {k: unwrap(v) for k, v in value.items()} if isinstance(value, dict) else value


def stack(value: Tree) -> Tree:
    """Return a list of values, nested or not, as one array; anything else as it is.

    Raises `ValueError` for values of different shapes, unless each is a single number.
    """
    if isinstance(value, list | tuple):
        parts = [jnp.asarray(stack(unwrap(v))) for v in value]
        shapes = {part.shape for part in parts}
        if len(shapes) > 1 and any(part.size != 1 for part in parts):
            raise ValueError(f"a list of values of shapes {sorted(shapes)} is no array")
        return jnp.stack(jnp.broadcast_arrays(*parts)) if parts else np.array([])
    return value


def wrapped(function: Callable[..., Tree]) -> Callable[..., Tree]:
    """Return a function of arrays as one of `Traced` values; lists of numbers become arrays.

    Functions that take a list of arrays get the list.
    """
    listed = _each if getattr(function, "__name__", "") in OF_LISTS else _listed

    def call(*args: Tree, **kwargs: Tree) -> Tree:
        plain = [listed(unwrap(a)) for a in args]
        return wrap(function(*plain, **{k: listed(unwrap(v)) for k, v in kwargs.items()}))

    return call


OF_LISTS = (
    "block", "broadcast_arrays", "choose", "column_stack", "concatenate", "dstack", "hstack", "ix_",
    "meshgrid", "piecewise", "select", "stack", "vstack",
)  # fmt: skip


def _each(value: Tree) -> Tree:
    """Return the parts of a list as arrays, each in the shape that it has."""
    return [_listed(part) for part in value] if isinstance(value, list | tuple) else value


def _listed(value: Tree) -> Tree:
    traced = isinstance(value, list | tuple) and any(
        isinstance(x, Tracer) for x in jax.tree.leaves(value)
    )
    return stack(value) if traced else value


def _twin(name: str) -> Callable[..., Tree]:
    """Return jax's function of a numpy or scipy function's name."""
    for home in (jnp, jax_special):
        if hasattr(home, name):
            return wrapped(getattr(home, name))
    raise NotImplementedError(f"{name} has no twin in jax")


class StandIn:
    """Stand in for numpy, or for a module of its: jax's function of each name where it has one."""

    def __init__(self, theirs: ModuleType, ours: object) -> None:
        """Pair a module with jax's."""
        self._theirs, self._ours = theirs, ours

    def __getattr__(self, name: str) -> object:
        return stand_in(getattr(self._theirs, name), getattr(self._ours, name, None))


def stand_in(theirs: object, ours: Any) -> object:
    """Return what to use for a thing of numpy's: jax's, or the thing itself."""
    if isinstance(theirs, ModuleType):
        return theirs if ours is None else StandIn(theirs, ours)
    if isinstance(theirs, type) or not callable(theirs) or ours is None:
        return theirs
    return wrapped(ours)


@cache
def substituted(function: FunctionType) -> FunctionType:
    """Return a function that finds the stand-ins among its globals, as do those it calls."""
    names = {**function.__globals__}
    for name in function.__code__.co_names:
        value = names.get(name)
        home = getattr(value, "__module__", None) or ""
        if value is np:
            names[name] = StandIn(np, jnp)
        elif isinstance(value, FunctionType) and home == function.__module__:
            if value is not function:
                names[name] = substituted(value)
        elif home.partition(".")[0] == "numpy" or isinstance(value, np.ufunc):
            names[name] = stand_in(value, getattr(jnp, getattr(value, "__name__", ""), None))
    made = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def run(
    function: Callable[..., Tree], values: Mapping[str, Tree], example: Callable[[], ArrayLike]
) -> tuple[Tree, bool]:
    """Return a function's result on values, some traced, and whether it could be traced.

    `example` gives a result of the right shape where the function has to run on the host.
    """
    found = attempt(function, values)
    if found is None:
        return on_host(function, values, np.asarray(example())), False
    return found, True


def attempt(function: Callable[..., Tree], values: Mapping[str, Tree]) -> Tree | None:
    """Return a function's result on values, some traced; None where it cannot be traced."""
    if not any(isinstance(x, Tracer) for x in jax.tree.leaves(dict(values))):
        return function(**values)
    try:
        inner = substituted(function) if isinstance(function, FunctionType) else function
        found = unwrap(inner(**{k: wrap(v) for k, v in values.items()}))
        return jax.tree.map(jnp.asarray, _one_array(found))
    except UNTRACEABLE:
        return None


def _one_array(found: Tree) -> Tree:
    """Return a list as one array if it is one, else with its parts in their own shapes."""
    try:
        return stack(found)
    except ValueError:
        return found


__all__ = ["Traced", "ZeroProbability", "attempt", "run", "stack", "unwrap", "wrap", "wrapped"]
