"""Rules for gathering, scattering, and slices whose places are computed.

The words are those of StableHLO: an array of starts has an index on its last axis, one for each
axis of the operand that it says something of; a window of the operand lies at each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from jax.lax import GatherScatterMode

from finetti.host.rule import Numpy, Rule, Step, Unknown, dtype_of, shape_of
from finetti.types import Equation

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """Hold where windows of an operand lie in an array of them.

    `sizes` is a window's, on every axis of the operand, of which the starts say something of
    `mapped`; `aligned` are axes that the starts have too, and where there. `along` are the
    operand's other axes, with the axis of the array on which the window extends. `batch` are the
    array's axes that are the starts'.
    """

    operand: Shape
    sizes: Shape
    mapped: Sequence[int]
    aligned: dict[int, int]
    along: dict[int, int]
    batch: Shape
    rank: int
    mode: GatherScatterMode

    def places(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return where in the flat operand each element of the array lies, and which are inside.

        Both are of the array's rank, and have length 1 where all are alike; None stands for all.
        What is outside has a place inside.
        """
        inside, found = None, np.zeros((1,) * self.rank, np.int64)
        starts = np.asarray(starts).astype(np.int64)
        lowest = {}
        for number, axis in enumerate(self.mapped):
            most = self.operand[axis] - self.sizes[axis]
            start = starts[..., number]
            clipped = np.clip(start, 0, most)
            if self.mode is GatherScatterMode.FILL_OR_DROP:
                fits = clipped == start
                inside = fits if inside is None else inside & fits
            lowest[axis] = self.as_batch(clipped)
        for axis, whole in enumerate(self.operand):
            stride = prod(self.operand[axis + 1 :])
            found = found + stride * lowest.get(axis, 0)
            if axis in self.aligned:
                found = found + stride * self._line(whole, self.batch[self.aligned[axis]])
            elif axis in self.along:
                found = found + stride * self._line(self.sizes[axis], self.along[axis])
        if inside is None or inside.all():
            return found, None
        return found, self.as_batch(inside)

    def alone(self, starts: np.ndarray) -> tuple[tuple[slice, ...], bool] | None:
        """Return the one window's slices and whether it is inside, where there is but one start."""
        if starts.size != len(self.mapped) or self.aligned:
            return None
        first = dict(zip(self.mapped, starts.ravel().tolist(), strict=True))
        lowest = [
            min(max(first.get(axis, 0), 0), whole - size)
            for axis, (whole, size) in enumerate(zip(self.operand, self.sizes, strict=True))
        ]
        drops = self.mode is GatherScatterMode.FILL_OR_DROP
        inside = not drops or all(lowest[axis] == at for axis, at in first.items())
        ends = zip(lowest, self.sizes, strict=True)
        return tuple(slice(at, at + size) for at, size in ends), inside

    def as_batch(self, values: np.ndarray) -> np.ndarray:
        """Return values of each start with the axes of the array."""
        shape = [1] * self.rank
        for axis, size in zip(self.batch, values.shape, strict=True):
            shape[axis] = size
        return values.reshape(shape)

    def _line(self, size: int, axis: int) -> np.ndarray:
        return np.arange(size).reshape([size if i == axis else 1 for i in range(self.rank)])


def _gather(equation: Equation) -> Step:
    params, shape, dtype = equation.params, shape_of(equation), dtype_of(equation)
    numbers, sizes = params["dimension_numbers"], tuple(params["slice_sizes"])
    operand = tuple(equation.invars[0].aval.shape)
    mode = GatherScatterMode.from_any(params["mode"])
    aligned = dict(
        zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
    )
    gone = {*numbers.collapsed_slice_dims, *aligned}
    along = dict(
        zip([i for i in range(len(operand)) if i not in gone], numbers.offset_dims, strict=True)
    )
    batch = tuple(i for i in range(len(shape)) if i not in numbers.offset_dims)
    mapped = tuple(numbers.start_index_map)
    windows = Windows(operand, sizes, mapped, aligned, along, batch, len(shape), mode)
    filling = _filling(params["fill_value"], dtype)
    row = _row(windows, set(numbers.collapsed_slice_dims))

    def gathered(x: Numpy, starts: Numpy) -> Numpy:
        one = windows.alone(np.asarray(starts))
        if one is not None:
            return np.reshape(x[one[0]], shape) if one[1] else np.full(shape, filling, dtype)
        if row is not None:
            return row(np.asarray(x), np.asarray(starts), filling)
        places, inside = windows.places(starts)
        found = np.broadcast_to(np.take(x, places), shape)
        return found if inside is None else np.where(inside, found, filling).astype(dtype)

    return gathered


def _row(
    windows: Windows, collapsed: set[int]
) -> Callable[[np.ndarray, np.ndarray, Numpy], np.ndarray] | None:
    """Return how to take whole rows along one axis, where that is all: it is faster."""
    if len(windows.mapped) != 1 or windows.aligned or collapsed != set(windows.mapped):
        return None
    (axis,) = windows.mapped
    whole = [i for i in range(len(windows.operand)) if i != axis]
    if any(windows.sizes[i] != windows.operand[i] for i in whole):
        return None
    # Axes come as the operand's before, the starts', the operand's after: where each is to go.
    before, after = [i for i in whole if i < axis], [i for i in whole if i > axis]
    come = [*(windows.along[i] for i in before), *windows.batch, *(windows.along[i] for i in after)]
    order = tuple(int(i) for i in np.argsort(come))
    most = windows.operand[axis] - 1
    drops = windows.mode is GatherScatterMode.FILL_OR_DROP

    def take(x: np.ndarray, starts: np.ndarray, filling: Numpy) -> np.ndarray:
        start = starts[..., 0].astype(np.int64)
        clipped = np.clip(start, 0, most)
        found = np.transpose(np.take(x, clipped, axis), order)
        if not drops or np.array_equal(clipped, start):
            return found
        inside = windows.as_batch(clipped == start)
        return np.where(inside, found, filling).astype(x.dtype)

    return take if most >= 0 else None


def _filling(value: object, dtype: np.dtype) -> Numpy:
    """Return what stands for an element beyond: NaN, or the least or largest number."""
    if value is not None:
        return np.asarray(value, dtype)
    if dtype.kind == "f":
        return np.asarray(np.nan, dtype)
    if dtype.kind == "b":
        return np.asarray(True)
    return np.asarray(np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max, dtype)


def _scatter(function: np.ufunc | None) -> Rule:
    """Return the rule of a scatter that combines by a function; None puts in the place of."""

    def rule(equation: Equation) -> Step:
        numbers = equation.params["dimension_numbers"]
        operand, _, updates = (tuple(v.aval.shape) for v in equation.invars)
        mode = GatherScatterMode.from_any(equation.params["mode"])
        aligned = dict(
            zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True)
        )
        gone = {*numbers.inserted_window_dims, *aligned}
        kept = [i for i in range(len(operand)) if i not in gone]
        along = dict(zip(kept, numbers.update_window_dims, strict=True))
        sizes = tuple(updates[along[i]] if i in along else 1 for i in range(len(operand)))
        batch = tuple(i for i in range(len(updates)) if i not in numbers.update_window_dims)
        mapped = tuple(numbers.scatter_dims_to_operand_dims)
        windows = Windows(operand, sizes, mapped, aligned, along, batch, len(updates), mode)

        def scattered(x: Numpy, starts: Numpy, new: Numpy) -> Numpy:
            found = np.array(x)
            if not np.size(new):
                return found
            one = windows.alone(np.asarray(starts))
            if one is not None:
                if one[1]:
                    window, values = one[0], np.reshape(new, sizes)
                    found[window] = values if function is None else function(found[window], values)
                return found
            places, inside = windows.places(starts)
            places, values = np.broadcast_to(places, updates), np.asarray(new)
            if inside is not None:
                chosen = np.broadcast_to(inside, updates)
                places, values = places[chosen], values[chosen]
            return _put(found, places.ravel(), values.ravel(), function).reshape(operand)

        return scattered

    return rule


def _put(
    found: np.ndarray, places: np.ndarray, values: np.ndarray, function: np.ufunc | None
) -> np.ndarray:
    """Return a flat array with values combined into it at places, some perhaps at the same."""
    flat = found.reshape(-1)
    if function is np.add and found.dtype == np.float64:  # bincount is ten times as fast as add.at
        return flat + np.bincount(places, values, flat.size)
    if function is None:
        flat[places] = values
    else:
        function.at(flat, places, values)
    return flat


def _dynamic_slice(equation: Equation) -> Step:
    shape, sizes = equation.invars[0].aval.shape, equation.params["slice_sizes"]

    def sliced(x: Numpy, *starts: Numpy) -> Numpy:
        return x[_inside(shape, sizes, starts)]

    return sliced


def _dynamic_update(equation: Equation) -> Step:
    shape, sizes = (v.aval.shape for v in equation.invars[:2])

    def updated(x: Numpy, new: Numpy, *starts: Numpy) -> Numpy:
        found = np.array(x)
        found[_inside(shape, sizes, starts)] = new
        return found

    return updated


def _inside(shape: Sequence[int], sizes: Sequence[int], starts: Sequence[Numpy]) -> tuple:
    """Return slices that begin at the starts, or as near to them as they fit in."""
    if len(starts) != len(shape):
        raise Unknown("a shape that is computed")
    places = (
        min(max(int(start), 0), whole - size)
        for start, whole, size in zip(starts, shape, sizes, strict=True)
    )
    return tuple(slice(at, at + size) for at, size in zip(places, sizes, strict=True))


RULES: dict[str, Rule] = {
    "gather": _gather,
    "scatter": _scatter(None),
    "scatter-add": _scatter(np.add),
    "scatter-sub": _scatter(np.subtract),
    "scatter-mul": _scatter(np.multiply),
    "scatter-min": _scatter(np.minimum),
    "scatter-max": _scatter(np.maximum),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
}
