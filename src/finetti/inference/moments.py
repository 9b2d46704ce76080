"""Average the sites whose draws are not kept: their posterior means and standard deviations.

For a site that was integrated out, its mean and variance given each draw of the rest are averaged,
which has less error than drawing it (Gelfand & Smith 1990, who name it after Rao and Blackwell).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import OFTEN, compiled
from finetti.inference.assemble import draw_keys
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import MOMENTS, Posterior
from finetti.structure.form import Given
from finetti.targets.density import Density, Target
from finetti.types import Array, Key

NUMBERS = 10**8  # to average in all: from few draws where a draw has many
FEWEST = 100  # draws
TOGETHER = 50  # draws a call


class Sums(NamedTuple):
    """Hold the mean of a site's means, the sum of their squared deviations, and its variances'."""

    mean: Array
    spread: Array
    variance: Array


def add_moments(
    posterior: Posterior,
    density: Density,
    given: Given,
    keys: Key,
    draws: np.ndarray,
) -> Posterior:
    """Return the posterior with a group of means and standard deviations of the sites left out.

    `draws` are unconstrained, shape (chain, draw, dim). A site has a first dimension more than in
    the model, `moment`, with the members mean and sd. At most all draws are used, evenly spaced
    ones where there are many numbers; the group's attribute `draws` says how many.
    """
    import xarray as xr

    absent = [v for v in density.kept if dotted(v.name) not in posterior.names]
    if not absent:
        return posterior
    target, _ = density.target()
    total = draws.shape[0] * draws.shape[1]
    numbers = sum(prod(v.shape) for v in absent)
    count = min(total, max(FEWEST, NUMBERS // max(numbers, 1)))
    chosen = np.linspace(0, total - 1, count).astype(int)
    flat, each = (
        draws.reshape(total, draws.shape[2])[chosen],
        draw_keys(keys, draws.shape[1])[chosen],
    )
    found = _moments(target, tuple(v.name for v in absent), given, each, flat)
    variables = {dotted(v.name): (("moment", *map(dotted, v.dims)), found[v.name]) for v in absent}
    plates = {dotted(p.name): p.coordinate() for v in absent for p in v.plates}
    data = xr.Dataset(variables, {"moment": ["mean", "sd"], **plates}, {"draws": count})
    tree = posterior.tree.copy()
    tree[MOMENTS] = xr.DataTree(data)
    return replace(posterior, tree=tree)


def _moments(
    target: Target, names: tuple[str, ...], given: Given, keys: Key, positions: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each site's mean and standard deviation, stacked."""
    shapes = jax.eval_shape(
        lambda key, given, x: target.moments(key, given, x, names), keys[0], given, positions[0]
    )
    sums = {n: Sums(*(jnp.zeros(m.shape) for _ in range(3))) for n, (m, _) in shapes.items()}
    count = len(positions)
    for start in range(0, count, TOGETHER):
        end = min(start + TOGETHER, count)
        places = np.minimum(np.arange(start, start + TOGETHER), count - 1)
        first, last = jnp.asarray(start), jnp.asarray(end)
        sums = _accumulate(target, names, given, keys[places], positions[places], first, last, sums)
    return {
        n: np.stack([s.mean, np.sqrt(s.spread / max(count - 1, 1) + s.variance / count)])
        for n, s in sums.items()
    }


@compiled(OFTEN, "target", "names")
def _accumulate(  # noqa: PLR0913 - one draw after another, with where it stands
    target: Target,
    names: tuple[str, ...],
    given: Given,
    keys: Key,
    positions: Array,
    start: Array,
    end: Array,
    sums: dict[str, Sums],
) -> dict[str, Sums]:
    """Add draws number `start` up to `end` to the sums (Welford 1962)."""

    def add(number: Array, sums: dict[str, Sums]) -> dict[str, Sums]:
        key, position = keys[number - start], positions[number - start]
        found = target.moments(key, given, position, names)
        return {n: _add(sums[n], *found[n], number + 1) for n in names}

    return jax.lax.fori_loop(start, end, add, sums)


def _add(sums: Sums, mean: Array, variance: Array, count: Array) -> Sums:
    change = mean - sums.mean
    middle = sums.mean + change / count
    return Sums(middle, sums.spread + change * (mean - middle), sums.variance + variance)
