"""Rules for products and factors of matrices."""

from __future__ import annotations

from math import prod

import numpy as np
from scipy.linalg import get_lapack_funcs

from finetti.host.rule import Numpy, Rule, Step, Unknown, dtype_of, shape_of
from finetti.types import Equation


def _product(equation: Equation) -> Step:
    """Bring both operands to stacks of matrices, and multiply those."""
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    one, other = (v.aval.shape for v in equation.invars)
    left_free = [i for i in range(len(one)) if i not in left and i not in left_batch]
    right_free = [i for i in range(len(other)) if i not in right and i not in right_batch]
    batch, inner = [one[i] for i in left_batch], prod(one[i] for i in left)
    rows, columns = prod(one[i] for i in left_free), prod(other[i] for i in right_free)
    shape, dtype = shape_of(equation), dtype_of(equation)

    def multiplied(x: Numpy, y: Numpy) -> Numpy:
        first = np.transpose(x, (*left_batch, *left_free, *left)).reshape(*batch, rows, inner)
        second = np.transpose(y, (*right_batch, *right, *right_free))
        second = second.reshape(*batch, inner, columns)
        return np.matmul(first, second, dtype=dtype).reshape(shape)

    return multiplied


def _cholesky(equation: Equation) -> Step:
    """A matrix that is not positive definite has a factor of NaN."""
    shape = shape_of(equation)

    def factor(x: Numpy) -> Numpy:
        try:
            return np.linalg.cholesky(x)
        except np.linalg.LinAlgError:
            each = [_factor(one) for one in np.reshape(x, (-1, *shape[-2:]))]
            return np.reshape(each, shape)

    return factor


def _factor(x: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        return np.tril(np.full_like(x, np.nan))


def _solved(equation: Equation) -> Step:
    """Substitute row by row, all systems of a stack side by side."""
    on_left, lower = equation.params["left_side"], equation.params["lower"]
    turned, unit = equation.params["transpose_a"], equation.params["unit_diagonal"]
    if dtype_of(equation).kind != "f":
        raise Unknown("complex systems")

    def solved(a: Numpy, b: Numpy) -> Numpy:
        # X op(A) = B is op(A)' X' = B'.
        matrix = np.swapaxes(a, -1, -2) if turned == on_left else a
        downwards = lower != (turned == on_left)
        sides = b if on_left else np.swapaxes(b, -1, -2)
        found = np.array(sides)
        size = matrix.shape[-1]
        for i in range(size) if downwards else range(size - 1, -1, -1):
            before = slice(0, i) if downwards else slice(i + 1, size)
            if before.stop > before.start:
                known = matrix[..., i, None, before] @ found[..., before, :]
                found[..., i, :] -= known[..., 0, :]
            if not unit:
                found[..., i, :] /= matrix[..., i, i, None]
        return found if on_left else np.swapaxes(found, -1, -2)

    return solved


def _eigen(equation: Equation) -> Step:
    """Vectors, then values; where one is not found all are NaN. Signs of vectors may be others."""
    params, (vectors, values) = equation.params, (v.aval.shape for v in equation.outvars)
    if params.get("subset_by_index") is not None or dtype_of(equation).kind != "f":
        raise Unknown("some eigenvalues, or complex matrices")
    half, dtype = "L" if params["lower"] else "U", dtype_of(equation)

    def eigen(x: Numpy) -> tuple[Numpy, Numpy]:
        try:
            found, turned = np.linalg.eigh(x, half)
        except np.linalg.LinAlgError:
            return np.full(vectors, np.nan, dtype), np.full(values, np.nan, dtype)
        return turned, found

    return eigen


def _decomposed(equation: Equation) -> Step:
    """Both triangles in one matrix, each row's pivot, and where each row was."""
    (triangles, pivots, places), dtype = equation.outvars, dtype_of(equation)
    if dtype.kind != "f":
        raise Unknown("complex matrices")
    (lapack,) = get_lapack_funcs(("getrf",), dtype=dtype)
    shape, count = triangles.aval.shape, places.aval.shape[-1]

    def decomposed(x: Numpy) -> tuple[Numpy, Numpy, Numpy]:
        found, pivot = np.empty(shape, dtype), np.empty(pivots.aval.shape, np.int32)
        place = np.empty(places.aval.shape, np.int32)
        for i in np.ndindex(shape[:-2]):
            found[i], pivot[i], _ = lapack(x[i])
            order = np.arange(count)
            for row, other in enumerate(pivot[i]):
                order[[row, other]] = order[[other, row]]
            place[i] = order
        return found, pivot, place

    return decomposed


RULES: dict[str, Rule] = {
    "lu": _decomposed,
    "eigh": _eigen,
    "dot_general": _product,
    "cholesky": _cholesky,
    "triangular_solve": _solved,
}
