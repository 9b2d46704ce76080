"""Learn a kernel's tuning from all chains together while they warm up.

The step size follows dual averaging (Hoffman & Gelman 2014, section 3.2); the metric is
estimated from the draws and gradients of windows that double in length. All chains share one
tuning, so a window of n draws a chain holds n times as many as a chain alone would see. A chain
that accepts nothing, or that is lost far below the others, has no say after a while: it would take
the step size down to nothing for all, and gain nothing by it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.kernels.kernel import Info, Kernel, Point, Tuning, anywhere, select
from finetti.kernels.metric import Moments
from finetti.posterior.lost import lost
from finetti.types import Array, Bool, DType, Float, Int

FIRST_WINDOW = 10  # draws a chain before the first metric
FINAL_SHARE = 0.1  # of warm-up spent on the step size alone, at least FINAL_LEAST draws
FINAL_LEAST = 50
LEAST, MOST = 1e-20, 1e20  # step sizes: beyond them a start or a metric is at fault
ACCEPTS = 1e-3  # of what it proposes, a chain that moves
PATIENCE = 100  # points in a row, of which a draw that accepts nothing brings `STILL`, a lost one 1
STILL = 5  # so 20 such draws, in which a chain would alone shrink the step size by e^30


StepSizes = Float[Array, "*block"]  # one, or one for each block of coordinates


class StepSize(NamedTuple):
    """Hold the dual averages of the log step size, or of each block's."""

    count: StepSizes
    anchor: StepSizes
    error: StepSizes
    log_average: StepSizes


class Adaptation(NamedTuple):
    """Hold what the chains have taught so far.

    `idle` counts, by block, for how long a chain has accepted nothing or has been lost.
    """

    step: StepSize
    moments: Moments
    drawn: Int[Array, ""]
    window: Int[Array, ""]
    idle: Int[Array, "*block chain"]


def schedule(warmup: int, chains: int) -> tuple[int, ...]:
    """Return the total numbers of draws, over all chains, at which a window ends.

    >>> schedule(1000, 4)
    (40, 120, 280, 600, 1240, 3600)
    """
    last = warmup - max(FINAL_LEAST, int(FINAL_SHARE * warmup))
    ends, end, length = [], 0, FIRST_WINDOW
    while last - end >= length:
        end, length = end + length, 2 * length
        ends.append(end)
    if ends:
        ends[-1] = last
    return tuple(end * chains for end in ends)


def begin(
    kernel: Kernel, shape: tuple[int, int], step_size: StepSizes | float, dtype: DType
) -> tuple[Tuning, Adaptation]:
    """Return the tuning and the adaptation before the first draw; `shape` = (dim, chains)."""
    dim, chains = shape
    scale = kernel.metric.identity(dim, dtype)
    moments = kernel.metric.empty(dim, dtype)
    # A kernel of many blocks has as many targets, and a step size for each.
    sizes = jnp.full(np.shape(kernel.target_acceptance), step_size, dtype)
    none, idle = jnp.zeros((), jnp.int32), jnp.zeros((*sizes.shape, chains), jnp.int32)
    return Tuning(sizes, scale), Adaptation(restart_step(sizes), moments, none, none, idle)


def restart_step(step_size: StepSizes) -> StepSize:
    """Start dual averaging afresh around ten times a step size."""
    zero = jnp.zeros_like(step_size)
    # Larger, as in the paper: a step too small costs more than one too large.
    return StepSize(zero, jnp.log(10 * step_size), zero, jnp.log(step_size))


def average(step: StepSize, acceptance: StepSizes, target: StepSizes, chains: int) -> StepSize:
    """Move the dual averages by one observed acceptance probability.

    Each of some chains has a say whenever it has completed a draw.
    """
    count = step.count + 1
    # t0 = 10 draws, kappa = 0.75 and gamma = 0.05, as in the paper. Chains that learn together have
    # as many times as many says: without that the first of them throw the step size about.
    weight = 1 / (count + 10 * chains)
    error = (1 - weight) * step.error + weight * (target - acceptance)
    fresh = count**-0.75
    log_size = _log_size(StepSize(count, step.anchor, error, step.log_average))
    log_average = fresh * log_size + (1 - fresh) * step.log_average
    return StepSize(count, step.anchor, error, log_average)


def _log_size(step: StepSize) -> StepSizes:
    """Return the log of the step size to try next, which is neither zero nor endless."""
    log_size = step.anchor - jnp.sqrt(step.count) / 0.05 * step.error
    return jnp.clip(log_size, np.log(LEAST), np.log(MOST))


def heard(
    idle: Int[Array, "*block chain"], acceptance: Array, log_density: Array, done: Array, dim: int
) -> tuple[Int[Array, "*block chain"], Bool[Array, "*block chain"], Bool[Array, " chain"]]:
    """Count for how long chains have been idle; tell who teaches the step sizes and who the metric.

    A chain has no say in a step size once it was idle for `PATIENCE`, nor in the metric then or
    where it is lost beside the best of those that have. Where none would have a say, all do.
    """
    before = idle < PATIENCE
    active = before.reshape(-1, before.shape[-1]).any(0)
    active = active | ~active.any()
    far = lost(log_density, jnp.where(active, log_density, -jnp.inf).max(), dim)
    longer = jnp.where(acceptance > ACCEPTS, jnp.where(far, idle + 1, 0), idle + STILL)
    idle = jnp.where(done, jnp.minimum(longer, PATIENCE), idle).astype(idle.dtype)
    teaches = idle < PATIENCE
    metric = teaches.reshape(-1, teaches.shape[-1]).any(0) & ~far
    return idle, teaches | ~teaches.any(-1, keepdims=True), metric | ~metric.any()


def update(
    kernel: Kernel,
    ends: tuple[int, ...],
    adaptation: Adaptation,
    tuning: Tuning,
    draws: Point,
    info: Info,
) -> tuple[Adaptation, Tuning, Bool[Array, ""]]:
    """Learn from the chains that completed a draw; tell whether the metric changed.

    `draws` and `info` hold all chains, last axis.
    """
    done, (dim, chains) = info.done, draws.position.shape
    idle, teaches, shown = heard(adaptation.idle, info.acceptance, draws.log_density, done, dim)
    told = teaches & done
    count = told.sum(-1)
    fine = told & jnp.isfinite(info.acceptance)
    acceptance = jnp.where(fine, info.acceptance, 0.0).sum(-1) / jnp.maximum(count, 1)
    step = average(adaptation.step, acceptance, jnp.asarray(kernel.target_acceptance), chains)
    step = jax.tree.map(lambda new, old: jnp.where(count > 0, new, old), step, adaptation.step)
    moments = kernel.metric.absorb(adaptation.moments, draws.position, draws.gradient, done & shown)
    drawn = adaptation.drawn + (done & shown).sum(dtype=jnp.int32)
    # Windows close at totals over all chains. Those without a say give no draws: the total is less
    # by their share.
    bounds = jnp.array([*ends, jnp.iinfo(jnp.int32).max], jnp.int32)
    bound = bounds[jnp.minimum(adaptation.window, len(ends))]
    closing = drawn >= bound * (shown.sum() / chains)

    def stay():
        return step, moments, Tuning(jnp.exp(_log_size(step)), tuning.scale), adaptation.window

    def close():
        scale = kernel.metric.estimate(moments, kernel.uses_gradient)
        empty = kernel.metric.empty(draws.position.shape[0], draws.position.dtype)
        size = jnp.exp(step.log_average)
        new = restart_step(size), empty, Tuning(size, scale), adaptation.window + 1
        return select(closing, new, stay())  # many fits' windows close at different draws

    step, moments, tuning, window = jax.lax.cond(anywhere(closing), close, stay)
    return Adaptation(step, moments, drawn, window, idle), tuning, closing


@compiled(ONCE)
def finish(adaptation: Adaptation, tuning: Tuning) -> Tuning:
    """Return the tuning to keep: the averaged step size with the last metric."""
    return Tuning(jnp.exp(adaptation.step.log_average), tuning.scale)
