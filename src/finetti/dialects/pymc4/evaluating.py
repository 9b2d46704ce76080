"""Evaluate PyMC4 models at values, on their own scale or on the transformed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.pymc4.coroutines import Flow, Model, Stated, as_model
from finetti.dialects.pymc4.transforms import Transform, fitting, usual
from finetti.dialects.written import log_density
from finetti.distributions import describe_support
from finetti.errors import UnknownSite
from finetti.language import handlers
from finetti.language.effects import Site, around
from finetti.models import Model as FinettiModel
from finetti.structure.variables import is_discrete
from finetti.types import AnyArray, Array, Key


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
    with jax.enable_x64(True):
        sites, result = _run(built, tf.RANDOMNESS.key(seed))
        return result, _state(sites, {}, _log_prob(sites))


def evaluate_model_transformed(
    model: Model | Flow,
    values: Mapping[str, ArrayLike] | None = None,
    observed: Mapping[str, ArrayLike | None] | None = None,
    seed: int | None = None,
) -> tuple[object, State]:
    """Return a model's result and the state, with the log density of the transformed variables.

    `values` may name transformed variables, such as `model/__log_tau`. Raises `ValueError` where
    a `transform=` does not map the values that its variable can have.
    """
    scale = Scale(values or {})
    built = as_model(model).observing(observed or {}, stated=scale.stated)
    with jax.enable_x64(True), around(scale.before, scale.after):
        sites, result = _run(built, tf.RANDOMNESS.key(seed))
        scale.demand_known(sites)
        moved = {n: np.asarray(z) for n, z in scale.transformed.items()}
        log_prob = _log_prob(sites) + float(sum(scale.jacobians, jnp.zeros(())))
        return result, _state(sites, moved, log_prob)


@dataclass(frozen=True, eq=False)
class Scale:
    """Give a model's free variables values, and note them on the scale of their transformations.

    `given` has values by name, of variables or of transformed ones; `stated` the transformations
    that the model states, which it fills in as it runs. `before` and `after` are a handler's, and
    `found` the transformations of the variables that it met.
    """

    given: Mapping[str, ArrayLike]
    check: bool = True  # whether what is stated maps a variable's values; not where it is traced
    stated: Stated = field(default_factory=dict)
    found: dict[str, Transform] = field(default_factory=dict)
    transformed: dict[str, AnyArray] = field(default_factory=dict)
    jacobians: list[Array] = field(default_factory=list)

    def before(self, site: Site) -> None:
        """Give a site its value, where there is one."""
        transform = self._of(site)
        if transform:
            self.found[site.name] = transform
        name = transformed_name(transform, site.name) if transform else ""
        if transform and name in self.given:
            site.value = jnp.asarray(transform.inverse(jnp.asarray(self.given[name], float)))
        elif site.latent and site.name in self.given:
            site.value = jnp.asarray(self.given[site.name], float)

    def after(self, site: Site) -> None:
        """Note the transformed value of a site, and the Jacobian that its density has there."""
        if transform := self.found.get(site.name):
            moved = jnp.asarray(transform.forward(site.value))
            self.transformed[transformed_name(transform, site.name)] = moved
            self.jacobians.append(jnp.sum(transform.inverse_log_det_jacobian(moved)))

    def _of(self, site: Site) -> Transform | None:
        if not site.latent or is_discrete(site.distribution):
            return None
        stated, law = self.stated.get(site.name), site.distribution
        if stated is None:
            return usual(law, describe_support(law.support))
        return fitting(stated, law, site.name) if self.check else stated

    def demand_known(self, sites: Mapping[str, Site]) -> None:
        """Raise `UnknownSite` where a value was given for what the model has not."""
        known = [n for n, s in sites.items() if s.latent] + [*self.transformed]
        for name in self.given:
            if name not in known:
                raise UnknownSite.among(name, known, "give a value to")


def transformed_name(transform: Transform, name: str) -> str:
    """Return what a variable is called once transformed.

    >>> from finetti.dialects.pymc4.transforms import Log
    >>> transformed_name(Log(), "schools/tau")
    'schools/__log_tau'
    """
    scope, slash, own = name.rpartition("/")
    return f"{scope}{slash}__{transform.name}_{own}"


def on_scale(
    model: Model, observed: Mapping[str, ArrayLike | None], draws: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return draws of the transformed variables from those of all free ones.

    Both are of shapes (draw, chain, ...). Raises `ValueError` where a `transform=` does not map the
    values that its variable can have.
    """

    def one(values: Mapping[str, AnyArray], check: bool = False) -> dict[str, AnyArray]:
        scale = Scale(values, check)
        built = model.observing(observed, stated=scale.stated)
        with around(scale.before, scale.after):
            built.run()
        return scale.transformed

    with jax.enable_x64(True):
        one({n: d[0, 0] for n, d in draws.items()}, check=True)
        found = jax.vmap(jax.vmap(one))(dict(draws))
    return {name: np.asarray(values) for name, values in found.items()}


def _run(model: FinettiModel, key: Key) -> tuple[dict[str, Site], object]:
    with handlers.trace() as sites, handlers.seed(key):
        return sites, model.run()


def _log_prob(sites: dict[str, Site]) -> float:
    return sum(float(_term(site)) for site in sites.values())


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
