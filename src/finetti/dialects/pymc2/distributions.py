"""Offer PyMC2's distributions as classes of stochastics, with their densities and draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.dialects.pymc2.draws import drawer
from finetti.dialects.pymc2.families import FAMILIES, Family, bind, snake
from finetti.dialects.pymc2.imputing import Impute
from finetti.dialects.pymc2.nodes import Stochastic
from finetti.dialects.pymc2.traced import Traced, ZeroProbability, stack, unwrap, wrap
from finetti.dialects.written import log_density
from finetti.distributions import unchecked
from finetti.types import Array, Tree

SETTINGS = ("value", "observed", "size", "trace", "doc", "rseed", "plot", "verbose", "debug")
LOOKED_AT = ("Categorical", "HalfCauchy", "Multinomial")  # made by what their parameters are


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


def likelihood(family: Family) -> Callable[..., float | Traced]:
    """Return the function that gives the sum of a family's log densities at a value."""
    compiled = jax.jit(lambda x, parents: _log_density(family, x, parents))

    def like(x: object, *args: object, **kwargs: object) -> float | Traced:
        parents = {k: stack(v) for k, v in unwrap(bind(family, args, kwargs)).items()}
        x = stack(unwrap(x))
        if any(isinstance(v, Tracer) for v in jax.tree.leaves((x, parents))):
            return wrap(_log_density(family, x, parents))
        with jax.enable_x64(True):
            if family.name in LOOKED_AT:
                return float(_log_density(family, np.asarray(x), parents))
            return float(compiled(np.asarray(x), {k: np.asarray(v) for k, v in parents.items()}))

    like.__name__ = like.__qualname__ = f"{snake(family.name)}_like"
    like.__doc__ = (
        f"Return the log density of x under {family.name}({', '.join(family.parameters)})."
    )
    return like


def _log_density(family: Family, x: Tree, parents: dict[str, object]) -> Array:
    with unchecked():
        return jnp.sum(log_density(family.distribute(parents), x))


CLASSES = {name: family_class(family) for name, family in FAMILIES.items()}
CLASSES["LogNormal"] = CLASSES["Lognormal"]
LIKES = {f"{snake(name)}_like": likelihood(family) for name, family in FAMILIES.items()}
DRAWS = {f"r{snake(name)}": drawer(family) for name, family in FAMILIES.items()}
LIKES |= {
    "truncnorm_like": LIKES["truncated_normal_like"],
    "dexponential_like": LIKES["laplace_like"],
}
DRAWS |= {"rtruncnorm": DRAWS["rtruncated_normal"]}
globals().update({**CLASSES, **LIKES, **DRAWS})

__all__ = ["CLASSES", "DRAWS", "LIKES", "Impute", "Traced", "ZeroProbability"]
