"""Average the probabilities of the states that were summed out over the draws of a run.

The mean of P(z = k | draw, y) over draws estimates P(z = k | y) with less error than counting how
often z = k is drawn (Gelfand & Smith 1990, who name it after Rao and Blackwell).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import PROBABILITIES, Posterior
from finetti.structure.form import Given
from finetti.structure.rewrites.sum_out import SumOut
from finetti.targets.density import Density, Target
from finetti.types import Array

BATCH = 500  # draws at a time
ENTRIES = 10**7  # probabilities at a time


def add_probabilities(
    posterior: Posterior, density: Density, target: Target, given: Given, draws: np.ndarray
) -> Posterior:
    """Return the posterior with a group of state probabilities, if any site was summed out.

    `draws` are unconstrained, shape (chain, draw, dim). A site's probabilities have its dims and
    one more, `z_state`, whose coordinate are the values that its members may take.
    """
    import xarray as xr

    sums = [m for m in target.form.marginals if isinstance(m, SumOut)]
    if not sums:
        return posterior
    lowest = {s: np.asarray(a) for m in sums for s, a in given.rewrites[m.name]["lowest"].items()}
    variables, coordinates = {}, {}
    for site, found in _average(target, given, draws).items():
        (v,) = (v for v in density.model.variables if v.name == site)
        values, placed = _placed(lowest[site], found)
        dim = f"{dotted(site)}_state"
        variables[dotted(site)] = ((*map(dotted, v.dims), dim), placed)
        coordinates |= {dotted(p.name): p.coordinate() for p in v.plates} | {dim: values}
    tree = posterior.tree.copy()
    tree[PROBABILITIES] = xr.DataTree(xr.Dataset(variables, coordinates))
    return replace(posterior, tree=tree)


def _placed(lowest: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all values that members take, and the probabilities (*shape, value) of each.

    Members may begin at different values.
    """
    shift = lowest - lowest.min(initial=lowest.flat[0])
    states = found.shape[-1]
    placed = np.zeros((*lowest.shape, states + int(shift.max(initial=0))))
    index = shift[..., None] + np.arange(states)
    np.put_along_axis(placed, index, found, -1)
    used = int(np.flatnonzero(np.any(placed > 0, tuple(range(lowest.ndim))))[-1]) + 1
    return lowest.min() + np.arange(used), placed[..., :used]


def _average(target: Target, given: Given, draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean state probabilities of each site, shape (*shape, states)."""
    flat = draws.reshape(draws.shape[0] * draws.shape[1], draws.shape[2])  # of any dim, 0 too
    sums = [m for m in target.form.marginals if isinstance(m, SumOut)]
    width = sum(prod(s) * n for m in sums for s, n in zip(m.shapes, m.states, strict=True))
    size = int(np.clip(ENTRIES // max(width, 1), 1, min(BATCH, len(flat))))
    spare = -len(flat) % size
    padded = np.concatenate([flat, np.repeat(flat[-1:], spare, axis=0)])
    weights = np.concatenate([np.ones(len(flat)), np.zeros(spare)]) / len(flat)
    parts = [
        _weighted(target, given, padded[i : i + size], weights[i : i + size])
        for i in range(0, len(padded), size)
    ]
    return {name: np.sum([np.asarray(p[name]) for p in parts], 0) for name in parts[0]}


@compiled(ONCE, "target")
def _weighted(target: Target, given: Given, positions: Array, weights: Array) -> dict[str, Array]:
    found = jax.vmap(target.probabilities, (None, 0))(given, positions)
    return {name: jnp.tensordot(weights, p, 1) for name, p in found.items()}
