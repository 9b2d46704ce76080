"""Pass messages until they settle: belief propagation, for sums or for the best state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from finetti.compiling import USUAL, compiled
from finetti.errors import ModelError
from finetti.factors.beliefs import Beliefs
from finetti.factors.clash import contradiction
from finetti.factors.factor import scaled, traced
from finetti.factors.graph import Evidence, Graph
from finetti.factors.messages import Messages, Totals, no_messages, sums_of, totals
from finetti.factors.schedules import Flooding, Schedule
from finetti.factors.semiring import Max, Semiring, Sum
from finetti.types import AnyArray, Array, DType, Scalar, Value


class State(NamedTuple):
    """Hold the messages, how many iterations made them, and the last one's greatest change.

    It is a pytree of arrays: save its leaves, and go on by `run(graph, state=state)`.

    >>> from finetti import factors as fg
    >>> x = fg.Variables("x", {"i": 3})
    >>> chain = fg.Graph(fg.Table(x[:-1], x[1:], log_potentials=[[1, 0], [0, 1]]))
    >>> found = fg.BeliefPropagation().run(chain)
    >>> bool(fg.BeliefPropagation().run(chain, state=found.state).converged)
    True
    """

    messages: Messages
    iteration: Array
    residual: Array


@dataclass(frozen=True)
class BeliefPropagation:
    """Pass messages along the edges of a graph until none changes by `tolerance`.

    `temperature` 1 is sum-product: beliefs are marginals. 0 is max-product: they are scores of
    best states. Between, and above, log potentials are divided by it. `damping` is the weight of
    an old message in the new one; `schedule` says which are updated; `iterations` is the most
    that one run makes. Computes in float64, or in `dtype=np.float32`; inside
    `jax.vmap`, `jit` and `grad`, in JAX's default.

    Exact on trees. With cycles, log_partition is Bethe's approximation (Yedidia, Freeman & Weiss
    2005): log Z_B = sum_f log Z_f + sum_v (1 - d_v) log Z_v, for variables v of d_v factors f. It
    has derivatives, as messages are at a stationary point of it; beliefs have none.

    Raises `ModelError` for settings out of range.

    >>> from finetti import factors as fg
    >>> spin = fg.Variables("spin", {"site": 50})
    >>> chain = fg.Graph(
    ...     fg.Table(spin[:-1], spin[1:], log_potentials=[[0.5, -0.5], [-0.5, 0.5]]),
    ...     fg.Table(spin[0], log_potentials=[0.0, 1.0]),
    ... )
    >>> found = fg.BeliefPropagation().run(chain)
    >>> found.marginals["spin"][2].round(3)
    array([0.451, 0.549])
    >>> fg.BeliefPropagation(temperature=0).run(chain).decode()["spin"].tolist() == [1] * 50
    True
    """

    temperature: float | int = 1.0
    damping: float | int = 0.0
    schedule: Schedule = field(default_factory=Flooding)
    tolerance: float | int = 1e-6
    iterations: int = 1000
    dtype: DType = np.float64

    def __post_init__(self):
        if not self.temperature >= 0 or np.isinf(self.temperature):
            raise ModelError(
                f"temperature is {self.temperature}; give a number above 0, or 0 for max-product"
            )
        if not 0 <= self.damping < 1:
            raise ModelError(f"damping is {self.damping}; give a number from 0 to below 1")
        if np.dtype(self.dtype) not in (np.float32, np.float64):
            raise ModelError(f"dtype is {self.dtype}; give np.float64 or np.float32")

    def init(self, graph: Graph) -> State:
        """Return the state to start from: messages that say nothing."""
        return beginning(graph)

    def step(self, graph: Graph, state: State, evidence: Evidence | None = None) -> State:
        """Return the state after one iteration, in JAX's default precision."""
        given = graph.checked(evidence)
        graph, weights = _tempered(self.semiring, graph, given, self.temperature)
        program = Program(self.semiring, self.schedule, self.damping > 0)
        return program.advance(graph, weights, state, self.damping)

    def run(
        self, graph: Graph, evidence: Evidence | None = None, state: State | None = None
    ) -> Beliefs:
        """Iterate until messages settle, from the first or from a state; return the beliefs.

        `evidence` gives log weights, (*shape, states), by the names of variables; see
        `Variables.observe`. Raises `Contradiction` where no joint state is possible; inside
        `jax.vmap` and `jit` the beliefs' `possible` tells.
        """
        if traced(graph, evidence, state):
            return self._run(graph, evidence, state)
        with jax.enable_x64(np.dtype(self.dtype) == np.float64):
            found = self._run(graph, evidence, state)
            if not found.possible:
                given = graph.checked(evidence)
                raise contradiction(
                    graph, given, lambda given: bool(self._run(graph, given, None).possible)
                )
            return found.fetched()

    def watch(
        self,
        graph: Graph,
        evidence: Evidence | None = None,
        state: State | None = None,
        every: int = 10,
    ) -> Iterator[Beliefs]:
        """Yield the beliefs every so many iterations, until they settle: to show, or to save.

        >>> from finetti import factors as fg
        >>> x = fg.Variables("x", {"i": 30})
        >>> chain = fg.Graph(fg.Table(x[:-1], x[1:], log_potentials=[[1.0, 0.0], [0.0, 1.0]]),
        ...     fg.Table(x[0], log_potentials=[0.0, 1.0]))
        >>> [int(b.state.iteration) for b in fg.BeliefPropagation().watch(chain, every=10)]
        [10, 18]
        """
        left = self.iterations
        while left > 0:
            found = replace(self, iterations=min(every, left)).run(graph, evidence, state)
            yield found
            if bool(found.converged):
                return
            state, left = found.state, left - every

    @property
    def semiring(self) -> Semiring:
        """Return how alternatives are combined: as a sum, or at temperature 0 as a maximum."""
        return Sum() if self.temperature else Max()

    def _run(self, graph: Graph, evidence: Evidence | None, state: State | None) -> Beliefs:
        numbers = Numbers(self.temperature, self.damping, self.tolerance, self.iterations)
        program = Program(self.semiring, self.schedule, self.damping > 0)
        found = _settle(program, graph, graph.checked(evidence), numbers, state)
        return replace(found, temperature=self.temperature)


class Numbers(NamedTuple):
    """Hold the settings that a compiled program is given."""

    temperature: Value
    damping: Value
    tolerance: Value
    iterations: Value


class Program(NamedTuple):
    """Hold the settings that a program is compiled for."""

    semiring: Semiring
    schedule: Schedule
    damps: bool

    def advance(
        self, graph: Graph, log_weights: Mapping[str, Array], state: State, damping: Value
    ) -> State:
        """Return the state after one iteration."""
        damping = damping if self.damps else None
        messages, residual = self.schedule.sweep(
            graph, log_weights, state.messages, self.semiring, damping
        )
        return State(messages, state.iteration + 1, residual)


def _tempered(
    semiring: Semiring, graph: Graph, evidence: Mapping[str, AnyArray], temperature: Value
) -> tuple[Graph, dict[str, Array]]:
    """Return the graph and what is said of single variables, at a temperature."""
    weights = graph.log_weights(evidence)
    if isinstance(semiring, Max):
        return graph, weights
    by = 1 / temperature
    return graph.scaled(by), {name: scaled(w, by) for name, w in weights.items()}


@compiled(USUAL, "program")
@partial(jax.jit, static_argnums=0)  # within other programs
def _settle(
    program: Program,
    graph: Graph,
    evidence: Mapping[str, AnyArray],
    numbers: Numbers,
    state: State | None,
) -> Beliefs:
    """Iterate until messages settle; return the beliefs."""
    dtype, semiring = jnp.result_type(float), program.semiring
    graph, log_weights = _tempered(semiring, graph, evidence, numbers.temperature)
    begun = beginning(graph) if state is None else state
    # Bethe's formula is stationary in the messages: its derivatives need none of theirs.
    held, weights, given = lax.stop_gradient((graph, log_weights, begun))
    messages = jax.tree.map(lambda m: m.astype(dtype), given.messages)
    first = State(messages, given.iteration, jnp.full((), jnp.inf, dtype))
    last = first.iteration + numbers.iterations

    def going(state: State) -> Array:
        return (state.residual > numbers.tolerance) & (state.iteration < last)

    def iterate(state: State) -> State:
        return program.advance(held, weights, state, numbers.damping)

    state = lax.while_loop(going, iterate, first)
    said = totals(graph, log_weights, state.messages)
    beliefs = {name: total.belief() for name, total in said.items()}
    log_partition = _bethe(semiring, graph, said, state.messages)
    shown = {n: _normalised(semiring, b) for n, b in lax.stop_gradient(beliefs).items()}
    return Beliefs(
        log_beliefs=shown,
        log_partition=log_partition,
        converged=state.residual <= numbers.tolerance,
        possible=log_partition > -jnp.inf,
        state=state,
        variables=graph.variables,
        temperature=1.0,  # the caller's is put in its place: programs are shared among them
    )


def beginning(graph: Graph) -> State:
    """Return the state to start from."""
    return State(no_messages(graph), jnp.zeros((), jnp.int32), jnp.full((), jnp.inf))


def _bethe(semiring: Semiring, graph: Graph, said: Totals, messages: Messages) -> Scalar:
    """Return Bethe's log partition function, -inf where a factor or variable has no state left."""
    degrees = {v.name: np.zeros(v.shape) for v in graph.variables}
    for factor in graph.factors:
        for scope in factor.scopes:
            degrees[scope.name] = degrees[scope.name] + scope.degrees
    sums = [semiring.reduce(total.belief(), (0,)) for total in said.values()]
    shares = [1 - degrees[name] for name in said]
    weights = sums_of(graph, said, messages, semiring)
    total, possible = jnp.zeros(()), jnp.asarray(True)
    for part, share in [*zip(sums, shares, strict=True), *((w, 1.0) for w in weights)]:
        some = part > -jnp.inf
        possible = possible & some.all()
        total = total + (jnp.where(some, part, 0.0) * share).sum()
    return jnp.where(possible, total, -jnp.inf)


def _normalised(semiring: Semiring, beliefs: Array) -> Array:
    """Return beliefs with states last, their total one (or their best zero)."""
    top = semiring.reduce(beliefs, (0,))
    return jnp.moveaxis(beliefs - jnp.where(jnp.isneginf(top), 0.0, top), 0, -1)
