"""Make the steps of a kernel whose proposals depend on nothing but noise.

They are evaluated side by side before any is taken; which are taken is then told step by step, by
numbers alone. So nothing that knows the model is compiled into a loop.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.engine.heights import looking
from finetti.inference.engine.mixture import log_density
from finetti.inference.engine.start import DTYPE
from finetti.inference.engine.sweep import Carry, Course, Orders, Record, noise_of, to_numpy
from finetti.kernels.independence import Component, Independence, propose
from finetti.kernels.kernel import Info, Point, Standing
from finetti.kernels.polynomial import Polynomial
from finetti.types import Array, Key, Value


def sweep_ahead(course: Course, orders: Orders, carry: Carry) -> tuple[Carry, Record, int]:
    """Make as many steps of all chains as the course has room for, or as are wanted.

    It returns what `sweep.sweep` does; `orders.limit` is not asked, since a call's room is small.
    """
    kernel = course.kernel
    assert isinstance(kernel, Independence), "no other kernel's proposals are noise alone"
    scale = np.asarray(carry.tuning.scale)[..., 0]
    mixture, polynomial = kernel.metric.parts(scale)
    here = to_numpy(carry.states.draw)
    dim, first = len(here.position), np.int32(carry.steps)
    positions, log_uniforms = map(
        np.asarray,
        proposals(kernel, course.capacity, dim, orders.keys, orders.phase, first, mixture),
    )
    made = min(course.capacity, int(orders.wanted) - int(np.min(carry.counts)))
    positions = positions[:made]
    proposed = _heights(course, orders, here, positions, np.asarray(polynomial))
    heights = np.concatenate([here.log_density[None], proposed])
    every = np.concatenate([here.position[None], positions])  # (1 + step, dim, chain)
    under = log_density(mixture, _flat(every)).reshape(heights.shape)
    ratios, taken = settled(heights - under, log_uniforms[:made])
    position = np.take_along_axis(every, taken[:, None], 0)
    height = np.take_along_axis(heights, taken, 0)
    told: Any = {
        "done": np.ones(taken.shape, bool),
        "acceptance": np.exp(np.minimum(ratios, 0.0)),
        "diverging": np.zeros(taken.shape, bool),
        "energy": -height,
        "depth": np.zeros(taken.shape, np.int32),
        "gradients": np.ones(taken.shape, np.int32),
    }
    size = np.asarray(carry.tuning.step_size)
    sizes: Any = np.broadcast_to(size, (made, *size.shape))
    recorded: Any = position, height, sizes, Info(**told)
    last: Any = position[-1], height[-1], here.gradient
    record, states = Record(*recorded), Standing(Point(*last))
    counts = np.asarray(carry.counts) + np.int32(made)
    steps = np.int32(carry.steps + made)
    return carry._replace(states=states, counts=counts, steps=steps), record, made


def _heights(
    course: Course, orders: Orders, here: Point, positions: np.ndarray, polynomial: np.ndarray
) -> np.ndarray:
    """Return the log density at proposals, (step, chain): of no dimension there is but one.

    Where a polynomial stands for it, it is asked.
    """
    steps, dim, chains = positions.shape
    if not dim:
        return np.broadcast_to(here.log_density, (steps, chains))
    assert orders.own is not None
    look = Polynomial.unpacked(polynomial) if len(polynomial) else None
    look = look or looking(course.target, orders.shared, orders.own)
    return look(_flat(positions)).reshape(steps, chains)


def _flat(positions: np.ndarray) -> np.ndarray:
    """Return positions one after another, (point, dim)."""
    steps, dim, chains = positions.shape
    return np.moveaxis(positions, 1, 2).reshape(steps * chains, dim)


def settled(worth: np.ndarray, log_uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell each proposal's log ratio to where its chain stands, and which proposal that then is.

    `worth`, (1 + step, chain), has the log importance weights, first where the chains stand; the
    others are taken with probability min(1, ratio), as `kernel.settle` does.
    """
    ratios, taken = np.empty(log_uniforms.shape), np.empty(log_uniforms.shape, int)
    for chain, (first, *rest) in enumerate(worth.T.tolist()):
        best, place = first, 0
        found = []
        for step, (ahead, bar) in enumerate(
            zip(rest, log_uniforms[:, chain].tolist(), strict=True)
        ):
            ratio = ahead - best if ahead == ahead else -np.inf
            if bar < ratio:
                best, place = ahead, step + 1
            found.append((ratio, place))
        ratios[:, chain], taken[:, chain] = zip(*found, strict=True)
    return np.nan_to_num(ratios, nan=-np.inf, posinf=np.inf, neginf=-np.inf), taken


@compiled(ONCE, "kernel", "count", "dim", calls=20)
def proposals(  # noqa: PLR0913 - a program takes arrays one by one
    kernel: Independence,
    count: int,
    dim: int,
    keys: Key,
    phase: Value,
    first: Value,
    mixture: Component,
) -> tuple[Array, Array]:
    """Return what chains propose in so many steps, (step, dim, chain), and log uniforms."""
    noise = noise_of(kernel, count, dim, DTYPE, keys, phase, first)
    proposed = partial(propose, mixture)
    return jax.vmap(jax.vmap(proposed, -1, -1))(noise), noise.log_uniform
