"""Eliminate many discrete variables exactly, all those that do not meet at once in each round.

Factors are log tables over few variables. Tables of one shape share an array (a stack), with a row
a factor. A round joins the factors around each variable it eliminates, sums the variable out and
leaves a factor on its neighbours; variables with like surroundings go through as one array. So
independent members take one round, and a chain of T steps about log2(T) (odd-even reduction).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.types import Array, Constants, Key, Scalar, Tree

Scope = tuple[int, ...]
Shape = tuple[int, ...]
Stacks = Mapping[Shape, Array]

ROOMY = 30_000  # entries: smaller joint tables may be made where that saves rounds
FEW = 8  # groups so many times smaller than the largest of a round wait for a later one


@dataclass(frozen=True)
class Rows:
    """Say which rows of a table to take: every so many between two, or those listed apart."""

    span: tuple[int, int, int] | None

    def take(self, table: Array, listed: Array | None) -> Array:
        """Return the rows; spans spare the compiler a gather and its gradient a scatter."""
        return table[listed] if self.span is None else jax.lax.slice_in_dim(table, *self.span)


@dataclass(frozen=True)
class Slot:
    """Say how the factors of one shape enter a joint table, whose axis 0 is eliminated."""

    shape: Shape
    axis: int
    missing: tuple[int, ...]

    def turn(self, table: Array) -> Array:
        """Return the factors with the joint table's axes, one row a variable."""
        return jnp.expand_dims(jnp.moveaxis(table, 1 + self.axis, 1), [2 + i for i in self.missing])


@dataclass(frozen=True)
class Group:
    """Hold variables with like surroundings: the factors their joint tables are made of."""

    slots: tuple[Slot, ...]
    rows: tuple[Rows, ...]

    def join(self, stacks: Stacks, listed: Sequence[Array | None]) -> Array:
        """Return the joint tables, the variables' own states along axis 1."""
        read = zip(self.slots, self.rows, listed, strict=True)
        tables = [slot.turn(rows.take(stacks[slot.shape], at)) for slot, rows, at in read]
        return sum(tables[1:], tables[0])


@dataclass(frozen=True)
class Addition:
    """Say how tables add up to the factors of one shape: `even` if to each of them as many."""

    shape: Shape
    size: int
    rows: Rows
    even: bool

    def add(self, tables: Iterable[Array], where: Constants) -> Array:
        """Gather the tables of that shape, and add up what goes to the same factor."""
        fitting = [t for t in tables if t.shape[1:] == self.shape]
        rows = self.rows.take(jnp.concatenate(fitting), where["rows"])
        if self.even:
            return rows.reshape(self.size, -1, *self.shape).sum(1)
        return jax.ops.segment_sum(rows, where["targets"], self.size, indices_are_sorted=True)


@dataclass(frozen=True)
class Round:
    """Hold the groups eliminated at once and how the factors that are left add up."""

    groups: tuple[Group, ...]
    additions: tuple[Addition, ...]


@dataclass(frozen=True)
class Elimination:
    """Hold the rounds that sum all variables out; row numbers are constants, given apart."""

    rounds: tuple[Round, ...]

    def log_sum(self, stacks: Stacks, constants: Sequence[Constants]) -> Scalar:
        """Return the log of the sum, over all joint states, of exp of the factors' sum."""
        return self._run(stacks, constants, log_sum_exp)[0]

    def draw(self, key: Key, stacks: Stacks, constants: Sequence[Constants], count: int) -> Array:
        """Draw the states of all `count` variables jointly, last eliminated first."""

        def choose(key: Key, weights: Array) -> tuple[Key, Array]:
            key, now = jax.random.split(key)
            return key, jax.random.categorical(now, weights)

        joints = self._run(stacks, constants, log_sum_exp)[1]
        return _trace_back(joints, constants, count, choose, key)

    def best(self, stacks: Stacks, constants: Sequence[Constants], count: int) -> Array:
        """Return the states of all `count` variables where the factors' sum is greatest."""

        def choose(none: None, weights: Array) -> tuple[None, Array]:
            return none, weights.argmax(-1)

        joints = self._run(stacks, constants, lambda joint: joint.max(1))[1]
        return _trace_back(joints, constants, count, choose, None)

    def _run(
        self, stacks: Stacks, constants: Sequence[Constants], reduce: Callable[[Array], Array]
    ) -> tuple[Scalar, list[list[Array]]]:
        joints: list[list[Array]] = []
        for step, given in zip(self.rounds, constants, strict=True):
            read = zip(step.groups, given["rows"], strict=True)
            joints.append([group.join(stacks, listed) for group, listed in read])
            tables = [*stacks.values(), *map(reduce, joints[-1])]
            stacks = add_up(step.additions, tables, given["additions"])
        return stacks[()][0], joints


def _trace_back(
    joints: Sequence[Sequence[Array]],
    constants: Sequence[Constants],
    count: int,
    choose: Callable[[Tree, Array], tuple[Tree, Array]],
    carry: Tree,
) -> Array:
    """Choose each variable's state given those eliminated after it, the last one first."""
    states = jnp.zeros(count, int)
    for tables, given in zip(joints[::-1], constants[::-1], strict=True):
        for joint, members in zip(tables, given["members"], strict=True):
            # Axis 0 of a joint table is the variable's own; the others' states are chosen already.
            around = tuple(states[members[:, i]] for i in range(1, members.shape[1]))
            weights = jnp.moveaxis(joint, 1, -1)[(jnp.arange(len(joint)), *around)]
            carry, chosen = choose(carry, weights)
            states = states.at[members[:, 0]].set(chosen)
    return states


def add_up(
    additions: Sequence[Addition], tables: Sequence[Array], constants: Sequence[Constants]
) -> dict[Shape, Array]:
    """Add tables up to factors."""
    return {a.shape: a.add(tables, where) for a, where in zip(additions, constants, strict=True)}


def log_sum_exp(table: Array) -> Array:
    """Return log sum exp over axis 1, with gradient 0 where all is impossible."""
    highest = jax.lax.stop_gradient(table.max(1, keepdims=True))
    possible = highest > -jnp.inf
    total = jnp.exp(table - jnp.where(possible, highest, 0.0)).sum(1, keepdims=True)
    found = jnp.log(jnp.where(possible, total, 1.0)) + highest
    return found[:, 0]


def placed(shape: Shape, size: int, targets: Sequence[int]) -> tuple[Addition, Constants]:
    """Arrange that row i of some tables be added to factor `targets[i]` (-1: dropped)."""
    wanted = np.asarray(targets)
    order = np.argsort(wanted, kind="stable")[(wanted < 0).sum() :]
    counts = np.bincount(wanted[order], minlength=size)
    even = bool((counts == counts[0]).all())
    rows, listed = listing(order)
    return Addition(shape, size, rows, even), {
        "rows": listed,
        "targets": None if even else wanted[order].astype(np.int32),
    }


def listing(rows: Sequence[int] | np.ndarray) -> tuple[Rows, np.ndarray | None]:
    """Describe rows by a span where they lie evenly, else list them."""
    rows = np.asarray(rows, np.int32)
    step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
    if step > 0 and (np.diff(rows) == step).all():
        return Rows((int(rows[0]), int(rows[-1]) + 1, step)), None
    return Rows(None), rows


@dataclass(frozen=True)
class Schedule:
    """Hold an elimination, its constants and what it costs: the joint tables' entries in all."""

    elimination: Elimination
    constants: list[Constants]
    entries: int


def schedule(scopes: Collection[Scope], states: Sequence[int], most: int) -> Schedule | None:
    """Order the elimination of variables with so many states; None beyond `most` entries.

    `scopes` names the variables of each factor in increasing order; `arrange` numbers them.
    Few rounds are tried first, then the smallest tables.
    """
    for roomy in (ROOMY, 0):
        found = _order(scopes, states, roomy, most)
        if found is not None:
            return found
    return None


def arrange(scopes: Iterable[Scope], states: Sequence[int]) -> dict[Shape, dict[Scope, int]]:
    """Give each scope its row in the stack of its shape, in order."""
    stacks: dict[Shape, dict[Scope, int]] = defaultdict(dict)
    for scope in scopes:
        rows = stacks[tuple(states[m] for m in scope)]
        rows.setdefault(scope, len(rows))
    return dict(stacks)


def _order(
    scopes: Collection[Scope], states: Sequence[int], roomy: int, most: int
) -> Schedule | None:
    stacks, around = arrange(scopes, states), defaultdict(set)
    for scope in scopes:
        for m in scope:
            around[m].add(scope)
    rounds, constants, entries = [], [], 0
    while around:
        # They share no factor, so that eliminating one changes nothing of another.
        chosen = _independent(around, states, roomy)
        slots = {m: _slots(m, others, around[m], states) for m, others in chosen.items()}
        alike: dict[tuple[Slot, ...], list[int]] = defaultdict(list)
        for m in chosen:
            alike[tuple(slots[m])].append(m)
        most_alike = max(map(len, alike.values()))
        groups, listed, members = [], [], []
        for kinds, ms in alike.items():
            if FEW * len(ms) < most_alike:  # they wait until they are no longer few
                continue
            found = [listing([stacks[s.shape][slots[m][s]] for m in ms]) for s in kinds]
            groups.append(Group(kinds, tuple(rows for rows, _ in found)))
            listed.append([rows for _, rows in found])
            members.append(np.array([(m, *chosen[m]) for m in ms], np.int32))
        made = {int(m): chosen[m] for group in members for m in group[:, 0]}
        entries += sum(prod(states[m] for m in (m, *others)) for m, others in made.items())
        if entries > most:
            return None
        _eliminate(around, made)
        kept = (s for held in stacks.values() for s in held if not any(m in made for m in s))
        before, stacks = stacks, arrange([*kept, *made.values()], states)
        left = [_placed(shape, before, made.values(), held) for shape, held in stacks.items()]
        rounds.append(Round(tuple(groups), tuple(p for p, _ in left)))
        constants.append({"members": members, "rows": listed, "additions": [w for _, w in left]})
    return Schedule(Elimination(tuple(rounds)), constants, entries)


def _independent(
    around: Mapping[int, Collection[Scope]], states: Sequence[int], roomy: int
) -> dict[int, Scope]:
    """Choose variables that share no factor, the smallest joint tables first; give neighbours."""
    cliques = {m: {m}.union(*scopes) for m, scopes in around.items()}
    sizes = {m: prod(states[n] for n in clique) for m, clique in cliques.items()}
    limit = max(min(sizes.values()), roomy)
    chosen: dict[int, Scope] = {}
    for m in sorted(sizes, key=lambda m: (sizes[m], m)):
        if sizes[m] <= limit and not any(n in chosen for n in cliques[m]):
            chosen[m] = tuple(sorted(cliques[m] - {m}))
    return chosen


def _slots(
    m: int, others: Scope, scopes: Iterable[Scope], states: Sequence[int]
) -> dict[Slot, Scope]:
    """Return how each factor of a variable enters its joint table, in a fixed order."""
    found = {}
    for scope in scopes:
        missing = tuple(i for i, n in enumerate(others) if n not in scope)
        found[Slot(tuple(states[n] for n in scope), scope.index(m), missing)] = scope
    return dict(sorted(found.items(), key=lambda item: (item[0].missing, item[0].axis)))


def _eliminate(around: dict[int, set[Scope]], chosen: Mapping[int, Scope]) -> None:
    """Replace the factors of each chosen variable by one on its neighbours."""
    for m, others in chosen.items():
        for scope in around.pop(m):
            for n in set(scope) - {m}:
                around[n].discard(scope)
        for n in others:
            around[n].add(others)


def _placed(
    shape: Shape,
    before: Mapping[Shape, Mapping[Scope, int]],
    made: Iterable[Scope],
    held: Mapping[Scope, int],
) -> tuple[Addition, Constants]:
    """Say where a stack's old factors and the new ones of its shape go."""
    targets = [held.get(scope, -1) for scope in before.get(shape, {})]
    targets += [held[scope] for scope in made if scope in held]
    return placed(shape, len(held), targets)
