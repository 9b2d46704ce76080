"""Average the probabilities of the states that were summed out over the draws of a run.

The mean of P(z = k | draw, y) over draws estimates P(z = k | y) with less error than counting how
often z = k is drawn (Gelfand & Smith 1990, who name it after Rao and Blackwell).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.dividing import opening
from finetti.inference.engine.draws import Draws
from finetti.inference.readers.reader import Reader, batches, rows
from finetti.posterior.labels import coordinates_of, dotted
from finetti.posterior.posterior import PROBABILITIES
from finetti.structure.form import Given
from finetti.structure.variables import Variable, named_dimensions
from finetti.targets.density import Target
from finetti.types import Array

if TYPE_CHECKING:
    import xarray as xr

BATCH = 500  # draws at a time
ENTRIES = 10**7  # probabilities at a time


class States(Reader):
    """Read the probabilities of the states of the sites that were summed out, if there are any.

    At most `most` draws come at once, of all chains.
    A site's probabilities have its dims and one more, `z_state`, whose coordinate are the values
    that its members may take.
    """

    def __init__(
        self, target: Target, given: Given, variables: tuple[Variable, ...], most: int
    ) -> None:
        self.target, self.given, self.variables = target, given, variables
        self.lowest: dict[str, np.ndarray] = {}
        for m in target.form.marginals:
            self.lowest |= m.lowest(given.rewrites[m.name])
        position = jax.ShapeDtypeStruct((target.layout.dim,), float)
        found = (
            jax.eval_shape(opening(target.probabilities), given, position) if self.lowest else {}
        )
        width = sum(prod(p.shape) for p in found.values())
        self.size = int(np.clip(ENTRIES // max(width, 1), 1, min(BATCH, most)))
        self.count = 0
        self.sums: dict[str, np.ndarray] = {}

    def add(self, draws: Draws) -> None:
        """Read the next draws."""
        if self.lowest:
            for (positions,), count in batches(self.size, rows(draws)[2]):
                self._add(positions, count)

    def _add(self, positions: np.ndarray, count: int) -> None:
        weights = (np.arange(len(positions)) < count).astype(float)
        found = _summed(self.target, self.given, positions, weights)
        self.sums = {n: np.asarray(a) + self.sums.get(n, 0.0) for n, a in found.items()}
        self.count += count

    def finish(self) -> dict[str, xr.Dataset]:
        """Return the group of state probabilities."""
        import xarray as xr

        if not self.lowest:
            return {}
        variables, coordinates = {}, {}
        for site, total in self.sums.items():
            (v,) = (v for v in self.variables if v.name == site)
            values, placed = _placed(self.lowest[site], total / self.count)
            dim = f"{dotted(site)}_state"
            variables[dotted(site)] = ((*map(dotted, v.dims), dim), placed)
            coordinates |= coordinates_of(named_dimensions([v])) | {dim: values}
        return {PROBABILITIES: xr.Dataset(variables, coordinates)}

    def state(self) -> dict[str, np.ndarray]:
        """Return the sums so far."""
        return {"count": np.asarray(self.count), **{f"sum {n}": a for n, a in self.sums.items()}}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from the sums that `state` returned."""
        self.count = int(state["count"])
        self.sums = {n.removeprefix("sum "): a for n, a in state.items() if n != "count"}


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


@compiled(ONCE, "target")
def _summed(target: Target, given: Given, positions: Array, weights: Array) -> dict[str, Array]:
    found = jax.vmap(target.probabilities, (None, 0))(given, positions)
    return {name: jnp.tensordot(weights, p, 1) for name, p in found.items()}
