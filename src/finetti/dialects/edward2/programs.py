"""Turn Edward2 programs into log joint densities and into finetti Models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from finetti.dialects import tf
from finetti.dialects.edward2.interceptors import interception
from finetti.dialects.edward2.variables import RandomVariable
from finetti.dialects.tfp.distribution import site_law
from finetti.language import sites
from finetti.models import Model, model
from finetti.types import Array

Arg = TypeVar("Arg")


def make_log_joint_fn(program: Callable[..., object]) -> Callable[..., Array]:
    """Return the function that gives a program's log joint density at values of its variables.

    It takes the program's arguments and a keyword for each random variable. A variable without a
    keyword has the value its maker gave it, else `LookupError`; one without a name is a `KeyError`.
    Only keywords that are the program's own arguments go to it.
    """
    _demand_function(program)

    def log_joint_fn(*args: object, **kwargs: Any) -> Array:
        """Run the program, its variables at the values given, and add up their log densities."""
        terms = []

        def give(
            make: Callable[..., RandomVariable], *rv_args: object, **rv_kwargs: Any
        ) -> RandomVariable:
            name = rv_kwargs.get("name")
            if name is None:
                raise KeyError(f"{make.__name__} is made without name=: name every random variable")
            value = kwargs.get(name, rv_kwargs.get("value"))
            if value is None:
                raise LookupError(f"pass the value of `{name}` as a keyword")
            made = make(*rv_args, **{**rv_kwargs, "value": value})
            with jax.enable_x64(True):
                terms.append(made.distribution.log_prob(made.value).sum())
            return made

        with interception(give), jax.enable_x64(True):
            program(*args, **_own(program, kwargs))
            return jnp.asarray(sum(terms))

    return log_joint_fn


def as_model(program: Callable[..., object]) -> Model:
    """Return a program as a finetti Model, to condition, plan and fit.

    A random variable that is made with a value is observed.
    """
    _demand_function(program)

    def statements(*args: object, **kwargs: object) -> object:
        """Run the program, its random variables stated as sites."""

        def state(
            make: Callable[..., RandomVariable], *rv_args: object, **rv_kwargs: Any
        ) -> RandomVariable:
            given = rv_kwargs.pop("value", None)
            made = make(*rv_args, **rv_kwargs)
            if rv_kwargs.get("name") is None:
                raise KeyError(f"{make.__name__} is made without name=: name every random variable")
            distribution = site_law(made.distribution, rv_kwargs["name"])
            if made.sample_shape:
                distribution = distribution.expand(made.sample_shape + distribution.batch_shape)
            obs = None if given is None else np.asarray(tf.value_of(given))
            made._value = sites.sample(rv_kwargs["name"], distribution, obs=obs)
            return made

        with interception(state):
            return program(*args, **kwargs)

    statements.__name__ = getattr(program, "__name__", "program")
    statements.__signature__ = inspect.signature(program)  # pyright: ignore[reportFunctionMemberAccess]
    return model(statements)


def _demand_function(program: object) -> None:
    if not callable(program):
        raise TypeError(f"a program is a function that makes random variables, not {program!r}")


def _own(program: Callable[..., object], kwargs: Mapping[str, Arg]) -> dict[str, Arg]:
    """Return the keywords that are a function's own arguments."""
    parameters = inspect.signature(program).parameters
    return {k: v for k, v in kwargs.items() if k in parameters}
