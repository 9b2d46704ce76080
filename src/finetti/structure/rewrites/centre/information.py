"""Look how the rest of a model informs the effects of groups, by Hessian-vector products.

At a point, the rest's log density in the effects w has slope g and negative Hessian I, so that it
is nearly that of a normal likelihood with information I and pull I h = g + I w. What lies between
different members is left out; a product with random signs keeps its mean at nought (Bekas,
Kokiopoulou & Saad 2007).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from finetti.structure.rewrites.centre.part import Part
from finetti.structure.rewrites.rewrite import Around, Constants
from finetti.types import Array, Key


def look(parts: tuple[Part, ...], sites: tuple[str, ...], around: Around, key: Key) -> Constants:
    """Return information (member, k, k) and pull (member, k) of the rest at a point."""
    program = around.reader.program
    ends = [part.path.end(program) for part in parts]
    effects = jnp.concatenate(
        [part.flat(around.reader.read(v)) for part, v in zip(parts, ends, strict=True)], -1
    )
    count, width = effects.shape

    def rest(effects: Array) -> Array:
        fixed: dict[Any, Array] = {}
        start = 0
        for part, variable in zip(parts, ends, strict=True):
            here = effects[:, start : start + part.width]
            fixed[variable] = here.reshape(variable.aval.shape)
            start += part.width
        return around.log_density(fixed, sites)

    slope, push = jax.linearize(jax.grad(rest), effects)
    signs = jax.random.rademacher(key, (count, 1), effects.dtype)
    rows = [push(signs * jnp.eye(width, dtype=effects.dtype)[i]) for i in range(width)]
    hessian = jnp.stack(rows, -1) * signs[..., None]
    information = positive(-(hessian + jnp.swapaxes(hessian, -1, -2)) / 2)
    pull = slope + jnp.sum(information * effects[..., None, :], -1)
    fine = jnp.isfinite(information).all((-2, -1)) & jnp.isfinite(pull).all(-1)
    return {
        "information": jnp.where(fine[:, None, None], information, 0.0),
        "pull": jnp.where(fine[:, None], pull, 0.0),
    }


def positive(matrix: Array) -> Array:
    """Return the nearest positive semi-definite matrices; NaN where one is not finite."""
    if matrix.shape[-1] == 1:
        return jnp.maximum(matrix, 0.0)
    values, vectors = jnp.linalg.eigh(matrix, symmetrize_input=False)
    return jnp.einsum("...ij,...j,...kj->...ik", vectors, jnp.maximum(values, 0.0), vectors)
