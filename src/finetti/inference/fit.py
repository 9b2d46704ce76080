"""Fit a model: plan it, make its density, run a kernel, hand back a posterior."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

import jax
import numpy as np

from finetti.inference.engine.batch import Own, alone, joined, spread
from finetti.inference.engine.draws import Shelf
from finetti.inference.engine.prepare import prepare
from finetti.inference.engine.run import Chunk, Run, Sampler, travel
from finetti.inference.engine.start import DTYPE, chain_keys, one_start
from finetti.inference.methods.method import Chains, Method, natural
from finetti.inference.methods.recorded import written
from finetti.inference.methods.searches import Search
from finetti.inference.methods.trajectories import NUTS
from finetti.inference.progress import Display, show
from finetti.inference.readers.assemble import Statistics, collected, gather
from finetti.inference.readers.keep import kept_names
from finetti.inference.readers.moments import Moments
from finetti.inference.readers.ratios import Ratios
from finetti.inference.readers.reader import Reader
from finetti.inference.readers.states import States
from finetti.inference.readers.values import Values
from finetti.inference.search.search import search
from finetti.inference.stopping import asked_to_stop, stoppable
from finetti.inference.tuned import adopted, told
from finetti.models import Model, require_model
from finetti.posterior.learned import LEARNED, Learned
from finetti.posterior.posterior import Posterior
from finetti.structure.choices import Choices
from finetti.structure.form import Given
from finetti.structure.plan import Plan
from finetti.targets.density import Density, density
from finetti.types import Values as Named


def fit(  # noqa: PLR0913 - the one verb with all its choices
    model: Model,
    method: Method | None = None,
    *,
    seed: int = 0,
    plan: Plan | None = None,
    init: Named | None = None,
    tuning: Learned | None = None,
    keep: Iterable[str] | None = None,
    progress: bool | Display = True,
) -> Posterior:
    """Draw from the posterior of a model with its data.

    `method` holds the settings: `NUTS()` unless you choose another. `plan` says which rewrites to
    make: that of the method, which is `model.plan()` for NUTS, unless you change it by
    `model.plan().without(...)`. `init` maps latent variables to constrained starting values for
    every chain; without it the starts are random. `tuning` is the `learned` of a posterior of this
    model, whose step size, metric and coordinates are used again: warm-up then learns nothing, it
    only takes the chains from where they start. `keep` names the sites whose draws are kept, all
    without it; of the others means and standard deviations come back, as `posterior.moments`.
    `progress=False` keeps silent.
    Draws depend on the model, its data, the method, `seed`, `init` and `tuning` alone. Ctrl-C
    and SIGTERM stop a run and return the draws made so far, marked `interrupted` in the posterior's
    attributes; during warm-up they raise `KeyboardInterrupt`.

    Raises `ModelError` or `SamplingError` with the site at fault before sampling starts, also where
    the draws kept would take more than 4 GiB of memory.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), seed=1, progress=False)
    >>> posterior["p"].shape
    (4, 500)
    >>> again = fit(coin(10).condition(heads=7), tuning=posterior.learned, progress=False)
    >>> again["p"].shape
    (4, 1000)
    """
    require_model(model, "ft.fit")
    began = perf_counter()
    method = method or NUTS()
    chosen = method.plan(model, plan)
    again = partial(fit_alike, method, plan and plan.choices)
    if isinstance(method, Search):
        return replace(search(density(model, chosen), method, seed, init), refit=again)
    if not isinstance(method, Chains):
        raise TypeError(f"no way is known to fit by {method!r}")
    built = density(model, chosen, natural(model, method))
    method = method.suited(built.dim)
    names = kept_names(built, keep, method)
    with jax.enable_x64(True), stoppable() as stop, show(progress) as display:
        sampler, run = _start(built, method, seed, init, tuning)
        warm = Statistics(method, built.layout, "warmup_sample_stats")
        run = _warm_up(sampler, run, warm, display)
        readers = _readers(built, method, sampler, run, names)
        drawn = _sample(sampler, run, readers, method.thin or 1, display)
        groups = {**collected([*readers, warm]), LEARNED: told(run).dataset()}
    attributes = {
        **written(method),
        "seed": seed,
        "seconds": perf_counter() - began,
        "created_by": "finetti",
    }
    if drawn < method.draws:
        by = signal.Signals(stop.signal or signal.SIGINT).name
        attributes |= {"interrupted": by, "draws_wanted": method.draws}
    return replace(gather(built, groups, attributes), refit=again)


def _start(
    built: Density,
    method: Chains,
    seed: int,
    init: Named | None,
    tuning: Learned | None,
) -> tuple[Sampler, Run]:
    """Return the sampler, and the run with every chain at its start."""
    target, given = built.target(DTYPE)
    constants = {m.name: given.rewrites[m.name] for m in target.form.moves}
    fixed = None
    if tuning is not None:
        fixed, constants = adopted(tuning, target, constants)
    own = Own(rewrites=spread(constants, 1))
    keys = chain_keys(np.int64(seed), method.chains)[None]
    points = one_start(built, given, own, keys, init)
    return prepare(target, method, given, own, keys, points, settle=init is None, tuning=fixed)


def _warm_up(sampler: Sampler, run: Run, warm: Statistics, display: Display) -> Run:
    """Return the run with its warm-up behind it, of whose draws the statistics are told.

    Raises `KeyboardInterrupt` where it is asked to stop.
    """
    stages = sampler.warm_up
    if not stages:
        return run
    report = display.phase("warm-up", sum(s.draws for s in stages), len(run.keys))
    shelves = [Shelf(len(run.keys), s.draws, positions=False) for s in stages]
    for here, chunk in travel(sampler, run, len(stages)):
        shelves[int(here.stage)].add(chunk)
        report(chunk)
        run = here
        if asked_to_stop():
            raise KeyboardInterrupt
    for shelf in shelves:
        warm.add(shelf.draws())
    return sampler.cross(run)


def _readers(
    built: Density, method: Chains, sampler: Sampler, run: Run, names: Sequence[str]
) -> list[Reader]:
    """Return what reads the draws, with the constants that warm-up has settled."""
    target, total = sampler.course.target, method.draws
    assert run.own is not None
    given: Given = joined(sampler.shared, alone(run.own))
    kept = [v for v in built.kept if v.name in names]
    left = [v for v in built.kept if v.name not in names]
    return [
        Values(target, given, run.keys, kept, total),
        Statistics(method, built.layout),
        Ratios(target, given, run.keys, total),
        States(target, given, built.model.variables, total),
        Moments(target, given, run.keys, left, total),
    ]


def _sample(
    sampler: Sampler, run: Run, readers: Sequence[Reader], thin: int, display: Display
) -> int:
    """Make the draws and have them read; return how many every chain has.

    It may be asked to stop, and raises `KeyboardInterrupt` where that is before there are any.
    """
    wanted, chains = sampler.stages[-1].draws, len(run.keys)
    shelf = Shelf(chains, wanted // thin, thin)
    for _ in _chunks(sampler, run, shelf, display.phase("sampling", wanted, chains)):
        draws = shelf.take()
        if draws.positions.shape[1]:
            for reader in readers:  # no interrupt is caught here: half read is no answer
                reader.add(draws)
    return shelf.level


def _chunks(
    sampler: Sampler, run: Run, shelf: Shelf, report: Callable[[Chunk], None]
) -> Iterator[None]:
    """Put draws away a chunk at a time, until all are made or it is asked to stop."""
    try:
        for here, chunk in travel(sampler, run):
            shelf.add(chunk)
            report(chunk)
            if asked_to_stop() and not sampler.complete(here):
                raise KeyboardInterrupt
            yield
    except KeyboardInterrupt:
        if not shelf.level:
            raise
        yield


def fit_alike(method: Method, choices: Choices | None, model: Model, seed: int) -> Posterior:
    """Fit another model by a method, with a plan's choices where there are any.

    Raises `KeyboardInterrupt` where that is interrupted: whoever asked needs it whole.
    """
    like = None if choices is None else model.plan(choices=choices)
    found = fit(model, method, seed=seed, plan=like, progress=False)
    if "interrupted" in found.attributes:
        raise KeyboardInterrupt
    return found
