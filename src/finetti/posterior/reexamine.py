"""Ask the model again about its run: its prior, its density around the draws and far out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import biject_to
from finetti.errors import FinettiError
from finetti.language.effects import Site
from finetti.models import Model
from finetti.posterior import products
from finetti.posterior.evaluate import latent_draws, run_at
from finetti.posterior.labels import dotted
from finetti.structure.plan import Plan
from finetti.structure.program import Program
from finetti.structure.tracing import invert
from finetti.structure.variables import Variable
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

PRIOR_DRAWS = 4000
LOOKED_AT = 400  # draws of the posterior
WIDER = 2.0  # times the posterior's spread, where the density is tried


@dataclass(frozen=True)
class Prior:
    """Hold a variable's prior: draws from it, their log density, and that of posterior draws.

    Each has a draw axis first, then the variable's; the log density lacks its event's. `free` and
    `free_at_posterior` have the free coordinates, of which a simplex has one less than members.
    """

    values: np.ndarray
    free: np.ndarray
    free_at_posterior: np.ndarray
    log_density: np.ndarray
    at_posterior: np.ndarray


@dataclass(frozen=True, eq=False)
class Witness:
    """Hold a model with its data beside its run, to ask it what the draws do not show."""

    model: Model
    tree: xr.DataTree

    @cached_property
    def latent(self) -> Mapping[str, Variable]:
        """Return the continuous latent variables by the tree's names."""
        drawn = self.tree["posterior"].dataset
        chosen = (v for v in self.model.variables if v.kind == "latent" and not v.discrete)
        return {dotted(v.name): v for v in chosen if dotted(v.name) in drawn}

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """Return each site's ancestors by the tree's names, through deterministic sites too."""
        graph, found = self.model.graph(), {}
        for v in graph.variables:  # a site comes after its parents
            parents = [dotted(p) for p in graph.parents[v.name]]
            found[dotted(v.name)] = frozenset(parents).union(*(found.get(p, ()) for p in parents))
        return found

    @cached_property
    def improper(self) -> tuple[str, ...]:
        """Name the latent variables whose prior is improper."""
        return tuple(v.name for v in self.latent.values() if v.known.improper)

    @cached_property
    def program(self) -> Program:
        """Return the model's traced program."""
        return self.model.plan().program

    @cached_property
    def predictors(self) -> list[np.ndarray]:
        """Return the arrays of data that the model multiplies with coefficients."""
        return products.predictors(self.program)

    def multiplies(self, scale: str, effect: str) -> bool:
        """Tell whether the model multiplies a site with another, by the tree's names."""
        names = (self.latent[name].name for name in (scale, effect))
        return products.multiplies(self.program, *names)

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """Return some draws of the latent variables by site, shape (draw, *site shape).

        They are evenly spaced. Nothing where the run holds not all of them.
        """
        try:
            values = latent_draws(self.model, self.tree)
        except FinettiError:  # not all were kept
            return {}
        flat = {name: a.reshape(-1, *a.shape[2:]) for name, a in values.items()}
        if not flat:
            return {}
        total = len(next(iter(flat.values())))
        places = np.unique(np.linspace(0, total - 1, min(LOOKED_AT, total)).astype(int))
        return {name: a[places] for name, a in flat.items()}

    @cached_property
    def priors(self) -> dict[str, Prior]:
        """Return the priors, by the tree's names, of variables whose prior depends on no other."""
        random = {dotted(v.name) for v in self.model.variables if v.kind == "latent"}
        names = tuple(
            v.name
            for name, v in self.latent.items()
            if not self.ancestors[name] & random and v.name not in self.improper
        )
        if not names or not self.values:
            return {}

        def read(sites: dict[str, Site]) -> dict[str, tuple[Array, Array, Array]]:
            return {n: _seen(sites[n]) for n in names}

        # what cannot be drawn from its prior is held at one of its draws, to draw all else
        held = {n: np.repeat(self.values[n][:1], PRIOR_DRAWS, 0) for n in self.improper}
        try:
            here = _vmapped(self.model, self.values, read, len(next(iter(self.values.values()))))
            there = _vmapped(self.model, held, read, PRIOR_DRAWS)
        except FinettiError:  # a variable that cannot be drawn
            return {}
        found = {}
        for name in names:
            (values, density, free), (_, now, free_now) = there[name], here[name]
            rows = (values, free, free_now, density, now)
            found[dotted(name)] = Prior(*map(np.asarray, rows))
        return found

    @cached_property
    def free(self) -> dict[str, np.ndarray]:
        """Return some draws on the unconstrained scale by site, shape (draw, *free shape)."""
        if not self.values:
            return {}
        with jax.enable_x64(True):
            free = compiled(ONCE)(jax.vmap(partial(invert, self.model.run)))(self.values)
        return {name: np.asarray(a) for name, a in free.items()}

    def undefined(self) -> dict[str, float]:
        """Return the share of points around the draws where a site's log density is NaN, by site.

        The points are the draws, and draws put twice as far from the median on the unconstrained
        scale. Nothing where a discrete variable is latent.
        """
        discrete = any(v.kind == "latent" and v.discrete for v in self.model.variables)
        if discrete or not self.free:
            return {}
        points = {}
        for name, u in self.free.items():
            u = np.where(np.isfinite(u), u, 0.0)
            middle = np.median(u, 0)
            points[name] = np.concatenate([u, middle + WIDER * (u - middle)])
        with jax.enable_x64(True):
            program = self.program

            def one(free: dict[str, Array]) -> dict[str, Array]:
                terms = program(program.constants, free).log_terms
                return {name: jnp.isnan(term).any() for name, term in terms.items()}

            found = compiled(ONCE)(jax.vmap(one))(points)
        shares = {name: float(np.asarray(a).mean()) for name, a in found.items()}
        return {name: share for name, share in shares.items() if share > 0}

    def along(
        self,
        plan: Plan,
        base: Mapping[str, np.ndarray],
        columns: Sequence[tuple[str, int]],
        directions: np.ndarray,
        steps: np.ndarray,
    ) -> np.ndarray:
        """Return the log density at points along rays, shape (ray, step), as a plan has it.

        What the plan integrates or sums out is so here. `base` holds an unconstrained point by
        site, `columns` name single numbers of it, each a site and a place, and `directions`, of
        shape (ray, column), say how far a ray goes in each.
        """
        form, given = plan.form.unmoved(), plan.given
        names = [v.name for v in plan.left]
        rays = {name: np.zeros((len(directions), np.size(base[name]))) for name in names}
        for (name, place), way in zip(columns, np.transpose(directions), strict=True):
            rays[name][:, place] = way

        def one(ray: dict[str, Array], step: Array) -> Array:
            free = {name: jnp.asarray(base[name]) + step * ray[name] for name in names}
            return form.log_density(given, free)

        with jax.enable_x64(True):
            chosen = {n: jnp.asarray(rays[n].reshape(-1, *np.shape(base[n]))) for n in names}
            each = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
            return np.asarray(compiled(ONCE)(each)(chosen, jnp.asarray(steps, float)))


def _seen(site: Site) -> tuple[Array, Array, Array]:
    """Return a site's value, its log density and its free coordinates."""
    value = jnp.asarray(site.value)
    free = biject_to(site.distribution.support).inv(value)
    return value, site.distribution.log_prob(value), free


def _vmapped(
    model: Model,
    values: Mapping[str, np.ndarray],
    read: Callable[[dict[str, Site]], dict[str, tuple[Array, Array, Array]]],
    total: int,
) -> dict[str, tuple[Array, Array, Array]]:
    """Run a model many times, some variables given, and return what is read of its sites."""

    def one(key: Key, given: dict[str, Array]) -> dict[str, tuple[Array, Array, Array]]:
        return read(run_at(model, given, key))

    with jax.enable_x64(True):
        every = compiled(ONCE)(
            lambda key, given: jax.vmap(one)(jax.random.split(key, total), given)
        )
        return every(jax.random.key(0), dict(values))
