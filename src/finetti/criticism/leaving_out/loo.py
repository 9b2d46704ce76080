"""Predict each observation from the others: by importance sampling, and where that fails exactly.

The draws given all data, weighted by 1 / p(y_i | draw), are draws given all data but y_i. Pareto
smoothing tames the weights and its k-hat tells where they fail; there the model is fitted without
the observation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from finetti.criticism.leaving_out.belonging import sole
from finetti.criticism.leaving_out.elpd import Elpd
from finetti.criticism.leaving_out.held_out import (
    Without,
    counted,
    highest_k,
    known_model,
    observed_site,
    pointwise,
)
from finetti.errors import ModelError
from finetti.inference.again import refit
from finetti.inference.cluster.pieces import done
from finetti.inference.cluster.reached import On, reached
from finetti.language.effects import Site
from finetti.models import require_rows
from finetti.posterior.diagnose import quiet, smoothed_weights
from finetti.posterior.evaluate import log_likelihood
from finetti.posterior.labels import some
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.types import Array, Float

FEWEST = 25  # draws, of which a fifth are the 5 that a tail takes
# The variance of an observation's log density above which it tells much of an effect that nothing
# else tells of: the weights of a normal effect's draws then have a tail of k-hat sqrt(2 x variance)
# that draws may not show.
LOOSE = 0.125
LOOKED_AT = 100  # observations from which the draws' efficiency is learned


def loo(
    posterior: Posterior,
    of: str | None = None,
    *,
    refits: int = 20,
    good_k: float | None = None,
    seed: int = 0,
    on: On = None,
) -> Elpd:
    """Return the log density of each observation given all others, by PSIS-LOO.

    `of` names the observed site, if there are several. Where the Pareto k-hat is above `good_k`,
    which is min(1 - 1 / log10 draws, 0.7) unless given, or the observation is the only one of its
    group, the model is fitted again without it, by the method of the posterior; at most `refits`
    times, the highest k-hat first. `seed` is that of the fits, which are made on the cluster `on`,
    as in `fit`. Monte-Carlo standard errors of scores with a k-hat between 0.5 and 0.7 may be too
    small: `good_k=0.5` fits without these too.

    Raises `ModelError` for a posterior without model or with few draws, or with nothing to leave
    out.

    Vehtari, Gelman & Gabry 2017; Vehtari, Simpson, Gelman, Yao & Gabry 2024.

    >>> @model
    ... def weights(y):
    ...     mu = sample("mu", Normal(0, 10))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(mu, 1), obs=y)
    >>> posterior = fit(weights([1.0, 2.0, 0.5, 1.5]), NUTS(draws=500), progress=False)
    >>> scores = ft.loo(posterior)
    >>> scores.scores["elpd"].shape, scores.unreliable
    ((4,), [])
    """
    import xarray as xr

    require_posterior(posterior, "ft.loo")
    model = known_model(posterior, "leave-one-out")
    require_rows(model, "ft.loo")
    v = observed_site(model, of)
    likelihood = log_likelihood(model, posterior.tree)
    given = pointwise(likelihood, v)
    terms = given.to_numpy().reshape(*given.shape[:2], -1)
    draws = terms.shape[0] * terms.shape[1]
    if draws < FEWEST:
        raise ModelError(
            f"ft.loo smooths the largest fifth of its weights, which takes {FEWEST} draws or more: "
            f"the run of `{model.name}` has {draws}; fit it with more"
        )
    counting = counted(likelihood, model)
    keep = counting[v.name].ravel()
    with quiet():
        relative = _relative(terms[:, :, keep])
        found = [_smoothed(terms[:, :, i], relative) for i in range(terms.shape[2])]
    elpd, p, error, k = np.array(found, float).T
    good = highest_k(draws) if good_k is None else good_k
    alone = sole(model, v.name, counting).ravel()
    alone &= terms.var((0, 1)) > LOOSE
    # Not k > good: of NaN, where no tail could be fitted, the weights are not to be trusted either.
    bad = np.flatnonzero((~(k <= good) | alone) & keep)
    again = bad[np.argsort(-np.nan_to_num(k[bad], nan=np.inf), kind="stable")][:refits]
    number = np.cumsum(keep) - 1
    if len(again):
        job = Without(refit(posterior), model, Single(v.name, given.shape[2:]))
        pieces = [(np.array([i]), seed + int(number[i])) for i in again]
        with reached(on) as client:
            exact, error[again] = np.concatenate(done(job, pieces, client)).T
        p[again] += elpd[again] - exact
        elpd[again] = exact
    refitted = np.isin(np.arange(k.size), again)
    scores = {"elpd": elpd, "p": p, "mcse": error, "pareto_k": k}
    scores |= {"refitted": refitted, "sole": alone}
    dims = given.dims[2:]
    held = xr.Dataset(
        {name: (dims, a.reshape(given.shape[2:])) for name, a in scores.items()},
        {d: given[d] for d in dims if d in given.coords},
        {"points": v.name},
    )
    known = int(keep.sum())
    return Elpd(
        model.name,
        "leave-one-out",
        np.arange(known),
        some(held, counting[v.name], dims),
        {v.name: np.asarray(v.shown)[counting[v.name]]},
        {v.name: np.arange(known)},
        v.discrete,
        good,
    )


@dataclass(frozen=True)
class Single:
    """Name a site whose observations, of such a shape, are left out by themselves."""

    name: str
    shape: tuple[int, ...]

    def left(self, chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Return where an observation is one of those chosen, counted flat."""
        return {self.name: np.isin(np.arange(math.prod(self.shape)), chosen).reshape(self.shape)}

    def read(self, sites: dict[str, Site]) -> dict[str, Array]:
        """Return the log density of each observation."""
        return {"points": sites[self.name].distribution.log_prob(sites[self.name].value)}

    def given(self, draws: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return the draws as they are."""
        return draws


def _smoothed(
    terms: Float[np.ndarray, "chain draw"], relative: float
) -> tuple[float, float, float, float]:
    """Return a point's score, its gain, its Monte-Carlo standard error and its k-hat.

    The error is that of a ratio of means, by the delta method.
    """
    flat = terms.ravel()
    log_weights, k = smoothed_weights(flat, relative)
    elpd = _log_sum(log_weights + flat)
    gain = _log_sum(flat) - np.log(flat.size) - elpd
    off = np.exp(log_weights) * (np.exp(flat - elpd) - 1)
    return float(elpd), float(gain), float(np.sqrt(np.sum(off**2) / relative)), float(k)


def _log_sum(terms: Float[np.ndarray, " draw"]) -> float:
    """Return the logarithm of a sum, by that of each term."""
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum())) if np.isfinite(top) else float(top)


def _relative(terms: Float[np.ndarray, "chain draw point"]) -> float:
    """Return how many independent draws one of the chains is worth, for the densities' mean."""
    from arviz_stats.base.array import array_stats

    if terms.shape[1] < 4:
        return 1.0
    chosen = terms[:, :, :: max(1, terms.shape[2] // LOOKED_AT)]
    densities = np.exp(chosen - chosen.max((0, 1)))
    found = array_stats.ess(densities, chain_axis=0, draw_axis=1, method="mean", relative=True)
    usable = np.asarray(found)[np.isfinite(found)]
    return float(np.clip(usable.mean(), 1e-3, 1.0)) if usable.size else 1.0
