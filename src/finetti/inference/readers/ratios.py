"""Weigh draws from an approximation against the exact density."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.engine.draws import Draws
from finetti.inference.readers.reader import Reader, recovery_key
from finetti.inference.readers.values import Each, width
from finetti.posterior.labels import dataset
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr


class Ratios(Reader):
    """Read each draw's log density over its approximation, where something is approximated."""

    def __init__(self, target: Target, given: Given, keys: Key, total: int) -> None:
        self.each = None
        if any(m.weighs for m in target.form.marginals):
            sites = tuple(site for m in target.form.marginals for site in m.sites)
            function = partial(_ratios, target, given, keys)
            self.each = Each(function, len(keys), total, width(target, sites))

    def add(self, draws: Draws) -> None:
        """Read the next draws."""
        if self.each is not None:
            self.each.add(draws)

    def found(self) -> np.ndarray | None:
        """Return the log ratios, (chain, draw); None where nothing is approximated."""
        return None if self.each is None else self.each.finish()["log_ratio"]

    def finish(self) -> dict[str, xr.Dataset]:
        """Return the log ratios beside the statistics of the draws."""
        found = self.found()
        if found is None:
            return {}
        return {"sample_stats": dataset({"log_ratio": (("chain", "draw"), found)}, {})}


@compiled(ONCE, "target")
def _ratios(
    target: Target, given: Given, keys: Key, chains: Array, numbers: Array, positions: Array
) -> dict[str, Array]:
    def one(chain: Array, number: Array, position: Array) -> Array:
        return target.log_ratio(recovery_key(keys, chain, number), given, position)

    return {"log_ratio": jax.vmap(one)(chains, numbers, positions)}
