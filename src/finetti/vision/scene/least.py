"""Solve for the waves whose steps and bends are nearest to an image's in weighted square."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg

from finetti.types import AnyArray, Array, Float
from finetti.vision.scene.grid import Size, cast_field, steps
from finetti.vision.scene.shadows import Shadows
from finetti.vision.scene.shapes import Shape, Surface, bends, slopes, twists

PROBES, ITERATIONS, CLOSE = 16, 1000, 1e-6  # of conjugate gradients


class Shown(NamedTuple):
    """Hold what waves make: `edges` (kind, edge), steps then bends, and the `rest` of a surface.

    The rest are the twists of all facets and, in prior deviations, the two mean slopes.
    """

    edges: AnyArray
    rest: AnyArray

    def joined(self) -> Array:
        """Return all as one vector."""
        return jnp.concatenate([jnp.ravel(part) for part in self])


class Scales(NamedTuple):
    """Hold the roughness, and how many units of the paint's steps one of log shading is."""

    roughness: float
    unit: float


class Parts(NamedTuple):
    """Hold compiled functions of waves: what they show, their least squares, its normal matrix.

    Each takes where the shading is taken as linear and the scales last.
    """

    waves: int
    exact: Callable[[AnyArray, Scales], Shown]
    linear: Callable[[AnyArray, AnyArray, Scales], Shown]
    best: Callable[..., Array]
    normal: Callable[..., Array]
    diagonal: Callable[..., Array]


@lru_cache(maxsize=8)
def parts(shape: Shape, size: Size, shadows: Shadows | None = None) -> Parts:
    """Return the functions of a shape's waves at a size, compiled once for each; shadows' follow.

    Weighted least squares are solved by conjugate gradients, whose time grows little faster than
    the pixels', with the normal matrix' diagonal as found by probing with random signs.
    """
    own = shape.waves(size)
    waves = own + (0 if shadows is None else shadows.waves(size))

    def exact(white: AnyArray, scales: Scales) -> Shown:
        field = shape.field(white[:own], size)
        shown = scales.unit * steps(shape.log_shading(scales.roughness * field))
        cast = [] if shadows is None else [steps(cast_field(white[own:], size))]
        if shadows is not None:
            shown = shown + scales.unit * shadows.fade * cast[0]
        if not (isinstance(shape, Surface) and shape.creased):
            return Shown(jnp.stack([shown, *cast]), jnp.zeros(0, shown.dtype))
        tilt = [scales.roughness * jnp.mean(slope) / shape.slant for slope in slopes(field)]
        rest = jnp.concatenate([twists(field).ravel(), jnp.stack(tilt)])
        return Shown(jnp.stack([shown, bends(field), *cast]), rest)

    def linear(white: AnyArray, about: AnyArray, scales: Scales) -> Shown:
        at, slope = jax.jvp(lambda w: exact(w, scales), (about,), (white - about,))
        return jax.tree.map(jnp.add, at, slope)

    def straight(about: AnyArray, scales: Scales) -> tuple[Array, Callable, Callable]:
        at, push = jax.linearize(lambda white: exact(white, scales).joined(), about)
        turned = jax.linear_transpose(push, about)
        return at - push(about), push, lambda residual: turned(residual)[0]

    def best(
        weight: Float[Array, " part"],
        wanted: Float[Array, " part"],
        ridge: AnyArray,
        about: Float[Array, " wave"],
        scales: Scales,
    ) -> Array:
        at, push, pull = straight(about, scales)
        diagonal = probed(weight, pull, PROBES) + ridge
        return cg(
            lambda w: pull(weight * push(w)) + ridge * w,
            pull(weight * (wanted - at)),
            about,
            tol=CLOSE,
            maxiter=ITERATIONS,
            M=lambda w: w / diagonal,
        )[0]

    def diagonal(
        weight: Float[Array, " part"], ridge: AnyArray, about: Float[Array, " wave"], scales: Scales
    ) -> Array:
        return probed(weight, straight(about, scales)[2], 8 * PROBES) + ridge

    def normal(
        weight: Float[Array, " part"], ridge: AnyArray, about: Float[Array, " wave"], scales: Scales
    ) -> Array:
        _, push, pull = straight(about, scales)
        eye = jnp.eye(waves, dtype=about.dtype)
        return jax.lax.map(lambda w: pull(weight * push(w)), eye, batch_size=64) + ridge * eye

    return Parts(
        waves, jax.jit(exact), jax.jit(linear), jax.jit(best), jax.jit(normal), jax.jit(diagonal)
    )


def probed(weight: Float[Array, " part"], pull: Callable, probes: int) -> Array:
    """Return the diagonal of weighted squares' normal matrix, about, from random signs."""
    signs = jax.random.rademacher(jax.random.key(0), (probes, len(weight)), weight.dtype)
    return jnp.mean(jax.lax.map(lambda sign: pull(jnp.sqrt(weight) * sign) ** 2, signs), 0)


def half_log_determinant(matrix: Float[np.ndarray, "a a"]) -> float:
    """Return half the log determinant of a positive definite matrix."""
    return float(np.log(np.diag(np.linalg.cholesky(matrix))).sum())
