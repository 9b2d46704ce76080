"""Ascend to a maximum from several starts: by L-BFGS, then by Newton steps that settle it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from finetti.types import Bool, Float

POLISH = 50  # Newton steps
STEADY = 1e-8  # of a Newton step beside the position: the next is below rounding
FLAT = 1e-12  # of a curvature beside the largest, each parameter on its own scale
EDGE = 1e-7  # of a curvature on the log scale: a standard error of thousands
SAME = 1e-6  # of log densities: summits that differ by less are one

Look = Callable[[np.ndarray], tuple[float, np.ndarray]]
Bend = Callable[[np.ndarray], np.ndarray]


class Summit(NamedTuple):
    """Hold a maximum: where, how high, the negative Hessian, and how the starts fared."""

    position: Float[np.ndarray, " dim"]
    value: float
    curvature: Float[np.ndarray, "dim dim"]
    agreed: int = 1
    lost: int = 0


class Failure(NamedTuple):
    """Hold where a climb was given up and which way it was going."""

    position: Float[np.ndarray, " dim"]
    value: float
    direction: Float[np.ndarray, " dim"]


def ascend(
    look: Look,
    bend: Bend,
    starts: Float[np.ndarray, "start dim"],
    bounded: Bool[np.ndarray, " dim"],
) -> Summit | Failure:
    """Return the highest maximum reached, or the highest failure where none was.

    `bounded` marks the entries of a position that stand for values with an edge, such as logs of
    scales: a maximum at the edge, infinitely far off, is none.
    """
    found = [_polish(look, bend, _lbfgs(look, start), bounded) for start in starts]
    summits = [one for one in found if isinstance(one, Summit)]
    failures = [one for one in found if isinstance(one, Failure)]
    if not summits:
        return max(failures, key=lambda f: f.value)
    best = max(summits, key=lambda s: s.value)
    agreed = sum(s.value > best.value - SAME * (1 + abs(best.value)) for s in summits)
    return best._replace(agreed=agreed, lost=len(failures))


def _lbfgs(look: Look, start: np.ndarray) -> np.ndarray:
    """Come near a maximum by scipy's L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995)."""
    from scipy.optimize import minimize

    def depth(position: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = look(position)
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return 1e100, np.zeros_like(slope)  # no such place: the line search steps back
        return -value, -slope

    limits = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-14, "gtol": 1e-7}
    return minimize(depth, start, jac=True, method="L-BFGS-B", options=limits).x


def _polish(look: Look, bend: Bend, position: np.ndarray, bounded: np.ndarray) -> Summit | Failure:
    """Settle a maximum by Newton steps, halved until they gain."""
    value, slope = look(position)
    direction = np.zeros_like(position)
    for _ in range(POLISH):
        curvature = bend(position)
        curvature = (curvature + curvature.T) / 2
        if not np.isfinite(curvature).all() or not np.isfinite(slope).all():
            break
        bends = np.diag(curvature)
        spread = np.sqrt(np.abs(bends))
        spread[spread == 0] = 1.0
        roots, vectors = np.linalg.eigh(curvature / np.outer(spread, spread))
        # Directions that bend the wrong way are turned, so that each step goes up.
        flat = FLAT * max(np.abs(roots).max(), 1.0)
        along = (vectors.T @ (slope / spread)) / np.maximum(np.abs(roots), flat)
        step = (vectors @ along) / spread
        # The flattest direction: if no maximum is found, it is the one to name.
        direction = vectors[:, 0] / spread
        edge = bounded & (np.abs(bends) < EDGE)
        if edge.any():
            direction = edge.astype(float)
            break
        if np.all(np.abs(step) <= STEADY * (1 + np.abs(position))):
            if roots[0] > flat:
                return Summit(position, value, curvature)
            break
        for _ in range(30):
            tried, there = look(position + step)
            # close to the top rounding hides the gain
            if np.isfinite(tried) and tried >= value - 1e-13 * (1 + abs(value)):
                break
            step = step / 2
        else:
            break
        position, value, slope = position + step, tried, there
    return Failure(position, value, direction)
