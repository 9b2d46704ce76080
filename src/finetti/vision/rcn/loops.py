"""Find the shifts of one template's features, with every edge and not only its spanning tree's.

Loopy max-product on the whole graph. A difference between neighbours' shifts costs a little, so
that they shift alike where nothing is seen, and so does a shift itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetti import factors as fg
from finetti.types import AnyArray, Float, Int
from finetti.vision.rcn.template import Template

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


def place(template: Template, seen: Float[AnyArray, "feature row col"]) -> Placement:
    """Return the shifts of most belief under all edges, by loopy max-product.

    `seen` is what speaks for each shift in a feature's pool; see `fg.MaxProduct` for what is exact.
    """
    pool = seen.shape[1]
    away = np.arange(pool) - pool // 2
    own = (seen - AWAY * (away[:, None] ** 2 + away**2)).astype(np.float32)
    graph = template.graph(pool, BEND)
    found = fg.MaxProduct().run(graph, {"shift": own.reshape(len(own), -1)})
    shifts = np.stack(np.divmod(found.states["shift"], pool), 1) - pool // 2
    return Placement(shifts, found.violated, found.converged, found.sweeps)
