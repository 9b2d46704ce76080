"""Say how far each group's effect is drawn to its population: shrinkage and pooling factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.criticism.explaining.derived import Derived
from finetti.criticism.explaining.moved import CLOSE, Moved, Values, told_apart
from finetti.criticism.explaining.scale import roots
from finetti.criticism.leaving_out.held_out import known_model
from finetti.criticism.predicting.members import middle
from finetti.errors import ModelError, UnknownSite
from finetti.hypertext.html import block
from finetti.hypertext.table import Table
from finetti.posterior.evaluate import latent_draws
from finetti.posterior.labels import dataset, dotted
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.variables import Variable, named_dimensions
from finetti.types import Array

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """Hold how far groups are pooled, between 0 for not at all and 1 for wholly; print it.

    `factors` has for each site and member, at each draw, the share of what is known of the effect
    that comes from its population rather than from the member's own observations. `pooling` has
    Gelman & Pardoe's lambda, a number for each kind of effect.
    """

    factors: Derived
    pooling: Mapping[str, float]

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the factors of one site, dims (chain, draw, plate)."""
        return self.factors[name]

    @property
    def table(self) -> Table:
        """Return a row a site: its pooling factor and the mean of its members' factors."""
        rows = [(name, f"{pooled:.2f}") for name, pooled in self.pooling.items()]
        return Table(("", "pooling factor"), rows, "Pooling, from 0 for none to 1 for whole")

    def __str__(self) -> str:
        """Print a row a site, then one a member."""
        return f"{self.table}\n\n{self.factors}"

    def __repr__(self) -> str:
        said = ", ".join(f"{name} {value:.2f}" for name, value in self.pooling.items())
        return f"<shrinkage: {said}>"

    def _repr_html_(self) -> str:
        return block(self.table.grid(), self.factors._repr_html_())


def shrinkage(posterior: Posterior, name: str | None = None) -> Shrinkage:
    """Return how far each group's effect is drawn to its population.

    A member's factor at a draw is the variance of its effect given all else over that in its
    population: p / (p + i), where p is the population's precision and i the information in the
    member's own observations, the curvature of their log likelihood in the effect. In normal models
    it is exact: (sigma² / n) / (sigma² / n + tau²). Of several effects of a member, such as level
    and slope, p and i are matrices. The pooling factor is 1 - V(E(e)) / E(V(e)), where e are the
    members' deviations from the middle of their population, V the variance over the members, and E
    the mean over the draws: 1 where nothing tells members apart. `name` is a site in plates;
    without it all that have a factor.

    Raises `UnknownSite` for a name that no site has, `ModelError` for a site that is no effect of
    groups, where members share observations, or a posterior without model or draws.

    Gelman & Pardoe 2006.

    >>> shrinkage(posterior)["theta"].dims
    ('chain', 'draw', 'school')
    """
    require_posterior(posterior, "ft.shrinkage")
    model = known_model(posterior, "shrinkage")
    draws = latent_draws(model, posterior.tree)
    seen = next((v for v in model.variables if v.kind == "observed"), None)
    if seen is None:
        raise ModelError(f"model `{model.name}` observes nothing, so nothing is shrunk")
    whole = Moved(model, seen, draws, {}, (), {})
    chosen = _chosen(whole, name)
    arrays, pooling = {}, {}
    for v in chosen:
        found = whole.each(lambda given, v=v: _factor(whole, given, v), 8 * prod(v.shape))
        if not np.isfinite(found["factor"]).all():
            raise ModelError(
                f"the population of `{v.name}` has no finite variance: there is no shrinkage to it"
            )
        arrays[v.name] = (("chain", "draw", *v.dims), found["factor"])
        pooling |= _pooling(v, found["away"])
    drawn = posterior.draws
    named = named_dimensions(chosen)
    labelled = dataset(arrays, named).assign_coords(chain=drawn["chain"], draw=drawn["draw"])
    return Shrinkage(Derived("Shrinkage of each member to its population", labelled), pooling)


def _chosen(whole: Moved, name: str | None) -> list[Variable]:
    """Return the sites asked for, each an effect of groups, or refuse."""
    tried = [v for v in whole.model.variables if v.kind == "latent" and v.plates]
    if name is not None:
        named = [v for v in tried if name in (v.name, dotted(v.name))]
        if not named:
            raise UnknownSite.among(name, [v.name for v in tried], "give the shrinkage of")
        tried = named
    with jax.enable_x64(True):
        first = {n: jnp.asarray(a[0, 0]) for n, a in whole.draws.items()}
        why = {v.name: _unfit(whole, first, v) for v in tried}
    fits = [v for v in tried if not why[v.name]]
    if fits:
        return fits
    if name is not None:
        raise ModelError(f"there is no shrinkage of `{name}`: {why[tried[0].name]}")
    said = "; ".join(f"`{n}`: {w}" for n, w in why.items()) or "it has no latent site in a plate"
    raise ModelError(f"model `{whole.model.name}` has no groups' effects to shrink: {said}")


def _unfit(whole: Moved, given: Values, v: Variable) -> str:
    """Say why a site has no shrinkage, or nothing."""
    if v.discrete or v.support != "real":
        return f"it is {v.support}, and no effect on the real line"
    if len(v.shape) > len(v.plates) + 1:
        return "a member's effects are no row of numbers"
    try:
        middle(whole.sites(given)[v.name])
    except ModelError:
        return "its population has no middle"
    slope = jax.grad(lambda added: _likelihood(whole, given, v.name, added))
    start = jnp.zeros(v.shape)

    def bend(along: np.ndarray) -> np.ndarray:
        return np.asarray(jax.jvp(slope, (start,), (jnp.asarray(along),))[1])

    alone = bend(np.ones(v.shape))
    room = CLOSE * np.abs(alone).max()
    if not all(np.allclose(alone, s * bend(s), rtol=CLOSE, atol=room) for s in told_apart(v)):
        return "its members share observations"
    if not np.abs(np.asarray(slope(start))).max() and not np.abs(alone).max():
        return "nothing observed depends on it"
    return ""


def _likelihood(whole: Moved, given: Values, name: str, added: Array) -> Array:
    """Return the log probability of all that is observed, an effect moved by what is added."""
    sites = whole.sites(given, {name: added})
    seen = [jnp.sum(s.distribution.log_prob(s.value)) for s in sites.values() if s.observed]
    return sum(seen, jnp.zeros(()))


def _factor(whole: Moved, given: Values, v: Variable) -> dict[str, Array]:
    """Return each member's factors at one draw, and how far its effects lie from the middle."""
    site = whole.sites(given)[v.name]
    several = len(v.shape) > len(v.plates)
    effects = v.shape[-1] if several else 1
    slope = jax.grad(lambda added: _likelihood(whole, given, v.name, added))
    each = jnp.eye(effects) if several else jnp.ones(1)
    bends = [
        jax.jvp(slope, (jnp.zeros(v.shape),), (jnp.broadcast_to(one, v.shape),))[1] for one in each
    ]
    members = (-1, effects)
    known = _least(-jnp.stack([bend.reshape(members) for bend in bends], -1))
    columns = jnp.stack([root.reshape(members) for root in roots(site)], -1)
    spread = columns @ columns.swapaxes(-1, -2)
    # With V the population's covariance and i the information, (V^-1 + i)^-1 = (1 + V i)^-1 V: V
    # may be singular.
    left = jnp.linalg.solve(jnp.eye(effects) + spread @ known, spread)
    factor = jnp.diagonal(left, axis1=-2, axis2=-1) / jnp.diagonal(spread, axis1=-2, axis2=-1)
    return {"factor": factor.reshape(v.shape), "away": site.value - middle(site)}


def _least(information: Array) -> Array:
    """Return the information with what is negative of it, where a likelihood bends up, put at 0."""
    values, vectors = jnp.linalg.eigh((information + information.swapaxes(-1, -2)) / 2)
    return (vectors * jnp.maximum(values, 0.0)[..., None, :]) @ vectors.swapaxes(-1, -2)


def _pooling(v: Variable, away: np.ndarray) -> dict[str, float]:
    """Return the pooling factor of each kind of effect, from the draws of deviations."""
    several = len(v.shape) > len(v.plates)
    effects = v.shape[-1] if several else 1
    flat = away.reshape(away.shape[0] * away.shape[1], -1, effects)
    found = 1 - flat.mean(0).var(0) / flat.var(1).mean(0)
    labels = v.axes[0].coordinate().tolist() if v.axes else list(range(effects))
    names = [f"{dotted(v.name)}[{label}]" for label in labels] if several else [dotted(v.name)]
    return dict(zip(names, found.tolist(), strict=True))
