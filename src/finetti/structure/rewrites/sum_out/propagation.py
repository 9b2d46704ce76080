"""Sum discrete members out by belief propagation, where tables are too wide to do it exactly.

It answers as an elimination does: `log_sum` is Bethe's approximation, whose slopes are the beliefs.
Members are drawn back each by itself, from its belief.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from finetti.factors import BeliefPropagation, Beliefs, Graph, Selection, Table, Variables
from finetti.factors.rounds import Scope, Shape, Stacks
from finetti.types import Array, Constants, Key, Scalar

METHOD = BeliefPropagation(damping=0.2, tolerance=1e-8, iterations=500)


@dataclass(frozen=True)
class Propagation:
    """Hold the factor graph of some stacks of tables: the selections that each stack speaks to.

    `members` are, for each array of variables, the members it stands for.
    """

    scopes: tuple[tuple[Shape, tuple[Selection, ...]], ...]
    members: tuple[tuple[Variables, tuple[int, ...]], ...]
    method: BeliefPropagation = METHOD

    def log_sum(self, stacks: Stacks, constants: Sequence[Constants]) -> Scalar:
        """Return Bethe's log of the sum, over all joint states, of exp of the factors' sum."""
        return jnp.asarray(self._run(stacks).log_partition)

    def draw(self, key: Key, stacks: Stacks, constants: Sequence[Constants], count: int) -> Array:
        """Draw the states of all `count` variables, each by itself."""
        states, beliefs = jnp.zeros(count, int), self._run(stacks).log_beliefs
        for i, (variables, members) in enumerate(self.members):
            found = jax.random.categorical(jax.random.fold_in(key, i), beliefs[variables.name])
            states = states.at[np.asarray(members)].set(found)
        return states

    def _run(self, stacks: Stacks) -> Beliefs:
        factors = [Table(*scopes, log_potentials=stacks[shape]) for shape, scopes in self.scopes]
        return self.method.run(Graph(*factors))


def propagation(rows: Mapping[Shape, Mapping[Scope, int]], states: Sequence[int]) -> Propagation:
    """Return the belief propagation on factors whose scopes have rows in stacks of tables."""
    members = {k: [m for m, n in enumerate(states) if n == k] for k in dict.fromkeys(states)}
    named = {
        k: Variables(f"of {k} states", {"member": len(m)}, states=k) for k, m in members.items()
    }
    place = {m: i for own in members.values() for i, m in enumerate(own)}
    scopes = []
    for shape, held in rows.items():
        index = np.array([[place[m] for m in scope] for scope in held])
        scopes.append((shape, tuple(named[k][index[:, i]] for i, k in enumerate(shape))))
    return Propagation(tuple(scopes), tuple((named[k], tuple(own)) for k, own in members.items()))
