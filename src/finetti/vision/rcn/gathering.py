"""Choose the shapes that explain an image of many together, each contour once.

A scene is a set of hypotheses. It is worth what of the image's features it explains, less a price
for each feature that a shape has and the image lacks, unless another shape's ink hides it, and a
price for each shape. Sets are found by a beam, shape by shape; the best of them are then settled:
each shape in turn is recognised anew, both ways, in what the others leave unexplained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.agreeing import agreement
from finetti.vision.rcn.evidence import Evidence
from finetti.vision.rcn.explanation import CLAIM
from finetti.vision.rcn.seeking import Canvas, Hypothesis, Seeker, claims

ABSENT = 1.5  # of a feature explained: what one that the image lacks costs
HIDDEN = 0.25  # the same of one that another shape's ink hides
ECHOED = 0.5  # what a feature of the image counts that is a contour seen from its other side
SHAPE = 16.0  # features: the price of a shape
BEAM = 30  # sets that are kept of each size
SETTLED = 6  # sets of unlike labels that are settled
ROUNDS = 2
BOTH_WAYS = 30  # shapes that are tried both ways, where one is recognised anew
FAINTEST = 5  # features of the image without which no shape is recognised anew


@dataclass(frozen=True)
class Crowd:
    """Hold what decides between sets of hypotheses of one image.

    `claimed` and `echoed` tell which of the image's features each explains; `whose` names the
    hypothesis of every feature that the image lacks, and `behind` tells whose ink would hide it.
    """

    claimed: Bool[AnyArray, "hypothesis point"]
    echoed: Bool[AnyArray, "hypothesis point"]
    whose: AnyArray
    behind: Bool[AnyArray, "absent hypothesis"]

    @staticmethod
    def of(hypotheses: Sequence[Hypothesis], canvas: Canvas) -> Crowd:
        """Compare hypotheses of one image, at least one."""
        pixels = [canvas.in_pixels(h.absent[:, 1:]) for h in hypotheses]
        whose = np.repeat(np.arange(len(pixels)), [len(p) for p in pixels])
        absent = np.concatenate(pixels)
        behind = np.stack([h.hides(absent) for h in hypotheses], 1)
        behind[np.arange(len(whose)), whose] = False
        claimed, echoed = (
            np.stack([getattr(h, k) for h in hypotheses]) for k in ("claimed", "echoed")
        )
        return Crowd(claimed, echoed, whose, behind)

    def longer(self, chosen: tuple[int, ...]) -> Float[AnyArray, " hypothesis"]:
        """Return what a set is worth with each further hypothesis."""
        some, n = list(chosen), len(self.claimed)
        claimed = self.claimed | self.claimed[some].any(0)
        echoed = (self.echoed | self.echoed[some].any(0)) & ~claimed
        seen = claimed.sum(1) + ECHOED * echoed.sum(1)
        hidden = np.asarray(self.behind[:, some].any(1), bool)
        cost = np.bincount(self.whose, np.where(hidden, HIDDEN, ABSENT), n)
        theirs = np.isin(self.whose, some)
        already = np.where(hidden[theirs], HIDDEN, ABSENT)
        spared = (already[:, None] - HIDDEN) * self.behind[theirs]
        return seen - cost - already.sum() + spared.sum(0) - SHAPE * (len(some) + 1)

    def worth(self, chosen: tuple[int, ...]) -> float:
        """Return what a set is worth; 0 where it is empty."""
        return float(self.longer(chosen[:-1])[chosen[-1]]) if chosen else 0.0

    def sets(self) -> list[tuple[int, ...]]:
        """Return sets that are worth more than their parts, the best first."""
        found: dict[tuple[int, ...], float] = {}
        open_: list[tuple[int, ...]] = [()]
        worth: dict[tuple[int, ...], float] = {(): 0.0}
        while open_:
            longer: dict[tuple[int, ...], float] = {}
            for chosen in open_:
                values = self.longer(chosen)
                for i in np.argsort(-values, kind="stable")[:BEAM].tolist():
                    if i not in chosen and values[i] > worth[chosen]:
                        longer[tuple(sorted((*chosen, i)))] = float(values[i])
            open_ = sorted(longer, key=lambda c: -longer[c])[:BEAM]
            worth = longer
            found |= {c: longer[c] for c in open_}
        return sorted(found, key=lambda c: -found[c])


@dataclass(frozen=True)
class Gathering:
    """Hold shapes that explain an image together, and what they are worth in features."""

    worth: float
    shapes: tuple[Hypothesis, ...]


@dataclass(frozen=True, eq=False)
class Settling:
    """Recognise each shape of a set anew in what the others leave, with what is needed for it."""

    seeker: Seeker
    canvas: Canvas

    def settle(self, shapes: Sequence[Hypothesis]) -> Gathering:
        """Return the set with each shape as the others let it be seen, without needless ones."""
        now = list(shapes)
        for _ in range(ROUNDS):
            before = [shape.index for shape in now]
            for i in range(len(now)):
                now[i] = self._anew(now[i], now[:i] + now[i + 1 :])
            if before == [shape.index for shape in now]:
                break
        return self._needed(now)

    def _needed(self, shapes: list[Hypothesis]) -> Gathering:
        """Leave out shapes that are not worth their price beside the others."""
        crowd = Crowd.of(shapes, self.canvas)
        kept = tuple(range(len(shapes)))
        worth = crowd.worth(kept)
        while kept:
            fewer = max((kept[:i] + kept[i + 1 :] for i in range(len(kept))), key=crowd.worth)
            if crowd.worth(fewer) <= worth:
                break
            kept, worth = fewer, crowd.worth(fewer)
        return Gathering(worth, tuple(shapes[i] for i in kept))

    def _anew(self, shape: Hypothesis, others: Sequence[Hypothesis]) -> Hypothesis:
        """Recognise what is left in a shape's frame, both ways."""
        seen = self.left(shape, others)
        if len(seen.points) < FAINTEST:
            return shape
        seeker, room = self.seeker, self.canvas.room
        each = agreement(seen, seeker.shapes, seeker.banks, BOTH_WAYS)
        field = np.full(self.canvas.field.shape, -seen.unit, np.int8)
        row, col = shape.corner + room
        field[:, row : row + seen.shape[0], col : col + seen.shape[1]] = seen.field()
        best = int(each.argmax())
        (new,) = seeker.traced(np.array([best]), shape.corner[None], self.canvas, field)
        return replace(new, agreements=each)

    def left(self, shape: Hypothesis, others: Sequence[Hypothesis]) -> Evidence:
        """Return what a shape's frame shows that the others do not explain, their ink as hidden."""
        canvas, unit, corner = self.canvas, self.seeker.upsampling, shape.corner + self.canvas.room
        points, hidden = canvas.evidence.points, np.zeros(canvas.evidence.shape, bool)
        keep = np.ones(len(points), bool)
        for other in others:
            keep &= ~claims(points, other.features[other.present], CLAIM)
            first = canvas.margin + canvas.room + unit * np.array(other.at)
            body = np.kron(other.shadow, np.ones((unit, unit), bool))
            hidden[tuple(slice(f, f + n) for f, n in zip(first, body.shape, strict=True))] |= body
        frame = self.seeker.shapes[0].evidence.shape
        window = tuple(slice(c, c + n) for c, n in zip(corner, frame, strict=True))
        points = points[keep & ~hidden[tuple(points[:, 1:].T)]] - np.array([0, *corner])
        away = points[:, 1:]
        margin = self.seeker.margin
        points = points[((away >= margin) & (away < np.array(frame) - margin)).all(1)]
        covered = hidden[window]
        return Evidence(points, frame, covered if covered.any() else None)
