"""Estimate each group by its own observations alone, to see how far its hierarchy moved it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.errors import ModelError, UnknownSite
from finetti.language.effects import Site
from finetti.models import Model
from finetti.posterior.evaluate import latent_draws, run_at
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import Variable
from finetti.types import Array

STEPS = 50  # of Newton's method
CLOSE = 1e-10  # of a step, in posterior sds
FARTHEST = 1e3  # posterior sds, beyond which an estimate is at infinity


def separate(posterior: Posterior, name: str) -> np.ndarray:
    """Return each member's own estimate, shape (member,): what its observations alone favour.

    `name` is a site in one plate, a latent one on the real line or one computed from such; where
    its members have terms, as an intercept and a slope, the shape is (member, term). Its
    likelihood is maximised with every other variable at its posterior mean, so that no member
    borrows from another; NaN for a member that has no observations, fewer than tell its terms
    apart, or whose likelihood has no top. Raises `ModelError` where members cannot be told apart,
    as their observations mix them.

    >>> @model
    ... def weights(y):
    ...     mu = sample("mu", Normal(0, 5))
    ...     with plate("apple", len(y)):
    ...         true = sample("true", Normal(mu, 1))
    ...         sample("y", Normal(true, 0.5), obs=y)
    >>> posterior = fit(weights([1.0, 2.0, 0.5]), NUTS(draws=100), progress=False)
    >>> separate(posterior, "true").round(6).tolist()
    [1.0, 2.0, 0.5]
    """
    model = posterior.known_model("separate estimates")
    moved = _moved(model, name)
    draws = latent_draws(model, posterior.tree)
    centre = {site: np.asarray(values.mean((0, 1))) for site, values in draws.items()}
    spread = _by_term(draws[moved.name].std((0, 1)))
    with jax.enable_x64(True):

        def likelihood(values: Array) -> Array:
            shaped = values.reshape(moved.shape)
            return _likelihood(run_at(model, {**centre, moved.name: shaped}))

        gradient = jax.grad(likelihood)

        def curve(values: Array, along: Array) -> Array:
            return jax.jvp(gradient, (values,), (along,))[1]

        start = jnp.asarray(_by_term(centre[moved.name]), float)
        terms = jnp.eye(start.shape[1])
        _refuse_mixing(name, compiled(ONCE)(curve), start, terms)

        @compiled(ONCE)
        def climb(values: Array) -> tuple[Array, Array]:
            directions = jnp.broadcast_to(terms[:, None], (len(terms), *values.shape))
            bends = jax.vmap(lambda along: curve(values, along))(directions)
            step = _newton(gradient(values), jnp.moveaxis(bends, 0, -1))
            step = jnp.clip(step, -5 * spread, 5 * spread)
            return values + step, step

        values, step = climb(start)
        for _ in range(STEPS):
            values, step = climb(values)
            if not (np.abs(step) > CLOSE * spread).any():  # all are there, or have no top
                break
        lost = ~(np.abs(step) < np.sqrt(CLOSE) * spread).all(1, keepdims=True)
        lost |= (np.abs(values - start) > FARTHEST * spread).any(1, keepdims=True)
        kept = jnp.where(lost, start, values).reshape(moved.shape)
        reached = run_at(model, {**centre, moved.name: kept})[name].value
        return np.where(lost.reshape(-1, *[1] * (reached.ndim - 1)), np.nan, reached)


def _by_term(values: np.ndarray) -> np.ndarray:
    """Return values of members as shape (member, term)."""
    return values.reshape(len(values), -1)


def _newton(slope: Array, bend: Array) -> Array:
    """Return Newton's step of each member, of shape (member, term), NaN where there is no top.

    `bend` has shape (member, term, term).
    """
    if bend.shape[-1] == 1:  # many members have one number each, and LAPACK is slow with small ones
        curved = bend[..., 0]
        return jnp.where(curved < 0, -slope / jnp.where(curved < 0, curved, 1.0), jnp.nan)
    values, vectors = jnp.linalg.eigh(-bend)
    top = values[:, :1] > CLOSE * jnp.abs(values[:, -1:])
    along = jnp.einsum("mij,mi->mj", vectors, slope) / jnp.where(top, values, 1.0)
    return jnp.where(top, jnp.einsum("mij,mj->mi", vectors, along), jnp.nan)


def _moved(model: Model, name: str) -> Variable:
    """Return the latent variable to move: the site itself, or the one it is computed from."""
    known = {v.name: v for v in model.variables}
    if name not in known:
        raise UnknownSite.among(name, known, "estimate")
    site = known[name]
    if any(v.discrete for v in known.values() if v.kind == "latent"):
        raise ModelError("separate estimates need a model without discrete variables")
    if len(site.plates) != 1 or len(site.shape) not in (1, 2):
        raise ModelError(f"site `{name}` is not in one plate: separate estimates are of groups")
    fits = [site] if site.kind == "latent" else []
    if site.kind == "deterministic":
        parents = (known[p] for p in model.graph().parents[name])
        fits = [p for p in parents if p.kind == "latent" and p.dims == site.dims]
    if len(fits) != 1 or fits[0].support != "real":
        raise ModelError(
            f"site `{name}` is neither a latent variable on the real line nor computed from one "
            f"such in its plate: there is no separate estimate of it"
        )
    return fits[0]


def _likelihood(sites: Mapping[str, Site]) -> Array:
    """Return the log probability of all that was observed, factors among it."""
    observed = [jnp.sum(s.distribution.log_prob(s.value)) for s in sites.values() if s.observed]
    return sum(observed, jnp.zeros(()))


def _refuse_mixing(
    name: str, curve: Callable[[Array, Array], Array], start: Array, terms: Array
) -> None:
    """Refuse a likelihood whose curvature ties one member to another."""
    coins = np.random.default_rng(0).random((len(start), 1))
    signs = jnp.asarray(np.where(coins < 0.5, -1.0, 1.0))
    for term in terms:
        along = jnp.broadcast_to(term, start.shape)
        alone_, mixed = curve(start, along), signs * curve(start, signs * along)
        if not np.allclose(alone_, mixed, rtol=1e-6, atol=1e-9 * float(jnp.abs(alone_).max())):
            raise ModelError(
                f"the members of `{name}` share observations: none has an estimate of its own"
            )
