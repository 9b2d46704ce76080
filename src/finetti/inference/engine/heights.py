"""Evaluate a density at many positions, so many side by side as there is room for."""

from __future__ import annotations

import jax
import numpy as np

from finetti.compiling import BY_SIZE, compiled
from finetti.inference.engine.batch import Own, by_fit, joined
from finetti.inference.engine.climb import Look
from finetti.inference.engine.price import equations, evaluated, numbers
from finetti.inference.engine.threads import by_threads, divisible
from finetti.inference.stopping import asked_to_stop
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import Array

TOGETHER = 4, 512  # points that are evaluated side by side: at least, and at most
ROOM = 5_000_000  # numbers that they may take, or, where that is more,
EACH = 4_000  # for each equation: numpy takes as long to begin one as for a thousand numbers
CALLS = 100  # about as many as a fit makes


def together(target: Target, given: Given) -> int:
    """Return how many positions to evaluate side by side."""
    if not target.layout.dim:
        return 1
    room = max(ROOM, EACH * equations(target, given))
    return int(np.clip(room // numbers(target, given), *TOGETHER))


def looking(target: Target, given: Given, own: Own) -> Look:
    """Return the function that evaluates positions: minus infinity for NaN and infinity.

    It raises `KeyboardInterrupt` where it is asked to stop.
    """
    apart = divisible(target, given)
    size = 1 if apart else together(target, given)

    def some_of(positions: np.ndarray) -> np.ndarray:
        if asked_to_stop():
            raise KeyboardInterrupt
        filled = np.concatenate([positions, np.repeat(positions[-1:], size - len(positions), 0)])
        return np.asarray(heights_at(target, given, own, filled[None]))[0][: len(positions)]

    def look(positions: np.ndarray) -> np.ndarray:
        pieces = np.split(positions, range(size, len(positions), size))
        values = np.concatenate(
            by_threads(some_of, pieces) if apart else list(map(some_of, pieces))
        )
        return np.where(np.isnan(values) | (values == np.inf), -np.inf, values)

    return look


@compiled(BY_SIZE, "target", evaluations=lambda *args: (args[-1].shape[1], 1), calls=CALLS)
def heights_at(target: Target, shared: Given, own: Own, positions: Array) -> Array:
    """Return the log density at positions, (fit, point, dim)."""

    def of_fit(own: Own, positions: Array) -> Array:
        return jax.vmap(evaluated(target, joined(shared, own)))(positions)

    return by_fit(of_fit)(own, positions)
