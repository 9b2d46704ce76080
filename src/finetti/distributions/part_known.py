"""Hold multivariate normal vectors known in part: what is known by its marginal law, and the rest.

The laws are those of Little & Rubin (2019, section 7.4), exact for any pattern of what is missing.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.scipy.linalg import solve_triangular
from numpyro.distributions import Distribution, MultivariateNormal, constraints
from numpyro.distributions.constraints import Constraint

from finetti.types import AnyArray, Array, Key, Value


class PartlyKnown(Distribution):
    """Be multivariate normal vectors of which the entries `known` count, by their marginal law.

    `loc` and `known` have shape (..., d), `scale_tril` (d, d) or one for each vector. Draws are of
    whole vectors.

    >>> law = PartlyKnown(jnp.zeros((1, 2)), jnp.eye(2), np.array([[True, False]]))
    >>> round(float(law.log_prob(jnp.array([[0.0, 9.0]]))[0]), 4)
    -0.9189
    """

    arg_constraints = {  # noqa: RUF012 - as numpyro has it
        "loc": constraints.real_vector,
        "scale_tril": constraints.lower_cholesky,
    }
    loc: Value
    scale_tril: Value
    known: Value
    pytree_data_fields = ("loc", "scale_tril", "known")

    def __init__(self, loc: Value, scale_tril: Value, known: Value):
        self.loc, self.scale_tril, self.known = loc, scale_tril, known
        super().__init__(jnp.shape(loc)[:-1], jnp.shape(loc)[-1:], validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the real vectors."""
        return constraints.real_vector

    @property
    def mean(self) -> Value:
        """Return the location."""
        return self.loc

    @property
    def variance(self) -> Value:
        """Return the variance of each entry."""
        return jnp.broadcast_to(jnp.sum(self.scale_tril**2, -1), jnp.shape(self.loc))

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw whole vectors."""
        return MultivariateNormal(self.loc, scale_tril=self.scale_tril).sample(key, sample_shape)

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density of what is known of each vector."""
        factor, _ = _known_part(self.scale_tril, self.known)
        rest = jnp.where(self.known, jnp.asarray(value) - self.loc, 0.0)
        scaled = _solve(factor, rest)
        logs = jnp.sum(jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)), -1)
        count = jnp.sum(jnp.asarray(self.known), -1)
        return -0.5 * (jnp.sum(scaled**2, -1) + count * np.log(2 * np.pi)) - logs


class Unknown(Distribution):
    """Be what is missing of multivariate normal vectors, given what is known of each.

    The event is all that is missing, one number after another in the order of the vectors. The
    arguments are those of `PartlyKnown`, and the `value` of the vectors where they are known.
    """

    arg_constraints = PartlyKnown.arg_constraints
    loc: Value
    scale_tril: Value
    known: Value
    value: Value
    pytree_data_fields = ("loc", "scale_tril", "known", "value")
    pytree_aux_fields = ("places",)

    def __init__(self, loc: Value, scale_tril: Value, known: np.ndarray, value: Value):
        self.loc, self.scale_tril, self.known, self.value = loc, scale_tril, known, value
        self.places = np.nonzero(~known)
        super().__init__((), self.places[0].shape, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return the real vectors."""
        return constraints.real_vector

    @property
    def mean(self) -> Value:
        """Return the mean given what is known."""
        return self._given()[0][self.places]

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw from the conditional law."""
        mean, factor = self._given()
        noise = MultivariateNormal(jnp.zeros(mean.shape[-1]), scale_tril=factor)
        drawn = mean + noise.sample(key, sample_shape)
        return drawn[(..., *self.places)]

    def log_prob(self, value: AnyArray) -> Array:
        """Return the conditional log density."""
        mean, factor = self._given()
        away = jnp.asarray(value) - mean[self.places]
        rest = jnp.zeros((*jnp.shape(value)[:-1], *mean.shape)).at[(..., *self.places)].set(away)
        scaled = _solve(factor, rest)
        logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
        logs = jnp.sum(jnp.broadcast_to(logs, mean.shape))
        size = self.event_shape[0]
        return -0.5 * (jnp.sum(scaled**2, (-2, -1)) + size * np.log(2 * np.pi)) - logs

    def _given(self) -> tuple[Array, Array]:
        """Return mean and Cholesky factor of each vector given what is known of it.

        Where an entry is known its mean is no more than filled in, and its variance 1.
        """
        factor, covariance = _known_part(self.scale_tril, self.known)
        rest = jnp.where(self.known, jnp.asarray(self.value) - self.loc, 0.0)
        known = jnp.asarray(self.known)
        # With A the known part's covariance, A = L L', and C that with the rest: the mean is moved
        # by C' A^-1 (known - loc), and C' A^-1 C is taken off the covariance.
        half = solve_triangular(factor, known[..., :, None] * covariance, lower=True)
        mean = self.loc + jnp.einsum("...ji,...j->...i", half, _solve(factor, rest))
        left = covariance - jnp.swapaxes(half, -1, -2) @ half
        both = ~known[..., :, None] & ~known[..., None, :]
        unit = jnp.eye(known.shape[-1]) * known[..., None, :]
        return mean, jnp.linalg.cholesky(jnp.where(both, left, 0.0) + unit)


def _known_part(scale_tril: Value, known: Value) -> tuple[Array, Array]:
    """Return the Cholesky factor of each vector's covariance among known entries, and covariances.

    Others are as if independent with variance 1. Vectors alike in what is known share a factor.
    """
    covariance = scale_tril @ jnp.swapaxes(scale_tril, -1, -2)
    patterns, which = known, None
    if jnp.ndim(scale_tril) == 2 and not isinstance(known, Tracer):
        flat = np.reshape(known, (-1, np.shape(known)[-1]))
        patterns, which = np.unique(flat, axis=0, return_inverse=True)
        which = which.reshape(np.shape(known)[:-1])
    patterns = jnp.asarray(patterns)
    both = patterns[..., :, None] & patterns[..., None, :]
    unit = jnp.eye(patterns.shape[-1]) * ~patterns[..., None, :]
    factor = jnp.linalg.cholesky(jnp.where(both, covariance, 0.0) + unit)
    return (factor if which is None else factor[which]), covariance


def _solve(factor: Array, rest: Array) -> Array:
    return solve_triangular(factor, rest[..., None], lower=True)[..., 0]
