"""Fit a model: plan it, make its density, run a kernel, hand back a posterior."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from time import perf_counter

import jax
import numpy as np

from finetti.errors import ModelError
from finetti.inference import learn
from finetti.inference import warmup as warming
from finetti.inference.assemble import assemble, constrain
from finetti.inference.keep import kept_names
from finetti.inference.learn import warm_up
from finetti.inference.methods import NUTS, Chains, Method, Search
from finetti.inference.moments import add_moments
from finetti.inference.progress import Display, show
from finetti.inference.run import SAMPLING, WARMUP, Runner, collect, thinned
from finetti.inference.search import search
from finetti.inference.start import chain_keys, given_points, random_points
from finetti.inference.states import add_probabilities
from finetti.inference.stopping import stoppable
from finetti.inference.sweep import Course
from finetti.inference.weigh import judged, log_ratios
from finetti.kernels.kernel import Tuning
from finetti.models import Model, require_model
from finetti.posterior.posterior import Posterior
from finetti.structure.plan import Plan
from finetti.targets.density import Target, density
from finetti.types import Values

DTYPE = "float64"


def fit(  # noqa: PLR0913 - the one verb with all its choices
    model: Model,
    method: Method | None = None,
    *,
    seed: int = 0,
    plan: Plan | None = None,
    init: Values | None = None,
    tuning: Tuning | None = None,
    keep: Iterable[str] | None = None,
    progress: bool | Display = True,
) -> Posterior:
    """Draw from the posterior of a model with its data.

    `method` holds the settings: `NUTS()` unless you choose another. `plan` says which rewrites to
    make: that of the method, which is `model.plan()` for NUTS, unless you change it by
    `model.plan().without(...)`. `init` maps latent variables to constrained starting values for
    every chain; without it the starts are random. `tuning` reuses a step size and metric instead
    of learning them. `keep` names the sites whose draws are kept, all without it; of the others
    means and standard deviations come back, as `posterior.moments`. `progress=False` keeps silent.
    Draws depend on the model, its data, the method, `seed`, `init` and `tuning` alone. Ctrl-C
    and SIGTERM stop a run and return the draws made so far, marked `interrupted` in the posterior's
    attributes; during warm-up they raise `KeyboardInterrupt`.

    Raises `ModelError` or `SamplingError` with the site at fault before sampling starts, also where
    the draws kept would take more than 4 GiB of memory.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), seed=1, progress=False)
    >>> posterior["p"].shape
    (4, 500)
    """
    require_model(model, "ft.fit")
    began = perf_counter()
    method = method or NUTS()
    chosen = method.plan(model, plan)
    again = partial(_refit, method, plan)
    if isinstance(method, Search):
        return replace(search(density(model, chosen), method, seed, init), refit=again)
    if not isinstance(method, Chains):
        raise TypeError(f"no way is known to fit by {method!r}")
    understood = density(model, chosen, _natural(model, method))
    method = method.suited(understood.dim)
    thin = method.thin or 1
    names = kept_names(understood, keep, method)
    with jax.enable_x64(True), stoppable() as stop:
        target, given = understood.target(DTYPE)
        if tuning is not None:
            _check_tuning(tuning, target)
        keys = chain_keys(np.int64(seed), method.chains)
        if init is None:
            points = random_points(understood, DTYPE, keys)
        else:
            points = given_points(understood, DTYPE, init, method.chains)
        if target.form.centred and tuning is None:
            given, points = learn.begin(target, given, points, keys, settle=init is None)
        ends = warming.schedule(method.warmup, method.chains)
        course = Course(method.kernel(understood.layout), target, ends, capacity=0)
        runner = Runner(course, given, keys, points, method.first_step)
        with show(progress) as display:
            warm = None
            if tuning is not None:
                runner.adopt(tuning)
            elif method.warmup:
                report = display.phase("warm-up", method.warmup, method.chains)
                if method.learns:
                    warm = warm_up(runner, method.warmup, report)
                    runner.adopt(runner.learned())
                else:
                    warm = collect(runner, WARMUP, method.warmup, False, report).info
            report = display.phase("sampling", method.draws * thin, method.chains)
            made = collect(runner, SAMPLING, method.draws * thin, False, report)
            kept = thinned(made, thin)
        attributes = {
            "method": repr(method),
            "seed": seed,
            "seconds": perf_counter() - began,
            "created_by": "finetti",
        }
        if made.positions.shape[1] < method.draws * thin:
            by = signal.Signals(stop.signal or signal.SIGINT).name
            attributes |= {"interrupted": by, "draws_wanted": method.draws}
        given, drawn = runner.constants, kept.positions
        values = constrain(target, given, names, keys, drawn)
        posterior = assemble(understood, method, values, kept.info, warm, attributes)
        posterior = add_probabilities(posterior, understood, target, given, drawn)
        posterior = add_moments(posterior, understood, given, keys, drawn)
        posterior = judged(posterior, log_ratios(target, given, keys, drawn))
        return replace(posterior, refit=again)


def _refit(method: Method, plan: Plan | None, model: Model, seed: int) -> Posterior:
    """Fit another model in the same way.

    Raises `KeyboardInterrupt` where that is interrupted: whoever asked needs it whole.
    """
    like = plan and model.plan(refused=plan.refused, wish=plan.wish)
    found = fit(model, method, seed=seed, plan=like, progress=False)
    if "interrupted" in found.attributes:
        raise KeyboardInterrupt
    return found


def _check_tuning(tuning: Tuning, target: Target) -> None:
    """Refuse a tuning that lacks what a plan learns, or is of another number of dimensions."""
    if target.form.moves:
        raise ModelError(
            f"tuning= holds a step size and a metric, and the plan would learn coordinates too "
            f"({target.form.moves[0].name}): fit with plan=model.plan().without("
            f"{', '.join(sorted({repr(m.verb) for m in target.form.moves}))})"
        )
    scale = np.shape(tuning.scale)
    if set(scale) != {target.layout.dim}:
        raise ModelError(
            f"tuning= has a metric of shape {scale}, and the plan leaves {target.layout.dim} "
            f"dimensions to sample"
        )


def _natural(model: Model, method: Chains) -> frozenset[str]:
    """Name the sites that the method moves as they are."""
    moved = method.moves_discrete
    return frozenset(v.name for v in model.variables if moved and v.kind == "latent" and v.discrete)
