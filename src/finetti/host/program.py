"""Turn a program of JAX into steps of numpy, calls opened and twins done once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr

from finetti.host import elementwise, indexing, keys, linear, shaping
from finetti.host.rule import Numpy, Rule, Step, Unknown, is_key
from finetti.jaxprs import CALLS, DIFFERENTIATED, called, heads, is_literal, scanned, yielded
from finetti.types import Atom, Equation, Jaxpr, Value


def _platform(equation: Equation) -> Step:
    """Name the branch that is for a CPU, or for any."""
    platforms = equation.params["platforms"]
    number = next(i for i, several in enumerate(platforms) if several is None or "cpu" in several)
    return lambda: np.int32(number)


RULES: dict[str, Rule] = {
    "platform_index": _platform,
    **elementwise.RULES,
    **shaping.RULES,
    **indexing.RULES,
    **linear.RULES,
    **keys.RULES,
}
AS_IT_IS = frozenset({"copy", "copy_p", "name", "stop_gradient", "optimization_barrier"})
OPENED = {**CALLS, **DIFFERENTIATED, "xla_metadata_call": "jaxpr"}
DEFINED = "call_hi_primitive"  # of JAX 0.12: what is defined by a function of arrays
SOLVED = "custom_linear_solve"  # a system with programs of its own to solve it
FOLDED = 10_000  # numbers of a constant that is computed when a program is made

Slot = int


class Work(NamedTuple):
    """Count what XLA has to compile, what numpy does in a call, and the numbers that makes."""

    equations: int
    steps: int
    numbers: int


@dataclass(frozen=True)
class Move:
    """Hold one step: what is done, to the values of which slots, and where what comes out goes.

    `gone` are slots that no later step reads. A step of one result has an int for `into`.
    """

    do: Step
    take: tuple[Slot, ...]
    into: Slot | tuple[Slot, ...]
    gone: tuple[Slot, ...] = ()


@dataclass(frozen=True, eq=False)
class Program:
    """Hold the steps of a program; called with its inputs' values it returns its outputs'."""

    held: tuple[Numpy, ...]
    inputs: tuple[Slot, ...]
    moves: tuple[Move, ...]
    outputs: tuple[Slot, ...]
    work: Work

    def __call__(self, *values: Numpy) -> list[Numpy]:
        """Run the program."""
        slots = list(self.held)
        for slot, value in zip(self.inputs, values, strict=True):
            slots[slot] = value
        for move in self.moves:
            found = move.do(*[slots[i] for i in move.take])
            into = move.into
            if isinstance(into, int):
                slots[into] = found
            else:
                for slot, value in zip(into, found, strict=True):
                    slots[slot] = value
            for slot in move.gone:
                slots[slot] = None
        return [slots[i] for i in self.outputs]


def program(closed: ClosedJaxpr) -> Program:
    """Return the program that runs a jaxpr by numpy.

    Raises `Unknown` where an equation is not known here.
    """
    writer = _Writer()
    jaxpr = closed.jaxpr
    constants = [writer.constant(keys.taken(c)) for c in closed.consts]
    inputs = [writer.slot() for _ in heads(jaxpr)[len(constants) :]]
    outputs = writer.write(jaxpr, [*constants, *inputs])
    return writer.finished(inputs, outputs)


class _Writer:
    """Write equations down as moves."""

    def __init__(self) -> None:
        self.held: list[Numpy] = []
        self.fixed: set[Slot] = set()
        self.moves: list[Move] = []
        self.twins: dict[Hashable, tuple[Slot, ...]] = {}
        self.work: list[Work] = []  # of each move
        self.equations = 0

    def slot(self) -> Slot:
        """Return a new slot."""
        self.held.append(None)
        return len(self.held) - 1

    def constant(self, value: np.ndarray) -> Slot:
        """Return the slot that holds a value from the beginning."""
        said = value.tobytes() if value.size < 100 else id(value)
        key = ("constant", value.dtype.str, value.shape, said)
        if key not in self.twins:
            self.twins[key] = (self.slot(),)
            (slot,) = self.twins[key]
            self.held[slot] = value
            self.fixed.add(slot)
        return self.twins[key][0]

    def write(self, jaxpr: Jaxpr, slots: Sequence[Slot]) -> list[Slot]:
        """Write a jaxpr's equations, its heads in some slots; return the slots of its outputs."""
        known: dict[Atom, Slot] = dict(zip(heads(jaxpr), slots, strict=True))

        def read(atom: Atom) -> Slot:
            if is_literal(atom):
                return self.constant(np.asarray(atom.val, atom.aval.dtype))
            return known[atom]

        for equation in jaxpr.eqns:
            found = self._equation(equation, tuple(map(read, equation.invars)))
            known.update(zip(equation.outvars, found, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _equation(self, equation: Equation, take: tuple[Slot, ...]) -> Sequence[Slot]:
        name = equation.primitive.name
        if name in AS_IT_IS:
            return take
        if name == SOLVED:
            return self.write(*_solution(equation, take))
        call = _definition(equation) if name == DEFINED else called(equation, OPENED)
        if call is not None:
            inner, constants = call
            return self.write(inner, [*(self.constant(keys.taken(c)) for c in constants), *take])
        if name in LOOPS:
            do, work = LOOPS[name](equation)
            self.equations += work.equations
            return self._move(equation, take, do, work)
        self.equations += 1
        if name not in RULES:
            raise Unknown(name)
        _refuse_dtypes(equation)
        key = (name, take, _comparable(equation.params))
        if key not in self.twins:
            found = self._folded(equation, take)
            self.twins[key] = found or self._move(equation, take, RULES[name](equation))
        return self.twins[key]

    def _folded(self, equation: Equation, take: tuple[Slot, ...]) -> tuple[Slot, ...] | None:
        """Compute at once what depends on constants alone, if it is small."""
        if not self.fixed.issuperset(take) or yielded(equation) > FOLDED:
            return None
        with np.errstate(all="ignore"):
            found = RULES[equation.primitive.name](equation)(*[self.held[i] for i in take])
        several = found if equation.primitive.multiple_results else (found,)
        return tuple(self.constant(np.asarray(value)) for value in several)

    def _move(
        self, equation: Equation, take: tuple[Slot, ...], do: Step, work: Work | None = None
    ) -> tuple[Slot, ...]:
        into = tuple(self.slot() for _ in equation.outvars)
        self.moves.append(Move(do, take, into if equation.primitive.multiple_results else into[0]))
        self.work.append(work or _work(equation))
        return into

    def finished(self, inputs: Sequence[Slot], outputs: Sequence[Slot]) -> Program:
        """Return the program, without what no output needs."""
        needed, moves = set(outputs), []
        steps = numbers = 0
        for move, work in zip(reversed(self.moves), reversed(self.work), strict=True):
            into = (move.into,) if isinstance(move.into, int) else move.into
            if needed.isdisjoint(into):
                continue
            gone = tuple(i for i in {*move.take, *into} if i not in needed and i not in self.fixed)
            needed.update(move.take)
            moves.append(Move(move.do, move.take, move.into, gone))
            steps, numbers = steps + work.steps, numbers + work.numbers
        return Program(
            tuple(self.held),
            tuple(inputs),
            tuple(reversed(moves)),
            tuple(outputs),
            Work(self.equations, steps, numbers),
        )


def _definition(equation: Equation) -> tuple[Jaxpr, list[Value]]:
    """Return the program of what JAX defines by a function of trees of arrays, and constants."""
    defined = equation.params["_prim"]

    def flat(*values: Value) -> list[Value]:
        return jax.tree.leaves(defined.expand(*jax.tree.unflatten(defined.in_tree, values)))

    like = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    closed = jax.make_jaxpr(flat)(*like)
    return closed.jaxpr, closed.consts


def _work(equation: Equation) -> Work:
    """Count an equation: what looks up or adds up takes longer for a number than what computes."""
    name, numbers = equation.primitive.name, yielded(equation)
    if name == "triangular_solve":  # row after row
        return Work(1, 4 * equation.invars[0].aval.shape[-1], numbers)
    return Work(1, 1, numbers * (5 if name == "gather" or name.startswith("scatter") else 1))


def _solution(equation: Equation, take: tuple[Slot, ...]) -> tuple[Jaxpr, tuple[Slot, ...]]:
    """Return the jaxpr that solves a system, and the slots of its heads.

    Of the operands come first those of the products with the matrix, and with its transpose.
    """
    counts, solve = equation.params["const_lengths"], equation.params["jaxprs"].solve
    if getattr(solve, "consts", ()):
        raise Unknown("a solution with constants")
    first = counts.matvec + counts.vecmat
    own = take[first : first + counts.solve]
    return getattr(solve, "jaxpr", solve), (*own, *take[sum(counts) :])


def _refuse_dtypes(equation: Equation) -> None:
    """Refuse complex numbers, and floats that numpy lacks."""
    for v in (*equation.invars, *equation.outvars):
        dtype = v.aval.dtype
        if not is_key(dtype) and np.dtype(dtype).kind not in "biuf":
            raise Unknown(f"numbers of {dtype}")


def _comparable(params: dict[str, Any]) -> Hashable:
    """Return an equation's parameters as a key, one that nothing else has if they are not such."""
    found = tuple(sorted(params.items()))
    try:
        hash(found)
    except TypeError:
        return object()
    return found


def _inner(closed: Any) -> Program:
    return program(closed if hasattr(closed, "consts") else ClosedJaxpr(closed, ()))


Loop = Callable[[Equation], tuple[Step, Work]]


def _chosen(equation: Equation) -> tuple[Step, Work]:
    """Run the branch of a number; one beyond the others is the last."""
    branches = [_inner(branch) for branch in equation.params["branches"]]
    last = len(branches) - 1

    def choose(number: Numpy, *values: Numpy) -> Sequence[Numpy]:
        return branches[min(max(int(number), 0), last)](*values)

    equations, steps, numbers = zip(*(b.work for b in branches), strict=True)
    return choose, Work(sum(equations), max(steps) + 1, max(numbers))


def _scanned(equation: Equation) -> tuple[Step, Work]:
    """Run a loop over the first axis of what it goes through."""
    params = equation.params
    body, length = _inner(params["jaxpr"]), params["length"]
    still, carried = scanned(params)
    order = range(length - 1, -1, -1) if params["reverse"] else range(length)
    empty = () if length else tuple(map(_zeros, equation.outvars[carried:]))

    def scan(*values: Numpy) -> Sequence[Numpy]:
        fixed, carry = values[:still], list(values[still : still + carried])
        rows: dict[int, Sequence[Numpy]] = {}
        for i in order:
            found = body(*fixed, *carry, *(x[i] for x in values[still + carried :]))
            carry, rows[i] = found[:carried], found[carried:]
        columns = zip(*(rows[i] for i in range(length)), strict=True)
        return (*carry, *(empty or map(np.stack, columns)))

    equations, steps, numbers = body.work
    return scan, Work(equations, length * (steps + 2) + 1, length * numbers)


def _zeros(atom: Atom) -> np.ndarray:
    return np.zeros(atom.aval.shape, np.uint64 if is_key(atom.aval.dtype) else atom.aval.dtype)


LOOPS: dict[str, Loop] = {"cond": _chosen, "scan": _scanned}
