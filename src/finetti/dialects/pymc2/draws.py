"""Draw from PyMC2's distributions: `rnormal(mu, tau, size=None)`, by numpy's global generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.families import Family, bind, snake
from finetti.dialects.pymc2.relatives import draw_key
from finetti.dialects.pymc2.traced import stack, unwrap
from finetti.types import Key

Size = tuple[int, ...] | None

# Deterministics that simulate data draw at every kept draw: these take microseconds.
_BY_NUMPY: dict[str, Callable[..., ArrayLike]] = {
    "Bernoulli": lambda rng, size, p: rng.binomial(1, p, size),
    "Beta": lambda rng, size, alpha, beta: rng.beta(alpha, beta, size),
    "Binomial": lambda rng, size, n, p: rng.binomial(n, p, size),
    "Exponential": lambda rng, size, beta: rng.exponential(1 / np.asarray(beta), size),
    "Gamma": lambda rng, size, alpha, beta: rng.gamma(alpha, 1 / np.asarray(beta), size),
    "Geometric": lambda rng, size, p: rng.geometric(p, size),
    "Lognormal": lambda rng, size, mu, tau: rng.lognormal(mu, np.asarray(tau) ** -0.5, size),
    "Normal": lambda rng, size, mu, tau: rng.normal(mu, np.asarray(tau) ** -0.5, size),
    "Poisson": lambda rng, size, mu: rng.poisson(mu, size),
    "Uniform": lambda rng, size, lower, upper: rng.uniform(lower, upper, size),
    "VonMises": lambda rng, size, mu, kappa: rng.vonmises(mu, kappa, size),
    "Weibull": lambda rng, size, alpha, beta: np.asarray(beta) * rng.weibull(alpha, size),
}  # fmt: skip


def drawer(family: Family) -> Callable[..., ArrayLike]:
    """Return the function that draws from a family; inside a model it runs on the host."""
    compiled = jax.jit(partial(_sample, family), static_argnums=2)
    eager: list[bool] = []  # whether it was found not to compile

    def sampled(parents: dict[str, object], shape: Size) -> np.ndarray:
        key, values = draw_key(), {k: np.asarray(stack(v)) for k, v in parents.items()}
        with jax.enable_x64(True):
            if not eager:
                try:
                    return np.asarray(compiled(key, values, shape))
                except jax.errors.JAXTypeError:
                    eager.append(True)
            return np.asarray(_sample(family, key, values, shape))

    def draw(*args: object, size: Any = None, **kwargs: object) -> ArrayLike:
        if len(args) == len(family.parameters) + 1:
            args, size = args[:-1], args[-1]
        parents = bind(family, args, kwargs)
        if any(isinstance(v, Tracer) for v in jax.tree.leaves(unwrap([size, *parents.values()]))):
            raise NotImplementedError(f"r{snake(family.name)} draws on the host")
        shape = None if size is None else tuple(np.atleast_1d(size).astype(int).tolist())
        by_numpy = family.name in _BY_NUMPY
        found = _drawn(family, parents, shape) if by_numpy else sampled(parents, shape)
        return found.item() if found.ndim == 0 else found.astype(family.dtype)

    draw.__name__ = draw.__qualname__ = f"r{snake(family.name)}"
    draw.__doc__ = f"Draw from {family.name}({', '.join(family.parameters)})."
    return draw


def _drawn(family: Family, parents: dict[str, object], shape: Size) -> np.ndarray:
    values = {k: np.asarray(v) for k, v in parents.items()}
    batch = np.broadcast_shapes(*(v.shape for v in values.values()))
    full = batch if shape is None else np.broadcast_shapes(shape, batch) if batch else shape
    rng: Any = np.random.mtrand._rand  # the global generator, which PyMC2 programs seed
    return np.asarray(_BY_NUMPY[family.name](rng, full, **values))


def _sample(family: Family, key: Key, parents: Mapping[str, object], shape: Size) -> ArrayLike:
    made = family.distribute(parents)
    if made.batch_shape and shape:
        made, shape = made.expand(np.broadcast_shapes(shape, made.batch_shape)), ()
    return made.sample(key, shape or ())
