"""Find several modes: valleys between the draws, labels that switch, and mirror images.

A scalar has several modes where the density of its draws falls to less than a third between two
heights that hold clearly more draws, with a twentieth of them beyond each, and what is left once
the sides' means are taken off mixes well: so a slow walk is not taken for one. Of 5000 runs of 200
independent draws each, none was taken for bimodal that was normal, uniform, exponential, lognormal
or Cauchy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.evidence import Evidence, label
from finetti.posterior.finding import Finding, listed

VALLEY = 1 / 3  # of the lower height beside it
SHARE = 0.05  # of the draws on each side
WITHIN = 200  # effective draws within the sides, to tell a valley from noise
CLEAR = 3.0  # four standard deviations of a difference of roots of counts
SAME_SIDE = 0.99  # of a chain's draws, for a chain that stays


def several(run: Evidence) -> Finding | None:
    """Find scalars with several modes, and say whether they are labels or signs that switch."""
    sides = {name: s for name, x in run.scalars.items() if (s := split(x)) is not None}
    if not sides:
        return None
    switching = _switching(run, sides)
    if switching:
        return Finding(
            "label switching",
            switching,
            f"The members of {listed(switching)} change places: each has several modes, and put in "
            f"order within a draw they have one. The model says the same whatever they are called. "
            f"Order them (say a first value and positive steps, or ft.TransformedDistribution with "
            f"an OrderedTransform), or read only what does not depend on labels.",
        )
    mirrored = [name for name in sides if _mirrored(run.scalars[name], sides[name])]
    if len(mirrored) >= 2:
        return Finding(
            "mirror images",
            tuple(mirrored),
            f"{listed(mirrored)} have two modes that differ in sign alone: the model says the same "
            f"when they change sign together. Give one of them a positive prior, such as "
            f"ft.HalfNormal(1).",
        )
    stays = [_stays(s) for s in sides.values()]
    if all(stays):
        worst = max(sides, key=run.rhat)
        places = [f"{x.mean():.3g}" for x in run.scalars[worst]]
        return Finding(
            "chains at different modes",
            tuple(sides),
            f"The chains sit at different modes of {listed(sides)} and none crosses (the chains' "
            f"means of {worst} are {', '.join(places)}): how much weight each mode deserves is not "
            f"known. Start at the mode you mean by init=, give priors that rule the others out, or "
            f"look for parameters that can stand in for each other.",
        )
    name = max(sides, key=lambda n: _crossings(sides[n]) * (not _stays(sides[n])))
    return Finding(
        "several modes",
        tuple(sides),
        f"The posterior of {listed(sides)} has several modes, between which the chains crossed "
        f"{_crossings(sides[name])} times: its mean and standard deviation describe none of them. "
        f"Look at the draws, report each mode, and take more draws until every chain has crossed "
        f"many times; if one of them makes no sense, say so by the priors.",
    )


def split(draws: np.ndarray) -> np.ndarray | None:
    """Return which mode each draw lies at, shape (chain, draw); None where there is one mode."""
    effective = float(draws.size)
    for _ in range(2):  # as if the draws were independent, then for as many as they are worth
        cuts = sorted(_valleys(draws.ravel(), effective))
        if not cuts or effective < WITHIN:
            return None
        sides = np.digitize(draws, cuts)
        rest = np.empty_like(draws)
        for side in range(len(cuts) + 1):
            at = sides == side
            spread = draws[at].std()
            rest[at] = (draws[at] - draws[at].mean()) / (spread if spread > 0 else 1)
        found = diagnose.ess(rest)
        effective = min(found, float(draws.size)) if np.isfinite(found) else 0.0
    return sides if effective >= WITHIN else None


def _valleys(
    x: np.ndarray, effective: float, depth: int = 0, total: int | None = None
) -> list[float]:
    """Return where the density of some draws has deep valleys: the deepest, then on each side."""
    total = total or x.size
    if x.size < 2 * SHARE * total or depth > 3:
        return []
    low, high = np.quantile(x, [0.005, 0.995])
    inner = x[(x >= low) & (x <= high)]
    width = min(inner.std(), np.subtract(*np.quantile(inner, [0.75, 0.25])) / 1.34 or np.inf)
    told_apart = high - low > 1e-9 * max(abs(low), abs(high))
    if not (np.isfinite(width) and width > 0 and told_apart):
        return []
    # Silverman's bandwidth for as many effective draws as are asked for, reflected at the ends
    bandwidth = 0.9 * width * min(inner.size, WITHIN) ** -0.2
    cells = int(np.clip((high - low) / bandwidth * 8, 64, 4096))
    counts, edges = np.histogram(inner, cells, (low, high))
    density = _smooth(counts, bandwidth / (edges[1] - edges[0]))
    density = np.maximum(density, 1e-9 * density.max())
    left, right = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    mass = np.cumsum(counts) / total
    allowed = (mass >= SHARE) & (mass[-1] - mass >= SHARE)
    beside = np.minimum(left, right)
    # effective draws in a kernel; the root of a count has a standard deviation of 1/2
    held = 2 * np.sqrt(np.pi) * bandwidth / (edges[1] - edges[0]) * effective / total
    allowed &= np.sqrt(held * beside) - np.sqrt(held * density) > CLEAR
    ratio = np.where(allowed, density / beside, 1.0)
    if ratio.min() >= VALLEY:
        return []
    lowest = np.flatnonzero(ratio <= ratio.min() * (1 + 1e-9))
    place = int(lowest[len(lowest) // 2])
    cut = float(edges[place] + edges[place + 1]) / 2
    below, above = x[x <= cut], x[x > cut]
    return [
        cut,
        *_valleys(below, effective, depth + 1, total),
        *_valleys(above, effective, depth + 1, total),
    ]


def _smooth(counts: np.ndarray, bandwidth: float) -> np.ndarray:
    """Smooth a histogram by a Gaussian, its mass reflected at both ends."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(counts.astype(float), bandwidth, mode="reflect")


def _stays(sides: np.ndarray) -> bool:
    """Tell whether every chain stays on one side, and they are not all on the same."""
    shares = np.stack([(sides == s).mean(1) for s in np.unique(sides)])
    return bool((shares.max(0) >= SAME_SIDE).all() and len(set(shares.argmax(0))) > 1)


def _crossings(sides: np.ndarray) -> int:
    return int((np.diff(sides, axis=1) != 0).sum())


def _mirrored(draws: np.ndarray, sides: np.ndarray) -> bool:
    """Tell whether a scalar's modes are mirror images: one mode once the sign is dropped."""
    means = [draws[sides == s].mean() for s in np.unique(sides)]
    same = abs(means[0] + means[-1]) < 0.1 * (means[-1] - means[0])
    return bool(same and split(np.abs(draws)) is None)


def _switching(run: Evidence, sides: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Name the sites whose members have one mode each once they are put in order."""
    found: dict[str, None] = {}
    for name, row in _rows(run):
        flagged = [member for member in row if member in sides]
        if len(flagged) < 2:
            continue
        ordered = np.sort(np.stack([run.scalars[m] for m in row]), 0)
        if all(split(x) is None for x in ordered):
            found[name] = None
    if found:
        return tuple(found)
    return tuple(_pair(run, [n for n in sides if n in run.continuous]))


def _rows(run: Evidence) -> Iterator[tuple[str, list[str]]]:
    """Yield a site's name and the labels of its members along each of its dimensions in turn."""
    for name, values in run.continuous.items():
        shape = values.shape[2:]
        for axis, size in enumerate(shape):
            if not 2 <= size <= 20:
                continue
            for index in np.ndindex(*shape[:axis], 1, *shape[axis + 1 :]):
                row = [
                    label(values, name, (*index[:axis], i, *index[axis + 1 :])) for i in range(size)
                ]
                if all(member in run.scalars for member in row):
                    yield name, row


def _pair(run: Evidence, names: list[str]) -> tuple[str, ...]:
    """Name two scalar sites, such as mu1 and mu2, that change places."""
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            a, b = run.scalars[first], run.scalars[second]
            means = np.sort([[x[s].mean() for s in _outer(x)] for x in (a, b)], 1)
            if np.ptp(means, 0).max() > 0.2 * np.ptp(means):
                continue
            if all(split(x) is None for x in np.sort(np.stack([a, b]), 0)):
                return first, second
    return ()


def _outer(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sides = split(draws)
    assert sides is not None
    return sides == sides.min(), sides == sides.max()
