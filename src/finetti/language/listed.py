"""Take lists of numbers where distributions want arrays: `Dirichlet([1.0, 1.0, 1.0])`.

numpyro's classes compute with what they are given. While a model runs here they are given arrays,
by the hook that numpyro has for this; elsewhere in the process they are as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.distributions import COERCIONS, Distribution
from finetti.errors import ModelError
from finetti.language.effects import running
from finetti.types import AnyArray


def as_arrays(distribution: Distribution) -> None:
    """Make arrays of the arguments that are lists, of a distribution that was made elsewhere."""
    own = vars(distribution)
    own.update(_changed(type(distribution), own))
    for inner in own.values():
        if isinstance(inner, Distribution):
            as_arrays(inner)


def _given_arrays(
    made: type[Distribution], args: tuple[Any, ...], named: dict[str, Any]
) -> Distribution | None:
    """Return a distribution of arrays, in a model; None where it is made as it is."""
    listed = any(isinstance(a, list | tuple) for a in (*args, *named.values()))
    if not listed or not running():
        return None
    try:
        bound = signature(made).bind(*args, **named)
    except TypeError:
        return None  # to be refused by the class
    changed = _changed(made, bound.arguments)
    bound.arguments.update(changed)
    return made(*bound.args, **bound.kwargs) if changed else None


def _changed(made: type[Distribution], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are lists, as arrays."""
    listed = {name: given.get(name) for name in made.arg_constraints}
    listed = {n: value for n, value in listed.items() if isinstance(value, list | tuple)}
    found = {name: _array(value) for name, value in listed.items()}
    for name, array in found.items():
        if array is not None and array.size == 0:
            raise ModelError(
                f"ft.{made.__name__} has {name} = {listed[name]!r:.100}, which holds no number: "
                f"give it one at least"
            )
        if array is None:
            raise ModelError(
                f"ft.{made.__name__} has {name} = {listed[name]!r:.100}: a list must hold numbers, "
                f"and lists in it be of one length"
            )
    return found


def _array(values: list[Any] | tuple[Any, ...]) -> AnyArray | None:
    """Return an array, of numpy where all numbers are known: it may outlive a trace.

    It is None where the list holds anything else.
    """
    known = not any(isinstance(x, Tracer) for x in jax.tree.leaves(values))
    try:
        found = np.asarray(values) if known else jnp.asarray(values)
    except (TypeError, ValueError):
        return None
    return found if found.dtype.kind in "biufc" else None


if _given_arrays not in COERCIONS:
    COERCIONS.append(_given_arrays)
