"""Hold what is known of a model's posterior, and compare draws with it.

Answers come from tests/data, where README.md says how they were made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.base.array import array_stats

import finetti as ft

DATA = Path(__file__).parents[1] / "data"


def read(*path: str) -> dict[str, Any]:
    """Return what a file of tests/data holds."""
    return json.loads(DATA.joinpath(*path).read_text())


@dataclass(frozen=True)
class Reference:
    """Hold what is known of one site: every array has the site's shape.

    `quantiles` maps probabilities to values. `ess` is that of the reference itself, None where
    it is exact; `independent` tells that its draws were thinned until independent.
    """

    mean: np.ndarray
    sd: np.ndarray
    quantiles: Mapping[float, np.ndarray]
    ess: np.ndarray | None = None
    independent: bool = True


@dataclass(frozen=True)
class Case:
    """Hold a model and its reference by site name; build the model with its data anew each time."""

    build: Callable[[], ft.Model]
    reference: Mapping[str, Reference] = field(default_factory=dict)


def misses(
    posterior: ft.Posterior, reference: Mapping[str, Reference], like: ft.Posterior | None = None
) -> dict[str, float]:
    """Return the standard errors between draws and reference, by statistic and scalar.

    The error of the difference has our part, the draws' Monte-Carlo standard error, and for a
    reference with its own error theirs. `like` is a run made as a reference that is a Markov chain
    was: by NUTS on the model as written.
    """
    found: dict[str, float] = {}
    like = like or posterior
    for name, known in reference.items():
        draws = np.asarray(posterior[name])
        assert draws.shape[2:] == known.mean.shape, name
        for index in np.ndindex(known.mean.shape):
            label = f"{name}{list(index)}" if index else name
            chains = draws[(..., *index)], np.asarray(like[name])[(..., *index)]
            for statistic, z in _scores(*chains, known, index).items():
                found[f"{statistic} {label}"] = z
    return found


def _scores(
    draws: np.ndarray, like: np.ndarray, known: Reference, index: tuple[int, ...]
) -> dict[str, float]:
    """Return the standard errors of one scalar's statistics; `draws` is (chain, draw)."""
    centre, spread = draws.mean(), draws.std()
    squares = [(chain - chain.mean()) ** 2 for chain in (draws, like)]
    found = {
        "mean": (centre - known.mean[index], _errors(draws, like, known, index)),
        # The delta method. ArviZ's own error of an sd takes the mean's effective sample size,
        # which is far too large for the antithetic draws of NUTS.
        "sd": (
            spread - known.sd[index],
            _errors(*squares, known, index, like) / (2 * spread),
        ),
    }
    for p, values in known.quantiles.items():
        error = _errors(draws, like, known, index, method="quantile", prob=p)
        found[f"q{p}"] = (np.quantile(draws, p) - values[index], error)
    return {name: float(miss / error) for name, (miss, error) in found.items()}


def _errors(
    draws: np.ndarray,
    like: np.ndarray,
    known: Reference,
    index: tuple[int, ...],
    whole: np.ndarray | None = None,
    **statistic: Any,
) -> np.floating:
    """Return the standard error of the difference in a mean of draws, or in their quantile.

    Independent reference draws have the same effective number for every statistic. A Markov
    chain's differs between statistics; we take its proportions to be those of the chains `like`
    it, whose own draws are `whole` where `like` is a function of them.
    """
    axes = {"chain_axis": 0, "draw_axis": 1}
    statistic = statistic or {"method": "mean"}
    ours = array_stats.mcse(draws, **axes, **statistic)
    if known.ess is None:
        return ours
    if known.independent:
        return ours * np.sqrt(1 + array_stats.ess(draws, **axes, **statistic) / known.ess[index])
    bulk = array_stats.ess(like if whole is None else whole, **axes, method="bulk")
    share = array_stats.ess(like, **axes, **statistic) / bulk
    ess = array_stats.ess(draws, **axes, **statistic)
    return ours * np.sqrt(1 + ess / (known.ess[index] * share))


def worst(scores: Mapping[str, float], count: int = 3) -> list[tuple[str, float]]:
    """Return the largest misses, for a test's message."""
    return sorted(scores.items(), key=lambda item: -abs(item[1]))[:count]
