"""Fit a model: plan it, make its density, run a kernel, hand back a posterior."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.density.density import density
from finetti.fit import warmup as warming
from finetti.fit.assemble import assemble, constrain
from finetti.fit.compiling import ONCE, compiled
from finetti.fit.methods import NUTS, Method
from finetti.fit.progress import Display, show
from finetti.fit.run import SAMPLING, WARMUP, Runner, collect
from finetti.fit.start import given_points, random_points
from finetti.fit.sweep import Course
from finetti.kernels.kernel import Tuning
from finetti.model import Model
from finetti.posterior.posterior import Posterior
from finetti.structure.plan import Plan
from finetti.types import Key, Values

DTYPE = "float64"


def fit(  # noqa: PLR0913 - the one verb with all its choices
    model: Model,
    method: Method | None = None,
    *,
    seed: int = 0,
    plan: Plan | None = None,
    init: Values | None = None,
    tuning: Tuning | None = None,
    progress: bool | Display = True,
) -> Posterior:
    """Draw from the posterior of a model with its data.

    `method` holds the settings: `NUTS()` unless you choose another. `plan` says which rewrites to
    make: `model.plan()` unless you change it, by `model.plan().without(...)`. `init` maps latent
    variables to constrained starting values for every chain; without it the starts are random.
    `tuning` reuses a step size and metric instead of learning them. `progress=False` keeps
    silent. Draws depend on the model, its data, the method, `seed`, `init` and `tuning` alone.
    Ctrl-C stops and returns the draws made so far.

    Raises `ModelError` or `SamplingError` with the site at fault before sampling starts.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), seed=1, progress=False)
    >>> posterior["p"].shape
    (4, 500)
    """
    began = perf_counter()
    method = method or NUTS()
    understood = density(model, plan or _usual_plan(model, method), _natural(model, method))
    with jax.enable_x64(True):
        keys = _chain_keys(np.int64(seed), method.chains)
        if init is None:
            points = random_points(understood, DTYPE, keys)
        else:
            points = given_points(understood, DTYPE, init, method.chains)
        target, given = understood.target(DTYPE)
        ends = warming.schedule(method.warmup, method.chains)
        course = Course(method.kernel(understood.layout), target, ends, capacity=0)
        runner = Runner(course, given, keys, points, method.first_step)
        with show(progress) as display:
            warm = None
            if tuning is not None:
                runner.adopt(tuning)
            elif method.warmup:
                report = display.phase("warm-up", method.warmup, method.chains)
                warm = collect(runner, WARMUP, method.warmup, method.learns, report)
                if method.learns:
                    runner.adopt(runner.learned())
            report = display.phase("sampling", method.draws, method.chains)
            kept = collect(runner, SAMPLING, method.draws, False, report)
        attributes = {
            "method": repr(method),
            "seed": seed,
            "seconds": perf_counter() - began,
            "created_by": "finetti",
        }
        names = tuple(v.name for v in understood.kept)
        values = constrain(target, given, names, keys, kept.positions)
        return assemble(understood, method, values, kept, warm, attributes)


def _usual_plan(model: Model, method: Method) -> Plan:
    return model.plan().as_written() if method.moves_discrete else model.plan()


def _natural(model: Model, method: Method) -> frozenset[str]:
    """Name the sites that the method moves as they are."""
    moved = method.moves_discrete
    return frozenset(v.name for v in model.variables if moved and v.kind == "latent" and v.discrete)


@compiled(ONCE, "chains")
def _chain_keys(seed: Any, chains: int) -> Key:
    fold = partial(jax.random.fold_in, jax.random.key(seed))
    return jax.vmap(fold)(jnp.arange(chains))
