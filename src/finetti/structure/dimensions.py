"""Follow the sites of a traced program, and the names of their dimensions, to all that is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetti.structure.equations import read_tag
from finetti.types import Equation

Names = tuple[str | None, ...]
Sizes = tuple[int, ...]
Params = Mapping[str, Any]  # of a primitive of JAX's


@dataclass(frozen=True)
class Made:
    """Say of a value which sites it is made of, and its dimensions' names where they are known."""

    sites: tuple[str, ...]
    names: Names


def make(
    equation: Equation, inputs: Sequence[Made | None], dims: Mapping[str, Names]
) -> list[Made | None]:
    """Return what an equation yields is made of: `Made`, or None where no site is in it."""
    site = read_tag(equation)
    if site:
        return [Made((site,), dims[site])]
    sites = tuple(dict.fromkeys(s for made in inputs if made for s in made.sites))
    if not sites:
        return [None] * len(equation.outvars)
    shapes = [tuple(getattr(v.aval, "shape", ())) for v in equation.outvars]
    move = MOVES.get(equation.primitive.name)
    if move is not None and inputs[0] is not None:
        before = tuple(equation.invars[0].aval.shape)
        found = move(inputs[0].names, before, equation.params, shapes[0])
        return [Made(sites, found) for _ in equation.outvars]
    if equation.primitive.name == "dot_general":
        return [Made(sites, _multiplied(equation, inputs, shapes[0]))]
    return [Made(sites, _alike(equation, inputs, shape)) for shape in shapes]


def _alike(equation: Equation, inputs: Sequence[Made | None], shape: tuple[int, ...]) -> Names:
    """Keep the names of inputs of the same shape, as what works entry by entry does."""
    found: list[str | None] = [None] * len(shape)
    for v, made in zip(equation.invars, inputs, strict=True):
        if made is not None and tuple(v.aval.shape) == shape:
            found = [a or b for a, b in zip(found, made.names, strict=True)]
    if equation.primitive.name == "concatenate":
        found[equation.params["dimension"]] = None
    return tuple(found)


def _broadcast(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    found: list[str | None] = [None] * len(after)
    for i, place in enumerate(params["broadcast_dimensions"]):
        if before[i] == after[place]:
            found[place] = names[i]
    return tuple(found)


def _reshaped(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    """Keep the names where a reshape only adds and drops dimensions of size 1."""
    long = [(n, name) for n, name in zip(before, names, strict=True) if n != 1]
    if [n for n, _ in long] != [n for n in after if n != 1]:
        return (None,) * len(after)
    left = iter(long)
    return tuple(next(left)[1] if n != 1 else None for n in after)


def _turned(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    return tuple(names[i] for i in params["permutation"])


def _squeezed(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    return tuple(name for i, name in enumerate(names) if i not in params["dimensions"])


def _cut(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    return tuple(n if a == b else None for n, a, b in zip(names, before, after, strict=True))


def _summed(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    return tuple(name for i, name in enumerate(names) if i not in params["axes"])


def _picked(names: Names, before: Sizes, params: Params, after: Sizes) -> Names:
    numbers = params["dimension_numbers"]
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    left = [i for i in range(len(names)) if i not in gone]
    found: list[str | None] = [None] * len(after)
    for i, place in zip(left, numbers.offset_dims, strict=True):
        if params["slice_sizes"][i] == before[i]:
            found[place] = names[i]
    return tuple(found)


def _multiplied(equation: Equation, inputs: Sequence[Made | None], after: tuple[int, ...]) -> Names:
    contracted, batched = equation.params["dimension_numbers"]
    parts: list[list[str | None]] = []
    for v, made, summed, batch in zip(equation.invars, inputs, contracted, batched, strict=True):
        names = made.names if made else (None,) * v.aval.ndim
        free = [n for i, n in enumerate(names) if i not in summed and i not in batch]
        parts.append([*(names[i] for i in batch), *free] if not parts else free)
    return tuple((parts[0] + parts[1])[: len(after)])


MOVES = {
    "broadcast_in_dim": _broadcast,
    "gather": _picked,
    "reshape": _reshaped,
    "transpose": _turned,
    "squeeze": _squeezed,
    "slice": _cut,
    "dynamic_slice": _cut,
    "split": _cut,
    **{f"reduce_{how}": _summed for how in ("sum", "max", "min", "prod", "and", "or")},
}
