"""Learn a template from one image: its features, and how far neighbours may move apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetti import factors as fg
from finetti.types import AnyArray, Float, Int

SPARSITY = 3  # pixels around a feature that hold no other
FURTHEST = 100  # pixels that a lateral spans, but to join what would be in parts
GIVE = 0.5  # shift that neighbours may differ by, a pixel of their distance
SLACK = 4  # times the wanted give that a path must allow before it needs a shortcut


@dataclass(frozen=True)
class Template:
    """Hold a shape as a graph: oriented features, and edges that bound how they shift.

    `features` are (orientation, row, col); `edges` pairs of features, and `radii` how many pixels
    the shifts of a pair may differ by, in rows and in columns.
    """

    features: Int[AnyArray, "feature 3"]
    edges: Int[AnyArray, "edge 2"]
    radii: Int[AnyArray, " edge"]

    def graph(self, pool: int, bend: float = 0.0) -> fg.Graph:
        """Return the template as a factor graph: shifts in pools, (feature,) of pool^2 states.

        `bend` is what a pixel of difference between neighbours' shifts costs.
        """
        shift = fg.Variables("shift", {"feature": len(self.features)}, states=pool * pool)
        factors = []
        for radius in np.unique(self.radii) if len(self.radii) else [0]:  # a lone feature has none
            first, second = (shift[ends] for ends in self.edges[self.radii == radius].T)
            factors.append(fg.BoundedShift(first, second, radius, (pool, pool), bend))
        return fg.Graph(*factors, variables=[shift])


def laid(templates: Sequence[Template]) -> Template:
    """Lay templates end to end as one, whose features are numbered through."""
    sizes = np.array([len(t.features) for t in templates])
    starts = np.cumsum(sizes) - sizes
    return Template(
        np.concatenate([t.features for t in templates]),
        np.concatenate([t.edges + s for t, s in zip(templates, starts, strict=True)]),
        np.concatenate([t.radii for t in templates]),
    )


def learn(points: Int[AnyArray, "point 3"]) -> Template:
    """Learn the template of an image's features, (orientation, row, col) each."""
    nodes = sparsify(points)
    apart = np.sqrt(((nodes[:, None, 1:] - nodes[None, :, 1:]) ** 2).sum(-1))
    edges = laterals(apart)
    wanted = apart[edges[:, 0], edges[:, 1]] * GIVE
    return Template(nodes, edges, round_radii(len(nodes), edges, wanted))


def sparsify(points: Int[AnyArray, "point 3"]) -> Int[AnyArray, "feature 3"]:
    """Keep features so far apart that their graph stays small, scanning by rows."""
    active = points[np.lexsort((points[:, 0], points[:, 2], points[:, 1]))]
    kept = []
    while len(active):
        kept.append(active[0])
        active = active[(np.abs(active[:, 1:] - active[0, 1:]) > SPARSITY).any(1)]
    return np.array(kept, int).reshape(-1, 3)


def laterals(apart: Float[AnyArray, "feature feature"]) -> Int[AnyArray, "edge 2"]:
    """Join near features unless a path of joined ones already keeps them together."""
    n = len(apart)
    first, second = np.triu_indices(n, 1)
    distance = apart[first, second]
    order = np.argsort(distance, kind="stable")
    path = np.where(np.eye(n, dtype=bool), 0, np.inf)  # the least sum of radii between features
    edges = []
    for i, j, d in zip(first[order], second[order], distance[order], strict=True):
        apart_still = path[i, j] == np.inf
        if apart_still or (d <= FURTHEST and path[i, j] >= SLACK * GIVE * d):
            edges.append((i, j))
            radius = np.ceil(GIVE * d)
            through = path[:, [i]] + radius + path[[j], :]
            path = np.minimum(path, np.minimum(through, through.T))
    return np.array(edges, int).reshape(-1, 2)


def round_radii(
    n: int, edges: Int[AnyArray, "edge 2"], wanted: Float[AnyArray, " edge"]
) -> Int[AnyArray, " edge"]:
    """Round radii up or down along paths so that their errors do not add up."""
    around: list[list[int]] = [[] for _ in range(n)]
    for e, (i, j) in enumerate(edges):
        around[i].append(e)
        around[j].append(e)
    radii = np.zeros(len(edges), int)
    done = np.zeros(len(edges), bool)
    for start in range(n):
        waiting = [(start, 0.0)]
        while waiting:
            node, error = waiting.pop()
            for e in around[node]:
                if not done[e]:
                    done[e] = True
                    low, high = np.floor(wanted[e]), np.ceil(wanted[e])
                    down, up = error + wanted[e] - low, error + wanted[e] - high
                    radii[e] = low if abs(down) < abs(up) else high
                    waiting.append((int(edges[e].sum() - node), error + wanted[e] - radii[e]))
    return radii
