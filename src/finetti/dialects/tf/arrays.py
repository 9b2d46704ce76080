"""Offer TensorFlow's ways to make arrays, and to turn, join and index them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.tensors import Tensor, extents, home, settled, traced, value_of, values_of
from finetti.types import AnyArray, DType, Tree


def shape(input: ArrayLike, out_type: DType = np.int32, name: str | None = None) -> Tensor:
    """Return a value's shape as an array."""
    return Tensor.of(np.array(np.shape(value_of(input)), out_type))


def rank(input: ArrayLike, name: str | None = None) -> int:
    """Return how many axes a value has."""
    return np.ndim(value_of(input))


def zeros(shape: ArrayLike, dtype: DType = np.float64, name: str | None = None) -> Tensor:
    """Return zeros."""
    return Tensor.of(np.zeros(extents(shape), dtype))


def ones(shape: ArrayLike, dtype: DType = np.float64, name: str | None = None) -> Tensor:
    """Return ones."""
    return Tensor.of(np.ones(extents(shape), dtype))


def fill(dims: ArrayLike, value: ArrayLike, name: str | None = None) -> AnyArray:
    """Return an array filled with one value."""
    value = value_of(value)
    return settled(home(value).full(extents(dims), value))


def eye(
    num_rows: int,
    num_columns: int | None = None,
    batch_shape: ArrayLike = (),
    dtype: DType = np.float64,
    name: str | None = None,
) -> Tensor:
    """Return matrices with ones on the diagonal."""
    one = np.eye(num_rows, num_columns, dtype=dtype)
    return Tensor.of(np.broadcast_to(one, extents(batch_shape) + one.shape).copy())


def zeros_like(input: ArrayLike, dtype: DType = None, name: str | None = None) -> Tensor:
    """Return zeros of a value's shape and type."""
    return _like(input, 0, dtype)


def ones_like(input: ArrayLike, dtype: DType = None, name: str | None = None) -> Tensor:
    """Return ones of a value's shape and type."""
    return _like(input, 1, dtype)


def _like(input: ArrayLike, value: int, dtype: DType) -> Tensor:
    given = values_of(input)
    own = given.dtype if hasattr(given, "dtype") else np.asarray(given).dtype
    return Tensor.of(np.full(np.shape(given), value, dtype or own))


def range(
    start: ArrayLike,
    limit: ArrayLike | None = None,
    delta: ArrayLike = 1,
    dtype: DType = None,
    name: str | None = None,
) -> Tensor:
    """Return numbers from a start, or 0, up to a limit."""
    bounds: tuple[Any, ...] = (0, start, delta) if limit is None else (start, limit, delta)
    found = np.arange(*bounds)
    return Tensor.of(found if dtype is None else found.astype(dtype))


def linspace(start: ArrayLike, stop: ArrayLike, num: int, name: str | None = None) -> Tensor:
    """Return numbers from a start to a stop, at equal distances."""
    return Tensor.of(np.linspace(value_of(start), value_of(stop), num))


def reshape(tensor: ArrayLike, shape: ArrayLike, name: str | None = None) -> AnyArray:
    """Return a value in another shape."""
    value = value_of(tensor)
    return settled(home(value).reshape(value, extents(shape)))


def broadcast_to(input: ArrayLike, shape: ArrayLike, name: str | None = None) -> AnyArray:
    """Return a value repeated to a shape."""
    value = value_of(input)
    return settled(home(value).broadcast_to(value, extents(shape)))


def transpose(a: ArrayLike, perm: Sequence[int] | None = None, name: str | None = None) -> AnyArray:
    """Return a value with its axes in another order, or turned round."""
    a = value_of(a)
    return settled(home(a).transpose(a, perm))


def squeeze(
    input: ArrayLike, axis: int | Sequence[int] | None = None, name: str | None = None
) -> AnyArray:
    """Return a value without axes of length one."""
    value = value_of(input)
    axis = tuple(axis) if isinstance(axis, list) else axis
    return settled(home(value).squeeze(value, axis))


def expand_dims(input: ArrayLike, axis: int, name: str | None = None) -> AnyArray:
    """Return a value with another axis, of length one."""
    value = value_of(input)
    return settled(home(value).expand_dims(value, axis))


def tile(input: ArrayLike, multiples: ArrayLike, name: str | None = None) -> AnyArray:
    """Return a value repeated along its axes."""
    value = value_of(input)
    return settled(home(value).tile(value, extents(multiples)))


def stack(values: Sequence[ArrayLike], axis: int = 0, name: str | None = None) -> AnyArray:
    """Return values joined along a new axis."""
    values = [value_of(v) for v in values]
    return settled(home(values).stack(values, axis))


def unstack(
    value: ArrayLike, num: int | None = None, axis: int = 0, name: str | None = None
) -> list[AnyArray]:
    """Return the parts of a value along an axis, as a list."""
    value = value_of(value)
    return [settled(part) for part in home(value).moveaxis(value, axis, 0)]


def concat(values: Sequence[ArrayLike], axis: int, name: str | None = None) -> AnyArray:
    """Return values joined along an axis they have."""
    values = [value_of(v) for v in values]
    return settled(home(values).concatenate(values, axis))


def pad(
    tensor: ArrayLike,
    paddings: ArrayLike,
    mode: str = "CONSTANT",
    constant_values: ArrayLike = 0,
    name: str | None = None,
) -> AnyArray:
    """Return a value with a number before and after its elements, along each axis."""
    if mode.upper() != "CONSTANT":
        raise ValueError(f"tf.pad fills with one number, and not by {mode!r}")
    value, widths = value_of(tensor), np.asarray(paddings).tolist()
    return settled(home(value).pad(value, widths, constant_values=constant_values))


def gather(
    params: ArrayLike,
    indices: ArrayLike,
    validate_indices: None = None,
    axis: int = 0,
    batch_dims: int = 0,
    name: str | None = None,
) -> AnyArray:
    """Return the rows of the indices along an axis; each index must be one of a row."""
    if batch_dims:
        raise ValueError("tf.gather takes no batch_dims here: write the batch as an index")
    params, indices, size = value_of(params), values_of(indices), np.shape(params)[axis]
    if not traced(indices):
        indices = np.asarray(indices)
        if indices.size and not (indices.min() >= 0 and indices.max() < size):
            raise ValueError(
                f"tf.gather: indices from {indices.min()} to {indices.max()} do not all lie in 0 "
                f"to {size - 1}"
            )
    return settled(home(params, indices).take(params, indices, axis))


def one_hot(  # noqa: PLR0913 - TensorFlow's own arguments
    indices: ArrayLike,
    depth: int,
    on_value: ArrayLike = 1,
    off_value: ArrayLike = 0,
    axis: int = -1,
    dtype: DType = np.float32,
    name: str | None = None,
) -> AnyArray:
    """Return vectors of length `depth` with a one at each index."""
    value = value_of(indices)
    where = home(value)
    hot = where.asarray(value)[..., None] == np.arange(depth)
    found = where.where(hot, on_value, off_value).astype(dtype)
    return settled(found if axis == -1 else where.moveaxis(found, -1, axis))


def tensordot(
    a: ArrayLike, b: ArrayLike, axes: int | Sequence[Sequence[int]], name: str | None = None
) -> AnyArray:
    """Return a product summed over some axes of each."""
    a, b = value_of(a), value_of(b)
    return settled(home(a, b).tensordot(a, b, axes))


def einsum(equation: str, *inputs: ArrayLike) -> AnyArray:
    """Return the sum of products that an equation of indices names."""
    given = [value_of(v) for v in inputs]
    return settled(home(given).einsum(equation, *given))


def matmul(  # noqa: PLR0913 - TensorFlow's own arguments
    a: ArrayLike,
    b: ArrayLike,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    name: str | None = None,
) -> AnyArray:
    """Return products of matrices, either turned round if so wished."""
    a, b = value_of(a), value_of(b)
    where = home(a, b)
    a = where.swapaxes(a, -1, -2) if transpose_a or adjoint_a else a
    b = where.swapaxes(b, -1, -2) if transpose_b or adjoint_b else b
    return settled(where.matmul(a, b))


def matvec(
    a: ArrayLike,
    b: ArrayLike,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    name: str | None = None,
) -> AnyArray:
    """Return matrices times vectors."""
    column = home(b).expand_dims(value_of(b), -1)
    return matmul(a, column, transpose_a=transpose_a or adjoint_a)[..., 0]


def map_structure(
    function: Callable[..., Tree], *structures: Tree, check_types: bool = True
) -> Tree:
    """Apply a function to the parts of nested lists, tuples and dicts, in their places."""
    return jax.tree.map(function, *structures)


def flatten(structure: Tree) -> list[AnyArray]:
    """Return the parts of nested lists, tuples and dicts in a row."""
    return jax.tree.leaves(structure)


def pack_sequence_as(structure: Tree, flat_sequence: Iterable[object]) -> Tree:
    """Return parts in a row in the places of a structure's."""
    return jax.tree.unflatten(jax.tree.structure(structure), list(flat_sequence))


def boolean_mask(
    tensor: ArrayLike, mask: ArrayLike, axis: int = 0, name: str | None = None
) -> AnyArray:
    """Return the rows of a value where a mask is true; the mask must be known."""
    value = value_of(tensor)
    return settled(jnp.compress(np.asarray(mask), value, axis) if home(value) is jnp else
                   np.compress(np.asarray(mask), value, axis))  # fmt: skip
