"""Learn a kernel's tuning from all chains together while they warm up.

The step size follows dual averaging (Hoffman & Gelman 2014, section 3.2); the metric is
estimated from the draws and gradients of windows that double in length. All chains share one
tuning, so a window of n draws a chain holds n times as many as a chain alone would see.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.kernels.kernel import Info, Kernel, Point, Tuning
from finetti.kernels.metric import Moments
from finetti.types import Array, Bool, DType, Float, Int

FIRST_WINDOW = 10  # draws a chain before the first metric
FINAL_SHARE = 0.1  # of warm-up spent on the step size alone, at least FINAL_LEAST draws
FINAL_LEAST = 50


StepSizes = Float[Array, "*block"]  # one, or one for each block of coordinates


class StepSize(NamedTuple):
    """Hold the dual averages of the log step size, or of each block's."""

    count: StepSizes
    anchor: StepSizes
    error: StepSizes
    log_average: StepSizes


class Adaptation(NamedTuple):
    """Hold what the chains have taught so far."""

    step: StepSize
    moments: Moments
    drawn: Int[Array, ""]
    window: Int[Array, ""]


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


def begin(kernel: Kernel, dim: int, step_size: Any, dtype: DType) -> tuple[Tuning, Adaptation]:
    """Return the tuning and the adaptation before the first draw."""
    scale = kernel.metric.identity(dim, dtype)
    moments = kernel.metric.empty(dim, dtype)
    sizes = jnp.full(np.shape(kernel.target_acceptance), step_size, dtype)
    none = jnp.zeros((), jnp.int32)
    return Tuning(sizes, scale), Adaptation(restart_step(sizes), moments, none, none)


def restart_step(step_size: StepSizes) -> StepSize:
    """Start dual averaging afresh around ten times a step size."""
    zero = jnp.zeros_like(step_size)
    return StepSize(zero, jnp.log(10 * step_size), zero, jnp.log(step_size))


def average(step: StepSize, acceptance: StepSizes, target: Any) -> StepSize:
    """Move the dual averages by one observed acceptance probability."""
    count = step.count + 1
    weight = 1 / (count + 10)
    error = (1 - weight) * step.error + weight * (target - acceptance)
    log_size = step.anchor - jnp.sqrt(count) / 0.05 * error
    fresh = count**-0.75
    log_average = fresh * log_size + (1 - fresh) * step.log_average
    return StepSize(count, step.anchor, error, log_average)


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
    done = info.done
    count = jnp.maximum(done.sum(), 1)
    acceptance = jnp.where(done, info.acceptance, 0.0).sum(-1) / count
    step = average(adaptation.step, acceptance, jnp.asarray(kernel.target_acceptance))
    moments = kernel.metric.absorb(adaptation.moments, draws.position, draws.gradient, done)
    drawn = adaptation.drawn + done.sum(dtype=jnp.int32)
    bounds = jnp.array([*ends, jnp.iinfo(jnp.int32).max], jnp.int32)
    closing = drawn >= bounds[jnp.minimum(adaptation.window, len(ends))]

    def close(_):
        scale = kernel.metric.estimate(moments, kernel.uses_gradient)
        empty = kernel.metric.empty(draws.position.shape[0], draws.position.dtype)
        size = jnp.exp(step.log_average)
        return restart_step(size), empty, Tuning(size, scale), adaptation.window + 1

    def stay(_):
        log_size = step.anchor - jnp.sqrt(step.count) / 0.05 * step.error
        return step, moments, Tuning(jnp.exp(log_size), tuning.scale), adaptation.window

    step, moments, tuning, window = jax.lax.cond(closing, close, stay, None)
    return Adaptation(step, moments, drawn, window), tuning, closing


def finish(adaptation: Adaptation, tuning: Tuning) -> Tuning:
    """Return the tuning to keep: the averaged step size with the last metric."""
    return Tuning(jnp.exp(adaptation.step.log_average), tuning.scale)
