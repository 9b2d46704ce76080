"""Offer PyMC2's distributions as classes of stochastics, with their densities and draws."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.dialects.pymc2.families import FAMILIES, Family
from finetti.dialects.pymc2.nodes import Stochastic, draw_key
from finetti.dialects.pymc2.traced import Traced, ZeroProbability, stack, unwrap, wrap
from finetti.dialects.written import log_density
from finetti.distributions import unchecked

SETTINGS = ("value", "observed", "size", "trace", "doc", "rseed", "plot", "verbose", "debug")
INT_FROM_FLOAT = "n"


def family_class(family: Family) -> type[Stochastic]:
    """Return the class of stochastics of a family: `Normal(name, mu, tau, value=, observed=)`."""

    def __init__(self: Any, name: str, *args: Any, **kwargs: Any) -> None:
        settings = {k: kwargs.pop(k) for k in SETTINGS if k in kwargs}
        parents = bind(family, args, kwargs)
        self.family = family
        Stochastic.__init__(self, family.distribute, name, parents, dtype=family.dtype, **settings)

    listed = ", ".join(family.parameters)
    doc = f"Be a {family.name} variable: `{family.name}(name, {listed}, value=, observed=)`."
    body = {"__init__": __init__, "__doc__": doc, "__module__": __name__}
    return type(family.name, (Stochastic,), body)


def bind(family: Family, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a family's parameters by name from the arguments of a call."""
    if len(args) > len(family.parameters):
        raise TypeError(f"{family.name} takes {family.parameters}, not {len(args)} parameters")
    given = dict(zip(family.parameters, args, strict=False))
    twice, unknown = given.keys() & kwargs.keys(), kwargs.keys() - set(family.parameters)
    if twice or unknown:
        raise TypeError(f"{family.name} takes {family.parameters}, not {sorted(twice | unknown)}")
    found = {**dict(family.defaults), **given, **kwargs}
    missing = [p for p in family.parameters if p not in found]
    if missing:
        raise TypeError(f"{family.name} needs {', '.join(missing)}")
    return {p: found[p] for p in family.parameters}


def likelihood(family: Family) -> Callable[..., Any]:
    """Return the function that gives the sum of a family's log densities at a value."""

    def like(x: Any, *args: Any, **kwargs: Any) -> Any:
        parents = unwrap(bind(family, args, kwargs))
        x = stack(unwrap(x))
        traced = any(isinstance(v, Tracer) for v in jax.tree.leaves((x, parents)))
        if traced:
            return wrap(_log_density(family, x, parents))
        with jax.enable_x64(True):
            return float(_log_density(family, np.asarray(x), parents))

    like.__name__ = like.__qualname__ = f"{snake(family.name)}_like"
    like.__doc__ = (
        f"Return the log density of x under {family.name}({', '.join(family.parameters)})."
    )
    return like


def _log_density(family: Family, x: Any, parents: dict[str, Any]) -> Any:
    with unchecked():
        return jnp.sum(log_density(family.distribute(parents), x))


def drawer(family: Family) -> Callable[..., Any]:
    """Return the function that draws from a family: `rnormal(mu, tau, size=None)`."""

    def draw(*args: Any, size: Any = None, **kwargs: Any) -> Any:
        if len(args) == len(family.parameters) + 1:
            args, size = args[:-1], args[-1]
        with jax.enable_x64(True):
            made = family.distribute(bind(family, args, kwargs))
            shape = () if size is None else tuple(np.atleast_1d(size).astype(int))
            if made.batch_shape and shape:
                made, shape = made.expand(np.broadcast_shapes(shape, made.batch_shape)), ()
            found = np.asarray(made.sample(draw_key(), shape))
        return found.item() if found.ndim == 0 else found.astype(family.dtype)

    draw.__name__ = draw.__qualname__ = f"r{snake(family.name)}"
    draw.__doc__ = f"Draw from {family.name}({', '.join(family.parameters)})."
    return draw


def snake(name: str) -> str:
    """Return a family's name as PyMC2 spells it in functions.

    >>> snake("DiscreteUniform"), snake("MvNormalCov"), snake("T")
    ('discrete_uniform', 'mv_normal_cov', 't')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


CLASSES = {name: family_class(family) for name, family in FAMILIES.items()}
CLASSES["LogNormal"] = CLASSES["Lognormal"]
LIKES = {f"{snake(name)}_like": likelihood(family) for name, family in FAMILIES.items()}
DRAWS = {f"r{snake(name)}": drawer(family) for name, family in FAMILIES.items()}
LIKES |= {
    "truncnorm_like": LIKES["truncated_normal_like"],
    "dexponential_like": LIKES["laplace_like"],
}
DRAWS |= {"rtruncnorm": DRAWS["rtruncated_normal"]}

__all__ = ["CLASSES", "DRAWS", "LIKES", "Traced", "ZeroProbability"]
