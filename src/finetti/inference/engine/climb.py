"""Climb to a density's modes by values alone, and say how wide each is, in few dimensions.

Newton's method with slopes and curvatures by differences, whose steps keep to the curvature's own
scale. What is sought is where to propose from, so a mode is reached when the next step would gain
a hundredth of a nat.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np

from finetti.types import Float

Look = Callable[[np.ndarray], np.ndarray]  # log densities of positions (point, dim)

STEPS = 40
LONGEST = 2.0  # of a step, on the unconstrained scale
SHARES = np.array([1.0, 0.5, 0.2, 0.05, 0.01])  # of a step that are tried
FEWER = SHARES[:4]  # where evaluations are dear
APART = 0.05  # of differences, on the curvature's scale
GAINED = 0.01  # nats
WIDEST = 5.0  # a standard deviation, where the density hardly bends
FLAT = 1e-3  # of a curvature beside the steepest, each coordinate on its own scale


class Mode(NamedTuple):
    """Hold a mode: where, how high, and the covariance that its curvature tells."""

    position: Float[np.ndarray, " dim"]
    value: float
    covariance: Float[np.ndarray, "dim dim"]

    @property
    def evidence(self) -> float:
        """Return the log of the mass about it, up to a constant."""
        return self.value + 0.5 * float(np.linalg.slogdet(self.covariance)[1])


Climb = Generator[np.ndarray, np.ndarray, Mode]


def modes(look: Look, starts: Float[np.ndarray, "start dim"], untried: float = 0.0) -> list[Mode]:
    """Return the modes reached from the starts, highest first, each once.

    All climb at once, so that what they look at is evaluated together. A step that gains less than
    `untried` nats is the last, and made without a look.
    """
    climbs = [climb(start, untried) for start in starts]
    places, reached = [next(each) for each in climbs], []
    while climbs:
        values = np.split(look(np.concatenate(places)), np.cumsum([len(a) for a in places])[:-1])
        going, climbs, places = climbs, [], []
        for each, seen in zip(going, values, strict=True):
            try:
                places.append(each.send(seen))
                climbs.append(each)
            except StopIteration as end:
                reached.append(end.value)
    found = sorted(reached, key=lambda mode: -mode.value)
    kept: list[Mode] = []
    for mode in found:
        if not any(_near(mode, other) for other in kept):
            kept.append(mode)
    return kept


def _near(mode: Mode, other: Mode) -> bool:
    """Tell whether a mode is within a standard deviation of another."""
    gap = mode.position - other.position
    return float(gap @ np.linalg.solve(other.covariance, gap)) < 1.0


def climb(start: Float[np.ndarray, " dim"], untried: float = 0.0) -> Climb:
    """Yield positions, be sent the values there, and return the mode or how far it came."""
    position, scale = start, np.full(len(start), 0.5)
    for _ in range(STEPS):
        value, slope, curvature = yield from differences(position, APART * scale)
        step, covariance = _step(slope, curvature, scale)
        mode = Mode(position, value, covariance)
        # What the step would gain, were the density normal.
        gain = 0.5 * float(slope @ step)
        if gain < untried:
            return Mode(position + step, value + gain, covariance)
        if gain < GAINED:
            return mode
        step = step * min(1.0, LONGEST / np.abs(step).max())
        tried = position + (FEWER if untried else SHARES)[:, None] * step
        values = yield tried
        best = int(np.argmax(values))
        scale = np.minimum(np.sqrt(np.diag(covariance)), 0.5)
        if not values[best] > value:
            # No share of the step gains: the differences were too wide to tell the slope.
            if np.all(scale * APART < 1e-6):
                break
            scale = scale * 0.1
            continue
        position = tried[best]
    return mode


def asked(dim: int) -> int:
    """Return how many positions a step's differences take.

    >>> asked(1), asked(3)
    (3, 10)
    """
    return 1 + 2 * dim + dim * (dim - 1) // 2


def differences(
    position: np.ndarray, gaps: np.ndarray
) -> Generator[np.ndarray, np.ndarray, tuple[float, np.ndarray, np.ndarray]]:
    """Return a density's log, its slope and minus its second derivatives, by differences."""
    dim = len(position)
    moves, pairs = np.diag(gaps), [(i, j) for i in range(dim) for j in range(i)]
    both = [moves[i] + moves[j] for i, j in pairs]
    shifts = np.concatenate([np.zeros((1, dim)), moves, -moves, np.reshape(both, (-1, dim))])
    values = yield position + shifts
    here, above, below = values[0], values[1 : dim + 1], values[dim + 1 : 2 * dim + 1]
    slope = (above - below) / (2 * gaps)
    curvature = np.diag((2 * here - above - below) / gaps**2)
    for (i, j), value in zip(pairs, values[2 * dim + 1 :], strict=True):
        bent = -(value - above[i] - above[j] + here) / (gaps[i] * gaps[j])
        curvature[i, j] = curvature[j, i] = bent
    fine = np.isfinite(slope).all() and np.isfinite(curvature).all()
    if not fine:  # an edge: go by what slopes there are, a short way
        slope = np.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)
        curvature = np.diag(1 / gaps**2)
    return float(here), slope, curvature


def _step(
    slope: np.ndarray, curvature: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Newton's step uphill and the covariance; directions that bend the wrong way turned."""
    bends = np.abs(np.diag(curvature))
    sizes = np.where(bends > WIDEST**-2, 1 / np.sqrt(np.maximum(bends, WIDEST**-2)), WIDEST)
    roots, vectors = np.linalg.eigh(curvature * np.outer(sizes, sizes))
    roots = np.maximum(np.abs(roots), FLAT)
    turned = sizes[:, None] * vectors
    covariance = (turned / roots) @ turned.T
    return covariance @ slope, covariance
