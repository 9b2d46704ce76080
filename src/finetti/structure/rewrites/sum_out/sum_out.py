"""Sum discrete sites out, give their posterior probabilities and draw them back.

Every scalar member of the sites is a variable with few states, and every element of a term a
factor on the few members it depends on. Members that share no factor may share a colour: the terms
are evaluated with all members of a colour at the same state (the compressed evaluation that
Curtis, Powell & Reid 1974 use for Jacobians), which gives all the factors' tables at once. Then
the variables are eliminated in rounds, or where that is too wide, and only if the user chooses,
their beliefs are propagated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.factors.rounds import Addition, Elimination, Shape, Stacks, add_up
from finetti.structure.rewrites.rewrite import Marginal, Terms
from finetti.structure.rewrites.sum_out.propagation import Propagation
from finetti.structure.words import listed
from finetti.types import Array, Constants, Key, Scalar


@dataclass(frozen=True)
class Piece:
    """Name some elements of a term: all those that depend on members of the same colours.

    `axes` are the places of these colours among the colours of the batch, in the order in which the
    elements depend on them.
    """

    term: str
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Hold terms that are evaluated together, at all joint states of some colours."""

    states: Shape
    pieces: tuple[Piece, ...]

    def assignments(self) -> np.ndarray:
        """Return the colours' joint states, one a row; a last column serves all other colours."""
        grid = np.indices(self.states).reshape(len(self.states), prod(self.states))
        return np.vstack([grid, np.zeros_like(grid[:1])]).T

    def tables(self, values: Mapping[str, Array], elements: list[Array | None]) -> list[Array]:
        """Return each piece's factors from the terms' values, whose first axis is assignments."""
        found = []
        for piece, chosen in zip(self.pieces, elements, strict=True):
            # These elements are the same at all states of the colours left aside: the first is as
            # good.
            idle = [i for i in range(len(self.states)) if i not in piece.axes]
            table = values[piece.term].reshape(*self.states, -1)
            table = jnp.transpose(table, (*idle, len(self.states), *piece.axes))[(0,) * len(idle)]
            found.append(table if chosen is None else table[chosen])
        return found


@dataclass(frozen=True)
class SumOut(Marginal):
    """Sum out discrete sites of known, bounded support.

    `shapes` and `states` are each site's shape and number of states, `additions` say
    what the factors are made of, `seen` what is summed, in words.
    """

    sites: tuple[str, ...]
    terms: tuple[str, ...]
    shapes: tuple[Shape, ...]
    states: tuple[int, ...]
    batches: tuple[Batch, ...]
    additions: tuple[Addition, ...]
    elimination: Elimination | Propagation
    seen: str
    verb = "sum out"
    by_element = True

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "sum out"

    def reason(self, site: str) -> str:
        """Say why."""
        states = self.states[self.sites.index(site)]
        others = [t for t in self.terms if t not in self.sites]
        seen = f", seen through {listed(others)}" if others else ""
        return f"discrete: {states} states{seen}"

    def cost(self) -> str:
        """Say how many states are summed over."""
        return self.seen

    def log_marginal(self, terms: Terms, constants: Constants) -> Scalar:
        """Return the log of the sum over all joint states."""
        stacks = self._stacks(terms, constants, constants["masks"])
        return self.elimination.log_sum(stacks, constants["rounds"])

    def draw(self, key: Key, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Draw the sites jointly from their conditional distribution."""
        stacks = self._stacks(terms, constants, constants["masks"])
        sizes = [prod(shape) for shape in self.shapes]
        states = self.elimination.draw(key, stacks, constants["rounds"], sum(sizes))
        parts = jnp.split(states, np.cumsum(sizes)[:-1])
        steps = dict(zip(self.sites, parts, strict=True))
        lowest = constants["lowest"]
        return {n: low + steps[n].reshape(low.shape).astype(low.dtype) for n, low in lowest.items()}

    def mode(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return each member, by itself, in its most probable state."""
        chances, lowest = self.probabilities(terms, constants), constants["lowest"]
        return {n: low + jnp.argmax(chances[n], -1).astype(low.dtype) for n, low in lowest.items()}

    def probabilities(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return each site's state probabilities given all else, shape (*shape, states).

        They are the slope of the log sum in the members' own log weights.
        """

        def log_sum(masks: list[Array]) -> Scalar:
            stacks = self._stacks(terms, constants, masks)
            return self.elimination.log_sum(stacks, constants["rounds"])

        slopes = jax.grad(log_sum)(constants["masks"])
        return {
            site: slope.reshape(*shape, -1)
            for site, slope, shape in zip(self.sites, slopes, self.shapes, strict=True)
        }

    def lowest(self, constants: Constants) -> dict[str, np.ndarray]:
        """Return the first state of each member."""
        return {site: np.asarray(first) for site, first in constants["lowest"].items()}

    def _stacks(self, terms: Terms, constants: Constants, masks: list[Array]) -> Stacks:
        """Evaluate the terms and gather them into factors."""
        pieces = list(masks)
        for batch, given in zip(self.batches, constants["batches"], strict=True):
            values = self._evaluate(batch, terms, constants, given["columns"])
            pieces += batch.tables(values, given["elements"])
        return add_up(self.additions, pieces, constants["additions"])

    def _evaluate(
        self, batch: Batch, terms: Terms, constants: Constants, columns: Mapping[str, Array]
    ) -> Mapping[str, Array]:
        """Return the batch's terms at all joint states of its colours, those along axis 0."""
        wanted = {piece.term for piece in batch.pieces}

        def at(states: Array) -> dict[str, Array]:
            # A member with fewer states than others of its site stays at its last; `masks` bar the
            # rest.
            moved = {
                site: jnp.minimum(states[columns[site]], constants["span"][site])
                for site in self.sites
            }
            found = terms({site: constants["lowest"][site] + step for site, step in moved.items()})
            return {name: value for name, value in found.items() if name in wanted}

        dtype = constants["lowest"][self.sites[0]].dtype
        return jax.vmap(at)(jnp.asarray(batch.assignments(), dtype))


@dataclass(frozen=True)
class Propagate(SumOut):
    """Sum discrete sites out by belief propagation: by Bethe's approximation to the sum.

    It is exact where no members meet in a cycle.
    """

    verb = "propagate"
    asked_for = True

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "sum by messages"

    @property
    def exact(self) -> bool:
        """Tell that the posterior is approximated."""
        return False

    def cost(self) -> str:
        """Say how many states are summed over, and how."""
        return f"{self.seen}: NOT exact, by belief propagation"
