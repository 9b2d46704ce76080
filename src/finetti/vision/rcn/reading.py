"""Read a line of characters that overlap, lean and are crossed out, of unknown length.

Characters are proposed by matching every template at every place along the line. A proposal is
then scored both ways within its stretch of the line, as the network does. The text is the sequence
of proposals, from left to right, that explains the most features: what one explains no other may
claim, so proposals compete where they overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Float, Int
from finetti.vision.rcn.evidence import Evidence, see
from finetti.vision.rcn.matching import Bank, lay, locate, match_each
from finetti.vision.rcn.network import FILTER, Shape, checked
from finetti.vision.rcn.template import learn

GLYPH = 400  # enlarged pixels of empty ground after a line, for glyphs that reach beyond its end
EDGE = 4  # enlarged pixels beyond a proposal's own features that it has to answer for


@dataclass(frozen=True)
class Character:
    """Hold a proposal: a label, its stretch of the line in enlarged pixels, and its agreement."""

    label: str
    left: float
    right: float
    agreement: float
    features: int

    def worth(self, needed: float) -> float:
        """Return how many features it explains beyond the agreement needed."""
        return self.features * (self.agreement - needed)


@dataclass(frozen=True)
class Reading:
    """Hold the text read, its characters from left to right, and all that were proposed."""

    characters: tuple[Character, ...]
    proposals: tuple[Character, ...] = field(repr=False)

    @property
    def text(self) -> str:
        """Return the labels from left to right."""
        return "".join(character.label for character in self.characters)


@dataclass(frozen=True)
class Reader:
    """Read lines of characters of which a few clean examples were learned.

    >>> stroke, bar = np.zeros((40, 20)), np.zeros((40, 32))
    >>> stroke[6:34, 7:13] = bar[17:23, 4:28] = 255
    >>> reader = Reader().fit([stroke, bar], ["I", "-"])
    >>> reader.read(np.hstack([bar, stroke, stroke, bar])).text
    '-II-'

    `upsampling` enlarges images of glyphs and lines; `pool` is the side of a pool and `stride` how
    far apart places are tried, in pixels of the enlarged image. `proposals` are scored both ways.
    `needed` is the agreement, 2 at best, below which a character costs more than it explains, and
    `overlap` the share of the narrower of two characters that both may claim.
    """

    upsampling: int = 2
    pool: int = 41
    stride: int = 16
    proposals: int = 60
    needed: float = 1.1
    overlap: float = 0.2
    shapes: tuple[Shape, ...] = field(default=(), repr=False)
    banks: tuple[Bank, ...] = field(default=(), repr=False)

    def fit(self, glyphs: Sequence[AnyArray], labels: Sequence[str]) -> Reader:
        """Return the reader that has learned one template from each glyph.

        Glyphs are (row, col) from 0 to 255, bright on dark, and may differ in size.
        """
        if len(glyphs) != len(labels) or not len(labels):
            raise DataError(f"{len(labels)} labels for {len(glyphs)} glyphs; give one a glyph")
        shapes = []
        for label, glyph in zip(labels, glyphs, strict=True):
            evidence = see(checked(np.asarray(glyph)[None])[0], self.upsampling, self._margin)
            if not len(evidence.points):
                raise DataError(f"the glyph for {label!r} has no contour; leave it out")
            shapes.append(Shape(label, evidence, learn(evidence.points)))
        return replace(self, shapes=tuple(shapes), banks=lay([s.template for s in shapes]))

    def read(self, line: AnyArray) -> Reading:
        """Read a line, (row, col) from 0 to 255, bright on dark.

        Returns an empty text where nothing is explained well enough.
        """
        if not self.shapes:
            raise DataError("this Reader has learned nothing; use what `Reader().fit(...)` returns")
        image = checked(np.asarray(line)[None])[0]
        evidence = see(image, self.upsampling, self._margin)
        if not len(evidence.points):
            return Reading((), ())
        found = self._proposed(evidence)
        return Reading(self._parse(found), tuple(found))

    def _proposed(self, evidence: Evidence) -> list[Character]:
        """Match every shape everywhere, and the best of each stretch again both ways."""
        sizes = np.concatenate([bank.sizes for bank in self.banks])
        tall = np.array([s.evidence.shape[0] for s in self.shapes])
        down = (evidence.shape[0] - tall) // 2  # glyphs stand in the middle of the line
        field = np.pad(evidence.field(), ((0, 0), (0, 0), (0, GLYPH)), constant_values=-1)
        forward, corners = [], []
        for left in range(0, evidence.shape[1] - 2 * self._margin, self.stride):
            corner = np.stack([down, np.full(len(down), left)], 1)
            agreement, shift = self._at(field, corner)
            forward.append(agreement)
            corners.append(corner + shift)
        agreement, corner = np.concatenate(forward), np.concatenate(corners)
        shape = np.tile(np.arange(len(sizes)), len(forward))
        labels = np.array([s.label for s in self.shapes])[shape]
        order = np.argsort(-agreement * np.sqrt(sizes[shape]), kind="stable")
        stretch = corner[:, 1] // self.stride
        kept: dict[tuple[str, int], int] = {}
        for i in order.tolist():
            kept.setdefault((str(labels[i]), int(stretch[i])), i)
        chosen = list(kept.values())[: self.proposals]
        return [
            self._both_ways(evidence, self.shapes[shape[i]], float(agreement[i]), corner[i])
            for i in chosen
        ]

    def _at(
        self, field: Int[AnyArray, "orientation row col"], corner: Int[AnyArray, "shape 2"]
    ) -> tuple[Float[AnyArray, " shape"], Int[AnyArray, "shape 2"]]:
        """Match every shape near where its glyph's corner is put."""
        found, first = [], 0
        for bank in self.banks:
            moved = np.repeat(corner[first : first + len(bank.sizes)], bank.sizes, 0)
            first += len(bank.sizes)
            features = bank.features + np.pad(moved, ((0, 0), (1, 0)))
            found.append(locate(replace(bank, features=features), field, self.pool))
        agreement, shift = zip(*found, strict=True)
        return np.concatenate(agreement), np.concatenate(shift)

    def _both_ways(
        self, evidence: Evidence, shape: Shape, forward: float, corner: Int[AnyArray, " 2"]
    ) -> Character:
        """Score a proposal by what its stretch of the line shows besides."""
        columns = shape.template.features[:, 2] + corner[1]
        left, right = float(columns.min()), float(columns.max())
        column = evidence.points[:, 2]
        inside = evidence.points[(column >= left - EDGE) & (column <= right + EDGE)]
        points = inside - np.array([0, *corner])
        room, size = self.pool // 2, np.array(shape.evidence.shape)
        near = ((points[:, 1:] >= room) & (points[:, 1:] < size - room)).all(1)
        backward = -1.0
        if near.any():
            own = learn(points[near])
            backward = float(match_each(own, [shape.evidence.field()], self.pool)[0])
        size = len(shape.template.features)
        return Character(str(shape.label), left, right, forward + backward, size)

    def _parse(self, found: Sequence[Character]) -> tuple[Character, ...]:
        """Choose the sequence of most worth in which none claims too much of its neighbour."""
        order = sorted(found, key=lambda c: c.left + c.right)
        best: list[tuple[float, tuple[Character, ...]]] = []
        for i, last in enumerate(order):
            worth = last.worth(self.needed)
            before = [best[j] for j in range(i) if self._apart(order[j], last)]
            value, path = max(before, key=lambda b: b[0], default=(0.0, ()))
            best.append((worth + max(value, 0.0), (*path, last) if value > 0 else (last,)))
        value, path = max(best, key=lambda b: b[0], default=(0.0, ()))
        return path if value > 0 else ()

    def _apart(self, left: Character, right: Character) -> bool:
        shared = left.right - right.left
        return shared <= self.overlap * min(left.right - left.left, right.right - right.left)

    @property
    def _margin(self) -> int:
        return self.pool // 2 + 2 * FILTER
