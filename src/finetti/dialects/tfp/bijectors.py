"""Map unconstrained values to constrained ones, by TensorFlow Probability's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import extents
from finetti.dialects.tfp import mappings
from finetti.dialects.tfp.bijector import Bijector, as_array, named, onto
from finetti.distributions import constraints, transforms
from finetti.types import AnyArray, Array


@named
def Identity() -> Bijector:
    """Return the map that changes nothing."""
    return onto(constraints.real)


@named
def Exp() -> Bijector:
    """Return the exponential, onto the positive numbers."""
    return onto(constraints.positive)


@named
def Softplus(hinge_softness: ArrayLike | None = None, low: ArrayLike | None = None) -> Bijector:
    """Return log(1 + exp(x)), onto the positive numbers, or onto those above `low`.

    With a `hinge_softness` c it is c log(1 + exp(x / c)).
    """
    made = onto(constraints.softplus_positive)
    if hinge_softness is not None:
        made = Chain([Scale(hinge_softness), made, Invert(Scale(hinge_softness))])
    return made if low is None else Chain([Shift(low), made])


@named
def Sigmoid(low: AnyArray | float | None = None, high: AnyArray | float | None = None) -> Bijector:
    """Return the scaled logistic function, onto the numbers between two bounds, 0 and 1."""
    if low is None and high is None:
        return onto(constraints.interval(0.0, 1.0))
    if low is None or high is None:
        raise ValueError("Sigmoid takes both of low and high, or neither")
    return onto(constraints.interval(low, high))


@named
def Tanh() -> Bijector:
    """Return the hyperbolic tangent."""
    return _one(
        mappings.elementwise(
            jnp.tanh, jnp.arctanh, lambda x: 2 * (jnp.log(2.0) - x - jax.nn.softplus(-2 * x))
        )
    )


@named
def Shift(shift: ArrayLike) -> Bijector:
    """Return the map that adds a number."""
    return Bijector((transforms.AffineTransform(_real(shift), 1.0),))


@named
def Scale(scale: ArrayLike | None = None, log_scale: ArrayLike | None = None) -> Bijector:
    """Return the map that multiplies by a number, or by the exponential of one."""
    if scale is not None and log_scale is None:
        factor = _real(scale)
    elif log_scale is not None and scale is None:
        factor = jnp.exp(_real(log_scale))
    else:
        raise ValueError("Scale takes one of scale and log_scale")
    return Bijector((transforms.AffineTransform(0.0, factor),))


@named
def AffineScalar(shift: ArrayLike = 0.0, scale: ArrayLike = 1.0) -> Bijector:
    """Return the map that multiplies and then adds."""
    return Chain([Shift(shift), Scale(scale)])


@named
def ScaleMatvecTriL(scale_tril: ArrayLike, adjoint: bool = False) -> Bijector:
    """Return the map that multiplies vectors by a lower triangular matrix."""
    return _one(mappings.matrix_product(_real(scale_tril), adjoint))


@named
def ScaleMatvecDiag(scale_diag: ArrayLike) -> Bijector:
    """Return the map that multiplies vectors by a diagonal matrix."""
    with jax.enable_x64(True):
        diagonal = _real(scale_diag)
        matrix = diagonal[..., None] * jnp.eye(diagonal.shape[-1])
    return _one(mappings.matrix_product(matrix, False))


@named
def SoftmaxCentered() -> Bijector:
    """Return the map of n numbers to n + 1 shares, the last of which has the logit 0."""
    return _one(mappings.softmax_centered())


@named
def FillTriangular() -> Bijector:
    """Return the map of n (n + 1) / 2 numbers to a lower triangle."""
    return _one(mappings.fill_triangular())


@named
def TransformDiagonal(diag_bijector: Bijector) -> Bijector:
    """Return the map of matrices' diagonals by a bijector."""
    return _one(mappings.transform_diagonal(diag_bijector.transform))


@named
def FillScaleTriL(diag_bijector: Bijector | None = None, diag_shift: ArrayLike = 1e-5) -> Bijector:
    """Return the map of n (n + 1) / 2 numbers to a Cholesky factor, its diagonal positive."""
    positive = Softplus() if diag_bijector is None else diag_bijector
    shifted = positive if diag_shift is None else Chain([Shift(diag_shift), positive])
    return Chain([TransformDiagonal(shifted), FillTriangular()])


@named
def CholeskyOuterProduct() -> Bijector:
    """Return the map of Cholesky factors to their matrices."""
    return _one(mappings.cholesky_outer_product())


@named
def CholeskyToInvCholesky() -> Bijector:
    """Return the map of the Cholesky factor of a matrix to that of its inverse."""
    return _one(mappings.cholesky_to_inverse())


@named
def CorrelationCholesky() -> Bijector:
    """Return the map of n (n - 1) / 2 numbers to the Cholesky factor of a correlation matrix."""
    return onto(constraints.corr_cholesky)


@named
def Ascending() -> Bijector:
    """Return the map of numbers to ascending ones: the first, and positive steps from it."""
    return onto(constraints.ordered_vector)


@named
def Reciprocal() -> Bijector:
    """Return one over a number."""
    return _one(
        mappings.elementwise(lambda x: 1 / x, lambda y: 1 / y, lambda x: -2 * jnp.log(jnp.abs(x)))
    )


@named
def Square() -> Bijector:
    """Return the square of positive numbers."""
    return _one(mappings.elementwise(jnp.square, jnp.sqrt, lambda x: jnp.log(2 * x)))


@named
def Reshape(event_shape_out: ArrayLike, event_shape_in: ArrayLike = (-1,)) -> Bijector:
    """Return the map of events to another shape; without `event_shape_in` of vectors."""
    after, before = extents(event_shape_out), extents(event_shape_in)
    before = (int(np.prod(after)),) if before == (-1,) else before
    return Bijector((transforms.ReshapeTransform(after, before),))


@named
def NormalCDF() -> Bijector:
    """Return the standard normal's distribution function."""
    return _one(mappings.normal_cdf())


@named
def GumbelCDF(loc: ArrayLike = 0.0, scale: ArrayLike = 1.0) -> Bijector:
    """Return a Gumbel's distribution function."""
    return _one(mappings.gumbel_cdf(_real(loc), _real(scale)))


@named
def KumaraswamyCDF(concentration1: ArrayLike = 1.0, concentration0: ArrayLike = 1.0) -> Bijector:
    """Return a Kumaraswamy's distribution function."""
    return _one(mappings.kumaraswamy_cdf(_real(concentration1), _real(concentration0)))


@named
def Inline(
    forward_fn: Callable[[Array], Array],
    inverse_fn: Callable[[Array], Array],
    forward_log_det_jacobian_fn: Callable[[Array], Array],
    forward_min_event_ndims: int = 0,
) -> Bijector:
    """Return the map of three functions; values have `forward_min_event_ndims` axes."""
    rank = int(forward_min_event_ndims)
    jacobian = lambda x, y: forward_log_det_jacobian_fn(x)  # noqa: E731
    return _one(mappings.Mapping(forward_fn, inverse_fn, jacobian, (rank, rank)))


@named
def Blockwise(bijectors: Sequence[Bijector], block_sizes: ArrayLike | None = None) -> Bijector:
    """Return the map of a vector's blocks, each by a bijector; of single elements without sizes."""
    maps = tuple(b.transform for b in bijectors)
    sizes = (1,) * len(maps) if block_sizes is None else extents(block_sizes)
    if len(sizes) != len(maps):
        raise ValueError(f"there are {len(maps)} bijectors and {len(sizes)} block_sizes")
    return _one(mappings.blockwise(maps, sizes))


@named
def Invert(bijector: Bijector) -> Bijector:
    """Return the map turned round."""
    return Bijector(tuple(step.inv for step in bijector.steps[::-1]))


@named
def Log() -> Bijector:
    """Return the logarithm, of positive numbers."""
    return Invert(Exp())


@named
def Chain(bijectors: Sequence[Bijector]) -> Bijector:
    """Return maps one after the other, the last of the list first."""
    return Bijector(tuple(step for b in list(bijectors)[::-1] for step in b.steps))


def _one(mapping: mappings.Mapping) -> Bijector:
    return Bijector((mapping,))


def _real(value: ArrayLike) -> Array:
    """Return a parameter as an array, in the precision that it has."""
    with jax.enable_x64(True):
        array = as_array(value)
        return array if array.dtype.kind == "f" else array.astype(float)


@dataclass(frozen=True)
class Each:
    """Map the parts of a state, each by a bijector of its own."""

    bijectors: tuple[Bijector, ...]

    def onto(self, parts: Sequence[ArrayLike]) -> tuple[list[AnyArray], AnyArray | int]:
        """Return the constrained parts and the whole log Jacobian."""
        pairs = list(zip(self.bijectors, parts, strict=True))
        jacobian = sum(jnp.sum(b.forward_log_det_jacobian(x, event_ndims=0)) for b, x in pairs)
        return [b.forward(x) for b, x in pairs], jacobian

    def back(self, parts: Sequence[ArrayLike]) -> list[AnyArray]:
        """Return the unconstrained parts."""
        return [b.inverse(y) for b, y in zip(self.bijectors, parts, strict=True)]


__getattr__ = lacking("tfp.bijectors")
