"""Write the numbers of a summary with no digit that the draws do not support."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from finetti.posterior.diagnose import LIMIT, RHAT_LIMIT

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 4  # digits of a number whose Monte Carlo error is nil or unknown


def decimals(value: float, error: float) -> int:
    """Return how many decimals of a value its Monte Carlo standard error supports.

    The last is where twice the error has its first digit, so below zero tens and hundreds are
    rounded off.

    >>> decimals(3.14159, error=0.004)
    3
    """
    if isfinite(error) and error > 0:
        return -floor(log10(2 * error))
    return SIGNIFICANT - 1 - (floor(log10(abs(value))) if value and isfinite(value) else 0)


def cells(summary: pd.DataFrame) -> dict[str, tuple[list[str], list[float], list[bool]]]:
    """Return each column's texts, the numbers they stand for, and which of them are alarming.

    Of an interval the number is its lower end. Of a mode: the mode and its standard error.
    """
    fine = [False] * len(summary)
    if "mode" in summary:
        titles = {"mode": "mode", "standard_error": "standard error"}
        found = {
            title: written(summary[name], summary["standard_error"] / 20)
            for name, title in titles.items()
        }
        return {
            title: (found[title], summary[name].tolist(), fine) for name, title in titles.items()
        }
    low, high = (str(name) for name in summary.columns if str(name).endswith(("_lb", "_ub")))
    # An end of the interval has about twice the error of a normal sample's mean.
    ends = 2 * summary["sd"] / summary["ess_tail"] ** 0.5
    lower, upper = (written(summary[name], ends) for name in (low, high))
    share = re.sub(r"\D", "", low)
    interval = [f"{a}  {b}" for a, b in zip(lower, upper, strict=True)]
    rhat = [f"{r:.3f}" if isfinite(r) else "" for r in summary["r_hat"]]
    limit = summary.attrs.get(LIMIT, RHAT_LIMIT)
    bad = [r > limit for r in summary["r_hat"]]
    columns = {
        "mean": ("mean", written(summary["mean"], summary["mcse_mean"]), fine),
        "sd": ("sd", written(summary["sd"], summary["mcse_sd"]), fine),
        f"{share}% interval": (low, interval, fine),
        "ESS": ("ess_bulk", [_count(n) for n in summary["ess_bulk"]], fine),
        "tail ESS": ("ess_tail", [_count(n) for n in summary["ess_tail"]], fine),
        "R-hat": ("r_hat", rhat, bad),
    }
    return {
        title: (texts, summary[name].tolist(), alarming)
        for title, (name, texts, alarming) in columns.items()
    }


def written(values: Iterable[float], errors: Iterable[float]) -> list[str]:
    """Write numbers to the digits their errors support, aligned at the decimal point."""
    texts = [number(v, decimals(v, e)) for v, e in zip(values, errors, strict=True)]
    after = [len(text.partition(".")[2]) + ("." in text) for text in texts]
    padded = [text + " " * (max(after) - n) for text, n in zip(texts, after, strict=True)]
    width = max(map(len, padded), default=0)
    return [text.rjust(width) for text in padded]


def number(value: float, places: int) -> str:
    """Write a number to so many decimals; of fewer than none, tens and hundreds are rounded off."""
    if not isfinite(value):
        return str(value)
    rounded = round(value, places) + 0.0  # no negative zero
    return f"{rounded:.3e}" if abs(rounded) >= 1e9 else f"{rounded:.{max(places, 0)}f}"


def _count(n: float | int) -> str:
    return f"{int(n):,}" if isfinite(n) else ""
