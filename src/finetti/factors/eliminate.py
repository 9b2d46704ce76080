"""Sum all joint states of a factor graph exactly, eliminating its variables one after another.

What it takes is known before it starts: the tables are planned, and refused above a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import USUAL, compiled
from finetti.errors import ModelError, TooWide
from finetti.factors.beliefs import Beliefs
from finetti.factors.clash import contradiction
from finetti.factors.factor import Piece, traced
from finetti.factors.forest import Forest
from finetti.factors.graph import Evidence, Graph
from finetti.factors.rounds import (
    Addition,
    Elimination,
    Scope,
    Shape,
    Stacks,
    add_up,
    arrange,
    placed,
    schedule,
)
from finetti.factors.shift import BoundedShift
from finetti.factors.variables import Variables
from finetti.types import AnyArray, Array, Constants, DType, Key, Scalar

COPIES = 4  # arrays of a joint table's size that are alive at once, gradients among them
ENTRY = 8  # bytes
HIDDEN = "·"  # begins the names of variables that factors bring


@dataclass(frozen=True)
class Turned:
    """Say how some of a piece's tables are turned, so that their variables stand in order."""

    piece: int
    order: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Hold how a graph is eliminated: how many table entries it takes, in how many rounds."""

    entries: int
    elimination: Elimination
    additions: tuple[Addition, ...]
    turned: tuple[Turned, ...]
    columns: tuple[Variables, ...]
    constants: Constants

    @property
    def bytes(self) -> int:
        """Return the most memory it takes."""
        return self.entries * ENTRY * COPIES

    def __repr__(self) -> str:
        return (
            f"exact elimination: {self.entries:,} table entries in {len(self.elimination.rounds)} "
            f"rounds, at most {in_words(self.bytes)}"
        )

    @property
    def program(self) -> Program:
        """Return what is static of it."""
        return Program(self.elimination, self.additions, self.turned, self.columns)


@dataclass(frozen=True)
class Program:
    """Hold an elimination of graphs of one structure; row numbers are constants, given apart."""

    elimination: Elimination
    additions: tuple[Addition, ...]
    turned: tuple[Turned, ...]
    columns: tuple[Variables, ...]

    def tables(self, graph: Graph, weights: Mapping[str, Array], constants: Constants) -> Stacks:
        """Return the factors' tables, added up to one for each set of variables."""
        dtype = jnp.result_type(float)
        found = [
            jnp.moveaxis(weights[v.name], 0, -1).reshape(v.size, v.states)
            if v.name in weights
            else jnp.zeros((v.size, v.states), dtype)
            for v in self.columns
        ]
        tables = [_rows(piece, dtype) for piece in _pieces(graph)[1]]
        for turned, rows in zip(self.turned, constants["rows"], strict=True):
            axes = (0, *(1 + i for i in turned.order))
            found.append(tables[turned.piece][rows].transpose(axes))
        return add_up(self.additions, found, constants["additions"])

    def states(self, found: Array) -> dict[str, Array]:
        """Return the states of the graph's own variables by name."""
        ends = np.cumsum([v.size for v in self.columns])
        parts = jnp.split(found, ends[:-1])
        named = zip(self.columns, parts, strict=True)
        return {v.name: part.reshape(v.shape) for v, part in named if not v.name.startswith(HIDDEN)}


@dataclass(frozen=True)
class Exact:
    """Sum joint states exactly, by eliminating variables where the graph is narrow enough.

    `memory` bounds what it may take, in bytes: `plan` tells before anything is computed, and
    raises `TooWide` beyond. Computes in float64; inside `jax.vmap`, `jit` and `grad` in JAX's
    default. Logical factors are split into chains of small tables; a bounded shift takes as many
    entries as its two variables have joint states, but for the best state of trees of them.

    >>> from finetti import factors as fg
    >>> spin = fg.Variables("spin", {"row": 4, "col": 4})
    >>> agree = [[0.4, -0.4], [-0.4, 0.4]]
    >>> grid = fg.Graph(
    ...     fg.Table(spin[:-1], spin[1:], log_potentials=agree),
    ...     fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=agree),
    ... )
    >>> fg.Exact().plan(grid)
    exact elimination: ... table entries in ... rounds, at most ... kB
    >>> round(float(fg.Exact().run(grid).log_partition), 3)
    13.187
    """

    memory: int = 2**30

    def plan(self, graph: Graph) -> Arrangement:
        """Return how the graph is eliminated and what it takes; raises `TooWide` beyond memory."""
        columns, pieces = _pieces(graph)
        most = self.memory // (COPIES * ENTRY)
        given = sum(prod(s.states for s in p.scopes) * prod(p.scopes[0].shape) for p in pieces)
        if given > most:
            raise TooWide(_refusal(graph, in_words(given * ENTRY * COPIES), self.memory))
        starts = np.cumsum([0, *(v.size for v in columns)]).tolist()
        places = dict(zip((v.name for v in columns), starts, strict=False))
        states = [v.states for v in columns for _ in range(v.size)]
        turned, rows, scopes = [], [], [(m,) for m in range(len(states))]
        for number, piece in enumerate(pieces):
            members = np.stack([(places[s.name] + s.index).ravel() for s in piece.scopes], 1)
            # Scopes name variables in increasing order: tables in which they stand otherwise are
            # turned.
            order = members.argsort(1)
            for kind in np.unique(order, axis=0):
                which = np.flatnonzero((order == kind).all(1))
                turned.append(Turned(number, tuple(kind.tolist())))
                rows.append(which)
                scopes += map(tuple, members[which][:, kind].tolist())
        distinct: list[Scope] = list(dict.fromkeys(scopes))
        found = schedule(distinct, states, most - given)
        if found is None:
            raise TooWide(_refusal(graph, f"more than {in_words(self.memory)}", self.memory))
        additions = [
            _placed(scopes, held, shape, states)
            for shape, held in arrange(distinct, states).items()
        ]
        return Arrangement(
            entries=found.entries + given,
            elimination=found.elimination,
            additions=tuple(a for a, _ in additions),
            turned=tuple(turned),
            columns=tuple(columns),
            constants={
                "additions": [where for _, where in additions],
                "rounds": found.constants,
                "rows": rows,
            },
        )

    def run(self, graph: Graph, evidence: Evidence | None = None) -> Beliefs:
        """Return exact marginals and the log partition function, which has derivatives.

        Raises `TooWide` beyond memory, and `Contradiction` where no joint state is possible.
        """
        arranged, given = self.plan(graph), graph.checked(evidence)
        if traced(graph, given):
            return _beliefs(arranged.program, arranged.constants, graph, given)

        def solved(given: Mapping[str, AnyArray]) -> Beliefs:
            return _beliefs(arranged.program, arranged.constants, graph, given)

        with jax.enable_x64(True):
            found = solved(given)
            if not found.possible:
                raise contradiction(graph, given, lambda given: bool(solved(given).possible))
            return found.fetched()

    def best(self, graph: Graph, evidence: Evidence | None = None) -> dict[str, AnyArray]:
        """Return the joint state of greatest weight, by name.

        Where the factors of several variables are bounded shifts that form no loop it is found by
        `Forest`, which needs no tables. Raises `TooWide` beyond memory, and `Contradiction` where
        no joint state is possible.
        """
        given = graph.checked(evidence)
        if not traced(graph, given) and (forest := _forest(graph)) is not None:
            with jax.enable_x64(True):
                weights = graph.log_weights(given)
            return forest.run(
                {n: np.moveaxis(np.asarray(w), 0, -1) for n, w in weights.items()}
            ).decode()
        return self._states(graph, evidence, None)

    def draw(self, key: Key, graph: Graph, evidence: Evidence | None = None) -> dict[str, AnyArray]:
        """Draw a joint state with probability proportional to its weight, by name.

        Raises `TooWide` beyond memory, and `Contradiction` where no joint state is possible.
        """
        return self._states(graph, evidence, key)

    def _states(
        self, graph: Graph, evidence: Evidence | None, key: Key | None
    ) -> dict[str, AnyArray]:
        arranged, given = self.plan(graph), graph.checked(evidence)
        if traced(graph, given, key):
            return _states(arranged.program, arranged.constants, graph, given, key)[0]
        with jax.enable_x64(True):
            found, score = _states(arranged.program, arranged.constants, graph, given, key)
            if not np.isfinite(score):
                self.run(graph, evidence)  # raises, and tells where
            return jax.tree.map(np.asarray, found)


@compiled(USUAL, "program")
@partial(jax.jit, static_argnums=0)  # within other programs
def _beliefs(
    program: Program, constants: Constants, graph: Graph, evidence: Mapping[str, AnyArray]
) -> Beliefs:
    def log_sum(weights: dict[str, Array]) -> Scalar:
        stacks = program.tables(graph, weights, constants)
        return program.elimination.log_sum(stacks, constants["rounds"])

    # The slopes of the log sum in a variable's log weights are its marginals.
    total, slopes = jax.value_and_grad(log_sum)(graph.log_weights(evidence))
    logs = {
        name: jnp.where(s > 0, jnp.log(jnp.where(s > 0, s, 1.0)), -jnp.inf)
        for name, s in slopes.items()
    }
    return Beliefs(
        log_beliefs={name: jnp.moveaxis(b, 0, -1) for name, b in logs.items()},
        log_partition=total,
        converged=jnp.asarray(True),
        possible=total > -jnp.inf,
        state=None,
        variables=graph.variables,
        temperature=1.0,
        exact=True,
    )


@compiled(USUAL, "program")
@partial(jax.jit, static_argnums=0)  # within other programs
def _states(
    program: Program,
    constants: Constants,
    graph: Graph,
    evidence: Mapping[str, AnyArray],
    key: Key | None,
) -> tuple[dict[str, Array], Scalar]:
    """Return the best joint state, or with a key a draw, and its log weight."""
    weights = graph.log_weights(evidence)
    stacks, count = program.tables(graph, weights, constants), sum(v.size for v in program.columns)
    if key is None:
        found = program.elimination.best(stacks, constants["rounds"], count)
    else:
        found = program.elimination.draw(key, stacks, constants["rounds"], count)
    states = program.states(found)
    given = [jnp.take_along_axis(w, states[name][None], 0).sum() for name, w in weights.items()]
    factors = [
        f.score([states[s.name].reshape(-1)[s.index] for s in f.scopes]) for f in graph.factors
    ]
    return states, sum(given) + sum((f.sum() for f in factors), jnp.zeros(()))


def _forest(graph: Graph) -> Forest | None:
    """Return the forest that bounded shifts make of a graph, if they do."""
    if not graph.factors or not all(isinstance(f, BoundedShift) for f in graph.factors):
        return None
    try:
        return Forest.of(Graph(*graph.factors, variables=graph.variables))
    except ModelError:
        return None


def _pieces(graph: Graph) -> tuple[list[Variables], list[Piece]]:
    """Return the graph's factors as plain tables, and its variables with those they bring."""
    pieces = [p for i, f in enumerate(graph.factors) for p in f.pieces(f"{HIDDEN}{i}")]
    brought = {s.name: s.variables for p in pieces for s in p.scopes}
    return list({**{v.name: v for v in graph.variables}, **brought}.values()), pieces


def _rows(piece: Piece, dtype: DType) -> Array:
    """Return a piece's tables, one a row: (batch, *states)."""
    batch, states = piece.scopes[0].shape, tuple(s.states for s in piece.scopes)
    table = jnp.broadcast_to(jnp.asarray(piece.log_table, dtype), (*batch, *states))
    return table.reshape(prod(batch), *states)


def _placed(
    scopes: Sequence[Scope], held: Mapping[Scope, int], shape: Shape, states: Sequence[int]
) -> tuple[Addition, Constants]:
    """Say to which rows of a stack the tables of its shape are added."""
    targets = [held[s] for s in scopes if tuple(states[m] for m in s) == shape]
    return placed(shape, len(held), targets)


def _refusal(graph: Graph, needed: str, memory: int) -> str:
    return (
        f"exact elimination of {graph} needs {needed} and may take {in_words(memory)}; use "
        "BeliefPropagation, or Exact(memory=...) with more bytes"
    )


def in_words(size: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit, by in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= by:
            return f"{size / by:,.1f} {unit}"
    return f"{size} bytes"
