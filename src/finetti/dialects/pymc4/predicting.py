"""Draw the prior and the posterior predictions of PyMC4's models of January 2020."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import jax
import numpy as np
from numpy.typing import ArrayLike

from finetti.compiling import ONCE, compiled
from finetti.dialects import tf
from finetti.dialects.pymc4.coroutines import Model
from finetti.dialects.pymc4.sampling import Draws
from finetti.errors import UnknownSite
from finetti.language import handlers
from finetti.structure.variables import Variable
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

Names = str | Sequence[str] | None


class Grouped(Protocol):
    """Have draws in ArviZ's groups."""

    @property
    def posterior(self) -> Mapping[Hashable, ArrayLike]:
        """Return the draws, (chain, draw, ...)."""
        ...


Trace = Draws | dict[str, np.ndarray] | Grouped


class Predictions(dict):
    """Hold draws by full name: of the prior (*sample_shape, ...), or predicted (draw, chain, ...).

    `prior_predictive` and `posterior_predictive` are the same as ArviZ's groups, chains first.
    """

    @property
    def prior_predictive(self) -> xr.Dataset:
        """Return draws of the prior as ArviZ's group, of one chain."""
        import arviz_base

        return arviz_base.dict_to_dataset({k: v[None] for k, v in self.items()})

    @property
    def posterior_predictive(self) -> xr.Dataset:
        """Return predicted draws as ArviZ's group."""
        import arviz_base

        return arviz_base.dict_to_dataset({k: np.swapaxes(v, 0, 1) for k, v in self.items()})


def sample_prior_predictive(
    model: Model,
    sample_shape: int | tuple[int, ...] = 1000,
    sample_from_observed: bool = True,
    var_names: Names = None,
    use_auto_batching: bool = True,
    seed: int | None = None,
) -> Predictions:
    """Return draws of every variable from the prior, by full name.

    What is observed is drawn too, in its distribution's own shape, unless not
    `sample_from_observed`: then what depends on it depends on the data.
    """
    data = _observed(model.finetti.variables)
    free = model.observing(dict.fromkeys(data)) if sample_from_observed else model.finetti
    shape = tuple(np.atleast_1d(sample_shape).astype(int).tolist())
    keys = jax.random.split(tf.RANDOMNESS.key(seed), shape)

    def one(key: Key) -> dict[str, Array]:
        with handlers.trace() as sites, handlers.seed(key):
            free.run()
        return {n: s.value for n, s in sites.items() if s.kind != "factor"}

    with jax.enable_x64(True):
        draw = one
        for _ in shape:
            draw = jax.vmap(draw)
        found = compiled(ONCE)(draw)(keys)
    kept = [n for n in found if sample_from_observed or n not in data]
    return _chosen(found, var_names, kept)


def sample_posterior_predictive(  # noqa: PLR0913 - PyMC4's own arguments
    model: Model,
    trace: Trace,
    var_names: Names = None,
    observed: Mapping[str, ArrayLike | None] | None = None,
    use_auto_batching: bool = True,
    inplace: bool = True,
    seed: int | None = None,
) -> Predictions:
    """Return draws of the observed variables given each draw of a trace, (draw, chain, ...).

    A variable has the shape of the data it was observed with. `trace` is what `sample` gave, a
    dict of draws, or anything with ArviZ's group `posterior`.
    """
    variables = model.observing(observed or {}).variables
    data = _observed(variables)
    free = model.observing(dict.fromkeys(data), data)
    latent = [v.name for v in variables if v.kind == "latent"]
    draws = _draws(trace)
    for name in latent:
        if name not in draws:
            raise UnknownSite.among(name, draws, "predict without draws of")
    given = {name: np.asarray(draws[name]) for name in latent}
    lead = next(iter(given.values())).shape[:2]
    keys = jax.random.split(tf.RANDOMNESS.key(seed), lead)

    def one(key: Key, values: dict[str, Array]) -> dict[str, Array]:
        with handlers.trace() as sites, handlers.seed(key):
            free.substitute(**values).run()
        kept = [n for n, s in sites.items() if s.kind != "factor"]
        return {n: sites[n].value for n in kept}

    with jax.enable_x64(True):
        found = compiled(ONCE)(jax.vmap(jax.vmap(one)))(keys, given)
    return _chosen(found, var_names, list(data))


def _observed(variables: Iterable[Variable]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the data, by the names of the variables that have some."""
    return {v.name: v.shape for v in variables if v.kind == "observed"}


def _draws(trace: Trace) -> dict[str, np.ndarray]:
    """Return draws by name, (draw, chain, ...)."""
    if isinstance(trace, Draws):
        return trace.trace
    if isinstance(trace, dict):
        return trace
    return {str(k): np.swapaxes(np.asarray(v), 0, 1) for k, v in trace.posterior.items()}


def _chosen(found: Mapping[str, Array], names: Names, usual: Iterable[str]) -> Predictions:
    chosen = [names] if isinstance(names, str) else usual if names is None else names
    for name in chosen:
        if name not in found:
            raise UnknownSite.among(name, found, "return draws of")
    return Predictions({n: np.asarray(found[n]) for n in chosen})
