"""Compute the numbers that tell how far to trust the draws; those of tails, by arviz-stats."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.posterior.tabulate import Convention, bulk_ess, columns, quantile_ess, tabulate

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FEWEST = 25  # draws, below which no tail can be fitted
RHAT_LIMIT = 1.01
CHANCE = 0.01  # of a warning where all chains draw independently from one distribution
LIMIT = "r_hat_limit"  # what a summary notes beside its rows


def summary(tree: xr.DataTree, names: list[str] | None = None) -> pd.DataFrame:
    """Return ArviZ's summary table, unrounded, as its installed version defines it.

    The default intervals are summarised many numbers at once; others by ArviZ, one by one.
    """
    settings = _arviz_settings()
    if settings["stats.ci_kind"] == "eti":
        draws = tree["posterior"].dataset
        found = tabulate(draws if names is None else draws[names], _convention(settings))
    else:
        import pandas as pd
        from arviz_stats.summary import summary as summarize

        with quiet():
            table = summarize(tree, var_names=names, round_to="none")  # pyright: ignore[reportArgumentType]
        found = pd.DataFrame(table)
    found = found.astype({"ess_bulk": int, "ess_tail": int}, errors="ignore")
    sizes = tree["posterior"].sizes
    found.attrs[LIMIT] = rhat_limit(len(found), sizes["chain"], sizes["draw"])
    return found


def rhat_limit(numbers: int, chains: int, draws: int) -> float:
    """Return the R-hat above which one of so many numbers shows that chains have not mixed.

    It is 1.01 (Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021), but where independent draws
    would exceed that: then what the largest R-hat of the numbers' bulks and tails exceeds once in a
    hundred runs of independent draws. Chains are split in two halves, whose means and variances
    have the ratio F of an analysis of variance.

    >>> rhat_limit(10, chains=4, draws=1000)
    1.01
    >>> round(rhat_limit(4000, chains=4, draws=250), 3)
    1.019
    """
    from scipy.special import fdtri

    halves, length = 2 * chains, draws // 2
    if length < 2 or numbers < 1:
        return RHAT_LIMIT
    ratio = fdtri(halves - 1, halves * (length - 1), 1 - CHANCE / (2 * numbers))
    return max(RHAT_LIMIT, float(np.sqrt((length - 1 + ratio) / length)))


def _convention(settings: Mapping[str, Any]) -> Convention:
    """Return what the installed version of ArviZ takes for a standard deviation and its error."""
    release = tuple(int(part) for part in version("arviz-stats").split(".")[:2])
    new = release >= (1, 3)
    return Convention(settings["stats.ci_prob"], spare=int(new), of_squares=new)


def _arviz_settings() -> Mapping[str, Any]:
    """Return ArviZ's settings of intervals, without importing it where nobody changed them.

    Only those who imported it, or wrote an arvizrc, can have.
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "arviz"
    places = Path(), Path(os.environ.get("ARVIZ_DATA", "")), home, Path.home() / ".arviz"
    if "arviz_base" in sys.modules or any((place / "arvizrc").is_file() for place in places):
        from arviz_base import rcParams

        return rcParams
    return {"stats.ci_kind": "eti", "stats.ci_prob": Convention.share}


def rhat(draws: np.ndarray) -> float:
    """Return the rank-normalised split R-hat of draws of shape (chain, draw)."""
    convention = Convention()
    with np.errstate(all="ignore"):
        found = columns(draws[None], convention)
    return found[convention.names.index("r_hat"), 0].item()


def ess(draws: np.ndarray) -> float:
    """Return the bulk effective sample size of draws of shape (chain, draw)."""
    return each_ess([draws])[0]


def each_ess(numbers: list[np.ndarray]) -> list[float]:
    """Return the bulk effective sample sizes of many numbers, draws of shape (chain, draw)."""
    with np.errstate(all="ignore"):
        return bulk_ess(np.stack(numbers)).tolist() if numbers else []


def each_quantile_ess(numbers: list[np.ndarray], probability: float) -> list[float]:
    """Return the effective sample sizes for a quantile of many numbers, as `each_ess` does."""
    with np.errstate(all="ignore"):
        return quantile_ess(np.stack(numbers), probability).tolist() if numbers else []


def tail_k(draws: np.ndarray, tail: str, effective: float | None = None) -> float:
    """Return the Pareto k-hat of the "left" or "right" tail of draws of shape (chain, draw).

    Moments of order 1/k and above do not exist. The draws' effective sample size tells how many
    of them are tail (Vehtari, Simpson, Gelman, Yao & Gabry 2024, section 3.2.2); it is computed
    unless given. NaN where there are too few, or a tail's are all the same.
    """
    from arviz_stats.base.array import array_stats

    if draws.size < FEWEST or np.ptp(draws) == 0:
        return float("nan")
    relative = (ess(draws) if effective is None else effective) / draws.size
    relative = min(relative, 1.0) if np.isfinite(relative) else 1.0
    try:
        with quiet():
            k = array_stats.pareto_khat(draws, chain_axis=0, draw_axis=1, r_eff=relative, tail=tail)
    except ValueError:  # the tail's draws are all the same
        return float("nan")
    return float(np.asarray(k).item())


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Return each chain's energy Bayesian fraction of missing information (Betancourt 2016).

    `energy` has shape (chain, draw). NaN where it never changes.
    """
    change, spread = np.square(np.diff(energy, axis=1)).mean(1), energy.var(1)
    moving = spread > 1e-20 * np.square(energy).max(1)  # more than rounding does
    return np.divide(change, spread, out=np.full_like(spread, np.nan), where=moving)


def pareto_k(log_ratios: np.ndarray) -> float:
    """Return the Pareto k-hat of log importance ratios of shape (chain, draw).

    NaN where there are too few draws for a tail (Vehtari, Simpson, Gelman, Yao & Gabry 2024).
    """
    if log_ratios.size < FEWEST or not np.isfinite(log_ratios).all():
        return float("nan")
    if np.ptp(log_ratios) < 1e-8:  # rounding alone: the approximation is exact
        return 0.0
    with quiet():
        relative = ess(log_ratios) / log_ratios.size if log_ratios.shape[1] > 3 else 1.0
        relative = min(relative, 1.0) if np.isfinite(relative) else 1.0
        # It takes log likelihoods, whose weights in leaving out are their reciprocals.
        _, k = smoothed_weights(-log_ratios.ravel(), relative)
    return float(k) if np.isfinite(k) else float("nan")


def smoothed_weights(log_likelihoods: np.ndarray, relative: float) -> tuple[np.ndarray, float]:
    """Return the smoothed log weights of leaving a point out, shape (draw,), and their k-hat.

    Where the largest weights are all the same, as of an outcome whose probability is known, there
    is no tail to smooth: k-hat is 0.
    """
    from arviz_stats.base.array import array_stats

    draws = len(log_likelihoods)
    tail = int(np.ceil(min(0.2 * draws, 3 * np.sqrt(draws / relative))))
    if np.ptp(np.sort(log_likelihoods)[:tail]) < 1e-12:
        weights = log_likelihoods.min() - log_likelihoods
        return weights - np.logaddexp.reduce(weights), 0.0
    found: Any = array_stats.psislw(log_likelihoods, r_eff=relative)  # pyright: ignore[reportArgumentType]
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep numpy's and ArviZ's warnings about constant or few draws out of the user's way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
