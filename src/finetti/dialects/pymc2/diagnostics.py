"""Diagnose chains as PyMC2 does: Geweke's scores, Raftery and Lewis' run lengths, and more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike


def geweke(x: Any, first: float | int = 0.1, last: float = 0.5, intervals: int = 20) -> Any:
    """Return z-scores of the means of early parts of a chain against its last part.

    Each row is the start of an early part, of `first` of what is left from there, and the
    difference of its mean from that of the `last` share, over its standard error by the spectral
    density at zero (Geweke 1992). `x` is a chain, or anything with traces: then a dict.
    """
    if not isinstance(x, np.ndarray | list):
        return _each(x, lambda draws: geweke(draws, first, last, intervals))
    if first + last >= 1:
        raise ValueError(f"first + last must be below 1, not {first + last}")
    x = np.asarray(x, float)
    end = len(x) - 1
    late = x[int((1 - last) * len(x)) :]
    scores = []
    for start in np.linspace(0, end // 2, intervals).astype(int):
        early = x[start : start + max(int(first * (end - start)), 2)]
        error = np.sqrt(_variance_of_mean(early) + _variance_of_mean(late))
        scores.append([start, (early.mean() - late.mean()) / error])
    return scores


def _variance_of_mean(x: np.ndarray) -> float:
    """Return the variance of a mean of dependent draws, by Geyer's initial positive sequence."""
    x = x - x.mean()
    size = len(x)
    spectrum = np.abs(np.fft.rfft(x, 2 * size)) ** 2
    covariance = np.fft.irfft(spectrum)[:size] / size
    if covariance[0] <= 0:
        return 0.0
    pairs = covariance[: size - size % 2].reshape(-1, 2).sum(1)
    negative = np.flatnonzero(pairs <= 0)
    pairs = pairs[: negative[0]] if len(negative) else pairs
    return float(max(2 * pairs.sum() - covariance[0], covariance[0]) / size)


class RunLength(NamedTuple):
    """Hold how long a chain must be to estimate a quantile's probability.

    `nmin` would do if draws were independent; `kthin` makes the thinned chain of indicators a
    Markov chain, `nburn` forgets the start, `nprec` reaches the precision, and `kind` thins to
    independence.
    """

    nmin: int
    kthin: int
    nburn: int
    nprec: int
    kind: int


def raftery_lewis(
    x: Any,
    q: float | int,
    r: float,
    s: float | int = 0.95,
    epsilon: float = 0.001,
    verbose: int = 1,
) -> Any:
    """Return the run length that estimates P(x < its q-quantile) within r, with probability s.

    Raftery & Lewis 1992. `x` is a chain, or anything with traces: then a dict.
    """
    from scipy.stats import norm

    if not isinstance(x, np.ndarray | list):
        return _each(x, lambda draws: raftery_lewis(draws, q, r, s, epsilon, verbose))
    x = np.asarray(x, float)
    size = (norm.ppf((1 + s) / 2) / r) ** 2
    nmin = int(np.ceil(q * (1 - q) * size))
    below = (x <= np.quantile(x, q)).astype(int)
    longest = max(len(below) // 10, 1)
    kthin = next((k for k in range(1, longest) if _excess(below[::k], 2) < 0), longest)
    kind = next((k for k in range(kthin, longest) if _excess(below[::k], 1) < 0), longest)
    thinned = below[::kthin]
    counts = np.zeros((2, 2))
    np.add.at(counts, (thinned[:-1], thinned[1:]), 1)
    up, down = counts[0, 1] / max(counts[0].sum(), 1), counts[1, 0] / max(counts[1].sum(), 1)
    both = up + down
    if min(up, down) == 0:
        raise ValueError("the chain hardly crosses the quantile: it is too short to say more")
    decay = np.log(abs(1 - both)) if both != 1 else -np.inf
    nburn = int(np.ceil(np.log(epsilon * both / max(up, down)) / decay)) * kthin
    nprec = int(np.ceil((2 - both) * up * down / both**3 * size)) * kthin
    found = RunLength(nmin, kthin, max(nburn, 0), nprec, kind)
    if verbose:
        print(
            f"{found.nmin} draws are needed if independent, {found.nprec} of this chain after "
            f"{found.nburn} of burn-in (thin by {found.kthin} for a Markov chain, by {found.kind} "
            f"for independence)"
        )
    return found


def _excess(z: np.ndarray, order: int) -> float:
    """Return BIC's preference for a Markov chain of an order over one of an order less."""
    size = len(z) - order
    counts = np.zeros((2,) * (order + 1))
    np.add.at(counts, tuple(z[i : i + size] for i in range(order + 1)), 1)
    whole = counts.sum(0, keepdims=True)
    before = counts.sum(-1, keepdims=True)
    middle = counts.sum((0, -1), keepdims=True)
    fitted = before * whole / np.where(middle > 0, middle, 1)
    some = counts > 0
    ratio = np.log(counts[some] / fitted[some])
    return 2 * float((counts[some] * ratio).sum()) - 2 ** (order - 1) * np.log(max(size, 2))


def gelman_rubin(x: Any) -> Any:
    """Return R-hat of chains, shape (chain, draw), or of all variables of a model."""
    from finetti.posterior import diagnose

    if isinstance(x, np.ndarray | list):
        return diagnose.rhat(np.asarray(x, float))
    found = {}
    for name in x.db.trace_names:
        chains = [x.trace(name, chain=i)[:] for i in range(x.db.chains)]
        draws = np.stack(chains)
        flat = draws.reshape(*draws.shape[:2], -1)
        rhats = [diagnose.rhat(flat[..., i]) for i in range(flat.shape[-1])]
        found[name] = np.reshape(rhats, draws.shape[2:])
    return found


def discrepancy(
    observed: ArrayLike, simulated: Any, expected: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far data, and data simulated at each draw, are from what is expected there.

    They are Freeman & Tukey's statistics (1950), the sum of (sqrt x - sqrt e)^2, one a draw each;
    the share of draws where simulated data are further is printed, a Bayesian p-value (Brooks et
    al. 2000). `simulated` and `expected` are draws, (draw, n), or nodes that have a trace.
    """
    simulated, expected = (
        np.asarray(x.trace() if hasattr(x, "trace") and not isinstance(x, np.ndarray) else x, float)
        for x in (simulated, expected)
    )
    if expected.ndim < simulated.ndim:
        expected = expected[:, None]
    found = [
        ((np.sqrt(np.asarray(x, float)) - np.sqrt(expected)) ** 2).sum(1)
        for x in (observed, simulated)
    ]
    print(f"Bayesian p-value: p={np.mean(found[1] > found[0]):.3f}")
    return found[0], found[1]


def _each(x: Any, diagnose: Callable[[np.ndarray], object]) -> dict[str, object]:
    """Apply a diagnosis to every trace of a model or variable, scalar by scalar."""
    names = x.db.trace_names if hasattr(x, "db") else [x.__name__]
    found = {}
    for name in names:
        draws = x.trace(name)[:] if hasattr(x, "db") else x.trace[:]
        flat = draws.reshape(len(draws), -1)
        each = [diagnose(flat[:, i]) for i in range(flat.shape[1])]
        found[name] = each[0] if draws.ndim == 1 else each
    return found


def dic(model: Any) -> float:
    """Return the deviance information criterion: 2 mean deviance - deviance at the mean."""
    stochastics = [n for n in model.stochastics if n.keep_trace and not n.partly_observed]
    traces = {n: n.trace[:] for n in stochastics}
    held = {n: n.value for n in stochastics}
    length = len(next(iter(traces.values())))
    picked = np.unique(np.linspace(0, length - 1, min(length, 500)).astype(int))

    def deviance() -> float:
        return -2 * sum(n.logp for n in model.observed_stochastics)

    try:
        deviances = []
        for i in picked:
            for node, draws in traces.items():
                node.value = draws[i]
            deviances.append(deviance())
        for node, draws in traces.items():
            node.value = draws.mean(0)
        return 2 * float(np.mean(deviances)) - deviance()
    finally:
        for node, value in held.items():
            node.value = value
