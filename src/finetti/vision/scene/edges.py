"""Name what may lie between two neighbouring pixels, and how likely each is beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from finetti import DataError, ModelError
from finetti.types import AnyArray, Float
from finetti.vision.scene.grid import Size


class Label(Enum):
    """Say what changes abruptly between two neighbouring pixels.

    >>> Label.BOUNDARY.paint, Label.SHAPE.paint
    (True, False)
    """

    NONE = "none"
    REFLECTANCE = "reflectance"
    SHAPE = "shape"
    BOUNDARY = "boundary"
    SHADOW = "shadow"
    SHADOWED_PAINT = "shadow and paint"

    @property
    def paint(self) -> bool:
        """Tell whether the reflectance changes abruptly."""
        return self in (Label.REFLECTANCE, Label.BOUNDARY, Label.SHADOWED_PAINT)

    @property
    def bend(self) -> bool:
        """Tell whether the shape changes abruptly."""
        return self in (Label.SHAPE, Label.BOUNDARY)

    @property
    def cast(self) -> bool:
        """Tell whether a hard shadow ends here."""
        return self in (Label.SHADOW, Label.SHADOWED_PAINT)


Evidence = Mapping[Label, tuple[AnyArray, AnyArray]]


@dataclass(frozen=True)
class Labelling:
    """Hold the labels that a model tells apart, with their prior log odds at each edge.

    `logits` is (edge, label), or (label,) where all edges are alike.
    """

    labels: tuple[Label, ...]
    logits: Float[AnyArray, "*edge label"]

    def widths(self, paint: float, bend: float) -> tuple[np.ndarray, np.ndarray]:
        """Return how many times as wide each label makes the steps of paint and of shape."""
        return (
            np.array([paint if label.paint else 1.0 for label in self.labels]),
            np.array([bend if label.bend else 1.0 for label in self.labels]),
        )

    def casts(self, cast: float) -> np.ndarray:
        """Return how many times as wide each label makes the steps of what shadows let through."""
        return np.array([cast if label.cast else 1.0 for label in self.labels])


def labelling(
    size: Size, shares: Mapping[Label, float], evidence: Evidence | None = None
) -> Labelling:
    """Weigh the labels by their prior shares of the edges, and by evidence at single edges."""
    shares = {label: share for label, share in shares.items() if share > 0}
    if not sum(shares.values()) < 1:
        listed = ", ".join(f"{label.value} {share:g}" for label, share in shares.items())
        raise ModelError(
            f"abrupt changes take all of the edges ({listed}): let their shares sum to less than 1"
        )
    shares = {Label.NONE: 1 - sum(shares.values())} | shares
    labels = tuple(shares)
    logits = np.log(list(shares.values()))
    if evidence:
        columns = [_laid(label, evidence.get(label), size) for label in labels]
        if unknown := [label.value for label in evidence if label not in labels]:
            raise DataError(
                f"evidence speaks of edges of {' and of '.join(unknown)}, which the priors rule "
                f"out; they know {', '.join(label.value for label in labels)}: give the shape "
                "`creases=` or `boundaries=`, or the paint `edges=`, above 0, or the scene "
                "`shadows=`"
            )
        logits = logits + np.stack(columns, -1)
    return Labelling(labels, logits)


def _laid(label: Label, given: tuple[AnyArray, AnyArray] | None, size: Size) -> np.ndarray:
    """Return what is said of a label at all edges, those to the right first; 0 where nothing is."""
    rows, cols = size
    shapes = [(rows, cols - 1), (rows - 1, cols)]
    if given is None:
        return np.zeros(sum(r * c for r, c in shapes))
    found = [np.asarray(part, float) for part in given]
    if [part.shape for part in found] != shapes:
        raise DataError(
            f"evidence for {label.value} has shapes {[part.shape for part in found]}; give two "
            f"arrays, {shapes[0]} for steps to the right and {shapes[1]} for steps down"
        )
    if not all(np.isfinite(part).all() for part in found):
        raise DataError(f"evidence for {label.value} has values that are not finite numbers")
    return np.concatenate([part.ravel() for part in found])
