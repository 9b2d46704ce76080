"""Make nodes of functions: `@stochastic`, `@deterministic`, `@potential` and `Lambda`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from finetti.dialects.pymc2 import host, traced
from finetti.dialects.pymc2.nodes import Deterministic, Potential, Stochastic, resolve
from finetti.dialects.pymc2.traced import stack
from finetti.dialects.written import Written
from finetti.distributions import constraints
from finetti.types import AnyArray, Array, Key, Tree, Value

WHOLE = constraints.integer_greater_than(-(2**31))  # any whole number

Decorator = Callable[[Callable[..., Any]], object]


def _defaults(function: Callable[..., object]) -> dict[str, Any]:
    """Return a function's arguments with their defaults, which are its parents."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is parameter.empty:
            raise ValueError(
                f"{function.__name__}: parent `{name}` has no default value, which says what it is"
            )
        found[name] = parameter.default
    return found


def deterministic(
    function: Callable[..., object] | None = None, **settings: Any
) -> Deterministic | Decorator:
    """Make a deterministic of a function: its arguments' defaults are its parents.

    >>> @deterministic
    ... def double(x=3.0):
    ...     return 2 * x
    >>> double.value
    6.0
    """
    if function is None:
        return lambda f: deterministic(f, **settings)
    name, doc = function.__name__, function.__doc__ or ""
    return Deterministic(function, name, _defaults(function), doc, **settings)


def potential(
    function: Callable[..., ArrayLike] | None = None, **settings: Any
) -> Potential | Decorator:
    """Make a potential of a function that returns a log density."""
    if function is None:
        return lambda f: potential(f, **settings)
    settings = {k: v for k, v in settings.items() if k == "doc"}
    return Potential(function, function.__name__, _defaults(function), **settings)


def Lambda(
    name: str, lam_fun: Callable[..., object], doc: str = "", **settings: Any
) -> Deterministic:
    """Make a deterministic of a lambda: `Lambda("p", lambda a=alpha, b=beta: a + b)`."""
    return Deterministic(lam_fun, name, _defaults(lam_fun), doc, **settings)


def stochastic(
    function: Callable[..., object] | None = None, **settings: Any
) -> Stochastic | Decorator:
    """Make a stochastic of a function of `value` and its parents that returns a log density.

    The function may instead define `logp` and `random` inside. Settings are `observed`, `dtype`,
    `trace` and the like.
    """
    if function is None:
        return lambda f: stochastic(f, **settings)
    parents = _defaults(function)
    if "value" not in parents:
        raise ValueError(f"{function.__name__}: a stochastic's first argument is value=")
    value = parents.pop("value")
    logp, random = _inner(function)
    dtype = settings.pop("dtype", None) or np.result_type(np.asarray(value))
    whole = np.dtype(dtype).kind in "biu"
    shape = np.shape(value)

    def distribute(values: dict[str, Tree]) -> Written:
        """Return the distribution that the function writes, given its parents' values."""
        possible = host.held()

        def density(x: Array) -> Array:
            with host.only_where(possible):
                found = traced.attempt(logp, {"value": x, **values})
                if found is None and made.observed:
                    found = _at_data(logp, x, np.asarray(made.value), values)
                if found is None:
                    found, _ = traced.run(logp, {"value": x, **values}, lambda: np.zeros(()))
            return jnp.sum(jnp.asarray(found))

        def sampler(key: Key, size: tuple[int, ...]) -> Array:
            if random is None:
                raise NotImplementedError(f"{function.__name__} has no random()")
            return jnp.asarray(random(**values))

        support = WHOLE if whole else constraints.real
        support = constraints.independent(support, len(shape)) if shape else support
        return Written(density, support, (), shape, sampler)

    doc = function.__doc__ or ""
    made = Stochastic(distribute, function.__name__, parents, value, dtype, doc=doc, **settings)
    return made


def _at_data(
    logp: Callable[..., object], x: Array, data: np.ndarray, values: dict[str, Tree]
) -> Array | None:
    """Return the log density at data that are known, so that the function may look at them.

    It is not a number at any others; None is said of what cannot be traced so either.
    """
    found = traced.attempt(logp, {"value": data, **values})
    return None if found is None else jnp.where(jnp.all(x == data), jnp.sum(found), jnp.nan)


def observed(
    function: Stochastic | Callable[..., object] | None = None, **settings: Any
) -> Stochastic | Decorator:
    """Make an observed stochastic of a function, or of a stochastic."""
    if isinstance(function, Stochastic):
        function.observed, function.keep_trace = True, False
        return function
    return stochastic(function, observed=True, **settings)


data = observed


def _inner(
    function: Callable[..., object],
) -> tuple[Callable[..., object], Callable[..., ArrayLike] | None]:
    """Return the log density that a function is, or the `logp` and `random` it defines inside."""
    constants = function.__code__.co_consts
    names = {c.co_name for c in constants if inspect.iscode(c)}
    if "logp" not in names:
        return function, None
    seen: dict[str, Any] = {}

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is function.__code__:
            seen.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        function()
    finally:
        sys.setprofile(before)
    return seen["logp"], seen.get("random")


def invlogit(x: Value) -> Value:
    """Return the logistic function of x, traced or not."""
    return _elementwise(jax.scipy.special.expit, x)


def logit(x: Value) -> Value:
    """Return the log odds of x, traced or not."""
    return _elementwise(jax.scipy.special.logit, x)


def _elementwise(function: Callable[[AnyArray], Array], x: Value) -> Value:
    if isinstance(x, Deterministic | Stochastic):
        return Deterministic(lambda x: _elementwise(function, x), function.__name__, {"x": x})
    if isinstance(x, traced.Traced):
        return traced.wrap(function(x.array))
    x = stack(resolve(x, lambda node: node.value))
    if isinstance(x, Tracer):
        return function(x)
    with jax.enable_x64(True):
        return np.asarray(function(np.asarray(x, float)))[()]
