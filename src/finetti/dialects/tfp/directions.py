"""Distribute directions, the vectors of length one, around a mean direction."""

from __future__ import annotations

from typing import NoReturn

import jax
import jax.numpy as jnp
from jax.scipy import special

from finetti.dialects.written import Written
from finetti.distributions import biject_to, constraints
from finetti.errors import ModelError
from finetti.types import Array, Key

SIZES = (2, 3, 4, 5)  # those of TensorFlow Probability
NEAR_ONE = 1e-5  # how far from one a length may be: data come rounded
FLAT = 0.03  # below this concentration the series has more digits than the closed form


class _Directions(constraints.Constraint):  # pyright: ignore[reportGeneralTypeIssues]
    """Admit vectors of length one, but for rounding."""

    event_dim = 1

    def __call__(self, x: Array) -> Array:
        """Tell which vectors are such."""
        return jnp.abs(jnp.sqrt((x**2).sum(-1)) - 1) < NEAR_ONE

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return nothing to trace."""
        return (), ((), {})


DIRECTIONS = _Directions()


@biject_to.register(_Directions)
def _refused(constraint: _Directions) -> NoReturn:
    raise ModelError(
        "a direction that is unknown cannot be sampled, since no map takes the real numbers onto "
        "a sphere: observe it, or write its angles as variables"
    )


def von_mises_fisher(mean_direction: Array, concentration: Array) -> Written:
    """Distribute unit vectors x of 2 to 5 elements by exp(concentration * mean_direction' x).

    `mean_direction` has shape (..., n) and length one, `concentration` shape (...). Raises
    `ValueError` for other n. (Fisher 1953; Mardia & Jupp 2000, section 9.3.2.)

    >>> made = von_mises_fisher(jnp.array([0.0, 0.0, 1.0]), jnp.array(2.0))
    >>> float(made.log_prob(jnp.array([0.0, 0.6, 0.8]))).__round__(3)
    -1.526
    """
    size = mean_direction.shape[-1]
    if size not in SIZES:
        raise ValueError(f"directions have 2 to 5 elements, and mean_direction has {size}")

    def density(x: Array) -> Array:
        along = (mean_direction * x).sum(-1)
        return concentration * along - log_mass(size, concentration)

    def sampler(key: Key, shape: tuple[int, ...]) -> Array:
        cosine_key, around_key = jax.random.split(key)
        kappa = jnp.broadcast_to(concentration, shape[:-1])
        along = _cosines(cosine_key, size, kappa)[..., None]
        normal = jax.random.normal(around_key, shape)
        across = normal - (normal * mean_direction).sum(-1, keepdims=True) * mean_direction
        across = across / jnp.sqrt((across**2).sum(-1, keepdims=True))
        return along * mean_direction + jnp.sqrt(1 - along**2) * across

    batch = jnp.broadcast_shapes(mean_direction.shape[:-1], jnp.shape(concentration))
    return Written(density, DIRECTIONS, batch, (size,), sampler)


def log_mass(size: int, concentration: Array) -> Array:
    """Return the logarithm of the integral of exp(concentration * x[0]) over the sphere.

    It is that of the sphere's surface, 2 pi^(n/2) / Gamma(n/2), times the hypergeometric function
    0F1(n/2; concentration^2 / 4), whose closed forms are Bessel's functions and hyperbolic ones.
    """
    half = size / 2
    surface = jnp.log(2.0) + half * jnp.log(jnp.pi) - special.gammaln(half)
    flat = concentration < FLAT
    k = jnp.where(flat, 1.0, concentration)
    z = jnp.where(flat, concentration, 0.0) ** 2 / 4
    series = z / half - z**2 / (2 * half**2 * (half + 1))
    # Each closed form is divided by exp(k), which would be beyond numbers.
    away, back = -jnp.expm1(-2 * k) / 2, (1 + jnp.exp(-2 * k)) / 2
    scaled = {
        2: lambda: special.i0e(k),
        3: lambda: away / k,
        4: lambda: 2 * special.i1e(k) / k,
        5: lambda: 3 * (k * back - away) / k**3,
    }[size]()
    return surface + jnp.where(flat, series, k + jnp.log(scaled))


def _cosines(key: Key, size: int, kappa: Array) -> Array:
    """Draw the cosine of the angle to the mean, by rejection from a beta's (Wood 1994)."""
    free = size - 1
    b = free / (2 * kappa + jnp.sqrt(4 * kappa**2 + free**2))
    best = (1 - b) / (1 + b)
    most = kappa * best + free * jnp.log1p(-(best**2))

    def propose(state: tuple[Key, Array, Array]) -> tuple[Key, Array, Array]:
        key, found, done = state
        key, beta_key, uniform_key = jax.random.split(key, 3)
        z = jax.random.beta(beta_key, free / 2, free / 2, kappa.shape)
        w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
        height = kappa * w + free * jnp.log1p(-best * w) - most
        taken = height >= jnp.log(jax.random.uniform(uniform_key, kappa.shape))
        return key, jnp.where(done, found, w), done | taken

    begun = key, jnp.zeros_like(b), jnp.zeros(kappa.shape, bool)
    return jax.lax.while_loop(lambda state: ~state[2].all(), propose, begun)[1]
