"""Fit a model: plan it, make its density, run a kernel, hand back a posterior."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from finetti.dividing import Devices, meant
from finetti.errors import ClusterError
from finetti.inference.apart import draw_apart
from finetti.inference.asked import refuse_strange
from finetti.inference.begin import Beginning, begin
from finetti.inference.cluster.carried import packed
from finetti.inference.cluster.reached import On, reached
from finetti.inference.engine.price import products
from finetti.inference.engine.proposal import Proposal, propose
from finetti.inference.journey import Journey, Work, block_of
from finetti.inference.keeping import Memory
from finetti.inference.methods.independent import (
    EMULATED,
    SOME,
    Automatic,
    IndependentMetropolis,
    dear,
)
from finetti.inference.methods.method import Chains, Method, natural
from finetti.inference.methods.precision import MOST
from finetti.inference.methods.searches import Search
from finetti.inference.methods.trajectories import NUTS
from finetti.inference.outcome import outcome
from finetti.inference.progress import Display, show
from finetti.inference.readers.keep import kept_names, most_draws
from finetti.inference.search.search import search
from finetti.inference.stopping import Stop, stoppable
from finetti.inference.to_disk import begun, destination, searched
from finetti.language.handlers import whole_seed
from finetti.models import Model, require_model
from finetti.posterior.learned import Learned
from finetti.posterior.posterior import Posterior
from finetti.store.store import Destination
from finetti.structure.choices import Choices
from finetti.structure.plan import Plan
from finetti.targets.density import Density, density
from finetti.types import Values as Named

if TYPE_CHECKING:
    from distributed import Client


def fit(  # noqa: PLR0913 - the one verb with all its choices
    model: Model,
    method: Method | None = None,
    *,
    seed: int = 0,
    plan: Plan | None = None,
    init: Named | None = None,
    tuning: Learned | None = None,
    keep: Iterable[str] | None = None,
    out: str | Path | Destination | None = None,
    progress: bool | Display = True,
    on: On = None,
    devices: Devices = None,
) -> Posterior:
    """Draw from the posterior of a model with its data.

    `method` holds the settings, `NUTS(draws=2000)` for one. Left out it is `Automatic()`: where the
    plan leaves up to 8 dimensions, `IndependentMetropolis`, if its mixture fits, and `NUTS`
    otherwise. `plan` says which rewrites to make: that of the method, which is `model.plan()`,
    unless you change it by `model.plan().without(...)`. `init` maps latent variables to constrained
    starting values for every chain; without it the starts are random. `tuning` is the `learned` of
    a posterior of this model, whose step size, metric and coordinates are used again: warm-up then
    learns nothing, it only takes the chains from where they start. `keep` names the sites whose
    draws are kept, all without it; of the others means and standard deviations come back, as
    `posterior.moments`. `out` is a path such as "run.zarr" to which the run is written as it is
    made, draws and all it takes to go on: whatever ends it, `resume` goes on from there, and memory
    does not grow with the draws, which the posterior reads from disk as they are asked for.
    `progress=False` keeps silent. `on` is a cluster whose workers make the draws of its chains once
    all have warmed up together: a client of `dask.distributed`, the address of its scheduler, or a
    number of processes to start on this machine. The draws are the same on every cluster of like
    machines, and may differ in rounding from those without one. `devices` have the rows divided
    among them, each computing with its own: a number of those that JAX sees, or a list such as
    `jax.devices()`, in every process alike where there are several (of `jax.distributed`). The
    posterior is the same, sums being rounded in another order.
    Draws depend on the model, its data, the method, `seed`, `init` and `tuning` alone. Ctrl-C
    and SIGTERM stop a run and return the draws made so far, marked `interrupted` in the posterior's
    attributes; during warm-up they raise `KeyboardInterrupt`.

    Raises `ModelError` or `SamplingError` with the site at fault before sampling starts,
    `SamplingError` also for a method that is none and where the draws kept would take more than 4
    GiB of memory; `SeedError` for a seed that is no whole number; `ClusterError` where `on` cannot
    be reached or has other versions than this process, or there are fewer `devices`; `DataError`
    where `out` has an unfinished run or something that is no run, another process writes there, or
    it cannot be written.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), seed=1, progress=False)
    >>> posterior["p"].shape
    (4, 500)
    >>> again = fit(coin(10).condition(heads=7), tuning=posterior.learned, progress=False)
    >>> again["p"].shape
    (4, 1000)
    """
    require_model(model, "ft.fit")
    method, seed = method or Automatic(), whole_seed(seed)
    refuse_strange(method, plan, init, tuning)
    chosen = method.plan(model, plan)
    again = partial(fit_alike, method, plan and plan.choices)
    beginning, to = Beginning(seed, init, tuning), destination(out)
    among = meant(devices)
    if on is not None:
        _refuse_whole(method)
    if among and on is not None:
        raise ClusterError(
            "on= spreads chains over workers and devices= the rows of each over devices: give one"
        )
    if isinstance(method, Search):
        built = replace(density(model, chosen), devices=among)
        if to is None:
            return replace(search(built, method, seed, init), refit=again)
        return replace(searched(built, method, beginning, to), refit=again)
    if not isinstance(method, Chains):
        raise TypeError(f"no way is known to fit by {method!r}")
    built = replace(density(model, chosen, natural(model, method)), devices=among)
    names = kept_names(built, keep)
    for wish in method.wishes:
        wish.names(names)
    with (
        reached(on) as client,
        jax.enable_x64(True),
        stoppable() as stop,
        show(progress) as display,
    ):
        suited, proposal = _drawing(method, built, beginning)
        if proposal is None:
            unchanged = plan is None or plan.choices == model.plan().choices
            follows = unchanged and isinstance(suited, NUTS)
            lean = chosen.for_gradients() if follows else chosen
            if lean is not chosen:
                built = replace(density(model, lean), devices=among)
            suited = suited.suited(built.dim)
        if isinstance(method, Automatic) and client is None:  # workers do not look at draws
            suited = method.sparing(suited, lambda: products(*built.target()))
        method = suited
        block = block_of(built, method, names)
        work = Work(built, method, names, block, positions=to is not None and keep is None)
        finish = partial(_finished, beginning, client, display, stop)
        if to is None:
            most, keeper = most_draws(built, names, method), Memory(method.draws)
            journey = Journey(work, *begin(built, method, most, beginning, proposal), keeper)
            found = finish(journey)
        else:
            most = method.draws * (MOST if method.wishes else 1)
            with begun(work, beginning, to) as keeper:
                journey = Journey(work, *begin(built, method, most, beginning, proposal), keeper)
                journey.commit()
                found = finish(journey)
    return replace(found, refit=again)


def _refuse_whole(method: Method) -> None:
    """Refuse to spread over a cluster what is one piece, or looks at draws as they are made."""
    if isinstance(method, Search):
        raise ClusterError(
            f"on= has chains drawn on a cluster, and {type(method).__name__} climbs to one mode: "
            f"leave on= out"
        )
    if isinstance(method, Chains) and (method.wishes or method.minutes is not None):
        raise ClusterError(
            "on= has all draws made apart, and until= and minutes= look at them as they are made: "
            "give draws=, or leave on= out"
        )


def _finished(
    beginning: Beginning, client: Client | None, display: Display, stop: Stop, journey: Journey
) -> Posterior:
    """Take a journey to its end, its draws on a cluster if there is a client."""
    if client is None:
        return outcome(journey, display, stop, beginning.seed)
    packed(journey.work.built.model)  # refuses before warm-up what cannot be sent after it
    elsewhere = partial(draw_apart, beginning=beginning, client=client)
    return outcome(journey, display, stop, beginning.seed, elsewhere)


def _drawing(
    method: Chains, built: Density, beginning: Beginning
) -> tuple[Chains, Proposal | None]:
    """Return the method that draws, and where it proposes from if it learned that."""
    if isinstance(method, Automatic):
        return _chosen(method, built, beginning)
    if not isinstance(method, IndependentMetropolis):
        return method, None
    if beginning.tuning is not None:
        return replace(method, emulated=False), None  # its polynomial was that of other data
    emulate = method.emulated and 0 < built.dim <= SOME
    draws = method.chains * method.least if emulate else 0
    proposal = propose(built, beginning.seed, method.chains, draws)
    if proposal is None:
        return method.trajectories(), None  # which says why no start has a density
    thin = method.thin or proposal.thin
    return replace(method, thin=thin, emulated=proposal.emulated), proposal


def _chosen(
    method: Automatic, built: Density, beginning: Beginning
) -> tuple[Chains, Proposal | None]:
    """Return the method that suits what a plan leaves, and where it proposes from."""
    tuning = beginning.tuning
    if tuning is not None and np.ndim(tuning.scale) == 3:  # a mixture
        return method.independent(), None
    if tuning is None and beginning.init is None and built.dim <= SOME:
        price, draws = products(*built.target()) if built.dim else 0, 0
        if price > EMULATED:
            draws = method.chains * method.sparing(method.independent(), lambda: price).least
        # Without a polynomial quadrature pays only where trajectories are as dear.
        alone = bool(draws) and not dear(price) and built.plan().by_values
        proposal = propose(built, beginning.seed, method.chains, draws, alone)
        if proposal is not None and proposal.useful:
            return method.independent(proposal.thin, proposal.emulated), proposal
    return method.trajectories(), None


def fit_alike(method: Method, choices: Choices | None, model: Model, seed: int) -> Posterior:
    """Fit another model by a method, with a plan's choices where there are any.

    Raises `KeyboardInterrupt` where that is interrupted: whoever asked needs it whole.
    """
    like = None if choices is None else model.plan(choices=choices)
    found = fit(model, method, seed=seed, plan=like, progress=False)
    if "interrupted" in found.attributes:
        raise KeyboardInterrupt
    return found
