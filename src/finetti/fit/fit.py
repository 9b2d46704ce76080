"""Fit a model: plan it, make its density, run a kernel, hand back a posterior."""

from __future__ import annotations

from collections.abc import Iterable
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
from finetti.fit.keep import kept_names
from finetti.fit.methods import NUTS, Method
from finetti.fit.moments import add_moments
from finetti.fit.progress import Display, show
from finetti.fit.run import Runner, collect
from finetti.fit.start import given_points, random_points
from finetti.fit.sweep import Course
from finetti.kernels.kernel import Tuning
from finetti.model import Model
from finetti.posterior.posterior import Posterior
from finetti.structure.plan import Plan
from finetti.types import Key, Values

WARMUP, SAMPLING = 1, 2  # phases; the start has the numbers from 1000
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
    make: `model.plan()` unless you change it, by `model.plan().without(...)`. `init` maps latent
    variables to constrained starting values for every chain; without it the starts are random.
    `tuning` reuses a step size and metric instead of learning them. `keep` names the sites whose
    draws are kept, all without it; of the others means and standard deviations come back, as
    `posterior.moments`. `progress=False` keeps silent. Draws depend on the model, its data, the
    method, `seed`, `init` and `tuning` alone.
    Ctrl-C stops and returns the draws made so far.

    Raises `ModelError` or `SamplingError` with the site at fault before sampling starts, also where
    the draws kept would take more than 4 GiB of memory.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), seed=1, progress=False)
    >>> posterior["p"].shape
    (4, 500)
    """
    began = perf_counter()
    method = method or NUTS()
    understood = density(model, plan or model.plan())
    names = kept_names(understood, keep, method)
    with jax.enable_x64(True):
        keys = _chain_keys(np.int64(seed), method.chains)
        if init is None:
            points = random_points(understood, DTYPE, keys)
        else:
            points = given_points(understood, DTYPE, init, method.chains)
        target, given = understood.target(DTYPE)
        ends = warming.schedule(method.warmup, method.chains)
        course = Course(method.kernel(), target, ends, capacity=0)
        runner = Runner(course, given, keys, points, method.step_size)
        with show(progress) as display:
            warm = None
            if tuning is not None:
                runner.adopt(tuning)
            elif method.warmup:
                report = display.phase("warm-up", method.warmup, method.chains)
                warm = collect(runner, WARMUP, method.warmup, True, report)
                runner.adopt(runner.learned())
            report = display.phase("sampling", method.draws, method.chains)
            kept = collect(runner, SAMPLING, method.draws, False, report)
        attributes = {
            "method": repr(method),
            "seed": seed,
            "seconds": perf_counter() - began,
            "created_by": "finetti",
        }
        values = constrain(target, given, names, keys, kept.positions)
        posterior = assemble(understood, method, values, kept, warm, attributes)
        return add_moments(posterior, understood, given, keys, kept.positions)


@compiled(ONCE, "chains")
def _chain_keys(seed: Any, chains: int) -> Key:
    fold = partial(jax.random.fold_in, jax.random.key(seed))
    return jax.vmap(fold)(jnp.arange(chains))
