"""Look how the rest of a model informs the effects of groups, by Hessian-vector products.

At a point, the rest's log density in the effects w has slope g and negative Hessian I, so that it
is nearly that of a normal likelihood with information I and pull I h = g + I w. What lies between
different members is left out; a product with random signs keeps its mean at nought (Bekas,
Kokiopoulou & Saad 2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from finetti.structure.form import Form, Given
from finetti.structure.rewrites.centre import Centre
from finetti.types import Array, Key

Constants = dict[str, dict[str, Array]]


def look(form: Form, given: Given, plain: Mapping[str, Array], key: Key) -> Constants:
    """Return the constants of each centring at a point given by unmoved free values."""
    still = form.unmoved()
    return {m.name: _look(m, still, given, plain, key) for m in form.centred}


def _look(
    move: Centre, form: Form, given: Given, plain: Mapping[str, Array], key: Key
) -> dict[str, Array]:
    reader, program = form.reader(given, plain), form.program
    ends = [part.path.end(program) for part in move.parts]
    effects = jnp.concatenate(
        [part.flat(reader.read(v)) for part, v in zip(move.parts, ends, strict=True)], -1
    )

    def rest(effects: Array) -> Array:
        fixed: dict[Any, Array] = {}
        start = 0
        for part, variable in zip(move.parts, ends, strict=True):
            here = effects[:, start : start + part.width]
            fixed[variable] = here.reshape(variable.aval.shape)
            start += part.width
        return form.log_density(given, plain, fixed, move.sites)

    slope, push = jax.linearize(jax.grad(rest), effects)
    signs = jax.random.rademacher(key, (move.count, 1), effects.dtype)
    rows = [push(signs * jnp.eye(move.width, dtype=effects.dtype)[i]) for i in range(move.width)]
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
