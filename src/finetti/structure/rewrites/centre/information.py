"""Look how the rest of a model informs the effects of groups, by Hessian-vector products.

At a point, the rest's log density in the effects w has slope g and negative Hessian I, so that it
is nearly that of a normal likelihood with information I and pull I h = g + I w. What lies between
different members is left out; a product with random signs keeps its mean at nought (Bekas,
Kokiopoulou & Saad 2007).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from finetti.structure.rewrites.centre.part import Part
from finetti.structure.rewrites.joined import Joined, inverse_root
from finetti.structure.rewrites.rewrite import Around
from finetti.types import Array, Constants, Key

MOST = 0.999  # of a direction's information that is given up
NOTHING = 1e-9  # of a member's information, in one direction


def look(
    parts: tuple[Part, ...],
    sites: tuple[str, ...],
    beside: Joined,
    most: int,
    around: Around,
    key: Key,
) -> Constants:
    """Return information (member, k, k) and pull (member, k) of the rest at a point.

    Of the sites `beside`, if any, the effects also have `cross`, how each one's slope changes with
    them, (number, member, k), with `precision` and `slope` of these numbers.
    """
    program = around.reader.program
    effects = jnp.concatenate([part.effect(around.reader) for part in parts], -1)
    count, width = effects.shape
    here = beside.join({n: around.reader.read(program.inputs[n]) for n in beside.sites})

    def rest(effects: Array, numbers: Array) -> Array:
        fixed = beside.fixed(program, numbers)
        reader, start = around.at(fixed), 0
        for part in parts:
            fixed |= part.fixed(reader, effects[:, start : start + part.width])
            start += part.width
        return around.log_density(fixed, sites)

    slopes = jax.grad(rest, (0, 1))
    (slope, other), push = jax.linearize(slopes, effects, here)
    # Members' rows are read by one product for each of their numbers: what other members add to a
    # row has random signs, while its own sign, below, undoes itself.
    signs = jax.random.rademacher(key, (count, 1), effects.dtype)
    still = jnp.zeros_like(here)
    rows = [push(signs * jnp.eye(width, dtype=effects.dtype)[i], still)[0] for i in range(width)]
    hessian = jnp.stack(rows, -1) * signs[..., None]
    information = positive(-(hessian + jnp.swapaxes(hessian, -1, -2)) / 2)
    pull = slope + jnp.sum(information * effects[..., None, :], -1)
    fine = jnp.isfinite(information).all((-2, -1)) & jnp.isfinite(pull).all(-1)
    found = {
        "information": jnp.where(fine[:, None, None], information, 0.0),
        "pull": jnp.where(fine[:, None], pull, 0.0),
    }
    if not beside.sites:
        return found
    unit = jnp.eye(len(still), dtype=still.dtype)
    cross, rows = jax.lax.map(lambda v: push(jnp.zeros_like(effects), v), unit)
    told = {"cross": -cross, "precision": -(rows + rows.T) / 2, "slope": other, "effects": effects}
    return {**found, "common": jnp.zeros((most, count, width)), **told}


def given_up(found: Constants, information: Array, most: int) -> tuple[Array, Array]:
    """Return what information effects lose when the numbers beside them move along, and the pulls.

    It is lost in a few directions, (direction, member, k), the outer products of which are what the
    information is less, and never all of it. The pulls are those at each point.
    """
    # Of the numbers x beside, with precision P and cross terms C, effects are left the information
    # I - C' P^-1 C. With R R' = P^-1 that is I^1/2 (1 - A'A) I^1/2, A = R' C I^-1/2; the largest
    # eigenvalues of A A' are the directions given up, each less than a whole.
    precision, cross = (jnp.median(found[name], 0) for name in ("precision", "cross"))
    root = inverse_root(precision)
    half, inverse = halves(information)
    loss = jnp.einsum("pq,pjk,jkl->qjl", root, cross, inverse)  # where the information is 1
    values, vectors = jnp.linalg.eigh(jnp.einsum("pjk,qjk->pq", loss, loss), symmetrize_input=False)
    share = jnp.minimum(values, MOST) / jnp.where(values > 0, values, 1.0)
    chosen = (vectors * jnp.sqrt(jnp.maximum(share, 0.0)))[:, ::-1][:, :most]
    common = jnp.einsum("qr,qjl,jlk->rjk", chosen, loss, half)
    # Moving x to its mode takes C' P^-1 (s + C w) from the pull, s being the slope in x.
    slopes = found["slope"] @ root @ chosen + jnp.einsum("tjk,rjk->tr", found["effects"], common)
    pulls = found["pull"] - jnp.einsum("tr,rjk->tjk", slopes, common)
    fine = jnp.isfinite(common).all()
    return jnp.where(fine, common, 0.0), jnp.where(fine, pulls, found["pull"])


def halves(matrix: Array) -> tuple[Array, Array]:
    """Return the roots of positive semi-definite matrices and of their inverses, both symmetric.

    >>> [a.tolist() for a in halves(jnp.array([[[4.0]], [[0.0]]]))]
    [[[[2.0]], [[0.0]]], [[[0.5]], [[0.0]]]]
    """
    values, vectors = jnp.linalg.eigh(matrix, symmetrize_input=False)
    known = values > NOTHING * values.max(-1, keepdims=True)
    root = jnp.sqrt(jnp.where(known, values, 1.0))
    both = (jnp.where(known, root, 0.0), jnp.where(known, 1 / root, 0.0))
    half, inverse = (jnp.einsum("...ij,...j,...kj->...ik", vectors, r, vectors) for r in both)
    return half, inverse


def positive(matrix: Array) -> Array:
    """Return the nearest positive semi-definite matrices; NaN where one is not finite."""
    if matrix.shape[-1] == 1:
        return jnp.maximum(matrix, 0.0)
    values, vectors = jnp.linalg.eigh(matrix, symmetrize_input=False)
    return jnp.einsum("...ij,...j,...kj->...ik", vectors, jnp.maximum(values, 0.0), vectors)
