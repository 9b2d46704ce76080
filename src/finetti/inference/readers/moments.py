"""Average the sites whose draws are not kept: their posterior means and standard deviations.

For a site that was integrated out, its mean and variance given each draw of the rest are averaged,
which has less error than drawing it (Gelfand & Smith 1990, who name it after Rao and Blackwell).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import OFTEN, compiled
from finetti.dividing import opening
from finetti.inference.engine.draws import Draws
from finetti.inference.readers.reader import Reader, batches, recovery_key, rows
from finetti.posterior.labels import coordinates_of, dotted
from finetti.posterior.posterior import MOMENTS
from finetti.structure.form import Given
from finetti.structure.variables import Variable, named_dimensions
from finetti.targets.density import Target
from finetti.types import Array, Key

if TYPE_CHECKING:
    import xarray as xr

NUMBERS = 10**8  # to average in all: from few draws where a draw has many
FEWEST = 100  # draws
TOGETHER = 50  # draws a call, fewer where each is many numbers
TOGETHER_NUMBERS = 4 * 10**6


class Sums(NamedTuple):
    """Hold the mean of a site's means, the sum of their squared deviations, and its variances'."""

    mean: Array
    spread: Array
    variance: Array


class Moments(Reader):
    """Read means and standard deviations of the variables given, whose draws are not kept.

    A site has a first dimension more than in the model, `moment`, with the members mean and sd. Of
    `total` draws a chain all are used, or every so many where there are many numbers; the group's
    attribute `draws` says how many.
    """

    def __init__(
        self, target: Target, given: Given, keys: Key, variables: list[Variable], total: int
    ) -> None:
        self.target, self.given, self.keys = target, given, keys
        self.variables = variables
        numbers, draws = sum(prod(v.shape) for v in variables), len(keys) * total
        wanted = min(draws, max(FEWEST, NUMBERS // max(numbers, 1)))
        self.stride = -(-draws // wanted)
        self.together = int(np.clip(TOGETHER_NUMBERS // max(target.layout.dim, 1), 1, TOGETHER))
        self.count = 0
        self.sums: dict[str, Sums] | None = None

    def add(self, draws: Draws) -> None:
        """Read the next draws."""
        if not self.variables:
            return
        columns = rows(draws)
        used = columns[1] % self.stride == 0
        for batch, count in batches(self.together, *(column[used] for column in columns)):
            self._add(batch, count)

    def _add(self, batch: list[np.ndarray], count: int) -> None:
        names = tuple(v.name for v in self.variables)
        if self.sums is None:
            self.sums = _nothing(self.target, names, self.given, self.keys, batch[2][0])
        first, last = (jnp.asarray(n) for n in (self.count, self.count + count))
        self.sums = _accumulate(
            self.target, names, self.given, self.keys, tuple(batch), first, last, self.sums
        )
        self.count += count

    def finish(self) -> dict[str, xr.Dataset]:
        """Return the group of means and standard deviations."""
        import xarray as xr

        if not self.variables or self.sums is None:
            return {}
        variables = {}
        for v in self.variables:
            s = self.sums[v.name]
            sd = np.sqrt(s.spread / max(self.count - 1, 1) + s.variance / self.count)
            variables[dotted(v.name)] = (("moment", *map(dotted, v.dims)), np.stack([s.mean, sd]))
        plates = coordinates_of(named_dimensions(self.variables))
        coordinates = {"moment": ["mean", "sd"], **plates}
        return {MOMENTS: xr.Dataset(variables, coordinates, {"draws": self.count})}

    def state(self) -> dict[str, np.ndarray]:
        """Return the sums so far, and of how many draws one is used."""
        sums = {
            f"{field} {name}": np.asarray(getattr(s, field))
            for name, s in (self.sums or {}).items()
            for field in Sums._fields
        }
        return {"count": np.asarray(self.count), "stride": np.asarray(self.stride), **sums}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self.count, self.stride = int(state["count"]), int(state["stride"])
        names = [n.removeprefix("mean ") for n in state if n.startswith("mean ")]
        found = {n: Sums(*(jnp.asarray(state[f"{f} {n}"]) for f in Sums._fields)) for n in names}
        self.sums = found or None


def _nothing(
    target: Target, names: tuple[str, ...], given: Given, keys: Key, position: np.ndarray
) -> dict[str, Sums]:
    """Return the sums of no draws."""

    def moments(key: Key, given: Given, x: Array) -> dict[str, tuple[Array, Array]]:
        return target.moments(key, given, x, names)

    look = jax.eval_shape(opening(moments), keys[0], given, position)
    return {n: Sums(*(jnp.zeros(mean.shape) for _ in range(3))) for n, (mean, _) in look.items()}


@compiled(OFTEN, "target", "names")
def _accumulate(  # noqa: PLR0913 - one draw after another, with where it stands
    target: Target,
    names: tuple[str, ...],
    given: Given,
    keys: Key,
    batch: tuple[Array, Array, Array],
    start: Array,
    end: Array,
    sums: dict[str, Sums],
) -> dict[str, Sums]:
    """Add draws number `start` up to `end` to the sums (Welford 1962)."""
    chains, numbers, positions = batch

    def add(count: Array, sums: dict[str, Sums]) -> dict[str, Sums]:
        row = count - start
        key = recovery_key(keys, chains[row], numbers[row])
        found = target.moments(key, given, positions[row], names)
        return {n: _add(sums[n], *found[n], count + 1) for n in names}

    return jax.lax.fori_loop(start, end, add, sums)


def _add(sums: Sums, mean: Array, variance: Array, count: Array) -> Sums:
    change = mean - sums.mean
    middle = sums.mean + change / count
    return Sums(middle, sums.spread + change * (mean - middle), sums.variance + variance)
