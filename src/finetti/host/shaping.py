"""Rules for what moves elements, or sums them up along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul
from typing import Any

import numpy as np

from finetti.host.rule import Numpy, Rule, Step, Unknown, dtype_of, shape_of
from finetti.types import Equation


def _broadcast(equation: Equation) -> Step:
    shape, places = equation.params["shape"], equation.params["broadcast_dimensions"]
    own = dict(zip(places, equation.invars[0].aval.shape, strict=True))
    thin = tuple(own.get(axis, 1) for axis in range(len(shape)))
    if thin == tuple(shape):
        return lambda x, *_: x.reshape(shape)
    if 0 in shape:
        return lambda x, *_: np.broadcast_to(x.reshape(thin), shape)
    wide = tuple(int(a == b) for a, b in zip(thin, shape, strict=True))

    def broadcast(x: Numpy, *_: Numpy) -> np.ndarray:
        x = x.reshape(thin)
        if not x.flags.c_contiguous:
            return np.broadcast_to(x, shape)
        # What `np.broadcast_to` returns, in a tenth of its time.
        return np.ndarray(shape, x.dtype, x, 0, tuple(map(mul, wide, x.strides)))

    return broadcast


def _reshape(equation: Equation) -> Step:
    if equation.primitive.name == "reshape" and equation.params["dimensions"] is not None:
        raise Unknown("axes in another order")
    shape = shape_of(equation)
    return lambda x: x.reshape(shape)


def _slice(equation: Equation) -> Step:
    ends = equation.params["start_indices"], equation.params["limit_indices"]
    steps = equation.params["strides"] or (1,) * len(ends[0])
    places = tuple(slice(*each) for each in zip(*ends, steps, strict=True))
    return lambda x: x[places]


def _transpose(equation: Equation) -> Step:
    axes = equation.params["permutation"]
    return lambda x: x.transpose(axes)


def _concatenate(equation: Equation) -> Step:
    axis = equation.params["dimension"]
    return lambda *xs: np.concatenate(xs, axis)


def _stack(equation: Equation) -> Step:
    axis = equation.params["axis"]
    return lambda *xs: np.stack(xs, axis)


def _unstack(equation: Equation) -> Step:
    axis = equation.params["axis"]
    return lambda x: tuple(np.moveaxis(x, axis, 0))


def _split(equation: Equation) -> Step:
    ends, axis = np.cumsum(equation.params["sizes"])[:-1], equation.params["axis"]
    return lambda x: tuple(np.split(x, ends, axis))


def _flip(equation: Equation) -> Step:
    axes = equation.params["dimensions"]
    return lambda x: np.flip(x, axes)


def _iota(equation: Equation) -> Step:
    shape, axis = shape_of(equation), equation.params["dimension"]
    line = np.arange(shape[axis], dtype=dtype_of(equation))
    whole = np.broadcast_to(
        line.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape
    )
    return lambda: whole


def _blank(equation: Equation) -> Step:
    """What is written over before it is read; zeros, since numpy's own would differ each time."""
    shape, dtype = shape_of(equation), dtype_of(equation)
    return lambda: np.zeros(shape, dtype)


def _pad(equation: Equation) -> Step:
    """Elements lie `inner` apart, `low` and `high` beyond them; negative ones cut."""
    shape, dtype = shape_of(equation), dtype_of(equation)
    target, source = [], []
    sizes = equation.invars[0].aval.shape
    for size, (low, _, inner), whole in zip(
        sizes, equation.params["padding_config"], shape, strict=True
    ):
        step = int(inner) + 1
        at = int(low) + step * np.arange(size)
        inside = np.flatnonzero((at >= 0) & (at < whole))
        if not inside.size:
            source.append(slice(0, 0))
            target.append(slice(0, 0))
            continue
        first, last = int(inside[0]), int(inside[-1])
        source.append(slice(first, last + 1))
        target.append(slice(int(at[first]), int(at[last]) + 1, step))
    into, out_of = tuple(target), tuple(source)

    def padded(x: Numpy, filling: Numpy) -> Numpy:
        found = np.zeros(shape, dtype) if filling == 0 else np.full(shape, filling, dtype)
        found[into] = np.asarray(x)[out_of]
        return found

    return padded


def _reduced(function: np.ufunc, empty: Callable[[np.dtype], Any]) -> Rule:
    """Return the rule of a reduction; `empty` is what it is of nothing."""

    def rule(equation: Equation) -> Step:
        axes, dtype = tuple(equation.params["axes"]), dtype_of(equation)
        if 0 in equation.invars[0].aval.shape:
            filled = np.full(shape_of(equation), empty(dtype), dtype)
            return lambda x: filled
        if function in (np.maximum, np.minimum):
            return lambda x: function.reduce(x, axis=axes)
        return lambda x: function.reduce(x, axis=axes, dtype=dtype)

    return rule


def _bounds(dtype: np.dtype) -> tuple[Any, Any]:
    """Return the least and the largest number of a dtype."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    return (False, True) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def _logical(function: np.ufunc, bits: np.ufunc, empty: Any) -> Rule:
    def rule(equation: Equation) -> Step:
        chosen = function if dtype_of(equation).kind == "b" else bits
        return _reduced(chosen, lambda _: empty)(equation)

    return rule


def _place(find: Callable[..., Numpy]) -> Rule:
    def rule(equation: Equation) -> Step:
        (axis,), dtype = equation.params["axes"], dtype_of(equation)
        return lambda x: find(x, axis=axis).astype(dtype)

    return rule


def _cumulated(function: np.ufunc) -> Rule:
    def rule(equation: Equation) -> Step:
        axis, dtype = equation.params["axis"], dtype_of(equation)
        if equation.params["reverse"]:
            return lambda x: np.flip(function.accumulate(np.flip(x, axis), axis, dtype), axis)
        return lambda x: function.accumulate(x, axis, dtype)

    return rule


def _sort(equation: Equation) -> Step:
    """NaN comes last, as JAX has it; what is sorted along follows the first."""
    axis = equation.params["dimension"]
    if equation.params["num_keys"] != 1:
        raise Unknown("several keys")
    if len(equation.invars) == 1:
        return lambda x: (np.sort(x, axis, kind="stable"),)

    def along(*xs: Numpy) -> Sequence[Numpy]:
        places = np.argsort(xs[0], axis, kind="stable")
        return tuple(np.take_along_axis(x, places, axis) for x in xs)

    return along


RULES: dict[str, Rule] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "slice": _slice,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "stack": _stack,
    "unstack": _unstack,
    "split": _split,
    "rev": _flip,
    "iota": _iota,
    "empty": _blank,
    "empty2": _blank,
    "pad": _pad,
    "sort": _sort,
    "reduce_sum": _reduced(np.add, lambda _: 0),
    "reduce_prod": _reduced(np.multiply, lambda _: 1),
    "reduce_max": _reduced(np.maximum, lambda dtype: _bounds(dtype)[0]),
    "reduce_min": _reduced(np.minimum, lambda dtype: _bounds(dtype)[1]),
    "reduce_and": _logical(np.logical_and, np.bitwise_and, -1),
    "reduce_or": _logical(np.logical_or, np.bitwise_or, 0),
    "argmax": _place(np.argmax),
    "argmin": _place(np.argmin),
    "cumsum": _cumulated(np.add),
    "cumprod": _cumulated(np.multiply),
    "cummax": _cumulated(np.maximum),
    "cummin": _cumulated(np.minimum),
    "cumlogsumexp": _cumulated(np.logaddexp),
}
