"""Take what distributions are given: lists and columns where they want arrays, numbers of 8 bits.

numpyro's classes compute with what they are given. While a model runs here they are given arrays,
by the hook that numpyro has for this; elsewhere in the process they are as they were.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.distributions import COERCIONS, Distribution, Unit
from finetti.errors import ModelError
from finetti.language.columns import widened
from finetti.language.effects import running
from finetti.types import AnyArray, Array


def as_arrays(distribution: Distribution) -> None:
    """Take the arguments of a distribution that was made elsewhere as those of one made here."""
    own = vars(distribution)
    own.update(_changed(type(distribution), own))
    for inner in own.values():
        if isinstance(inner, Distribution):
            as_arrays(inner)


def broadened(value: Array) -> AnyArray:
    """Return an array of JAX as `widened` does those of numpy; one that is traced stays one."""
    kinds = ((jnp.integer, int), (jnp.floating, float))
    usual = next((k for kind, k in kinds if jnp.issubdtype(value.dtype, kind)), None)
    if usual is None or value.dtype == jnp.result_type(usual):
        return value
    return value.astype(usual) if isinstance(value, Tracer) else widened(np.asarray(value))


def _given_arrays(
    made: type[Distribution], args: tuple[Any, ...], named: dict[str, Any]
) -> Distribution | None:
    """Return a distribution of arrays, in a model; None where it is made as it is."""
    if not running():
        return None
    if made is Unit and sys._getframe(2).f_globals.get("__name__") == "numpyro.primitives":
        raise ModelError(
            "the model states numpyro.factor, which finetti does not see: write ft.factor"
        )
    taken = signature(made)
    try:
        bound = taken.bind(*args, **named)
    except TypeError as error:
        listed = ", ".join(n for n in taken.parameters if n != "validate_args")
        raise ModelError(f"{_called(made)} takes {listed or 'nothing'}: {error}") from None
    for name, value in bound.arguments.items():
        if (
            value is None
            and name in made.arg_constraints
            and taken.parameters[name].default is not None
        ):
            raise _no_numbers(made, name, value)
    changed = _changed(made, bound.arguments)
    bound.arguments.update(changed)
    return made(*bound.args, **bound.kwargs) if changed else None


def _changed(made: type[Distribution], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are to be other arrays than they are, as these."""
    numbers = {name: given[name] for name in made.arg_constraints if given.get(name) is not None}
    found = {name: _taken(made, name, value) for name, value in numbers.items()}
    return {name: value for name, value in found.items() if value is not numbers[name]}


def _taken(made: type[Distribution], name: str, value: Any) -> Any:
    """Return an argument as a distribution takes it, or refuse what holds no numbers."""
    if isinstance(value, list | tuple):
        return _listed(made, name, value)
    column = value.to_numpy() if hasattr(value, "to_numpy") else value
    strange = isinstance(column, str | bytes | dict | set | Distribution) or callable(column)
    if strange or (isinstance(column, np.ndarray) and column.dtype.kind not in "biufc"):
        raise _no_numbers(made, name, value)
    return widened(column)


def _listed(made: type[Distribution], name: str, values: list[Any] | tuple[Any, ...]) -> AnyArray:
    """Return a list as an array, or refuse one that is empty or holds anything but numbers."""
    array = _array(values)
    if array is not None and array.size:
        return array
    wrong = (
        "a list must hold numbers, and lists in it be of one length"
        if array is None
        else "it holds no number: give it one at least"
    )
    raise ModelError(f"{_called(made)} has {name} = {values!r:.100}: {wrong}")


def _no_numbers(made: type[Distribution], name: str, value: object) -> ModelError:
    inner = isinstance(value, Distribution)
    shown = f"the distribution {type(value).__name__}" if inner else f"{value!r:.100}"
    instead = "the value of a site, ft.sample(name, distribution)" if inner else "numbers"
    return ModelError(f"{_called(made)} has {name} = {shown}: give it {instead}")


def _called(made: type[Distribution]) -> str:
    ours = made.__module__.partition(".")[0] in ("numpyro", "finetti")
    name = made.__name__.removesuffix("Probs").removesuffix("Logits") if ours else made.__name__
    return f"ft.{name}" if ours else name


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
