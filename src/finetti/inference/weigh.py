"""Weigh draws from an approximation against the exact density, and judge it by the weights."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.assemble import per_draw, width
from finetti.posterior import diagnose
from finetti.posterior.posterior import Posterior
from finetti.structure.form import Given
from finetti.structure.rewrites.approximate import Approximate
from finetti.targets.density import Target
from finetti.types import Array, Key


@compiled(ONCE, "target")
def _log_ratios(target: Target, given: Given, keys: Key, positions: Array) -> dict[str, Array]:
    found = jax.vmap(lambda key, x: target.log_ratio(key, given, x))(keys, positions)
    return {"log_ratio": found}


def log_ratios(target: Target, given: Given, keys: Key, draws: np.ndarray) -> np.ndarray | None:
    """Return each draw's log density over its approximation, (chain, draw); None if it is exact.

    `keys` are those that drew back what the plan has taken out.
    """
    if not any(isinstance(m, Approximate) for m in target.form.marginals):
        return None
    sites = tuple(site for m in target.form.marginals for site in m.sites)
    function = partial(_log_ratios, target, given)
    return per_draw(function, keys, draws, width(target, sites))["log_ratio"]


def judged(posterior: Posterior, ratios: np.ndarray | None) -> Posterior:
    """Return the posterior with its log importance ratios and their Pareto k-hat.

    Vehtari, Simpson, Gelman, Yao & Gabry 2024: above 0.7 the draws are not to be trusted, and
    weights do not mend them.
    """
    if ratios is None:
        return posterior
    tree = posterior.tree.copy()
    stats = tree["sample_stats"].to_dataset()
    tree["sample_stats"] = stats.assign(log_ratio=(("chain", "draw"), ratios))
    for node in (tree, tree["posterior"]):
        node.attrs["pareto_k"] = diagnose.pareto_k(ratios)
    return replace(posterior, tree=tree)
