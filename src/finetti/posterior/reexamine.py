"""Ask the model again about its run: its prior, its density around the draws and far out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from finetti.distributions import unchecked
from finetti.errors import FinettiError
from finetti.language import handlers
from finetti.language.effects import Site, alone
from finetti.model import Model
from finetti.posterior.evaluate import latent_draws
from finetti.posterior.evidence import Evidence
from finetti.posterior.labels import dotted
from finetti.structure.program import invert
from finetti.types import Array, Key

PRIOR_DRAWS = 4000
LOOKED_AT = 400  # draws of the posterior
IMPROPER = ("Flat", "HalfFlat", "ImproperUniform")


def some_draws(run: Evidence, number: int = LOOKED_AT) -> dict[str, np.ndarray]:
    """Return some draws of the latent variables by site, shape (number, *site shape).

    They are evenly spaced. Nothing where the run holds not all of them.
    """
    if run.model is None:
        return {}
    try:
        values = latent_draws(run.model, run.tree)
    except FinettiError:  # not all were kept
        return {}
    flat = {name: a.reshape(-1, *a.shape[2:]) for name, a in values.items()}
    if not flat:
        return {}
    total = len(next(iter(flat.values())))
    places = np.unique(np.linspace(0, total - 1, min(number, total)).astype(int))
    return {name: a[places] for name, a in flat.items()}


def improper(model: Model) -> tuple[str, ...]:
    """Name the latent variables whose prior is improper."""
    return tuple(v.name for v in model.variables if v.kind == "latent" and v.family in IMPROPER)


def top(run: Evidence) -> tuple[str, ...]:
    """Name the continuous latent variables with a proper prior that depends on no other."""
    if run.model is None:
        return ()
    latent = {dotted(v.name) for v in run.model.variables if v.kind == "latent"}
    known, flat = run.latent or {}, improper(run.model)
    return tuple(
        v.name
        for name, v in known.items()
        if not run.ancestors[name] & latent and v.name not in flat
    )


def priors(run: Evidence) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the log prior densities of top-level variables at prior and at posterior draws.

    By the tree's name: arrays of shape (prior draw, ...) and (posterior draw, ...). Variables
    that have no density, or cannot be drawn, are left out.
    """
    names, values = top(run), some_draws(run)
    if run.model is None or not names or not values:
        return {}

    def read(sites: dict[str, Site]) -> dict[str, Array]:
        return {name: sites[name].distribution.log_prob(sites[name].value) for name in names}

    here = _vmapped(run.model, values, read)
    there = _vmapped(run.model, _held(run.model, values), read, PRIOR_DRAWS)
    return {dotted(name): (there[name], here[name]) for name in names}


def prior_values(run: Evidence) -> dict[str, np.ndarray]:
    """Return prior draws of top-level variables by the tree's names, shape (draw, *site shape)."""
    names, values = top(run), some_draws(run)
    if run.model is None or not names or not values:
        return {}
    held = _held(run.model, values)
    found = _vmapped(run.model, held, lambda s: {n: s[n].value for n in names}, PRIOR_DRAWS)
    return {dotted(name): a for name, a in found.items()}


def _held(model: Model, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Hold what cannot be drawn from its prior at one of its draws, to draw all else."""
    flat = improper(model)
    return {name: np.repeat(a[:1], PRIOR_DRAWS, 0) for name, a in values.items() if name in flat}


def _vmapped(
    model: Model,
    values: Mapping[str, np.ndarray],
    read: Callable[[dict[str, Site]], Mapping[str, Array]],
    total: int | None = None,
) -> dict[str, np.ndarray]:
    def one(key: Key, given: dict[str, Array]) -> dict[str, Array]:
        with (
            alone(),
            unchecked(),
            handlers.trace() as sites,
            handlers.seed(key),
            handlers.substitute(given),
        ):
            model.run()
        return {name: jnp.asarray(value) for name, value in read(sites).items()}

    total = total or len(next(iter(values.values())))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), total)
        found = jax.jit(jax.vmap(one))(keys, dict(values))
    return {name: np.asarray(a) for name, a in found.items()}


def free_draws(run: Evidence) -> dict[str, np.ndarray]:
    """Return some draws on the unconstrained scale by site, shape (draw, *free shape)."""
    values = some_draws(run)
    if run.model is None or not values:
        return {}
    with jax.enable_x64(True):
        free = jax.jit(jax.vmap(partial(invert, run.model.run)))(values)
    return {name: np.asarray(a) for name, a in free.items()}


def undefined(run: Evidence, widen: float = 2.0) -> dict[str, float]:
    """Return the share of points around the draws where a site's log density is NaN, by site.

    The points are draws put twice as far from the median on the unconstrained scale, and the
    draws themselves. Nothing where a discrete variable is latent.
    """
    model = run.model
    if model is None or any(v.kind == "latent" and v.discrete for v in model.variables):
        return {}
    free = free_draws(run)
    if not free:
        return {}
    points = {}
    for name, u in free.items():
        u = np.where(np.isfinite(u), u, 0.0)
        middle = np.median(u, 0)
        points[name] = np.concatenate([u, middle + widen * (u - middle)])
    with jax.enable_x64(True):
        program = model.plan().program

        def one(free: dict[str, Array]) -> dict[str, Array]:
            terms = program(program.constants, free).log_terms
            return {name: jnp.isnan(term).any() for name, term in terms.items()}

        found = jax.jit(jax.vmap(one))(points)
    shares = {name: float(np.asarray(a).mean()) for name, a in found.items()}
    return {name: share for name, share in shares.items() if share > 0}


def along(
    run: Evidence, base: Mapping[str, np.ndarray], rays: Mapping[str, np.ndarray], steps: np.ndarray
) -> np.ndarray:
    """Return the log density at points along rays, shape (ray, step), as the plan has it.

    What the plan integrates or sums out is so here. `base` holds an unconstrained point by site,
    `rays` directions of shape (ray, *free shape).
    """
    assert run.model is not None
    plan = run.model.plan()
    form, given = plan.form.unmoved(), plan.given
    names = [v.name for v in plan.left]

    def one(ray: dict[str, Array], step: Array) -> Array:
        free = {name: base[name] + step * ray[name] for name in names}
        return form.log_density(given, free)

    with jax.enable_x64(True):
        chosen = {name: jnp.asarray(rays[name], float) for name in names}
        each = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
        return np.asarray(jax.jit(each)(chosen, jnp.asarray(steps, float)))
