"""Judge predictions of each observation from the others by their probability integral transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finetti.posterior.diagnose import quiet
from finetti.posterior.illnesses.sampler import PARETO_LIMIT

if TYPE_CHECKING:
    import xarray as xr

UNIFORM_LIMIT = 0.01
TELLING = 8  # observations, below which no shape shows


@dataclass(frozen=True, eq=False)
class LooPit:
    """Hold the leave-one-out probability integral transforms of a site's observations.

    u_i = P(replicated y_i <= y_i given the others), with ties broken at random; they are uniform
    where predictions are calibrated. `p` is the Kolmogorov-Smirnov test's; `unreliable` counts the
    observations whose importance weights cannot be trusted (Pareto k-hat above 0.7).
    """

    site: str
    values: np.ndarray
    p: float
    unreliable: int

    @property
    def fails(self) -> bool:
        """Tell whether the transforms are far from uniform."""
        return self.p < UNIFORM_LIMIT

    def __repr__(self) -> str:
        return f"<LOO-PIT of {self.site}: p = {self.p:.3f}{', fails' if self.fails else ''}>"

    @property
    def doubt(self) -> str:
        """Say how many observations' predictions from the others cannot be trusted."""
        return (
            f"the LOO-PIT of {self.site} is not to be trusted at {self.unreliable} of "
            f"{len(self.values)} observations (Pareto k-hat above {PARETO_LIMIT})"
        )

    @property
    def sentence(self) -> str:
        """Say in which way predictions are off."""
        u, n = self.values, len(self.values)
        shift = (u.mean() - 0.5) * np.sqrt(12 * n)
        spread = (np.mean((u - 0.5) ** 2) - 1 / 12) * np.sqrt(180 * n)
        if abs(shift) > abs(spread):
            how = f"observations lie {'above' if shift > 0 else 'below'} their predictions"
        elif spread > 0:
            how = "predictions are too narrow, with too many observations in both tails"
        else:
            how = "predictions are too wide, with too few observations in the tails"
        return (
            f"Predicted from the others, the observations of {self.site} are not where they should "
            f"be (LOO-PIT, p = {self.p:.2g}): {how}."
        )


def loo_pit(
    site: str, replicated: xr.DataArray, observed: xr.DataArray, log_likelihood: xr.DataArray
) -> LooPit:
    """Compute a site's LOO-PIT by arviz-stats, from arrays of dims (chain, draw, *site dims).

    Vehtari, Gelman & Gabry 2017; Saeilynoja, Buerkner & Vehtari 2022.
    """
    from arviz_stats.base.array import array_stats
    from scipy.stats import kstest

    dims = ["chain", "draw"]
    count = replicated.sizes["chain"] * replicated.sizes["draw"]
    with quiet():
        # Each observation's likelihood mixes about as fast as the slowest of their sum.
        total = np.exp(log_likelihood.mean([d for d in log_likelihood.dims if d not in dims]))
        ess = float(np.asarray(array_stats.ess(np.asarray(total), chain_axis=0, draw_axis=1)))
        relative = min(ess / count, 1.0) if np.isfinite(ess) else 1.0
        found, pareto_k = replicated.azstats.loo_pit(
            y_obs=observed,
            log_ratios=_untied(-log_likelihood),
            r_eff=relative,
            sample_dims=dims,
        )
    values = np.asarray(found).ravel()
    unreliable = int((np.asarray(pareto_k) > PARETO_LIMIT).sum())
    return LooPit(site, values, float(kstest(values, "uniform").pvalue), unreliable)


def _untied(log_ratios: xr.DataArray) -> xr.DataArray:
    """Part by less than matters the largest ratios of an observation that are all the same.

    They are where its probability is known, and arviz-stats refuses a tail without a slope.
    """
    most = log_ratios.max(["chain", "draw"])
    tied = (log_ratios >= most - 1e-12).mean(["chain", "draw"]) > 0.005
    ramp = np.arange(log_ratios.sizes["chain"] * log_ratios.sizes["draw"], dtype=float)
    ramp = ramp.reshape(log_ratios.sizes["chain"], -1) * (1e-9 / ramp.size)
    one = log_ratios.isel({d: 0 for d in log_ratios.dims if d not in ("chain", "draw")}, drop=True)
    parted = log_ratios + tied * one.transpose("chain", "draw").copy(data=ramp)
    return parted.transpose(*log_ratios.dims)
