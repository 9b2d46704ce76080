"""Say how well learned shapes and an image explain each other, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.rcn.evidence import Evidence, on_grid
from finetti.vision.rcn.matching import TOGETHER, Bank, lay, match, match_each
from finetti.vision.rcn.template import Template, coarse, learn

PLAIN = 0.6  # agreement of an image's features with the best shape: with less it has clutter
GRID = 2  # pixels of the enlarged image to a cell of a sketch, each way
NEAR = 200  # shapes that are matched as they are, those whose sketches agree best
AMID_CLUTTER = 0.25  # how much the image's own features then count beside the shape's


@dataclass(frozen=True)
class Shape:
    """Hold what was learned from one image: its evidence, and the template of its features.

    `bank` is the template with its spanning tree. `pixels` are the image's own, from 0 to 255.
    """

    label: object
    evidence: Evidence
    template: Template
    bank: Bank
    pixels: Float[AnyArray, "row col"]


def together(shapes: Sequence[Shape], pool: int) -> tuple[Bank, ...]:
    """Lay shapes' templates end to end: as they are of a few shapes, of many as coarse sketches."""
    if len(shapes) <= NEAR:
        return lay([shape.template for shape in shapes], pool)
    return lay([coarse(shape.template, GRID) for shape in shapes], pool // GRID | 1)


def agreement(
    evidence: Evidence, shapes: Sequence[Shape], banks: Sequence[Bank], candidates: int
) -> Float[AnyArray, " shape"]:
    """Return how well each shape and an image explain each other, 2 at best.

    Only the `candidates` that find most of themselves in the image are also sought the other way;
    the others have minus infinity. Of many shapes only those are matched whose sketches are found
    best on a coarse grid. `banks` are those of `together`.
    """
    seen, pool = evidence.field(), shapes[0].bank.pool
    if len(shapes) <= NEAR:
        near = np.arange(len(shapes))
        forward = np.concatenate([match(bank, seen) for bank in banks]) / evidence.unit
    else:
        cells = on_grid(seen, GRID)
        rough = np.concatenate([match(bank, cells) for bank in banks])
        near = np.sort(np.argsort(-rough, kind="stable")[:NEAR])
        forward = np.full(len(shapes), -np.inf)
        for first in range(0, NEAR, TOGETHER):
            some = near[first : first + TOGETHER]
            bank = Bank.joined([shapes[i].bank for i in some])
            forward[some] = match(bank, seen) / evidence.unit
    if not len(evidence.points):
        return forward
    best = np.argsort(-forward, kind="stable")[: min(candidates, len(near))]
    own = learn(evidence.points)
    backward = match_each(own, (shapes[i].evidence.field() for i in best), pool)
    weight = 1.0 if backward.max() >= PLAIN else AMID_CLUTTER
    total = np.full(len(forward), -np.inf)
    total[best] = forward[best] + weight * backward
    return total


def by_label(
    agreement: Float[AnyArray, " shape"], shapes: Sequence[Shape], labels: AnyArray
) -> Float[AnyArray, " label"]:
    """Return the agreement of the best shape of each label."""
    place = {label: i for i, label in enumerate(labels.tolist())}
    best = np.full(len(labels), -np.inf)
    np.maximum.at(best, [place[np.asarray(shape.label).item()] for shape in shapes], agreement)
    return best
