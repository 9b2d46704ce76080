"""Turn draws into what the user's variables are there, and into the statistics of their steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.engine.draws import Draws
from finetti.inference.readers.reader import Batches, Reader, recovery_key, rows
from finetti.posterior.batches import batch_size
from finetti.posterior.labels import dataset
from finetti.structure.form import Given
from finetti.structure.recovery import reached
from finetti.structure.variables import Variable, named_dimensions
from finetti.targets.density import Target
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

ByRow = Callable[[Any, Any, Any], Mapping[str, Array]]  # of chains, numbers and positions


class Each:
    """Apply a function to each draw as it comes, and hold what it returns by name.

    `total` draws of each of so many chains are to come; about `numbers` numbers are at work in one.
    """

    def __init__(self, function: ByRow, chains: int, total: int, numbers: int) -> None:
        self.function, self.shape = function, (chains, total)
        self.batches = Batches(batch_size(chains * total, numbers))
        self.count = 0
        self.found: dict[str, np.ndarray] = {}

    def add(self, draws: Draws) -> None:
        """Read the next draws."""
        self.count = draws.first + draws.positions.shape[1]
        for batch in self.batches.add(*rows(draws)):
            self._apply(batch, self.batches.size)

    def finish(self) -> dict[str, np.ndarray]:
        """Return what was found of all draws, shapes (chain, draw, ...)."""
        for batch, count in self.batches.rest():
            self._apply(batch, count)
        return {name: values[:, : self.count] for name, values in self.found.items()}

    def _apply(self, batch: list[np.ndarray], count: int) -> None:
        chain, number, _ = (column[:count] for column in batch)
        for name, values in self.function(*batch).items():
            new = np.asarray(values)
            whole = self.found.setdefault(name, np.empty((*self.shape, *new.shape[1:]), new.dtype))
            whole[chain, number] = new[:count]


def drawn(variables: Collection[Variable], values: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return draws of variables, shapes (chain, draw, ...) by name, labelled by their plates."""
    plates = named_dimensions(variables)
    return dataset(
        {v.name: (("chain", "draw", *v.dims), values[v.name]) for v in variables}, plates
    )


class Values(Reader):
    """Read the values of some variables, what the plan took out drawn back with the chains' keys.

    `given` are the constants that the draws were made with.
    """

    def __init__(
        self, target: Target, given: Given, keys: Key, variables: Collection[Variable], total: int
    ) -> None:
        self.variables = list(variables)
        names = tuple(v.name for v in self.variables)
        function = partial(_values, target, names, given, keys)
        self.each = Each(function, len(keys), total, width(target, names))

    def add(self, draws: Draws) -> None:
        """Read the next draws."""
        if self.variables:
            self.each.add(draws)

    def finish(self) -> dict[str, xr.Dataset]:
        """Return the group of the posterior's draws."""
        return {"posterior": drawn(self.variables, self.each.finish())}


@compiled(ONCE, "target", "names")
def _values(  # noqa: PLR0913 - a program takes arrays one by one
    target: Target,
    names: tuple[str, ...],
    given: Given,
    keys: Key,
    chains: Array,
    numbers: Array,
    positions: Array,
) -> dict[str, Array]:
    def one(chain: Array, number: Array, position: Array) -> dict[str, Array]:
        return target.values(recovery_key(keys, chain, number), given, position, names)

    return jax.vmap(one)(chains, numbers, positions)


def constrain(
    target: Target, given: Given, names: tuple[str, ...], keys: Key, positions: np.ndarray
) -> dict[str, np.ndarray]:
    """Turn unconstrained draws, shape (chain, draw, dim), into named values.

    `keys`, one a chain, draw the variables that the plan has taken out of the sampler.
    """
    function = partial(_values, target, names, given, keys)
    each = Each(function, positions.shape[0], positions.shape[1], width(target, names))
    each.add(Draws(positions, {}))
    return each.finish()


def width(target: Target, names: tuple[str, ...]) -> int:
    """Return about how many numbers are at work in one draw."""
    form, values = target.form, target.form.program.outputs.values
    found = target.layout.dim + sum(prod(values[name].aval.shape) for name in names)
    return found + sum(
        prod(values[site].aval.shape)
        for m in form.marginals
        if reached(form, m.sites, names)
        for site in m.sites
    )
