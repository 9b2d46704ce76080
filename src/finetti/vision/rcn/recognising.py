"""Recognise images by learned shapes: as they are, in the best pose, or by the best surface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Float
from finetti.vision.rcn.agreeing import Shape, agreement, by_label
from finetti.vision.rcn.checking import as_image, as_mask, as_picture, checked
from finetti.vision.rcn.covering import Covered, believed, covers
from finetti.vision.rcn.evidence import Evidence, see
from finetti.vision.rcn.matching import Bank
from finetti.vision.rcn.posing import Poses, framed, longer_side
from finetti.vision.rcn.surfaces import Appearance

FILTER = 10  # pixels that a filter reaches to each side
Hidden = AnyArray | Covered | None


@dataclass(frozen=True, eq=False)
class Recogniser:
    """Hold what was learned, and tell how well it agrees with images."""

    shapes: tuple[Shape, ...]
    banks: tuple[Bank, ...]
    pool: int
    upsampling: int
    candidates: int

    @property
    def margin(self) -> int:
        """Return the pixels around an enlarged image that pools and filters may reach into."""
        return self.pool // 2 + 2 * FILTER

    @cached_property
    def labels(self) -> AnyArray:
        """Return the label of each shape."""
        return np.array([shape.label for shape in self.shapes])

    @cached_property
    def classes(self) -> AnyArray:
        """Return the labels that were learned, each once and in order."""
        return np.unique(self.labels)

    def agreement(self, evidence: Evidence) -> Float[AnyArray, " shape"]:
        """Return how well each shape and what is seen explain each other, 2 at best."""
        return agreement(evidence, self.shapes, self.banks, self.candidates)

    def seen(self, image: AnyArray, hidden: AnyArray | None) -> Evidence:
        """Find an image's features, or say why it cannot be recognised."""
        self.refuse_unlearned()
        image = as_image(image)
        mask = None if hidden is None else as_mask(hidden, image.shape)
        evidence = see(image, self.upsampling, self.margin, mask)
        learned = self.shapes[0].evidence.shape
        if evidence.shape != learned:
            size = tuple((n - 2 * self.margin) // self.upsampling for n in learned)
            raise DataError(
                f"the image has shape {image.shape}, those learned {size}; bring it to that shape"
            )
        return evidence

    def understood(
        self, image: AnyArray, hidden: Hidden, evidence: Evidence
    ) -> tuple[AnyArray | None, Float[AnyArray, " shape"]]:
        """Return what is hidden, given or inferred, and the agreement with each shape.

        `evidence` is what is seen of the image, under the mask where one is given.
        """
        found = self.agreement(evidence)
        if not isinstance(hidden, Covered):
            return hidden, found
        masks = covers(hidden, evidence, self.shapes, found, self.pool, self.upsampling)
        tried = ((m, self.agreement(self.seen(image, m))) for m in masks)
        return believed(hidden, found, tried)

    def by_label(
        self,
        images: AnyArray,
        hidden: Hidden = None,
        poses: Poses | None = None,
        appearance: Appearance | None = None,
    ) -> Float[AnyArray, "image label"]:
        """Return how well each label agrees with each image, minus infinity without a contour.

        Images in colour, or with `appearance`, agree as the surface does that agrees best.
        """
        images = checked(images, colour=True)
        coloured = appearance is not None or images.ndim == 4
        if poses is not None and hidden is not None:
            raise DataError("masks are of images as they are; give `hidden` or `poses`")
        if poses is not None and coloured:
            raise DataError(
                "poses are sought of ink bright on dark; give `poses`, or images in colour or with "
                "`appearance`"
            )
        masks = [hidden] * len(images) if isinstance(hidden, Covered | None) else list(hidden)
        if len(masks) != len(images):
            raise DataError(f"{len(masks)} masks for {len(images)} images; give one an image")
        if poses is not None:
            return np.stack([self._posed(image, poses) for image in images])
        if not coloured:
            pairs = zip(images, masks, strict=True)
            return np.stack([self._alone(image, mask) for image, mask in pairs])
        found = []
        for image, mask in zip(images, masks, strict=True):
            each = [self._alone(f, mask) for f in self.figures(image, appearance)]
            found.append(max(each, key=lambda row: row.max()))
        return np.stack(found)

    def figures(
        self, image: AnyArray, appearance: Appearance | None
    ) -> Float[AnyArray, "figure row col"]:
        """Return the surfaces of an image that may be a shape's, each as ink from 0 to 255."""
        self.refuse_unlearned()
        learned = [shape.pixels for shape in self.shapes]
        image = as_picture(image)
        if image.shape[:2] != learned[0].shape:
            raise DataError(
                f"the image has shape {image.shape[:2]}, those learned {learned[0].shape}; bring "
                "it to that shape"
            )
        return (appearance or Appearance()).figures(image, learned)

    def figure(
        self, image: AnyArray, hidden: Hidden, appearance: Appearance | None
    ) -> Float[AnyArray, "row col"]:
        """Return the surface of an image that agrees best with a shape, as ink from 0 to 255."""
        figures = self.figures(image, appearance)
        return max(figures, key=lambda figure: self._alone(figure, hidden).max())

    def refuse_unlearned(self) -> None:
        """Say that nothing was learned, if so."""
        if not self.shapes:
            raise DataError(
                "this RCN has learned nothing; use what `RCN().fit(images, labels)` returns"
            )

    def best(self, agreement: Iterable[float]) -> Float[AnyArray, " label"]:
        """Return the agreement of the best shape of each label."""
        return by_label(np.asarray(agreement), self.shapes, self.classes)

    def _alone(self, image: AnyArray, mask: Hidden) -> Float[AnyArray, " label"]:
        """Return how well each label agrees with one image of bright ink."""
        evidence = self.seen(image, None if isinstance(mask, Covered) else mask)
        if not len(evidence.points):
            return np.full(len(self.classes), -np.inf)
        return self.best(self.understood(image, mask, evidence)[1])

    def _posed(self, image: AnyArray, poses: Poses) -> Float[AnyArray, " label"]:
        """Return how well each label agrees with an image in the pose that suits it best."""
        self.refuse_unlearned()
        side = float(np.median([longer_side(shape.pixels) for shape in self.shapes]))
        rows, cols = self.shapes[0].pixels.shape
        best = np.full(len(self.classes), -np.inf)
        for turn in poses.turned:
            brought = framed(image, turn, side, (rows, cols), poses)
            if brought is not None:
                best = np.maximum(best, self._alone(brought, None))
        return best
