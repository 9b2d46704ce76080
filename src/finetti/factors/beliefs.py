"""Hold what was found of a graph's variables: beliefs, their best states, the log total weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.errors import ModelError
from finetti.factors.variables import Variables
from finetti.types import AnyArray, Tree

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Hold the beliefs about a graph's variables; a pytree.

    `log_beliefs` are by name, shape (*shape, states): log probabilities, or at temperature 0
    each state's best joint score less the best of all. `log_partition` is the log of the total
    weight exp(score / temperature), or at temperature 0 the best score; belief propagation gives
    Bethe's approximation to it, which is exact on trees, and `exact` tells of sums over all joint
    states. `converged` tells whether messages settled, and `possible` whether a joint state is
    left. `state` is what to go on from. Arrays are numpy's, or JAX's where a program is traced.

    >>> from finetti import factors as fg
    >>> coin = fg.Variables("coin", {"toss": 2})
    >>> found = fg.Exact().run(fg.Graph(fg.Table(coin, log_potentials=[0.0, 0.0])))
    >>> found.marginals["coin"].tolist(), found.labelled()["coin"].dims
    ([[0.5, 0.5], [0.5, 0.5]], ('toss', 'coin_state'))
    """

    log_beliefs: Mapping[str, AnyArray]
    log_partition: AnyArray
    converged: AnyArray
    possible: AnyArray
    state: Tree
    variables: tuple[Variables, ...]
    temperature: float | int
    exact: bool = False

    def __repr__(self) -> str:
        return f"<beliefs about {', '.join(self.log_beliefs)}>"

    @property
    def marginals(self) -> dict[str, AnyArray]:
        """Return the probabilities of each variable's states, shape (*shape, states).

        Raises `ModelError` at temperature 0, where beliefs are no probabilities.
        """
        if self.temperature == 0:
            raise ModelError(
                "at temperature 0 beliefs are best scores, not probabilities; read `log_beliefs` "
                "or `decode()`, or use a temperature above 0"
            )
        arrays = np if isinstance(self.log_partition, np.ndarray) else jnp
        return {name: arrays.exp(b) for name, b in self.log_beliefs.items()}

    @property
    def free_energy(self) -> AnyArray:
        """Return the free energy, -temperature log(partition); at temperature 0, -(best score)."""
        return self.log_partition * -(self.temperature or 1.0)

    def decode(self) -> dict[str, AnyArray]:
        """Return each variable's best state by itself: the joint best one at temperature 0.

        Where several joint states are best, they may be mixed up; `graph.score` tells.
        """
        return {name: b.argmax(-1) for name, b in self.log_beliefs.items()}

    def labelled(self) -> xarray.Dataset:
        """Return `log_beliefs` with named dimensions, the last of which is `NAME_state`."""
        import xarray

        named = {v.name: (*v.dims, f"{v.name}_state") for v in self.variables}
        return xarray.Dataset(
            {name: (dims, np.asarray(self.log_beliefs[name])) for name, dims in named.items()}
        )

    def fetched(self) -> Beliefs:
        """Return the beliefs as numpy arrays."""
        return jax.tree.map(np.asarray, self)


jax.tree_util.register_dataclass(
    Beliefs,
    ["log_beliefs", "log_partition", "converged", "possible", "state"],
    ["variables", "temperature", "exact"],
)
