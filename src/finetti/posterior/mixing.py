"""Compute effective sample sizes and R-hat of many numbers at once, from their chains."""

from __future__ import annotations

import numpy as np
from scipy.fft import next_fast_len

DIRECT = 16  # lags, up to which sums of products are faster than a Fourier transform
CACHED = 16  # rows of which the products are taken together
RESOLUTION = np.finfo(float).resolution  # of what varies


def halves(draws: np.ndarray) -> np.ndarray:
    """Split each chain in two, leaving out the middle draw of an odd number.

    Shape (row, chain, draw) becomes (row, 2 * chain, draw // 2).
    """
    rows, chains, count = draws.shape
    if count % 2 == 0:
        return draws.reshape(rows, 2 * chains, count // 2)
    parts = draws[..., : count // 2], draws[..., count // 2 + 1 :]
    return np.concatenate(parts, axis=1)


def rhat(series: np.ndarray) -> np.ndarray:
    """Return R-hat of series of shape (row, chain, draw), shape (row,).

    The square root of the variance of all draws over that within the chains, both estimated
    (Vehtari et al. 2021, equations 1 to 4). The mean of all draws is zero.
    """
    draws = series.shape[2]
    means = series.mean(2)
    squares = np.vecdot(series, series)
    within = squares - draws * means**2
    stuck = (within < 1e-3 * squares).any(1)  # there rounding would tell
    centred = series[stuck] - means[stuck][:, :, None]
    within[stuck] = np.vecdot(centred, centred)
    between = draws * means.var(1, ddof=1)
    return np.sqrt((between / (within / (draws - 1)).mean(1) + draws - 1) / draws)


def ess(series: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the effective sample sizes of series of shape (row, chain, draw), shape (row,).

    The sum of the autocorrelations stops by Geyer's initial monotone sequence (Vehtari et al.
    2021, equations 10 to 13). Series are of numbers whose mean is about zero next to their range,
    or of truths. `spread` is the range of each row: what does not vary counts each draw.
    """
    rows, chains, draws = series.shape
    times, left = np.empty(rows), np.arange(rows)
    whole = max((draws - 1) // 2, 1)
    # Most autocorrelations die out soon: more lags are computed of those that do not.
    for most in sorted({min(n, whole) for n in (DIRECT // 4, DIRECT // 2, 1 + draws // 8, whole)}):
        if not left.size:
            break
        pairs, even = _correlations(series if len(left) == rows else series[left], most)
        ended = ~(pairs > 0)
        found = ended.any(1) | (most == whole)
        times[left] = _time(pairs, even, np.where(ended.any(1), ended.argmax(1), most - 1))
        left = left[~found]
    # Draws that alternate are worth more than independent ones, but no more than Stan allows.
    size = chains * draws
    return np.where(spread < RESOLUTION, size, size / np.maximum(times, 1 / np.log10(size)))


def _time(pairs: np.ndarray, even: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the integrated autocorrelation times, by the pair at which each row stops.

    `pairs` are sums of the autocorrelations at an even lag and the next, shape (row, pair).
    """
    falling = np.minimum.accumulate(pairs, axis=1)
    total = np.where(np.arange(pairs.shape[1]) < stop[:, None], falling, 0).sum(1)
    at = np.arange(len(stop)), stop
    last = np.where((pairs[at] >= 0) | (even[at] > 0), even[at], 0)
    return np.where(np.isnan(pairs[:, 0]), np.nan, 2 * total + last - 1)


def _correlations(series: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the first pairs of autocorrelations, and the even ones: (row, pair)."""
    draws = series.shape[2]
    lags = 2 * most
    covariance, means = (_products if lags <= DIRECT else _waves)(series, lags)
    variance = covariance[:, :1] * (draws / (draws - 1))
    total = variance * (draws - 1) / draws + means.var(1, ddof=1, keepdims=True)
    rho = 1 - (variance - covariance) / total
    rho[:, 0] = 1
    return rho[:, ::2] + rho[:, 1::2], rho[:, ::2]


def _products(series: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Return autocovariances, means over the chains, by sums of products, and chains' means.

    The products are of the draws themselves: what their means add is taken off the sums.
    """
    rows, chains, draws = series.shape
    sums = np.empty((rows, lags))
    if series.dtype == bool:
        words = _packed(series)
        means = np.bitwise_count(words).sum(2) / draws
        for lag in range(lags):
            both = np.bitwise_count(words & _later(words, lag))
            sums[:, lag] = both.reshape(rows, -1).sum(1)
    else:
        means = series.sum(2) / draws
        for start in range(0, rows, CACHED):
            part = series[start : start + CACHED]
            for lag in range(lags):
                found = np.vecdot(part[..., : draws - lag], part[..., lag:])
                sums[start : start + CACHED, lag] = found.sum(1)
    edges = np.zeros((rows, chains, lags))
    edges[..., 1:] = series[..., : lags - 1]
    edges[..., 1:] += series[..., : draws - lags : -1]
    mean = means[:, :, None]
    # With S the sum of all and m the mean, the sum of (x_t - m)(x_(t+l) - m) is that of x_t x_(t+l)
    # less m (2 S - what the lag leaves out at both ends) and with (n - l) m^2 added.
    off = mean * (2 * draws * mean - np.cumsum(edges, axis=2)) - (draws - np.arange(lags)) * mean**2
    return (sums - off.sum(1)) / (chains * draws), means


def _packed(chosen: np.ndarray) -> np.ndarray:
    """Pack the bits of each chain in words of 64, the first in the lowest bit."""
    packed = np.packbits(chosen, axis=2, bitorder="little")
    spare = -packed.shape[2] % 8
    return np.pad(packed, ((0, 0), (0, 0), (0, spare))).view("<u8")


def _later(words: np.ndarray, lag: int) -> np.ndarray:
    """Return packed bits, those `lag` later in the place of each."""
    if lag == 0:
        return words
    later = words >> np.uint64(lag)
    later[..., :-1] |= words[..., 1:] << np.uint64(64 - lag)
    return later


def _waves(series: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Return autocovariances, means over the chains, by Fourier transforms, and chains' means."""
    chains, draws = series.shape[1:]
    means = series.mean(2)
    length = next_fast_len(draws + lags, real=True)
    waves = np.fft.rfft(series - means[:, :, None], length)
    power = np.square(waves.real).sum(1) + np.square(waves.imag).sum(1)
    return np.fft.irfft(power, length)[:, :lags] / (chains * draws), means
