"""Make transformations of functions, and those of TensorFlow Probability's that others lack."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from finetti.distributions import constraints, transforms
from finetti.types import Array

Function = Callable[[Array], Array]
Shape = tuple[int, ...]
CONSTRAINTS: dict[int, constraints.Constraint] = {
    0: constraints.real, 1: constraints.real_vector, 2: constraints.real_matrix,
}  # fmt: skip


class Mapping(transforms.Transform):
    """Map by a function, with its inverse and its log Jacobian at x and y.

    `ranks` counts the axes of what is mapped, before and after; `shape` gives the latter's.
    """

    pytree_aux_fields = ("act", "back", "jacobian", "ranks", "shape", "unshape")

    def __init__(
        self,
        act: Function,
        back: Function,
        jacobian: Callable[[Array, Array], Array],
        ranks: tuple[int, int] = (0, 0),
        shape: Callable[[Shape], Shape] = lambda shape: shape,
        unshape: Callable[[Shape], Shape] = lambda shape: shape,
    ) -> None:
        """Take the functions."""
        self.act, self.back, self.jacobian = act, back, jacobian
        self.ranks, self.shape, self.unshape = ranks, shape, unshape

    @property
    def domain(self) -> constraints.Constraint:
        """Return the constraint on what is mapped."""
        return CONSTRAINTS[self.ranks[0]]

    @property
    def codomain(self) -> constraints.Constraint:
        """Return the constraint on what it is mapped to."""
        return CONSTRAINTS[self.ranks[1]]

    def __call__(self, x: Array) -> Array:
        """Return what a value is mapped to."""
        return self.act(x)

    def _inverse(self, y: Array) -> Array:
        return self.back(y)

    def log_abs_det_jacobian(self, x: Array, y: Array, intermediates: Array | None = None) -> Array:
        """Return the log Jacobian."""
        return self.jacobian(x, y)

    def forward_shape(self, shape: Shape) -> Shape:
        """Return the shape of what is mapped to."""
        return self.shape(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        """Return the shape of what is mapped."""
        return self.unshape(shape)

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return nothing to trace, and the functions."""
        return (), ((), {name: getattr(self, name) for name in self.pytree_aux_fields})


def elementwise(act: Function, back: Function, log_slope: Function) -> Mapping:
    """Map each number by itself; `log_slope` is the logarithm of the derivative's size."""
    return Mapping(act, back, lambda x, y: log_slope(x))


def softmax_centered() -> Mapping:
    """Map n numbers to n + 1 shares; the last has the logit 0.

    The Jacobian is that of the map onto the simplex as a surface, a factor of the root of n + 1
    beside that of the first n shares.
    """

    def act(x: Array) -> Array:
        return jax.nn.softmax(jnp.concatenate([x, jnp.zeros((*x.shape[:-1], 1), x.dtype)], -1))

    return Mapping(
        act,
        lambda y: jnp.log(y[..., :-1]) - jnp.log(y[..., -1:]),
        lambda x, y: 0.5 * jnp.log(y.shape[-1]) + jnp.log(y).sum(-1),
        (1, 1),
        lambda shape: (*shape[:-1], shape[-1] + 1),
        lambda shape: (*shape[:-1], shape[-1] - 1),
    )


def _side(count: int) -> int:
    side = round((np.sqrt(8 * count + 1) - 1) / 2)
    if side * (side + 1) // 2 != count:
        raise ValueError(f"{count} numbers do not fill a triangle")
    return side


def _places(side: int) -> np.ndarray:
    """Return where each element of a lower triangle comes from, in a clockwise spiral."""
    numbers = np.arange(side * (side + 1) // 2)
    return np.concatenate([numbers[side:], numbers[::-1]]).reshape(side, side)


def fill_triangular() -> Mapping:
    """Map n (n + 1) / 2 numbers to a lower triangle, in TensorFlow Probability's order."""

    def act(x: Array) -> Array:
        return jnp.tril(x[..., _places(_side(x.shape[-1]))])

    def back(y: Array) -> Array:
        rows, columns = np.tril_indices(y.shape[-1])
        order = np.argsort(_places(y.shape[-1])[rows, columns])
        return y[..., rows[order], columns[order]]

    return Mapping(
        act,
        back,
        lambda x, y: jnp.zeros(x.shape[:-1]),
        (1, 2),
        lambda shape: (*shape[:-1], _side(shape[-1]), _side(shape[-1])),
        lambda shape: (*shape[:-2], shape[-1] * (shape[-1] + 1) // 2),
    )


def _diagonal(x: Array) -> Array:
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def transform_diagonal(inner: transforms.Transform) -> Mapping:
    """Map the diagonals of matrices by another map, and leave the rest."""

    def change(x: Array, diagonal: Array) -> Array:
        places = np.arange(x.shape[-1])
        return x.at[..., places, places].set(diagonal)

    def jacobian(x: Array, y: Array) -> Array:
        return jnp.asarray(inner.log_abs_det_jacobian(_diagonal(x), _diagonal(y))).sum(-1)

    return Mapping(
        lambda x: change(x, jnp.asarray(inner(_diagonal(x)))),
        lambda y: change(y, jnp.asarray(inner.inv(_diagonal(y)))),
        jacobian,
        (2, 2),
    )


def _transposed(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2)


def _outer_jacobian(factor: Array) -> Array:
    size = factor.shape[-1]
    return size * jnp.log(2.0) + (np.arange(size, 0, -1) * jnp.log(_diagonal(factor))).sum(-1)


def cholesky_outer_product() -> Mapping:
    """Map lower Cholesky factors to their positive definite matrices."""
    return Mapping(
        lambda x: x @ _transposed(x),
        jnp.linalg.cholesky,
        lambda x, y: _outer_jacobian(x),
        (2, 2),
    )


def _inverse_factor(x: Array) -> Array:
    half = jax.scipy.linalg.solve_triangular(
        x, jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape), lower=True
    )
    return jnp.linalg.cholesky(_transposed(half) @ half)


def cholesky_to_inverse() -> Mapping:
    """Map the Cholesky factor of a matrix to that of its inverse."""

    def jacobian(x: Array, y: Array) -> Array:
        turned = -2 * (x.shape[-1] + 1) * jnp.log(_diagonal(x)).sum(-1)
        return _outer_jacobian(x) + turned - _outer_jacobian(y)

    return Mapping(_inverse_factor, _inverse_factor, jacobian, (2, 2))


def matrix_product(scale_tril: Array, adjoint: bool) -> Mapping:
    """Multiply vectors by a lower triangular matrix, or by it turned round."""
    matrix = _transposed(scale_tril) if adjoint else scale_tril

    def back(y: Array) -> Array:
        batch = jnp.broadcast_shapes(scale_tril.shape[:-2], y.shape[:-1])
        whole = jnp.broadcast_to(scale_tril, batch + scale_tril.shape[-2:])
        column = jnp.broadcast_to(y, batch + y.shape[-1:])[..., None]
        solve = jax.scipy.linalg.solve_triangular
        return solve(whole, column, lower=True, trans=1 if adjoint else 0)[..., 0]

    def jacobian(x: Array, y: Array) -> Array:
        found = jnp.log(jnp.abs(_diagonal(scale_tril))).sum(-1)
        return jnp.broadcast_to(found, jnp.broadcast_shapes(found.shape, x.shape[:-1]))

    return Mapping(
        lambda x: (matrix @ x[..., None])[..., 0],
        back,
        jacobian,
        (1, 1),
        lambda shape: (*jnp.broadcast_shapes(shape[:-1], matrix.shape[:-2]), shape[-1]),
    )


def log_normal_density(x: Array) -> Array:
    """Return the log density of the standard normal."""
    return -0.5 * x**2 - 0.5 * jnp.log(2 * jnp.pi)


def normal_cdf() -> Mapping:
    """Map numbers to the standard normal's probability of what is below."""
    return elementwise(special.ndtr, special.ndtri, log_normal_density)


def gumbel_cdf(loc: Array, scale: Array) -> Mapping:
    """Map numbers to a Gumbel's probability of what is below."""

    def log_slope(x: Array) -> Array:
        z = (x - loc) / scale
        return -z - jnp.exp(-z) - jnp.log(scale)

    return elementwise(
        lambda x: jnp.exp(-jnp.exp(-(x - loc) / scale)),
        lambda y: loc - scale * jnp.log(-jnp.log(y)),
        log_slope,
    )


def kumaraswamy_cdf(concentration1: Array, concentration0: Array) -> Mapping:
    """Map numbers in (0, 1) to a Kumaraswamy's probability of what is below."""
    a, b = concentration1, concentration0
    return elementwise(
        lambda x: -jnp.expm1(b * jnp.log1p(-(x**a))),
        lambda y: (-jnp.expm1(jnp.log1p(-y) / b)) ** (1 / a),
        lambda x: jnp.log(a * b) + (a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-(x**a)),
    )


def blockwise(maps: tuple[transforms.Transform, ...], sizes: tuple[int, ...]) -> Mapping:
    """Map blocks of a vector's elements, each by a map of its own."""
    ends = np.cumsum(sizes)[:-1].tolist()

    def each(x: Array, turned: bool) -> Array:
        blocks = zip(maps, jnp.split(x, ends, -1), strict=True)
        return jnp.concatenate([(m.inv if turned else m)(b) for m, b in blocks], -1)

    def jacobian(x: Array, y: Array) -> Array:
        blocks = zip(maps, jnp.split(x, ends, -1), jnp.split(y, ends, -1), strict=True)
        terms = [jnp.asarray(m.log_abs_det_jacobian(a, b)) for m, a, b in blocks]
        found = jnp.zeros(x.shape[:-1])
        for term in terms:
            found = found + (term.sum(-1) if term.ndim == x.ndim else term)
        return found

    return Mapping(lambda x: each(x, False), lambda y: each(y, True), jacobian, (1, 1))
