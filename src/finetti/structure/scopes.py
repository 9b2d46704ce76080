"""Trace which members of chosen variables each element of a program's outputs depends on.

Each member (one scalar) has a number. Beside every value of the jaxpr goes an integer array, one
axis longer, with the numbers of the members that each element depends on. What is not known in
detail depends on all its inputs, so that a scope may be too large but never lacks a member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import jax
import numpy as np

from finetti.errors import ModelError
from finetti.host.shaping import RULES
from finetti.jaxprs import bind, is_literal
from finetti.types import Atom, Equation, Jaxpr, Value

NOBODY = np.iinfo(np.int32).max  # fills the rows of elements that depend on fewer
LARGEST = 6 * 10**7  # entries of one array of member numbers

MOVES = {
    "broadcast_in_dim", "concatenate", "copy", "copy_p", "dynamic_slice", "expand_dims", "gather",
    "name", "pad", "reshape", "rev", "slice", "split", "squeeze", "stack", "transpose", "unstack",
}  # fmt: skip


# JAX would compile a program for each shape; numpy's rule for padding asks for the dtype.
PLAIN_MOVES = (MOVES & RULES.keys()) - {"pad"}
INDICES = {"gather": 1, "dynamic_slice": 1}  # operands from here on say where to look
REDUCTIONS = {
    "argmax", "argmin", "reduce_and", "reduce_max", "reduce_min", "reduce_or", "reduce_prod",
    "reduce_sum",
}  # fmt: skip
ELEMENTWISE = {
    "abs", "acos", "add", "add_any", "and", "asin", "atan", "atan2", "cbrt", "ceil", "clamp",
    "convert_element_type", "cos", "cosh", "digamma", "div", "eq", "erf", "erf_inv", "erfc", "exp",
    "exp2", "expm1", "floor", "ge", "gt", "igamma", "igammac", "integer_pow", "is_finite", "le",
    "lgamma", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg", "nextafter",
    "not", "or", "polygamma", "pow", "regularized_incomplete_beta", "rem", "round", "rsqrt",
    "select_n", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh",
    "xor",
}  # fmt: skip


class Scopes:
    """Follow the members' numbers through a flat jaxpr.

    `known` gives the values of variables that the data alone determine; `cut` says for an
    equation which numbers its output has, if it is the place where members enter.
    """

    def __init__(
        self,
        jaxpr: Jaxpr,
        known: Mapping[Atom, Value],
        cut: Callable[[Equation], np.ndarray | None],
    ) -> None:
        """Follow the equations in order; `found` keeps only what some member reaches."""
        self.known = dict(known)
        self.found: dict[Atom, np.ndarray] = {}
        self.makers = {v: e for e in jaxpr.eqns for v in e.outvars}
        for equation in jaxpr.eqns:
            entering = cut(equation)
            if entering is not None:
                self.found[equation.outvars[0]] = entering[..., None]
                continue
            inputs = [self.read(v) for v in equation.invars]
            if any(ids.shape[-1] for ids in inputs):
                self.found.update(
                    zip(equation.outvars, self._outputs(equation, inputs), strict=True)
                )

    def read(self, atom: Atom) -> np.ndarray:
        """Return the members' numbers for each element, shape (*shape, width)."""
        if not is_literal(atom) and atom in self.found:
            return self.found[atom]
        return np.empty((*atom.aval.shape, 0), np.int32)

    def _outputs(self, equation: Equation, inputs: list[np.ndarray]) -> list[np.ndarray]:
        name, shapes = equation.primitive.name, [v.aval.shape for v in equation.outvars]
        first = INDICES.get(name, len(inputs))
        if name in MOVES and not any(ids.shape[-1] for ids in inputs[first:]):
            moved = self._moved(equation, inputs[:first])
            if moved is not None:
                return moved
        if name in ELEMENTWISE:
            return [_union([_spread(ids, shapes[0]) for ids in inputs])]
        if name in REDUCTIONS:
            return [_gathered(inputs[0], equation.params["axes"])]
        if name == "gather":
            return [_looked_up(equation, inputs[0], inputs[1], shapes[0])]
        if name == "dot_general":
            return [_multiplied(equation, *inputs)]
        # What is not known in detail depends on all that goes in.
        everyone = _union([ids.reshape(1, -1) for ids in inputs])[0]
        return [np.broadcast_to(everyone, (*shape, everyone.size)) for shape in shapes]

    def _moved(self, equation: Equation, operands: list[np.ndarray]) -> list[np.ndarray] | None:
        """Let the primitive move the elements' positions; None if where it looks is not known."""
        where = [self.value(v) for v in equation.invars[len(operands) :]]
        if any(w is None for w in where):
            return None
        # The operation is done to numbers of rows in place of values: where a number comes out,
        # there the row's members are.
        width = max(ids.shape[-1] for ids in operands)
        table = [np.full((1, width), NOBODY, np.int32)]
        positions, start = [], 1
        for ids in operands:
            size = prod(ids.shape[:-1])
            rows = np.full((size, width), NOBODY, np.int32)
            rows[:, : ids.shape[-1]] = ids.reshape(size, -1)
            table.append(rows)
            positions.append(np.arange(start, start + size, dtype=np.int32).reshape(ids.shape[:-1]))
            start += size
        primitive = equation.primitive
        parameters = primitive.get_bind_params(equation.params)
        # Row 0 of the table, nobody, is what is filled in.
        if "fill_value" in parameters:
            parameters["fill_value"] = 0
        if primitive.name in PLAIN_MOVES:
            found = RULES[primitive.name](equation)(*positions)
        else:
            found = primitive.bind(*map(jax.numpy.asarray, positions), *where, **parameters)
        several = found if primitive.multiple_results else [found]
        rows = np.concatenate(table)
        return [tidy(rows[np.asarray(f)]) for f in several]

    def value(self, atom: Atom) -> Value | None:
        """Return the value of a variable that the data alone determine, None for others."""
        if is_literal(atom):
            return atom.val
        if atom not in self.known:
            equation = self.makers.get(atom)
            if equation is None or atom in self.found:
                return None
            inputs = [self.value(v) for v in equation.invars]
            if any(x is None for x in inputs):
                return None
            self.known.update(zip(equation.outvars, bind(equation, inputs), strict=True))
        return self.known[atom]


def tidy(ids: np.ndarray) -> np.ndarray:
    """Sort each element's members, drop those named twice and trim what no element needs."""
    if ids.size > LARGEST:
        raise ModelError("too many elements depend on too many members at once")
    ids = np.sort(ids, -1)
    if ids.shape[-1] > 1:
        twice = ids[..., 1:] == ids[..., :-1]
        ids[..., 1:][twice] = NOBODY
        ids.sort(-1)
    width = int((ids != NOBODY).sum(-1).max(initial=0))
    return ids[..., :width]


def _spread(ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(ids, (*shape, ids.shape[-1]))


def _union(parts: Sequence[np.ndarray]) -> np.ndarray:
    parts = [p for p in parts if p.shape[-1]]
    # One member each is sorted and trimmed already.
    if len(parts) == 1 and parts[0].shape[-1] == 1:
        return parts[0]
    if sum(p.size for p in parts) > LARGEST:
        raise ModelError("too many elements depend on too many members at once")
    return tidy(np.concatenate(parts, -1))


def _gathered(ids: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Return the union along axes, which fall away."""
    kept = [i for i in range(ids.ndim - 1) if i not in axes]
    turned = np.transpose(ids, [*kept, *axes, ids.ndim - 1])
    return tidy(turned.reshape(*(ids.shape[i] for i in kept), -1))


def _looked_up(
    equation: Equation, table: np.ndarray, indices: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Return the members that say where to look, and those of all that may be found there."""
    numbers = equation.params["dimension_numbers"]
    asked = np.expand_dims(_gathered(indices, (indices.ndim - 2,)), tuple(numbers.offset_dims))
    if not table.shape[-1]:
        return _spread(asked, shape)
    batches = [i for i in range(len(shape)) if i not in numbers.offset_dims]
    goes = {  # the table's axes that come out as they are, and where: whole ones, and batches
        axis: batches[i]
        for axis, i in zip(
            numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True
        )
    }
    gone = (*numbers.collapsed_slice_dims, *goes)
    left = [axis for axis in range(table.ndim - 1) if axis not in gone]
    sizes = equation.params["slice_sizes"]
    offsets = zip(left, numbers.offset_dims, strict=True)
    goes |= {axis: i for axis, i in offsets if sizes[axis] == table.shape[axis]}
    found = _gathered(table, [axis for axis in range(table.ndim - 1) if axis not in goes])
    order = np.argsort([goes[axis] for axis in sorted(goes)])
    found = np.transpose(found, [*order, found.ndim - 1])
    idle = tuple(i for i in range(len(shape)) if i not in goes.values())
    return _union([_spread(asked, shape), _spread(np.expand_dims(found, idle), shape)])


def _multiplied(equation: Equation, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the members in each row of the left and each column of the right."""
    contracted, batched = equation.params["dimension_numbers"]
    sides = []
    for ids, summed, batch in zip((left, right), contracted, batched, strict=True):
        free = [i for i in range(ids.ndim - 1) if i not in summed and i not in batch]
        kept = [*batch, *free]
        turned = np.transpose(ids, [*kept, *summed, ids.ndim - 1])
        united = tidy(turned.reshape(*(ids.shape[i] for i in kept), -1))
        sides.append((united, len(batch), len(free)))
    (a, batch, rows), (b, _, columns) = sides
    a = a.reshape(*a.shape[:-1], *(1,) * columns, a.shape[-1])
    b = b.reshape(*b.shape[:batch], *(1,) * rows, *b.shape[batch:])
    shape = equation.outvars[0].aval.shape
    return _union([_spread(a, shape), _spread(b, shape)])
