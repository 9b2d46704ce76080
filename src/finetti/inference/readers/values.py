"""Turn draws into what the user's variables are there, and into the statistics of their steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import jax
import numpy as np

from finetti.compiling import BY_SIZE, compiled
from finetti.inference.engine.draws import Draws
from finetti.inference.engine.threads import by_threads, divisible
from finetti.inference.readers.reader import Rows, batches, recovery_key, rows
from finetti.posterior.batches import batch_size
from finetti.posterior.labels import dataset
from finetti.structure.form import Given
from finetti.structure.recovery import reached
from finetti.structure.variables import Variable, named_dimensions
from finetti.targets.density import Target
from finetti.types import AnyArray, Array, Key

if TYPE_CHECKING:
    import xarray as xr

PARTS = 4  # that a block is cut into, where threads make them

ByRow = Callable[
    [AnyArray, AnyArray, AnyArray], Mapping[str, Array]
]  # of chains, numbers and positions


class Each:
    """Apply a function to each draw of a block, some of them at a time.

    At most `most` draws come at once, of all chains; about `numbers` numbers are at work in one.
    Batches are made at once where they are to be made `apart`.
    """

    def __init__(self, function: ByRow, most: int, numbers: int, apart: bool = False) -> None:
        self.function, self.apart = function, apart
        self.size = batch_size(-(-most // PARTS) if apart else most, numbers)

    def __call__(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return what the function makes of the draws, arrays (chain, draw, ...) by name."""
        shape, each = draws.positions.shape[:2], batches(self.size, *rows(draws))
        found = by_threads(self._made, each) if self.apart else list(map(self._made, each))
        names = found[0] if found else ()
        joined = {name: np.concatenate([part[name] for part in found]) for name in names}
        return {name: values.reshape(*shape, *values.shape[1:]) for name, values in joined.items()}

    def _made(self, batch: tuple[list[np.ndarray], int]) -> dict[str, np.ndarray]:
        columns, count = batch
        return {name: np.asarray(v)[:count] for name, v in self.function(*columns).items()}


def drawn(variables: Collection[Variable], values: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return draws of variables, shapes (chain, draw, ...) by name, labelled by their plates."""
    plates = named_dimensions(variables)
    return dataset(
        {v.name: (("chain", "draw", *v.dims), values[v.name]) for v in variables}, plates
    )


class Values(Rows):
    """Read the values of some variables, what the plan took out drawn back with the chains' keys.

    `given` are the constants that the draws were made with.
    """

    group = "posterior"

    def __init__(
        self, target: Target, given: Given, keys: Key, variables: Collection[Variable], most: int
    ) -> None:
        self.variables = list(variables)
        names = tuple(v.name for v in self.variables)
        function = partial(_values, target, names, given, keys)
        apart = reaches(target, names) and divisible(target, given)
        self.each = Each(function, most, width(target, names), apart)

    def read(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return the variables' values."""
        return self.each(draws) if self.variables else {}

    def label(self, rows: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Return the group of the posterior's draws."""
        return drawn(self.variables, rows)


@compiled(BY_SIZE, "target", "names", evaluations=lambda *args: (len(args[-1]), 1), calls=8)
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
    most = positions.shape[0] * positions.shape[1]
    return Each(function, most, width(target, names))(Draws(positions, {}))


def reaches(target: Target, names: tuple[str, ...]) -> bool:
    """Tell whether anything is drawn back for the values of some names."""
    return any(reached(target.form, m.sites, names) for m in target.form.marginals)


def width(target: Target, names: tuple[str, ...]) -> int:
    """Return about how many numbers are at work in one draw."""
    form, values = target.form, target.form.program.outputs.values
    found = target.layout.dim + sum(prod(values[name].aval.shape) for name in names)
    needed = [m for m in form.marginals if reached(form, m.sites, names)]
    found += sum(prod(values[site].aval.shape) for m in needed for site in m.sites)
    return found + sum(m.work for m in needed)
