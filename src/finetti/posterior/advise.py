"""Say in sentences what is wrong with a run, at which sites, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from finetti.models import Model
from finetti.posterior import mode
from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Advice, Finding
from finetti.posterior.illnesses import convergence, sampler
from finetti.posterior.illnesses.conflict import conflict
from finetti.posterior.illnesses.flat import improper, ridge
from finetti.posterior.illnesses.funnel import funnel
from finetti.posterior.illnesses.modes import several
from finetti.posterior.illnesses.predictors import predictors
from finetti.posterior.illnesses.separation import separation
from finetti.posterior.illnesses.tails import boundary, heavy_tails
from finetti.posterior.illnesses.undefined import undefined

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Rule = Callable[[Evidence], Finding | None]

WITHOUT_TRAJECTORIES = "No warnings: R-hat and effective sample sizes look fine."
FEWEST = 100  # draws, below which an illness shows no face

FIRST: tuple[Rule, ...] = (sampler.interrupted, sampler.approximation, convergence.stuck, undefined)
# The first of a row that is found explains what the others of it would say.
UNHELD: tuple[Rule, ...] = (separation, improper)  # explains whatever the draws look like
ILLNESSES: tuple[tuple[Rule, ...], ...] = (
    (several, funnel, predictors, ridge),
    (boundary, heavy_tails),
    (conflict,),
)
SIGNS: tuple[Rule, ...] = (
    sampler.divergences,
    convergence.disagreeing,
    convergence.few,
    sampler.depth,
    sampler.energy,
)


def advise(
    tree: xr.DataTree,
    model: Model | None = None,
    quantiles: tuple[float, ...] = (),
    summary: pd.DataFrame | None = None,
) -> Advice:
    """Look at a run's draws, statistics and data, and its model if given, for signs of trouble.

    `quantiles` are those the user wants to read, such as 0.999; `summary` is the run's table if it
    is at hand.
    """
    if mode.is_mode(tree):
        found = mode.starts(tree)
        return Advice((found,) if found else (), "No warnings: every start reached this mode.")
    run = Evidence(tree, model, summary)
    unfit = sampler.proposal(run)  # what the draws look like is then the method's doing
    found = [unfit, *(rule(run) for rule in FIRST)]
    if unfit is None and run.draws.sizes["chain"] * run.draws.sizes["draw"] >= FEWEST:
        unheld = _first(run, UNHELD)
        found += [unheld] if unheld else [_first(run, row) for row in ILLNESSES]
    found += [rule(run) for rule in SIGNS]
    found.append(convergence.few_beyond(run, quantiles) if quantiles else None)
    sick = tuple(f for f in found if f is not None)
    return Advice(sick) if "diverging" in run.stats else Advice(sick, WITHOUT_TRAJECTORIES)


def _first(run: Evidence, row: tuple[Rule, ...]) -> Finding | None:
    """Return what the first rule of a row finds that finds anything."""
    return next((f for f in (rule(run) for rule in row) if f is not None), None)


__all__ = ["Advice", "Finding", "advise"]
