"""Weigh draws from an approximation against the exact density."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.engine.draws import Draws
from finetti.inference.readers.reader import Rows, recovery_key
from finetti.inference.readers.values import Each, width
from finetti.posterior.labels import dataset
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr


class Ratios(Rows):
    """Read each draw's log density over its approximation; see `weighs`."""

    group = "sample_stats"

    def __init__(self, target: Target, given: Given, keys: Key, most: int) -> None:
        sites = tuple(site for m in target.form.marginals for site in m.sites)
        self.each = Each(partial(_ratios, target, given, keys), most, width(target, sites))

    @staticmethod
    def weighs(target: Target) -> bool:
        """Tell whether anything is approximated, so that there are ratios to read."""
        return any(m.weighs for m in target.form.marginals)

    def read(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return the log ratios."""
        return self.each(draws)

    def label(self, rows: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Return the log ratios as they stand beside the statistics of the draws."""
        return dataset({"log_ratio": (("chain", "draw"), rows["log_ratio"])}, {})


@compiled(ONCE, "target")
def _ratios(
    target: Target, given: Given, keys: Key, chains: Array, numbers: Array, positions: Array
) -> dict[str, Array]:
    def one(chain: Array, number: Array, position: Array) -> Array:
        return target.log_ratio(recovery_key(keys, chain, number), given, position)

    return {"log_ratio": jax.vmap(one)(chains, numbers, positions)}
