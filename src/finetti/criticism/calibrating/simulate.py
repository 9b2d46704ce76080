"""Draw parameters and data from a model: from its prior, or data anew at draws of a posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import unchecked
from finetti.errors import ModelError, SeedError, UnknownSite
from finetti.language import handlers
from finetti.language.effects import Site, alone, around
from finetti.models import Model
from finetti.posterior.batches import in_batches
from finetti.posterior.evaluate import enclosed, latent_draws, run_at
from finetti.posterior.posterior import Posterior
from finetti.types import Array, Key, Values

AGAIN = "again"  # the name of the second run of a model inside one that holds two
LOG_LIKELIHOOD = "log_likelihood"

Quantity = Callable[[Mapping[str, Array]], Array]


class Simulated(NamedTuple):
    """Hold what was drawn, by site, shape (simulation, ...), and which simulations are sound.

    Data that are not finite, too large to be exact or outside their own support are not, as where
    a rate overflows.
    """

    latent: dict[str, np.ndarray]
    observed: dict[str, np.ndarray]
    sound: np.ndarray

    def only(self, places: np.ndarray) -> Simulated:
        """Return some of the simulations."""
        return Simulated(*jax.tree.map(lambda a: a[places], tuple(self)))


def from_prior(model: Model, simulations: int, seed: int) -> Simulated:
    """Draw latent variables from their priors and data given them, as many times as asked.

    Raises `ModelError` for a model with factors, which say nothing of how data come about, or
    without an observed site, `SeedError` for an improper prior.
    """
    factors = [v.name for v in model.variables if v.kind == "factor"]
    if factors:
        raise ModelError(
            f"factor `{factors[0]}` changes the prior in a way that cannot be drawn from: write it "
            f"as a distribution, or calibrate around a fit with posterior=..."
        )
    try:
        return _simulate(model, {}, simulations, seed)
    except SeedError as error:
        raise SeedError(
            f"{str(error).partition(':')[0]}: give it a proper prior, or calibrate around a fit "
            f"with posterior=..."
        ) from error


def from_posterior(model: Model, posterior: Posterior, simulations: int, seed: int) -> Simulated:
    """Draw data anew at evenly spaced draws of a posterior's latent variables."""
    values = latent_draws(model, posterior.tree)
    flat = {name: a.reshape(-1, *a.shape[2:]) for name, a in values.items()}
    total = len(next(iter(flat.values())))
    if total < simulations:
        raise ModelError(
            f"the posterior has {total:,} draws, too few for {simulations:,} simulations: take "
            f"fewer, or fit with more draws"
        )
    chosen = np.linspace(0, total - 1, simulations).round().astype(int)
    return _simulate(model, {n: a[chosen] for n, a in flat.items()}, simulations, seed)


def _simulate(
    model: Model, values: Mapping[str, np.ndarray], simulations: int, seed: int
) -> Simulated:
    """Draw all variables without a value, and the data, from the model; flag data out of bounds."""
    latent = [v.name for v in model.variables if v.kind == "latent"]
    observed = [v.name for v in model.variables if v.kind == "observed"]
    if not observed:
        raise ModelError(
            f"model `{model.name}` has no observed site to simulate: condition it on data of the "
            f"size you expect; their values do not matter"
        )

    anew = enclosed(model, handlers.redraw)

    def one(key: Key, given: Mapping[str, Array]) -> dict[str, Array]:
        sites = run_at(anew, given, key)
        drawn = {name: jnp.asarray(sites[name].value) for name in (*latent, *observed)}
        return {**drawn, "": _sound([sites[name] for name in observed])}

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(handlers.whole_seed(seed)), simulations)
        every = compiled(ONCE)(jax.vmap(one))

        def some(places: np.ndarray) -> dict[str, Array]:
            return every(keys[places], {name: a[places] for name, a in values.items()})

        found = in_batches(some, simulations, sum(map(np.size, values.values())) // simulations + 1)
    return Simulated(
        {name: found[name] for name in latent}, {name: found[name] for name in observed}, found[""]
    )


def _sound(sites: list[Site]) -> Array:
    """Tell whether all values are finite and in their supports."""
    fine = [(jnp.abs(site.value) < _largest(site.value)).all() for site in sites]
    fine += [jnp.all(jnp.asarray(site.distribution.support(site.value))) for site in sites]
    return jnp.stack(fine).all()


def read(
    model: Model,
    latent: Mapping[str, np.ndarray],
    observed: Mapping[str, np.ndarray],
    quantities: Mapping[str, Quantity],
) -> dict[str, np.ndarray]:
    """Return what is ranked, at latent values (simulation, draw, ...) and data (simulation, ...).

    That is every latent and deterministic site, the joint log likelihood of the data, and the
    `quantities`: functions of the sites' values by name.
    """
    names = _ranked(model)

    def one(latent: Mapping[str, Array], observed: Mapping[str, Array]) -> dict[str, Array]:
        fixed, given = handlers.substitute(latent), handlers.condition(observed)
        with alone(), unchecked(), handlers.trace() as sites, fixed, given:
            model.run()
        values = {n: jnp.asarray(s.value) for n, s in sites.items() if s.kind != "factor"}
        found = {name: values[name] for name in names}
        terms = [s.distribution.log_prob(s.value) for s in sites.values() if s.observed]
        found.setdefault(LOG_LIKELIHOOD, jnp.stack([t.sum() for t in terms]).sum())
        return found | {name: jnp.asarray(q(values)) for name, q in quantities.items()}

    with jax.enable_x64(True):
        every = compiled(ONCE)(jax.vmap(jax.vmap(one, (0, None))))
        draws = next(iter(latent.values())).shape[1]
        numbers = sum(np.size(a[0]) for a in latent.values())
        numbers += draws * sum(np.size(a[0]) for a in observed.values())

        def some(places: np.ndarray) -> dict[str, Array]:
            return every(
                {name: a[places] for name, a in latent.items()},
                {name: a[places] for name, a in observed.items()},
            )

        found = in_batches(some, len(next(iter(observed.values()))), numbers)
    order = [*names, *quantities]
    return {name: found[name] for name in (*order, *(set(found) - set(order)))}


def _largest(value: Array) -> float:
    """Return what a number must stay below: whole ones must be exact as reals."""
    return 2.0**53 if jnp.issubdtype(value.dtype, jnp.integer) else float("inf")


def check_names(model: Model, quantities: Mapping[str, Quantity]) -> None:
    """Refuse a quantity that has the name of something else that is ranked."""
    for name in quantities:
        if name in (*_ranked(model), LOG_LIKELIHOOD):
            raise UnknownSite(f"quantity `{name}` has the name of something ranked: rename it")


def _ranked(model: Model) -> list[str]:
    return [v.name for v in model.variables if v.kind in ("latent", "deterministic")]


def doubled(model: Model) -> Model:
    """Return the model that has the data twice, given the same latent variables.

    The second data are the sites whose names begin with `again/`; nothing else of the second run
    is seen. Its posterior given both is that of the model given all the data.
    """

    def both() -> None:
        with handlers.trace() as sites:
            model.run()
        drawn = {name: site.value for name, site in sites.items() if site.latent}
        with handlers.scope(AGAIN), around(lambda site: _fix(site, drawn)):
            model.run()

    return Model(both, model.name, ((), {}))


def _fix(site: Site, drawn: Values) -> None:
    """Give a latent site the value it was drawn, and hide all that is not observed."""
    if site.latent:
        site.kind, site.value = "deterministic", drawn[site.name]
    site.hidden = not site.observed
