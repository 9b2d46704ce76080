"""Summarise the draws of many numbers at once, as ArviZ's table does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finetti.posterior.labels import scalars
from finetti.posterior.mixing import ess, halves, rhat
from finetti.posterior.ranks import Ranked

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FEWEST = 4  # draws of a chain, to tell how well it mixes
BLOCK = 2**18  # draws that one thread holds at a time

# The C library gives the memory of large arrays back to the system as soon as they are gone, and
# asks for it again for the next; once an array of so many bytes has come and gone it keeps them.
KEPT = 31 * 2**20


@dataclass(frozen=True)
class Convention:
    """Say what share the intervals hold, and in what the versions of ArviZ differ.

    `spare` is what is taken from the number of draws in the standard deviation; `of_squares` tells
    whether the error of the standard deviation counts the effective draws of squared deviations,
    or those of the draws themselves.
    """

    share: float = 0.89
    spare: int = 1
    of_squares: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        low, high = (f"eti{int(self.share * 100)}_{end}" for end in ("lb", "ub"))
        rest = "ess_bulk", "ess_tail", "r_hat", "mcse_mean", "mcse_sd"
        return ("mean", "sd", low, high, *rest)


def tabulate(draws: xr.Dataset, convention: Convention) -> pd.DataFrame:
    """Return a row a scalar of the draws, dims (chain, draw, ...)."""
    import pandas as pd

    arrays = [array.transpose("chain", "draw", ...) for array in draws.data_vars.values()]
    rows = [row for array in arrays for row in scalars(array)]
    found = np.empty((len(convention.names), len(rows)))
    blocks = list(_blocks([_flat(array.to_numpy()) for array in arrays]))

    def fill(block: tuple[int, list[np.ndarray]]) -> None:
        start, parts = block
        numbers = _turned(parts)
        with np.errstate(all="ignore"):
            found[:, start : start + len(numbers)] = columns(numbers, convention)

    if len(blocks) > 1:
        np.empty(KEPT, np.uint8)
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, len(blocks)))) as threads:
        list(threads.map(fill, blocks))  # numpy lets go of the lock while it computes
    named = dict(zip(convention.names, found, strict=True))
    return pd.DataFrame(named, index=rows)


def columns(draws: np.ndarray, convention: Convention) -> np.ndarray:
    """Return the columns of the table for draws of shape (row, chain, draw).

    Float32 draws are compared as they are, as ArviZ compares them; what is summed is float64.
    """
    if draws.dtype != np.float32:
        draws = draws.astype(float, copy=False)
    rows, chains, count = draws.shape
    kind, wide = draws.dtype, np.add(draws, 0.0, dtype=float)  # no negative zero
    found = np.full((len(convention.names), rows), np.nan)
    halved = Ranked.of(halves(wide).reshape(rows, -1)) if count >= FEWEST else None
    whole = halved if halved and count % 2 == 0 else Ranked.of(wide.reshape(rows, -1))
    size, edge = chains * count, (1 - convention.share) / 2
    found[0] = wide.mean((1, 2))
    away = wide - found[0, :, None, None]
    variance = np.vecdot(away.reshape(rows, -1), away.reshape(rows, -1)) / size
    found[1] = np.sqrt(variance * size / (size - convention.spare))
    for i, p in enumerate((edge, 1 - edge)):
        found[2 + i] = whole.quantile(np.float64(p), kind)
    if halved:
        shares = sorted((convention.share, 1 - convention.share))
        ends = [whole.quantile(kind.type(p), kind) for p in shares]
        found[4:7], effective = _mixing(draws, away, halved, ends)
        found[7] = np.sqrt(variance * size / (size - 1) / effective)
        found[8] = _deviation_error(away, variance, None if convention.of_squares else effective)
    broken = np.flatnonzero(~np.isfinite(found[0]))
    found[:, broken[np.isnan(draws[broken]).any((1, 2))]] = np.nan
    return found


def bulk_ess(draws: np.ndarray) -> np.ndarray:
    """Return the bulk effective sample sizes of draws of shape (row, chain, draw), shape (row,)."""
    rows, _, count = draws.shape
    if count < FEWEST:
        return np.full(rows, np.nan)
    split = halves(np.add(draws, 0.0, dtype=float))
    halved = Ranked.of(split.reshape(rows, -1))
    scores = np.empty(split.shape)
    halved.scores(out=scores.reshape(rows, -1))
    found = ess(scores, halved.nth(-1) - halved.nth(0))
    found[np.isnan(draws).any((1, 2))] = np.nan
    return found


def quantile_ess(draws: np.ndarray, probability: float) -> np.ndarray:
    """Return the effective sample sizes for a quantile of draws of shape (row, chain, draw).

    Those of lying at or below it, shape (row,).
    """
    rows, _, count = draws.shape
    if count < FEWEST:
        return np.full(rows, np.nan)
    wide = np.add(draws, 0.0, dtype=float)
    end = Ranked.of(wide.reshape(rows, -1)).quantile(np.float64(probability), wide.dtype)
    found = _below(wide, [end])[0]
    found[np.isnan(wide).any((1, 2))] = np.nan
    return found


def _mixing(
    draws: np.ndarray, away: np.ndarray, halved: Ranked, ends: list[np.ndarray]
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the effective sample sizes of bulk and tail and R-hat, then that of the mean."""
    split = halves(draws)
    spread = halved.nth(-1) - halved.nth(0)
    series = np.empty((2, *split.shape))
    flat = series.reshape(2, *halved.values.shape)
    halved.scores(out=flat[0])
    series[1] = halves(away)
    bulk, mean = _each(ess, series, np.tile(spread, 2))
    tails = _below(draws, ends)
    rest = np.full(len(draws), np.nan)
    if draws.shape[1] > 1:
        middle = halved.median(draws.dtype)
        distance = np.abs(split - middle[:, None, None]).astype(float, copy=False)
        Ranked.of(distance.reshape(len(draws), -1)).scores(out=flat[1])
        whole, folded = _each(rhat, series)
        rest = _greater(whole, np.where(np.isfinite(middle), folded, np.nan))
    return (bulk, -_greater(-tails[0], -tails[1]), rest), mean


def _below(draws: np.ndarray, ends: list[np.ndarray]) -> np.ndarray:
    """Return the effective sample sizes of lying at or below each end, shape (end, row)."""
    below = np.stack([halves(draws <= end[:, None, None]) for end in ends])
    flat = below.reshape(len(ends), len(draws), -1)
    return _each(ess, below, (flat.any(2).astype(float) - flat.all(2)).reshape(-1))


def _deviation_error(
    away: np.ndarray, variance: np.ndarray, effective: np.ndarray | None
) -> np.ndarray:
    """Return the Monte Carlo standard errors of standard deviations.

    By the effective sample sizes that are given, or those of the squared deviations.
    """
    squares = np.square(away).reshape(len(away), -1)
    fourth = np.vecdot(squares, squares) / squares.shape[1]
    if effective is None:
        spread = np.ptp(squares, axis=1)
        squares -= variance[:, None]
        effective = ess(halves(squares.reshape(away.shape)), spread)
    return np.sqrt((fourth - variance**2) / effective / variance / 4)


def _each(read: Callable[..., np.ndarray], series: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Read several series of shape (row, chain, draw) together, shape (series, row)."""
    found = read(series.reshape(-1, *series.shape[2:]), *others)
    return found.reshape(len(series), -1)


def _greater(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the second where it is greater, else the first."""
    return np.where(second > first, second, first)


def _flat(array: np.ndarray) -> np.ndarray:
    """Return draws as shape (chain, draw, member)."""
    return array.reshape(*array.shape[:2], -1)


def _turned(parts: list[np.ndarray]) -> np.ndarray:
    """Return arrays of shape (chain, draw, member) as one of shape (member, chain, draw)."""
    chains, draws = parts[0].shape[:2]
    sizes = [part.shape[2] for part in parts]
    found, start = np.empty((sum(sizes), chains, draws), parts[0].dtype), 0
    for part, size in zip(parts, sizes, strict=True):
        for chain in range(chains):  # a chain at a time, which the processor's caches hold
            found[start : start + size, chain] = part[chain].T
        start += size
    return found


def _blocks(arrays: Iterable[np.ndarray]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Cut arrays, shape (chain, draw, member), in blocks of few members: first row, then parts.

    Small arrays of one type share a block.
    """
    start, held = 0, []
    for array in arrays:
        size = max(1, BLOCK // max(1, array[..., 0].size if array.shape[2] else 1))
        for first in range(0, array.shape[2], size):
            part = array[..., first : first + size]
            count = sum(p.shape[2] for p in held)
            if held and (count + part.shape[2] > size or held[0].dtype != part.dtype):
                yield start, held
                start, held = start + count, []
            held.append(part)
    if held:
        yield start, held
