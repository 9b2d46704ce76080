"""Say how well learned shapes and an image explain each other, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.rcn.evidence import Evidence
from finetti.vision.rcn.matching import Bank, lay, match, match_each, pooled
from finetti.vision.rcn.template import Template, learn

PLAIN = 0.6  # agreement of an image's features with the best shape: with less it has clutter
MATCHED = 250  # shapes at most that are matched with one image
AMID_CLUTTER = 0.25  # how much the image's own features then count beside the shape's


@dataclass(frozen=True)
class Shape:
    """Hold what was learned from one image: its evidence, and the template of its features.

    `bank` holds the template alone, to be matched; `pixels` are the image's own, from 0 to 255.
    """

    label: object
    evidence: Evidence
    template: Template
    bank: Bank
    pixels: Float[AnyArray, "row col"]


def agreement(
    evidence: Evidence, shapes: Sequence[Shape], banks: Sequence[Bank], candidates: int
) -> Float[AnyArray, " shape"]:
    """Return how well each shape and an image explain each other, 2 at best.

    Only the `candidates` that find most of themselves in the image are also sought the other way;
    the others have minus infinity. Of many shapes only `MATCHED` are matched at all: those that
    find most of themselves where each feature is sought nearby, which is looked up in one map.
    """
    seen, most = evidence.field(), max(MATCHED, candidates)
    chosen, some = np.arange(len(shapes)), banks
    if len(shapes) > most:
        chosen = np.sort(np.argsort(-pooled(banks, seen), kind="stable")[:most])
        some = lay([shapes[i].bank for i in chosen])
    forward = np.full(len(shapes), -np.inf)
    forward[chosen] = np.concatenate([match(bank, seen) for bank in some]) / evidence.unit
    if not len(evidence.points):
        return forward
    best = np.argsort(-forward, kind="stable")[:candidates]
    own, pool = learn(evidence.points), banks[0].pool
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
