"""Seek learned shapes at every place of an image: hypotheses of what is shown where.

Every shape is put at every place of a grid and its features are pooled: each counts as present if
the image has it nearby. The best are then matched exactly, and of these the best are traced: their
features are placed, and carry the shape's pixels along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import binary_dilation, maximum_filter

from finetti.types import AnyArray, Bool, Float, Int
from finetti.vision.rcn.agreeing import Shape
from finetti.vision.rcn.carrying import inked
from finetti.vision.rcn.evidence import Evidence, in_pixels, see
from finetti.vision.rcn.explanation import CLAIM
from finetti.vision.rcn.features import ORIENTATIONS
from finetti.vision.rcn.matching import NEARBY, TOGETHER, Bank, locate, trace
from finetti.vision.rcn.template import sparsify

STEP = 2  # pixels between the places where shapes are put at first
PART = 0.3  # of a frame that may lie outside the image
MATCHED, TRACED = 4.0, 1.5  # hypotheses matched and traced for each of the image's sparse features
LEAST = (500, 200)  # but at least so many
CELL, RIVALS = 8, 2  # pixels of a square in which so many shapes of one label are kept
ECHO = 11.0  # pixels of the enlarged image: how far off a cover leaves a contour the other way
RIM = 1  # pixels around a shape's ink in which its own edge hides others
BODY = 0.5  # of full ink: what is drawn stronger hides what is behind


@dataclass(frozen=True, eq=False)
class Canvas:
    """Hold an image of many shapes as seen, with room around it for shapes that it cuts off.

    `sparse` are its features thinned as a template's are. `room` is how many pixels of the enlarged
    image lie around what a shape alone in its image has.
    """

    image: Float[AnyArray, "row col"]
    evidence: Evidence
    sparse: Int[AnyArray, "point 3"]
    upsampling: int
    margin: int
    room: int

    @cached_property
    def field(self) -> Int[AnyArray, "orientation row col"]:
        """Return what speaks for each feature at each place."""
        return self.evidence.field()

    def in_pixels(self, places: AnyArray) -> Float[AnyArray, "place 2"]:
        """Return where places of the enlarged image lie in pixels of the image."""
        return in_pixels(places, self.upsampling, self.margin + self.room)


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """Hold a learned shape at a place of the image, as traced and drawn there.

    `corner` (row, col) is where the frame of its image lies, in pixels of the enlarged image.
    `features` are placed, (orientation, row, col), with those `present` that the image has.
    `ink`, 0 to 1, is drawn in the part of the image whose first pixel is `at`. `claimed` tells
    which of the image's sparse features it explains, and `echoed` which of them run along its
    contour the other way, as the edge of a cover does.
    `agreements` are those of every learned shape with what is seen there beside other shapes.
    """

    index: int
    corner: Int[AnyArray, " 2"]
    features: Int[AnyArray, "feature 3"]
    present: Bool[AnyArray, " feature"]
    ink: Float[AnyArray, "row col"]
    at: tuple[int, int]
    claimed: Bool[AnyArray, " point"]
    echoed: Bool[AnyArray, " point"]
    agreements: Float[AnyArray, " shape"] | None = None

    @property
    def absent(self) -> Int[AnyArray, "feature 3"]:
        """Return the features that the image lacks."""
        return self.features[~self.present]

    @cached_property
    def body(self) -> Bool[AnyArray, "row col"]:
        """Return where it has ink."""
        return self.ink > BODY

    @cached_property
    def shadow(self) -> Bool[AnyArray, "row col"]:
        """Return where its ink, or a rim around it, lets nothing be seen of what is behind."""
        return binary_dilation(self.body, iterations=RIM) if RIM else self.body

    def hides(
        self, pixels: Float[AnyArray, "place 2"], within: Bool[AnyArray, "row col"] | None = None
    ) -> Bool[AnyArray, " place"]:
        """Tell which places, (row, col) in pixels of the image, lie in its shadow, or its body."""
        mask = self.shadow if within is None else within
        row, col = (np.rint(pixels).astype(int) - self.at).T
        inside = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
        found = np.zeros(len(row), bool)
        found[inside] = mask[row[inside], col[inside]]
        return found


@dataclass(frozen=True, eq=False)
class Seeker:
    """Seek learned shapes in images of any size."""

    shapes: tuple[Shape, ...]
    banks: tuple[Bank, ...]
    pool: int
    upsampling: int
    margin: int

    @property
    def frame(self) -> tuple[int, int]:
        """Return the rows and columns of a learned image."""
        rows, cols = self.shapes[0].pixels.shape
        return rows, cols

    def look(self, image: Float[AnyArray, "row col"]) -> Canvas:
        """Find the features of an image of any size."""
        room = self.upsampling * max(self.frame) + self.pool
        evidence = see(image, self.upsampling, self.margin + room)
        sparse = sparsify(evidence.points)
        return Canvas(image, evidence, sparse, self.upsampling, self.margin, room)

    def seek(self, canvas: Canvas) -> list[Hypothesis]:
        """Return the hypotheses that find most of themselves in the image."""
        wanted = [
            max(int(n * len(canvas.sparse)), m)
            for n, m in zip((MATCHED, TRACED), LEAST, strict=True)
        ]
        index, corner = self._chosen(*self._pooled(canvas), wanted[0])
        agreements, corners = [], []
        for i in range(0, len(index), TOGETHER):
            part = slice(i, i + TOGETHER)
            agreement, shift = locate(self._bank(index[part], corner[part], canvas), canvas.field)
            agreements.append(agreement)
            corners.append(corner[part] + shift)
        if not agreements:
            return []
        found = np.concatenate(agreements), index, np.concatenate(corners)
        index, corner = self._chosen(*found, wanted[1])
        return [
            hypothesis
            for i in range(0, len(index), TOGETHER)
            for hypothesis in self.traced(index[i : i + TOGETHER], corner[i : i + TOGETHER], canvas)
        ]

    def traced(
        self,
        index: Int[AnyArray, " hypothesis"],
        corner: Int[AnyArray, "hypothesis 2"],
        canvas: Canvas,
        field: Int[AnyArray, "orientation row col"] | None = None,
    ) -> list[Hypothesis]:
        """Place the features of shapes as a field tells, by default all that is seen."""
        bank = self._bank(index, corner, canvas)
        places, _ = trace(bank, canvas.field if field is None else field)
        features = np.concatenate([bank.features[:, :1], places], 1)
        parts = np.split(features, np.cumsum(bank.sizes)[:-1])
        return [self._drawn(canvas, *x) for x in zip(index.tolist(), corner, parts, strict=True)]

    def _bank(self, index: AnyArray, corner: AnyArray, canvas: Canvas) -> Bank:
        return Bank.joined([self.shapes[i].bank for i in index]).moved(corner + canvas.room)

    def _pooled(self, canvas: Canvas) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Return how each shape agrees with each place where features are only pooled."""
        features = np.concatenate([bank.features for bank in self.banks])
        sizes = np.concatenate([bank.sizes for bank in self.banks])
        first, unit = np.cumsum(sizes) - sizes, self.upsampling
        side = 2 * NEARBY + 1
        pooled = maximum_filter(canvas.field, (1, side, side))
        tall, wide = canvas.evidence.shape
        orientation, row, col = features.T
        at = (orientation * tall + row + canvas.room) * wide + col + canvas.room
        flat = pooled.reshape(-1)
        grids = [
            np.arange(-int(PART * n) * unit, (size - n + int(PART * n)) * unit + 1, STEP * unit)
            for n, size in zip(self.frame, canvas.image.shape, strict=True)
        ]
        corners = np.stack(np.meshgrid(*grids, indexing="ij"), -1).reshape(-1, 2)
        agreement = [
            np.add.reduceat(flat[at + (r * wide + c)], first, dtype=np.int32) / sizes
            for r, c in corners.tolist()
        ]
        index = np.tile(np.arange(len(sizes)), len(corners))
        return np.concatenate([*agreement, []]), index, np.repeat(corners, len(sizes), 0)

    def _chosen(
        self, agreement: AnyArray, index: AnyArray, corner: AnyArray, most: int
    ) -> tuple[Int[AnyArray, " hypothesis"], Int[AnyArray, "hypothesis 2"]]:
        """Choose those that agree best, a few shapes of one label in each square of the image."""
        sizes = np.array([len(shape.template.features) for shape in self.shapes])
        cell, chosen = CELL * self.upsampling, []
        kept: dict[tuple, set[int]] = {}
        for i in np.argsort(-agreement * np.sqrt(sizes[index]), kind="stable"):
            place = (int(corner[i, 0]) // cell, int(corner[i, 1]) // cell)
            here = kept.setdefault((self.shapes[index[i]].label, *place), set())
            if len(here) < RIVALS and int(index[i]) not in here:
                here.add(int(index[i]))
                chosen.append(i)
                if len(chosen) == most:
                    break
        return index[chosen], corner[chosen]

    def _drawn(
        self, canvas: Canvas, index: int, corner: AnyArray, features: AnyArray
    ) -> Hypothesis:
        present = canvas.field[tuple(features.T)] > 0
        shape = self.shapes[index]
        homes = in_pixels(shape.template.features[:, 1:], self.upsampling, self.margin)
        places = canvas.in_pixels(features[:, 1:])
        ink, at = inked(shape.pixels / 255, homes, places, present, canvas.image.shape)
        claimed = claims(canvas.sparse, features[present], CLAIM)
        echoed = claims(canvas.sparse, features, ECHO, ORIENTATIONS // 2)
        return Hypothesis(index, corner, features, present, ink, at, claimed, echoed)


def claims(
    points: Int[AnyArray, "point 3"],
    features: Int[AnyArray, "feature 3"],
    within: float,
    turned: int = 0,
) -> Bool[AnyArray, " point"]:
    """Tell which points have a feature of nearly their orientation, or one turned, near them."""
    off = np.abs(points[:, None, 0] - features[:, 0] - turned) % ORIENTATIONS
    apart = ((points[:, None, 1:] - features[:, 1:]) ** 2).sum(-1)
    near = (np.minimum(off, ORIENTATIONS - off) <= 1) & (apart <= within**2)
    return np.asarray(near.any(1), bool)
