"""Evaluate PyMC4 models at values, on their own scale or on the transformed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.pymc4.coroutines import Flow, Model, as_model
from finetti.dialects.written import log_density
from finetti.errors import UnknownSite
from finetti.language import handlers
from finetti.language.effects import Site
from finetti.models import Model as FinettiModel
from finetti.targets.density import Density, density
from finetti.types import Array, Key

LOG, ODDS, INTERVAL = "log", "logodds", "interval"


@dataclass(frozen=True, eq=False)
class State:
    """Hold the values of an evaluation by name, and its log density."""

    untransformed_values: dict[str, np.ndarray]
    transformed_values: dict[str, np.ndarray]
    observed_values: dict[str, np.ndarray]
    deterministics: dict[str, np.ndarray]
    log_prob: float

    @property
    def all_values(self) -> dict[str, np.ndarray]:
        """Return the values of all random variables, observed ones included."""
        return {**self.observed_values, **self.untransformed_values, **self.transformed_values}

    def collect_log_prob(self) -> float:
        """Return the log density; of the transformed variables where they are what is evaluated."""
        return self.log_prob


def evaluate_model(
    model: Model | Flow,
    values: Mapping[str, ArrayLike] | None = None,
    observed: Mapping[str, ArrayLike | None] | None = None,
    seed: int | None = None,
) -> tuple[object, State]:
    """Return a model's result and the state: values given by full name, the others drawn.

    `model` is a `Model`, or a plain generator of distributions, whose names have no prefix.
    """
    built = as_model(model).observing(observed or {})
    if values:
        built = built.substitute(**{k: np.asarray(v, float) for k, v in values.items()})
    sites, result = _run(built, tf.RANDOMNESS.key(seed))
    with jax.enable_x64(True):
        log_prob = sum(float(_term(site)) for site in sites.values())
    return result, _state(sites, {}, log_prob)


def evaluate_model_transformed(
    model: Model | Flow,
    values: Mapping[str, ArrayLike] | None = None,
    observed: Mapping[str, ArrayLike | None] | None = None,
    seed: int | None = None,
) -> tuple[object, State]:
    """Return a model's result and the state, with the log density of the transformed variables.

    `values` may name transformed variables, such as `model/__log_tau`.
    """
    built = as_model(model).observing(observed or {})
    space = Space.of(built)
    with jax.enable_x64(True):
        own = space.constrain(values or {})
        fixed = built.substitute(**own) if own else built
        sites, result = _run(fixed, tf.RANDOMNESS.key(seed))
        drawn = {n: np.asarray(sites[n].value) for n in space.density.layout.names}
        position = space.density.unconstrain(drawn)
        log_prob = float(space.density.log_density(position))
        return result, _state(sites, space.transformed(position), log_prob)


@dataclass(frozen=True, eq=False)
class Space:
    """Hold the names of a model's variables on the transformed scale."""

    density: Density
    names: dict[str, str]  # of the variables that are transformed, by their own names

    @classmethod
    def of(cls, model: FinettiModel) -> Space:
        """Name the transformed variables of a model."""
        free = [v for v in model.variables if v.kind == "latent"]
        built = density(model, natural=frozenset(v.name for v in free if v.discrete))
        names = {}
        for v in free:
            kind = "" if v.discrete else transform_name(v.support)
            if kind:
                scope, slash, name = v.name.rpartition("/")
                names[v.name] = f"{scope}{slash}__{kind}_{name}"
        return cls(built, names)

    def constrain(self, values: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        """Return values by the variables' own names and on their own scale."""
        back = {transformed: own for own, transformed in self.names.items()}
        layout, plain, found = self.density.layout, {}, {}
        for name, value in values.items():
            if name in back:
                plain[back[name]] = jnp.asarray(value, float)
            elif name in layout.names:
                found[name] = np.asarray(value, float)
            else:
                raise UnknownSite.among(name, [*layout.names, *back], "give a value to")
        if plain:
            zeros = {n: jnp.zeros(s) for n, s in zip(layout.names, layout.shapes, strict=True)}
            position = layout.join({**zeros, **plain})
            moved = self.density.constrain(position)
            found |= {name: np.asarray(moved[name]) for name in plain}
        return found

    def transformed(self, position: ArrayLike) -> dict[str, np.ndarray]:
        """Return the transformed values at a position; leading axes stay."""
        layout, found = self.density.layout, {}
        for name, places in layout.places.items():
            if name in self.names:
                shape = layout.shapes[layout.names.index(name)]
                part = np.asarray(position)[..., list(places)]
                found[self.names[name]] = part.reshape((*part.shape[:-1], *shape))
        return found


def transform_name(support: str) -> str:
    """Return what PyMC4 calls the transform of a support, or nothing.

    >>> transform_name("positive"), transform_name("between 0 and 1"), transform_name("real")
    ('log', 'logodds', '')
    """
    if support in ("positive", "nonnegative"):
        return LOG
    if support in ("between 0 and 1", "unit interval"):
        return ODDS
    return INTERVAL if support.startswith(("between", "above", "below")) else ""


def _run(model: FinettiModel, key: Key) -> tuple[dict[str, Site], object]:
    with jax.enable_x64(True), handlers.trace() as sites, handlers.seed(key):
        return sites, model.run()


def _term(site: Site) -> Array | float:
    if site.kind == "deterministic":
        return 0.0
    if site.kind == "factor":
        return jnp.sum(jnp.asarray(site.value))
    return jnp.sum(log_density(site.distribution, site.value))


def _state(sites: dict[str, Site], transformed: dict[str, np.ndarray], log_prob: float) -> State:
    latent = {n: np.asarray(s.value) for n, s in sites.items() if s.latent}
    observed = {n: np.asarray(s.value) for n, s in sites.items() if s.observed}
    kept = {n: np.asarray(s.value) for n, s in sites.items() if s.kind == "deterministic"}
    return State(latent, transformed, observed, kept, log_prob)
