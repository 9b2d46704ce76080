"""Estimate each group by its own observations alone, to see how far its hierarchy moved it."""

from __future__ import annotations

from collections.abc import Mapping

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

    `name` is a site in one plate, a latent one on the real line or one computed from such. Its
    likelihood is maximised with every other variable at its posterior mean, so that no member
    borrows from another; NaN for a member that has no observations or whose likelihood has no
    top. Raises `ModelError` where members cannot be told apart, as their observations mix them.

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
    spread = draws[moved.name].std((0, 1))
    with jax.enable_x64(True):

        def likelihood(values: Array) -> Array:
            return _likelihood(run_at(model, {**centre, moved.name: values}))

        gradient = jax.grad(likelihood)

        def curve(values: Array, along: Array) -> Array:
            return jax.jvp(gradient, (values,), (along,))[1]

        start = jnp.asarray(centre[moved.name], float)
        _refuse_mixing(name, moved, compiled(ONCE)(curve), start)

        @compiled(ONCE)
        def climb(values: Array) -> tuple[Array, Array]:
            slope, bend = gradient(values), curve(values, jnp.ones_like(values))
            step = jnp.where(bend < 0, -slope / jnp.where(bend < 0, bend, 1.0), jnp.nan)
            step = jnp.clip(step, -5 * spread, 5 * spread)
            return values + step, step

        values, step = climb(start)
        for _ in range(STEPS):
            values, step = climb(values)
        lost = ~(np.abs(step) < np.sqrt(CLOSE) * spread)
        lost |= np.abs(values - start) > FARTHEST * spread
        reached = run_at(model, {**centre, moved.name: jnp.where(lost, start, values)})[name].value
        return np.where(lost, np.nan, reached)


def _moved(model: Model, name: str) -> Variable:
    """Return the latent variable to move: the site itself, or the one it is computed from."""
    known = {v.name: v for v in model.variables}
    if name not in known:
        raise UnknownSite.among(name, known, "estimate")
    site = known[name]
    if any(v.discrete for v in known.values() if v.kind == "latent"):
        raise ModelError("separate estimates need a model without discrete variables")
    if len(site.plates) != 1 or len(site.shape) != 1:
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


def _refuse_mixing(name: str, moved: Variable, curve, start: Array) -> None:
    """Refuse a likelihood whose curvature ties one member to another."""
    signs = jnp.asarray(np.where(np.random.default_rng(0).random(moved.shape) < 0.5, -1.0, 1.0))
    alone_, mixed = curve(start, jnp.ones_like(start)), signs * curve(start, signs)
    if not np.allclose(alone_, mixed, rtol=1e-6, atol=1e-9 * float(jnp.abs(alone_).max())):
        raise ModelError(
            f"the members of `{name}` share observations: none has an estimate of its own"
        )
