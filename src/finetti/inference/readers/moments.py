"""Average the sites whose draws are not kept: their posterior means and standard deviations.

For a site that was integrated out, its mean and variance given each draw of the rest are averaged,
which has less error than drawing it (Gelfand & Smith 1990, who name it after Rao and Blackwell).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import OFTEN, compiled
from finetti.dividing import opening
from finetti.inference.engine.draws import Draws
from finetti.inference.engine.price import numbers
from finetti.inference.engine.threads import by_threads, divisible
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
MADE = 2 * 10**9  # and to make for that, where means are known given each draw
FEWEST = 100  # draws
TOGETHER = 50  # draws a call, fewer where each is many numbers
TOGETHER_NUMBERS = 4 * 10**6
HANDS = 4  # that add up draws side by side where each is dear


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
        each, draws = sum(prod(v.shape) for v in variables), len(keys) * total
        most = NUMBERS // max(each, 1)
        known = {site for m in target.form.marginals for site in m.sites}
        if variables and all(v.name in known for v in variables):
            most = min(most, MADE // max(numbers(target, given), 1))
        wanted = min(draws, max(FEWEST, most))
        self.stride = -(-draws // wanted)
        self.together = int(np.clip(TOGETHER_NUMBERS // max(target.layout.dim, 1), 1, TOGETHER))
        self.apart = divisible(target, given)
        self.counts = [0] * (HANDS if self.apart else 1)
        self.sums: list[dict[str, Sums]] = []

    def add(self, draws: Draws) -> None:
        """Read the next draws."""
        if not self.variables:
            return
        columns = rows(draws)
        used = columns[1] % self.stride == 0
        turn = columns[1] // self.stride % len(self.counts)
        if not self.sums:
            names, position = tuple(v.name for v in self.variables), columns[2][0]
            nothing = _nothing(self.target, names, self.given, self.keys, position)
            self.sums = [nothing] * len(self.counts)

        def read(hand: int) -> None:
            own = used & (turn == hand)
            if own.any():
                for batch, count in batches(self.together, *(column[own] for column in columns)):
                    self._add(hand, batch, count)

        hands = range(len(self.counts))
        by_threads(read, hands) if self.apart else read(0)

    def _add(self, hand: int, batch: list[np.ndarray], count: int) -> None:
        names = tuple(v.name for v in self.variables)
        first, last = (jnp.asarray(n) for n in (self.counts[hand], self.counts[hand] + count))
        found = _accumulate(
            self.target, names, self.given, self.keys, tuple(batch), first, last, self.sums[hand]
        )
        # Waited for: threads that only ask would ask for all at once.
        self.sums[hand] = jax.block_until_ready(found) if self.apart else found
        self.counts[hand] += count

    def finish(self) -> dict[str, xr.Dataset]:
        """Return the group of means and standard deviations."""
        import xarray as xr

        if not self.variables or not self.sums:
            return {}
        variables, count = {}, sum(self.counts)
        for v in self.variables:
            s = _joined([sums[v.name] for sums in self.sums], self.counts)
            sd = np.sqrt(s.spread / max(count - 1, 1) + s.variance / count)
            variables[dotted(v.name)] = (("moment", *map(dotted, v.dims)), np.stack([s.mean, sd]))
        plates = coordinates_of(named_dimensions(self.variables))
        coordinates = {"moment": ["mean", "sd"], **plates}
        return {MOMENTS: xr.Dataset(variables, coordinates, {"draws": count})}

    def state(self) -> dict[str, np.ndarray]:
        """Return the sums so far, and of how many draws one is used."""
        sums = {
            f"{field} {v.name}": np.stack([getattr(found[v.name], field) for found in self.sums])
            for v in (self.variables if self.sums else ())
            for field in Sums._fields
        }
        return {"counts": np.asarray(self.counts), "stride": np.asarray(self.stride), **sums}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self.counts, self.stride = state["counts"].tolist(), int(state["stride"])
        names = [n.removeprefix("mean ") for n in state if n.startswith("mean ")]
        self.sums = [
            {n: Sums(*(jnp.asarray(state[f"{f} {n}"][i]) for f in Sums._fields)) for n in names}
            for i in range(len(self.counts) if names else 0)
        ]


def _joined(parts: list[Sums], counts: list[int]) -> Sums:
    """Return the sums of all draws from those of some each (Chan, Golub & LeVeque 1983)."""
    shares = np.asarray(counts) / sum(counts)
    mean = sum(share * np.asarray(s.mean) for share, s in zip(shares, parts, strict=True))
    each = zip(counts, parts, strict=True)
    spread = sum(np.asarray(s.spread) + n * (np.asarray(s.mean) - mean) ** 2 for n, s in each)
    found: Any = (mean, spread, sum(np.asarray(s.variance) for s in parts))
    return Sums(*found)


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
