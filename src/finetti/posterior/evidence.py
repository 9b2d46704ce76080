"""Lay out what a run shows to those who judge it: draws, statistics, data, and the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.models import Model
from finetti.posterior import diagnose
from finetti.posterior.labels import brackets, dotted, named, site_of
from finetti.posterior.reexamine import Witness
from finetti.structure.choices import Choices, easing
from finetti.structure.variables import Variable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ESS_PER_CHAIN = 100  # the same, section 4
BFMI_LIMIT = 0.3  # Betancourt 2016
DEPTH_SHARE = 0.01  # of the trajectories
MANY_STEPS = 100  # in a trajectory
LOOKED_AT = 500  # scalars of one run, by the rules that look at each: those outside plates first
DISTINCT = 50  # values, below which a site is taken for a discrete one


@dataclass(frozen=True, eq=False)
class Evidence:
    """Hold a run of draws and, where they are known, the model with its data and the summary."""

    tree: xr.DataTree
    model: Model | None = None
    summary: pd.DataFrame | None = None

    @property
    def draws(self) -> xr.Dataset:
        """Return the draws by site, dims (chain, draw, ...)."""
        return self.tree["posterior"].dataset

    @property
    def stats(self) -> xr.Dataset:
        """Return the sampler's statistics, empty where the run has none."""
        return self._group("sample_stats")

    def data(self, group: str) -> xr.Dataset:
        """Return the "observed" or the "constant" data, empty where the run has none."""
        return self._group(f"{group}_data")

    def _group(self, name: str) -> xr.Dataset:
        import xarray as xr

        return self.tree[name].dataset if name in self.tree.children else xr.Dataset()

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return the summary, a row a scalar."""
        return diagnose.summary(self.tree) if self.summary is None else self.summary

    def rhat(self, label: str) -> float:
        """Return the R-hat of a scalar by its label in the table; 1 where there is none."""
        found = self._reading(label, "r_hat")
        return found if np.isfinite(found) else 1.0

    def ess(self, label: str) -> float:
        """Return the smaller of a scalar's bulk and tail effective sample sizes, if there are."""
        found = min(self._reading(label, "ess_bulk"), self._reading(label, "ess_tail"))
        return found if np.isfinite(found) else float("inf")

    def _reading(self, label: str, column: str) -> float:
        return float(self._readings[column].get(label, np.nan))

    @cached_property
    def _readings(self) -> dict[str, dict[str, float]]:
        return {str(column): rows.to_dict() for column, rows in self.table.items()}

    @cached_property
    def plan(self) -> Mapping[str, Any]:
        """Return the record of the run's plan, empty where there is none."""
        return json.loads(self.tree.attrs.get("plan", "{}"))

    @cached_property
    def rows(self) -> Mapping[str, tuple[str, str, str]]:
        """Return what the plan saw, did and why, by the tree's names; empty without its record."""
        return {
            dotted(name): (seen, done, why) for name, seen, done, why in self.plan.get("sites", ())
        }

    def kept(self, site: str) -> bool | None:
        """Tell whether the user kept the plan from easing a site; None where it is not known."""
        return Choices.of(self.plan).keep(site) if "refused" in self.plan else None

    @property
    def scaled(self) -> frozenset[str]:
        """Return the latent sites of several members with a location and a scale, by the model."""
        known = self.latent or {}
        return frozenset(n for n, v in known.items() if v.located and v.shape)

    def family(self, site: str) -> str:
        """Name the family of a site's distribution; empty where it is not known."""
        if self.latent is not None and site in self.latent:
            return self.latent[site].family
        seen = self.rows.get(site, ("",))[0]
        return seen.removeprefix("~ ").partition("(")[0] if seen.startswith("~ ") else ""

    def tied(self, name: str) -> bool:
        """Tell whether a site's members are tied by construction, as those of a simplex are."""
        if self.latent is not None and name in self.latent:
            return not self.latent[name].one_by_one
        values = self.draws[name].values
        for axis in range(2, values.ndim):
            sums = values.sum(axis)
            if values.shape[axis] > 1 and np.ptp(sums) < 1e-6 * max(values.std(), 1e-300):
                return True
        return False

    @cached_property
    def eased(self) -> frozenset[str]:
        """Return the sites, by the tree's names, that the run's plan centred or integrated out."""
        found: list[str] = []
        for name, _ in self.plan.get("rewrites", ()):
            for verb in easing():
                if name.startswith(f"{verb} "):
                    found += name.removeprefix(f"{verb} ").split(", ")
        return frozenset(map(dotted, found))

    @cached_property
    def rhat_limit(self) -> float:
        """Return the R-hat that none of the table's numbers may exceed."""
        sizes = self.draws.sizes
        return diagnose.rhat_limit(len(self.table), sizes["chain"], sizes["draw"])

    @property
    def least_ess(self) -> int:
        """Return how many effective draws are asked for."""
        return ESS_PER_CHAIN * self.draws.sizes["chain"]

    @cached_property
    def witness(self) -> Witness | None:
        """Return the model to ask again; None where it is not known."""
        return None if self.model is None else Witness(self.model, self.tree)

    @property
    def latent(self) -> Mapping[str, Variable] | None:
        """Return the continuous latent variables by the tree's names; None without the model."""
        return None if self.witness is None else self.witness.latent

    @cached_property
    def continuous(self) -> Mapping[str, xr.DataArray]:
        """Return the draws of the continuous sites: latent ones, or all without the model."""
        found = {}
        for name, values in self.draws.data_vars.items():
            if self.latent is not None and name not in self.latent:
                continue
            if self.rows.get(str(name), ("",))[0].startswith("="):  # computed from others
                continue
            if values.dtype.kind == "f" and values.size and np.isfinite(values.values).all():
                first = values.values.reshape(-1, *values.shape[2:])[:, *(0,) * (values.ndim - 2)]
                if len(np.unique(first)) >= min(DISTINCT, len(first) // 4):
                    found[str(name)] = values
        return found

    @cached_property
    def scalars(self) -> Mapping[str, np.ndarray]:
        """Return the draws of continuous scalars, shape (chain, draw), by their label.

        At most 500 of them: those of small sites first.
        """
        found: dict[str, np.ndarray] = {}
        for name, values in sorted(self.continuous.items(), key=lambda item: item[1].size):
            for index in np.ndindex(values.shape[2:]):
                if len(found) == LOOKED_AT:
                    return found
                found[label(values, name, index)] = values.values[:, :, *index]
        return found

    def site(self, row: str) -> str:
        """Return the site of one of the scalars, by its label."""
        return site_of(row, map(str, self.draws.data_vars))

    def positive(self, name: str) -> bool:
        """Tell whether a site takes positive values without an upper bound."""
        if self.latent is not None:
            return name in self.latent and self.latent[name].support in ("positive", "above 0")
        values = self.draws[name].values
        return bool((values > 0).all()) and not self.whole(name)

    def whole(self, name: str) -> bool:
        """Tell whether a site's draws sum to one, as weights do."""
        values = self.draws[name].values
        return values.ndim > 2 and np.allclose(values.sum(-1), 1, atol=1e-6)

    @cached_property
    def diverging(self) -> np.ndarray:
        """Return which draws diverged, shape (chain, draw)."""
        if "diverging" not in self.stats:
            return np.zeros((self.draws.sizes["chain"], self.draws.sizes["draw"]), bool)
        return self.stats["diverging"].values.astype(bool)

    @cached_property
    def capped(self) -> float:
        """Return the share of trajectories that reached the maximal tree depth."""
        stats = self.stats
        found = stats.get("reached_max_treedepth")
        return 0.0 if found is None else float(found.mean())

    @cached_property
    def labours(self) -> bool:
        """Tell whether half of the trajectories take a hundred steps and more."""
        steps = self.stats.get("n_steps")
        return steps is not None and float(np.median(steps)) >= MANY_STEPS

    @cached_property
    def energy(self) -> float:
        """Return the least E-BFMI of the chains; infinity where there is none."""
        stats = self.stats
        if "energy" not in stats or "tree_depth" not in stats or stats.sizes["draw"] < 10:
            return float("inf")
        found = diagnose.bfmi(stats["energy"].values)
        return float(np.nanmin(found)) if np.isfinite(found).any() else float("inf")

    @cached_property
    def unwell(self) -> bool:
        """Tell whether the sampler had trouble: any sign of convergence.py or sampler.py."""
        ess = np.minimum(*(self.table[c].to_numpy(float) for c in ("ess_bulk", "ess_tail")))
        return bool(
            self.diverging.any()
            or self.capped >= DEPTH_SHARE
            or self.energy < BFMI_LIMIT
            or (self.table["r_hat"].to_numpy(float) > self.rhat_limit).any()
            or (ess < self.least_ess).any()
        )


def label(values: xr.DataArray, name: str, index: tuple[int, ...]) -> str:
    """Name a scalar as the summary does, such as `theta[A]`."""
    dims = values.dims[2:]
    found = [values[d].values[i] if d in values.coords else i
             for d, i in zip(dims, index, strict=True)]  # fmt: skip
    return named(name, found, brackets(dims, values.coords))
