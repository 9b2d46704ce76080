"""Tell programs apart by their structure, so that unequal ones never share compiled code.

The key of a jaxpr numbers its variables and holds all that its equations say: inner jaxprs with
the constants they close over, numbers to the bit, arrays by their content. What cannot be looked
into, such as a function that runs on the host or a derivative that a user wrote, is equal to
itself alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from itertools import count
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakValueDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import AbstractValue, Trace, Tracer

from finetti.jaxprs import heads, is_literal
from finetti.types import Atom, Jaxpr, Value


@dataclass(frozen=True)
class Opaque:
    """Hold what is equal to itself alone; holding it, no other can take its place in memory."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Stand for a key: fingerprints of equal keys are the same object."""

    key: Hashable


_KNOWN: WeakValueDictionary[Hashable, Fingerprint] = WeakValueDictionary()


def fingerprint(jaxpr: Jaxpr, *others: Any) -> Fingerprint:
    """Return the fingerprint of a jaxpr and of what else tells programs apart."""
    key = (jaxpr_key(jaxpr), tuple(map(value_key, others)))
    found = _KNOWN.get(key)
    if found is None:
        found = _KNOWN[key] = Fingerprint(key)
    return found


def jaxpr_key(jaxpr: Jaxpr, constants: Sequence[Value] = ()) -> Hashable:
    """Return a hashable key that two jaxprs share if they compute the same from the same."""
    # Variables are numbered as they come, so that their names do not matter.
    numbers, number = {}, count()
    for v in heads(jaxpr):
        numbers[v] = next(number)

    def atom(a: Atom) -> Hashable:
        return _literal(a) if is_literal(a) else numbers[a]

    equations = []
    for e in jaxpr.eqns:
        inputs = tuple(map(atom, e.invars))
        for v in e.outvars:
            numbers[v] = next(number)
        parameters = tuple((name, value_key(e.params[name])) for name in sorted(e.params))
        outputs = tuple(v.aval for v in e.outvars)
        equations.append((e.primitive.name, inputs, parameters, outputs, _context(e.ctx)))
    tops = tuple(v.aval for v in heads(jaxpr))
    outputs = tuple(map(atom, jaxpr.outvars))
    return ("jaxpr", tops, tuple(equations), outputs, tuple(map(value_key, constants)))


def _literal(atom: Atom) -> Hashable:
    return ("literal", atom.aval, value_key(atom.val))


def _context(context: Any) -> Hashable:
    names = ("compute_type", "threefry_partitionable", "xla_metadata")
    return tuple(value_key(getattr(context, name, None)) for name in names)


def value_key(value: Any) -> Hashable:
    """Return a hashable key of a parameter of an equation, equal for values that mean the same."""
    if value is None or isinstance(value, bool | int | str | bytes | range):
        return (type(value).__name__, value)
    if isinstance(value, float | complex):
        # By bits: 0.0 and -0.0 differ, and NaN is equal to itself.
        return (type(value).__name__, np.asarray(value).tobytes())
    if hasattr(value, "consts") and hasattr(value, "jaxpr"):  # from JAX 0.11 on every jaxpr
        return jaxpr_key(value.jaxpr, value.consts)
    if hasattr(value, "eqns"):
        return jaxpr_key(value)
    if isinstance(value, AbstractValue):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, tuple | list):
        return (type(value).__qualname__, tuple(map(value_key, value)))
    if isinstance(value, Mapping):
        return ("mapping", tuple((value_key(k), value_key(v)) for k, v in value.items()))
    if isinstance(value, set | frozenset):
        return ("set", frozenset(map(value_key, value)))
    return _other(value)


def _array(value: Value) -> Hashable:
    if isinstance(value, Tracer | jax.ShapeDtypeStruct):
        return Opaque(value)
    if not isinstance(value, jax.Array) and not isinstance(value.dtype, np.dtype):  # a column
        return Opaque(value)
    if jnp.issubdtype(value.dtype, jax.dtypes.extended):  # a random key
        return ("key", str(value.dtype), _array(jax.random.key_data(value)))
    array = np.asarray(value)
    if array.dtype == object:
        return Opaque(value)
    digest = blake2b(np.ascontiguousarray(array).tobytes(), digest_size=32).digest()
    return ("array", array.shape, array.dtype.str, getattr(value, "weak_type", False), digest)


def _other(value: Any) -> Hashable:
    """Return the key of what is neither number, array nor jaxpr."""
    kind = type(value)
    ours = kind.__module__.partition(".")[0] in ("jax", "jaxlib", "numpy", "ml_dtypes")
    if isinstance(value, FunctionType):
        return _function(value)
    if ours and kind.__name__ == "WrappedFun":
        return _wrapped(value)
    if (ours and kind.__name__ in ("Store", "EqualStore")) or isinstance(value, Trace):
        return kind.__name__  # what tracing leaves behind, and who traced
    if ours and kind.__name__ in ("Unhashable", "Hashable"):
        return value_key(value.val)
    if ours and kind.__name__ == "HashablePartial":
        return (kind, *map(value_key, (value.f, value.args, value.kwargs)))
    if ours and hasattr(value, "in_avals"):  # an operation with its settings
        return (kind, value_key(vars(value)))
    if isinstance(value, MethodType):
        return ("method", Opaque(value.__func__), value_key(value.__self__))
    if isinstance(value, type | Enum | np.dtype):
        return value
    if ours and is_dataclass(value) and callable(value):
        return (kind, tuple(value_key(getattr(value, f.name)) for f in fields(value)))
    # What JAX and numpy compare by value is taken at its word.
    if ours and not callable(value) and kind.__eq__ is not object.__eq__ and kind.__hash__:
        return value
    return Opaque(value)


def _function(function: FunctionType) -> Hashable:
    """Return the key of a function: itself, unless it is one that JAX made in passing."""
    cells = function.__closure__
    if not (function.__module__ or "").startswith("jax.") or not cells:
        return Opaque(function)
    held = dict(zip(function.__code__.co_freevars, cells, strict=True))
    if function.__qualname__ == "_memoize.<locals>.memoized":  # its memory tells nothing
        held = {"fn": held["fn"]}
    found = tuple(value_key(cell.cell_contents) for cell in held.values())
    defaults = value_key(function.__defaults__), value_key(function.__kwdefaults__)
    return ("function", function.__code__, found, defaults)


def _wrapped(wrapped: Any) -> Hashable:
    """Return the key of a function with JAX's transformations around it."""
    around = tuple((Opaque(how), value_key(given)) for how, given in wrapped.transforms)
    return ("wrapped", value_key(wrapped.f), around, value_key(wrapped.params))
