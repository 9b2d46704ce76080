"""Find where a traced model is indexed by codes that its data alone determine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jax.core import eval_context
from jax.lax import GatherScatterMode

from finetti.compiling import ONCE, compiled
from finetti.jaxprs import called, follow, heads, is_literal, scanned
from finetti.structure.dimensions import Made, Names, make
from finetti.structure.equations import read_tag
from finetti.types import Atom, Equation, Jaxpr, Value

KEPT = {"convert_element_type", "copy", "copy_p"}
PASSED = {"broadcast_in_dim", "reshape", "squeeze"}


@dataclass(frozen=True)
class Use:
    """Hold codes that index an axis of something made of sites: `most` is the largest that fits.

    `counted` tells that negative ones count from the end, as in Python.
    """

    codes: np.ndarray
    most: int
    made: Made | None
    axis: int
    counted: bool

    @property
    def name(self) -> str | None:
        """Return the name of the axis, if it is known."""
        return self.made.names[self.axis] if self.made else None


class Uses:
    """Walk through a jaxpr and what it calls, and find the uses of codes that are known."""

    def __init__(self, dims: Mapping[str, Names]) -> None:
        self.dims = dims

    def found(
        self,
        jaxpr: Jaxpr,
        known: dict[Atom, Value],
        made: dict[Atom, Made],
        stacked: Mapping[Atom, Value] | None = None,
    ) -> Iterator[Use]:
        """Yield the uses, given what is known of the jaxpr's variables; fill in `made`.

        `stacked` holds the values, one a step, of variables that change from step to step.
        """
        makers = {v: e for e in jaxpr.eqns for v in e.outvars}
        values = _Values(known, makers, stacked or {})
        for equation in jaxpr.eqns:
            inputs = [None if is_literal(v) else made.get(v) for v in equation.invars]
            yield from _uses(equation, inputs, values)
            yield from self._inside(equation, inputs, values)
            outputs = zip(equation.outvars, make(equation, inputs, self.dims), strict=True)
            made.update((v, m) for v, m in outputs if m is not None)

    def _inside(
        self, equation: Equation, inputs: list[Made | None], values: _Values
    ) -> Iterator[Use]:
        """Yield the uses inside the jaxprs that an equation holds."""
        for inner, consts, operands in _held(equation):
            places = [equation.invars[i] for i in operands]
            given = [*consts, *(values.read(v) for v in places)]
            top = heads(inner)
            known = {v: x for v, x in zip(top, given, strict=False) if x is not None}
            origins = [*(None for _ in consts), *(inputs[i] for i in operands)]
            made = {v: m for v, m in zip(top, origins, strict=False) if m is not None}
            yield from self.found(inner, known, made, _stacked(equation, top, values))


def _held(equation: Equation) -> Iterator[tuple[Jaxpr, list[Value], list[int]]]:
    """Yield the jaxprs that an equation holds, their constants, and which operands they begin with.

    Of loops that is what does not change from step to step.
    """
    name, params, count = equation.primitive.name, equation.params, len(equation.invars)
    call = called(equation)
    parts: list[tuple[Jaxpr, range]] = []
    if call is not None:
        yield (*call, list(range(count)))
    elif name == "custom_vjp_call":
        parts = [(params["call_jaxpr"], range(count))]
    elif name == "cond":
        parts = [(branch, range(1, count)) for branch in params["branches"]]
    elif name == "scan":
        parts = [(params["jaxpr"], range(scanned(params)[0]))]
    elif name == "while":
        first, more = params["cond_nconsts"], params["body_nconsts"]
        parts = [(params["cond_jaxpr"], range(first))]
        parts.append((params["body_jaxpr"], range(first, first + more)))
    for inner, operands in parts:
        yield getattr(inner, "jaxpr", inner), list(getattr(inner, "consts", ())), list(operands)


def _stacked(equation: Equation, inner: list[Atom], values: _Values) -> dict[Atom, Value]:
    """Return what a scan hands out step by step, where it is known, by the variable inside."""
    if equation.primitive.name != "scan":
        return {}
    first = sum(scanned(equation.params))
    pairs = zip(inner[-(len(equation.invars) - first) :], equation.invars[first:], strict=True)
    found = {v: values.read(atom) for v, atom in pairs} if len(equation.invars) > first else {}
    return {v: x for v, x in found.items() if x is not None}


class _Values:
    """Read the values of variables that the data alone determine."""

    def __init__(
        self,
        known: dict[Atom, Value],
        makers: Mapping[Atom, Equation],
        stacked: Mapping[Atom, Value],
    ) -> None:
        self.known, self.makers, self.stacked = known, makers, stacked

    def read(self, atom: Atom) -> Value | None:
        """Return a variable's value, None where it is not known."""
        if is_literal(atom):
            return atom.val
        planned: list[Equation] = []
        later: set[Atom] = set()  # what these make
        waiting = [atom]
        while waiting:
            variable = waiting[-1]
            if variable in self.known or variable in later:
                waiting.pop()
                continue
            equation = self.makers.get(variable)
            # A latent site's value is a placeholder, no data, though numbers alone have made it.
            if equation is None or read_tag(equation):
                self.known[variable] = None
                continue
            inputs = [v for v in equation.invars if not is_literal(v)]
            missing = [v for v in inputs if v not in self.known and v not in later]
            if missing:
                waiting += missing
            elif equation.effects or any(v not in later and self.known[v] is None for v in inputs):
                self.known.update((v, None) for v in equation.outvars)
            else:
                planned.append(equation)
                later.update(equation.outvars)
        if planned:
            self.known.update(_evaluated(planned, self.known))
        return self.known[atom]

    def table(self, atom: Atom) -> Atom | None:
        """Return the array that a value is picked from, at a place that is not known."""
        while not is_literal(atom) and atom in self.makers:
            equation = self.makers[atom]
            if equation.primitive.name in ("dynamic_slice", "gather"):
                return equation.invars[0]
            if equation.primitive.name not in KEPT | PASSED:
                break
            atom = equation.invars[0]
        return None


def _evaluated(equations: list[Equation], known: Mapping[Atom, Value]) -> dict[Atom, Value]:
    """Return what equations yield, all of them by one program."""
    given = {v: known[v] for e in equations for v in e.invars if not is_literal(v) and v in known}
    made = [v for e in equations for v in e.outvars]

    @compiled(ONCE)
    def outcome(values: list[Value]) -> list[Value]:
        found = dict(zip(given, values, strict=True))
        follow(equations, found)
        return [found[v] for v in made]

    with eval_context():  # whatever is being traced around
        return dict(zip(made, outcome(list(given.values())), strict=True))


def _uses(equation: Equation, inputs: list[Made | None], values: _Values) -> Iterator[Use]:
    """Yield the uses of known codes by an equation that looks up or adds up."""
    name, params, operands = equation.primitive.name, equation.params, equation.invars
    if name in ("dynamic_slice", "dynamic_update_slice"):
        first = 1 if name == "dynamic_slice" else 2
        sizes = params["slice_sizes"] if first == 1 else operands[1].aval.shape
        shape, made = operands[0].aval.shape, inputs[0] or inputs[first - 1]
        for axis, atom in enumerate(operands[first:]):
            yield from _use(atom, None, shape[axis] - sizes[axis], made, axis, values)
    elif name == "gather":
        filled = params["fill_value"] is not None and not np.isnan(params["fill_value"])
        if filled or (inputs[0] is None and params["mode"] is GatherScatterMode.CLIP):
            return  # what stands for those beyond is the user's own choice
        numbers, shape = params["dimension_numbers"], operands[0].aval.shape
        for i, axis in enumerate(numbers.start_index_map):
            most = shape[axis] - params["slice_sizes"][axis]
            yield from _use(operands[1], i, most, inputs[0], axis, values)
    elif name.startswith("scatter"):
        numbers, shape = params["dimension_numbers"], operands[0].aval.shape
        made = inputs[0] or (inputs[2] and Made(inputs[2].sites, (None,) * len(shape)))
        if made is None:
            return  # data alone: to leave some out may be meant
        for i, axis in enumerate(numbers.scatter_dims_to_operand_dims):
            if axis in numbers.inserted_window_dims:
                yield from _use(operands[1], i, shape[axis] - 1, made, axis, values)


def _use(
    atom: Atom, column: int | None, most: int, made: Made | None, axis: int, values: _Values
) -> Iterator[Use]:
    """Yield the use of a column of an index, or of an index that is a single number."""
    atom, column = _source(atom, column, values)
    before = _counted_from_the_end(atom, values)
    atom = atom if before is None else before
    codes = values.stacked.get(atom) if not is_literal(atom) else None
    codes = values.read(atom) if codes is None else codes
    if codes is None:  # codes that a loop goes through, one at a time
        atom, column = values.table(atom), None
        codes = None if atom is None else values.read(atom)
    if codes is None:
        return
    codes = np.asarray(codes)
    codes = codes[..., column] if column is not None and codes.ndim else codes
    if codes.size and codes.dtype.kind in "iu":
        yield Use(codes, most, made, axis, before is not None)


def _source(atom: Atom, column: int | None, values: _Values) -> tuple[Atom, int | None]:
    """Go back to where a column of an index comes from."""
    while not is_literal(atom) and atom in values.makers:
        equation = values.makers[atom]
        name, first = equation.primitive.name, equation.invars[0]
        last = atom.aval.ndim - 1
        if name in KEPT or (column is None and name in PASSED):
            atom = first
        elif column is None:
            break
        elif name in PASSED and atom.aval.shape[last] == 1:
            atom, column = first, None
        elif name == "concatenate" and equation.params["dimension"] == last:
            sizes = [v.aval.shape[last] for v in equation.invars]
            place = int(np.searchsorted(np.cumsum(sizes), column, side="right"))
            atom, column = equation.invars[place], column - sum(sizes[:place])
        else:
            break
    return atom, column


def _counted_from_the_end(atom: Atom, values: _Values) -> Atom | None:
    """Return the codes that an index is made of by adding the size to negative ones, if it is."""
    equation = None if is_literal(atom) else values.makers.get(atom)
    if equation is None or equation.primitive.name != "select_n" or len(equation.invars) != 3:
        return None
    _, codes, moved = equation.invars
    made = None if is_literal(moved) else values.makers.get(moved)
    added = made is not None and made.primitive.name == "add" and codes in made.invars[:1]
    return codes if added else None
