"""Calibrate a model's fits: draw parameters and data, fit the data, and rank what was drawn.

If values are drawn from the prior and data given them, the posterior given the data is the law of
the values given the data: among draws from it the value drawn has a uniform rank (Talts,
Betancourt, Simpson, Vehtari & Gelman 2018). So ranks that are not uniform show a sampler, a
rewrite or a model that does not give the posterior, however well its chains mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.calibrating import simulate
from finetti.criticism.calibrating.calibration import Calibration
from finetti.criticism.calibrating.simulate import AGAIN, Quantity
from finetti.errors import ModelError, UnknownSite
from finetti.inference.cluster.reached import On, reached
from finetti.inference.many import Read, batches, read_many
from finetti.inference.methods.method import Chains, Method
from finetti.inference.methods.trajectories import NUTS
from finetti.models import Model, require_model, require_rows
from finetti.posterior.labels import dataset, is_hidden
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.plan import Plan
from finetti.structure.variables import named_dimensions

if TYPE_CHECKING:
    import xarray as xr

WARMUP = 300
USUAL = NUTS(draws=200, warmup=WARMUP, chains=2, thin=1)
FEWEST = 20  # simulations
SPOILT = 0.2  # share of simulations without which ranks are not told


def calibrate(  # noqa: PLR0913 - the one verb with all its choices
    model: Model,
    method: Method | None = None,
    *,
    simulations: int = 200,
    draws: int = 100,
    seed: int = 0,
    posterior: Posterior | None = None,
    quantities: Mapping[str, Quantity] | None = None,
    plan: Plan | None = None,
    simulator: Model | None = None,
    on: On = None,
) -> Calibration:
    """Fit simulated data, and tell of every variable whether its posterior is right.

    Parameters and data are drawn from the prior, `simulations` times. The data are fitted, up to 50
    sets in one compiled program, by `method`, which is `NUTS(draws=200, warmup=300, chains=2,
    thin=1)` unless you choose another, under `plan`; on the cluster `on`, as in `fit`. The values
    drawn are ranked among `draws` thinned draws of each fit. Ranked are latent and deterministic
    sites (hidden ones, `_L[g]`, by what is made of them), the joint log likelihood, which sees what
    they do not (Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman & Vehtari 2023), and
    `quantities`: functions by name, each from the sites' values by name to an array.

    With `posterior`, a fit of the model to its own data, parameters are drawn from it instead,
    with new data given them, and what is fitted are both data together: this asks whether the
    method is right near the data at hand (Säilynoja, Schmitt, Bürkner & Vehtari 2025). With
    `simulator`, another model of the same sites, parameters and data are drawn from that, to see
    what a wrong model does.

    The model has its observed sites conditioned on data of the size you expect; without
    `posterior` their values do not matter. Raises `ModelError` for a model that cannot be
    simulated from, `SeedError` for an improper prior, `SamplingError` where no fit can start.

    >>> found = calibrate(coin(10).condition(heads=7), simulations=50, seed=1)
    >>> found.passed, found.ranks["p"].shape
    (True, (50,))
    """
    require_rows(require_model(model, "ft.calibrate"), "ft.calibrate")
    if posterior is not None:
        require_posterior(posterior, "ft.calibrate with posterior=")
    if simulator is not None:
        require_model(simulator, "ft.calibrate with simulator=")
    method = method or USUAL
    if not isinstance(method, Chains):
        raise TypeError(f"no way is known to calibrate {method!r}: give a method such as ft.NUTS()")
    _check(method, simulations, draws)
    source, asked = simulator or model, dict(quantities or {})
    simulate.check_names(model, asked)
    if posterior is None:
        drawn, fitted = simulate.from_prior(source, simulations, seed), model
    else:
        drawn = simulate.from_posterior(source, posterior, simulations, seed)
        fitted = simulate.doubled(model)
    drawn = _named(model, drawn)
    sound = np.flatnonzero(drawn.sound)
    _demand(model, len(sound), simulations, "data that are finite and in their supports")
    drawn = drawn.only(sound)
    like = plan and fitted.plan(choices=plan.choices)
    prefix = f"{AGAIN}/" if posterior is not None else ""
    data = {f"{prefix}{name}": a for name, a in drawn.observed.items()}
    job = batches(fitted, data, method, method.plan(fitted, like), seed + 1)
    with reached(on) as client:
        fits = read_many(job, tuple(drawn.latent), draws, client)
    _demand(model, len(fits.found), simulations, "a start with a finite log density")
    drawn = drawn.only(fits.found)
    once = {name: a[:, None] for name, a in drawn.latent.items()}
    truth = simulate.read(model, once, drawn.observed, asked)
    found = simulate.read(model, fits.values, drawn.observed, asked)
    return _ranked(model, truth, found, seed, _notes(fits, simulations))


def _ranked(
    model: Model,
    truth: Mapping[str, np.ndarray],
    found: Mapping[str, np.ndarray],
    seed: int,
    notes: tuple[str, ...],
) -> Calibration:
    """Rank values (simulation, 1, ...) among draws (simulation, draw, ...), but for hidden ones."""
    random = np.random.default_rng([seed, 2])
    draws = next(iter(found.values())).shape[1]
    ranks, pits, neighbours = {}, {}, {}
    shown = {n: a for n, a in truth.items() if not is_hidden(n)} or truth
    for name, own in shown.items():
        if np.isnan(found[name]).any() or np.isnan(own).any():
            raise ModelError(f"`{name}` is not a number at some draws: it cannot be ranked")
        below, ties = (found[name] < own).sum(1), (found[name] == own).sum(1)
        # Among ties any rank is as likely: so discrete variables have uniform ranks as well.
        ranks[name] = below + random.integers(0, ties + 1)
        pits[name] = (ranks[name] + random.uniform(size=ranks[name].shape)) / (draws + 1)
        neighbours[name] = _neighbours(found[name])
    kinds = {v.name: v for v in model.variables}

    def dims(name: str) -> tuple[str, ...]:
        if name in kinds:
            return kinds[name].dims
        return tuple(f"{name}_dim_{i}" for i in range(ranks[name].ndim - 1))

    plates = named_dimensions(model.variables)

    def labelled(arrays: Mapping[str, np.ndarray], *leading: str) -> xr.Dataset:
        return dataset({n: ((*leading, *dims(n)), a) for n, a in arrays.items()}, plates)

    return Calibration(
        labelled(ranks, "simulation"),
        labelled(pits, "simulation"),
        labelled(neighbours),
        draws,
        model.name,
        notes,
    )


def _neighbours(draws: np.ndarray) -> np.ndarray:
    """Return the lag-one correlation of draws (simulation, draw, ...), a mean over simulations."""
    centred = draws - draws.mean(1, keepdims=True)
    spread = np.square(centred).sum(1)
    shared = (centred[:, 1:] * centred[:, :-1]).sum(1)
    each = np.divide(shared, spread, out=np.zeros_like(spread), where=spread > 0)
    return np.asarray(each.mean(0))


def _named(model: Model, drawn: simulate.Simulated) -> simulate.Simulated:
    """Return what was drawn of the sites of a model, each of its shape."""
    kinds = {"latent": drawn.latent, "observed": drawn.observed}
    chosen: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in kinds}
    for v in model.variables:
        if v.kind not in kinds:
            continue
        if v.name not in kinds[v.kind]:
            raise UnknownSite.among(v.name, kinds[v.kind], f"simulate the {v.kind} site")
        array = kinds[v.kind][v.name]
        if array.shape[1:] != v.shape:
            raise ModelError(
                f"site `{v.name}` is simulated with shape {array.shape[1:]} and has shape "
                f"{v.shape} in model `{model.name}`: give both the same data"
            )
        chosen[v.kind][v.name] = array
    if not chosen["latent"]:
        raise ModelError(f"model `{model.name}` has no latent variable to rank")
    return simulate.Simulated(chosen["latent"], chosen["observed"], drawn.sound)


def _check(method: Chains, simulations: int, draws: int) -> None:
    for name, value, least in (("simulations", simulations, FEWEST), ("draws", draws, 10)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {value!r}")
    if method.chains * method.draws < draws:
        raise ValueError(
            f"{method.chains} chains of {method.draws:,} draws are too few to rank values among "
            f"{draws:,}: give the method more, or take fewer"
        )


def _demand(model: Model, left: int, simulations: int, what: str) -> None:
    """Refuse to go on where too many simulations are spoilt for the rest to speak for them."""
    if left < max(FEWEST, (1 - SPOILT) * simulations):
        raise ModelError(
            f"only {left:,} of {simulations:,} simulations of model `{model.name}` have {what}: "
            f"look for priors so wide that a rate or a scale overflows"
        )


def _notes(fits: Read, simulations: int) -> tuple[str, ...]:
    """Say what is to be known of the fits."""
    found, total = [], len(fits.found)
    if total < simulations:
        found.append(
            f"{simulations - total:,} of {simulations:,} simulations are left out, whose data "
            f"overflow or give no start; that depends on the data alone, so the ranks still count."
        )
    diverged = int((fits.divergences.sum(1) > 0).sum())
    if diverged:
        found.append(f"{diverged:,} of {total:,} fits had divergences.")
    return tuple(found)
