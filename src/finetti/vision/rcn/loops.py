"""Find the shifts of one template's features, with every edge and not only its spanning tree's.

Loopy max-product on the whole graph: features send their messages in turn, from the leaves of the
spanning tree to its root and back. A difference between neighbours' shifts costs a little, so that
they shift alike where nothing is seen. The features are then placed one by one, root first, each at
its best state among those that the edges to the ones already placed allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from finetti.types import AnyArray, Float, Int
from finetti.vision.rcn.messages import ROOM, dilate, inner, pools, spanning_forest
from finetti.vision.rcn.template import Template

SWEEPS = 20  # at most
TOLERANCE = 1e-3  # of a feature: no message changes by more in the last sweep
BEND = 0.02  # features that a pixel of difference between neighbours' shifts costs
AWAY = 1e-4  # features that a squared pixel of shift costs


@dataclass(frozen=True)
class Placement:
    """Hold a template's decoded shifts, and how far they can be trusted.

    `shifts` are (row, col) from each feature's own place. `violated` counts the edges whose bound
    the decoding broke; `converged` says whether the messages settled within `sweeps` sweeps.
    """

    shifts: Int[AnyArray, "feature 2"]
    violated: int
    converged: bool
    sweeps: int


def place(template: Template, beliefs: AnyArray) -> Placement:
    """Return the shifts of most belief under all edges, by loopy max-product.

    `beliefs` are pools, (feature, row, col) as `messages.pools` lays them. The answer is exact on a
    tree, and, if the messages converged to beliefs without ties, with one loop (Weiss 2000,
    "Correctness of local probability propagation in graphical models with loops").
    """
    n, side, _ = beliefs.shape
    order, around = _visits(template)
    own = pools(n, side, np.float32)
    away = np.arange(side) - side // 2
    inner(own)[:] = inner(beliefs) - AWAY * (away[:, None] ** 2 + away**2)
    total = own.copy()
    messages: dict[tuple[int, int], AnyArray] = {
        (i, j): np.zeros((1, side, side + ROOM), np.float32) for i in range(n) for j, _ in around[i]
    }
    change, sweep = np.inf, 0
    while change > TOLERANCE and sweep < SWEEPS:
        change, sweep = 0.0, sweep + 1
        for i in (*order[::-1], *order):
            for j, radius in around[i]:
                old = messages[i, j]
                new = _bounded(total[[i]] - messages[j, i], radius)
                inner(new)[:] -= inner(new).max()
                new[:, :, -ROOM:] = 0
                change = max(change, float(np.abs(new - old).max()))
                total[j] += (new - old)[0]
                messages[i, j] = new
    states = _decode(order, around, inner(total))
    apart = np.abs(states[template.edges[:, 0]] - states[template.edges[:, 1]]).max(1, initial=0)
    violated = int((apart > template.radii).sum())
    return Placement(states - side // 2, violated, bool(change <= TOLERANCE), sweep)


def _visits(template: Template) -> tuple[list[int], list[list[tuple[int, int]]]]:
    """Return the features from the root outwards, and each one's neighbours with their radii."""
    n = len(template.features)
    forest = spanning_forest([n], template.edges, template.radii)
    kept = template.edges[forest.inside]
    tree = csr_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), (n, n))
    order = breadth_first_order(tree, int(forest.roots[0]), directed=False)[0].tolist()
    around: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for (i, j), radius in zip(template.edges.tolist(), template.radii.tolist(), strict=True):
        around[i].append((j, radius))
        around[j].append((i, radius))
    return order, around


def _bounded(beliefs: AnyArray, radius: int) -> AnyArray:
    """Return the message along an edge: the best belief nearby, less `BEND` a pixel of distance."""
    best, wider = beliefs, beliefs
    for _ in range(radius):
        wider = dilate(wider, 1)
        inner(wider)[:] -= BEND
        best = np.maximum(best, wider)
    return best.copy() if radius == 0 else best


def _decode(
    order: list[int], around: list[list[tuple[int, int]]], total: Float[AnyArray, "feature row col"]
) -> Int[AnyArray, "feature 2"]:
    """Place features one by one, each where the edges to those already placed allow."""
    side = total.shape[1]
    states = np.full((len(total), 2), -1)
    axis = np.arange(side)
    for i in order:
        belief = total[i].copy()
        for j, radius in sorted(around[i], key=lambda edge: -edge[1]):
            if states[j, 0] >= 0:
                near = np.abs(axis - states[j][:, None]) <= radius
                bounded = np.where(near[0][:, None] & near[1], belief, -np.inf)
                belief = bounded if np.isfinite(bounded).any() else belief
        states[i] = np.unravel_index(belief.argmax(), belief.shape)
    return states
