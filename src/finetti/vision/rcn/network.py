"""Recognise shapes from a few examples of each, by the Recursive Cortical Network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.checking import as_labels, as_mask, checked, right
from finetti.vision.rcn.covering import Covered
from finetti.vision.rcn.evidence import Evidence, in_pixels, see
from finetti.vision.rcn.explanation import Explanation, explain
from finetti.vision.rcn.matching import Bank, lay, match, match_each, trace
from finetti.vision.rcn.template import Template, learn

FILTER = 10  # pixels that a filter reaches to each side
PLAIN = 0.6  # agreement of an image's features with the best shape: with less it has clutter
AMID_CLUTTER = 0.25  # how much the image's own features then count beside the shape's


@dataclass(frozen=True)
class Shape:
    """Hold what was learned from one image: its evidence, and the template of its features."""

    label: object
    evidence: Evidence
    template: Template


@dataclass(frozen=True)
class RCN:
    """Recognise shapes from a few examples of each, and say what explains what.

    Every training image becomes a template: oriented contour features, each free to shift within a
    pool, whose neighbours' shifts may differ only so much. An image is recognised by max-product
    inference both ways: how well the best shifts of a template find its features in the image, and
    how well those of the image's own template find its features in the training image. The two
    agreements, each 1 at best, are summed, and the best sum's label wins. In an image with features
    that no shape explains the second counts less.

    `pool` is the side of a pool in pixels of the enlarged image, an odd number. `upsampling` is how
    many times images are enlarged. `candidates` is how many templates, the best of the first way,
    are also tried the second way.

    George et al. 2017, "A generative vision model that trains with high data efficiency and breaks
    text-based CAPTCHAs", Science 358 (6368).

    >>> images = np.zeros((2, 28, 28))
    >>> images[0, 4:24, 13:15] = images[1, 13:15, 4:24] = 255  # an upright and a level stroke
    >>> rcn = RCN().fit(images, ["upright", "level"])
    >>> leaning = np.zeros((28, 28))
    >>> leaning[4:14, 13:15] = leaning[14:24, 14:16] = 255
    >>> rcn.predict(leaning[None])
    array(['upright'], dtype='<U7')
    """

    pool: int = 41
    upsampling: int = 4
    candidates: int = 100
    shapes: tuple[Shape, ...] = field(default=(), repr=False)
    banks: tuple[Bank, ...] = field(default=(), repr=False)

    def fit(self, images: AnyArray, labels: AnyArray | Sequence[object]) -> RCN:
        """Return the network that has learned one template from each image.

        `images` are bright shapes on a dark ground, (image, row, col) from 0 to 255; `labels` one
        to each. Raises DataError for images of another shape or range, or without a contour.
        """
        if self.pool % 2 == 0 or self.pool < 3:
            raise DataError(f"pool is {self.pool}; give an odd number of pixels, 3 or more")
        images = checked(images)
        labels = as_labels(labels, len(images))
        shapes = []
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            evidence = self._see(image, None)
            if not len(evidence.points):
                raise DataError(f"image {i} (label {label}) has no contour; leave it out")
            shapes.append(Shape(label, evidence, learn(evidence.points)))
        return replace(
            self, shapes=tuple(shapes), banks=lay([s.template for s in shapes], self.pool)
        )

    def agreement(
        self, image: AnyArray, hidden: AnyArray | None = None
    ) -> Float[AnyArray, " shape"]:
        """Return how well each learned shape and an image explain each other, 2 at best.

        `hidden` says which pixels are covered, so that nothing is known there. Shapes that are no
        candidates have minus infinity. Where not even the best shape explains the image's own
        features, most of them are taken for clutter, and what they say counts a quarter: the
        agreement is then 1.25 at best.
        """
        return self._agreement(self._seen(image, hidden))

    def _agreement(self, evidence: Evidence) -> Float[AnyArray, " shape"]:
        seen = evidence.field()
        forward = np.concatenate([match(bank, seen) for bank in self.banks])
        forward = forward / evidence.unit
        if not len(evidence.points):
            return forward
        best = np.argsort(-forward, kind="stable")[: self.candidates]
        own = learn(evidence.points)
        backward = match_each(own, (self.shapes[i].evidence.field() for i in best), self.pool)
        weight = 1.0 if backward.max() >= PLAIN else AMID_CLUTTER
        total = np.full(len(forward), -np.inf)
        total[best] = forward[best] + weight * backward
        return total

    def predict(
        self,
        images: AnyArray,
        hidden: AnyArray | Covered | None = None,
    ) -> AnyArray:
        """Return the label of each image; `hidden` says which pixels of each are covered.

        With `Covered()` that is inferred, for images of which a part may be covered. An image of
        which no contour is seen, blank or wholly hidden, has the label None.
        """
        images = checked(images)
        if hidden is None or isinstance(hidden, Covered):
            masks = [hidden] * len(images)
        else:
            masks = list(hidden)
        if len(masks) != len(images):
            raise DataError(f"{len(masks)} masks for {len(images)} images; give one an image")
        best = [self._best(image, mask) for image, mask in zip(images, masks, strict=True)]
        found = self._labels[[i or 0 for i in best]]
        if None in best:
            found = found.astype(object)
            found[[i is None for i in best]] = None
        return found

    def _best(self, image: AnyArray, hidden: AnyArray | Covered | None) -> int | None:
        """Return which shape agrees best with an image, None where no contour is seen."""
        if isinstance(hidden, Covered):
            return None if self.blank(image) else int(self._understood(image, hidden)[1].argmax())
        evidence = self._seen(image, hidden)
        return int(self._agreement(evidence).argmax()) if len(evidence.points) else None

    def score(self, images: AnyArray, labels: AnyArray | Sequence[object]) -> float:
        """Return the share of images whose label is predicted; `labels` has one an image."""
        labels = as_labels(labels, len(checked(images)), self._labels)
        return float(right(self.predict(images), labels).mean())

    def blank(self, image: AnyArray, hidden: AnyArray | Covered | None = None) -> bool:
        """Tell whether no contour of an image is seen, so that nothing can be recognised.

        >>> RCN().fit(255 * np.eye(28)[None], ["line"]).blank(np.zeros((28, 28)))
        True
        """
        mask = None if isinstance(hidden, Covered) else hidden
        return not len(self._seen(image, mask).points)

    def uncover(
        self, image: AnyArray, covered: Covered | None = None
    ) -> Bool[AnyArray, "row col"] | None:
        """Infer which pixels of an image are covered; None where nothing need be.

        `covered` says how covers are sought; without it as `Covered()` does.
        """
        return self._understood(image, covered or Covered())[0]

    def explain(self, image: AnyArray, hidden: AnyArray | Covered | None = None) -> Explanation:
        """Say which features of the best shape, at which shifts, explain which pixels.

        `hidden` is a mask of the pixels that are covered, or `Covered()` where it is to be
        inferred: the explanation's `hidden` is then the inferred one. Raises DataError for an image
        of which no contour is seen.
        """
        if self.blank(image, hidden):
            raise DataError(
                "the image shows no contour outside what is hidden, so that nothing explains it; "
                "leave it out, or look at `hidden`"
            )
        mask, agreement = self._understood(image, hidden)
        shape = self.shapes[int(agreement.argmax())]
        found = explain(shape.template, self._seen(image, mask), self.pool)
        return Explanation(
            np.asarray(image, float), mask, shape.label, self.upsampling, self._margin, *found
        )

    def _understood(
        self, image: AnyArray, hidden: AnyArray | Covered | None
    ) -> tuple[AnyArray | None, Float[AnyArray, " shape"]]:
        """Return what is hidden, given or inferred, and the agreement with each shape."""
        if not isinstance(hidden, Covered):
            return hidden, self.agreement(image, hidden)
        best: tuple[AnyArray | None, AnyArray] = None, self.agreement(image)
        value = best[1].max()
        for mask in self._masks(image, best[1], hidden):
            agreement = self.agreement(image, mask)
            if agreement.max() - hidden.price > value:
                best, value = (mask, agreement), agreement.max() - hidden.price
        return best

    def _masks(
        self, image: AnyArray, agreement: Float[AnyArray, " shape"], covered: Covered
    ) -> list[Bool[AnyArray, "row col"]]:
        """Return the squares in which the best shapes of the best labels would hide."""
        field = self._seen(image, None).field()
        best: dict[object, int] = {}
        for i in np.argsort(-agreement, kind="stable").tolist():
            best.setdefault(self.shapes[i].label, i)
        found = []
        for i in list(best.values())[: covered.tried]:
            places, present = trace(Bank.of([self.shapes[i].template], self.pool), field)
            places = in_pixels(places, self.upsampling, self._margin)
            rows, cols = np.shape(image)
            mask = covered.square(places, present, (rows, cols))
            if mask is not None:
                found.append(mask)
        return found

    @property
    def _labels(self) -> AnyArray:
        return np.array([shape.label for shape in self.shapes])

    @property
    def _margin(self) -> int:
        """Return the pixels around an enlarged image that pools and filters may reach into."""
        return self.pool // 2 + 2 * FILTER

    def _see(self, image: AnyArray, hidden: AnyArray | None) -> Evidence:
        return see(image, self.upsampling, self._margin, hidden)

    def _seen(self, image: AnyArray, hidden: AnyArray | None) -> Evidence:
        """Find an image's features, or say why it cannot be recognised."""
        if not self.shapes:
            raise DataError(
                "this RCN has learned nothing; use what `RCN().fit(images, labels)` returns"
            )
        image = checked(np.asarray(image)[None])[0]
        evidence = self._see(image, None if hidden is None else as_mask(hidden, image.shape))
        learned = self.shapes[0].evidence.shape
        if evidence.shape != learned:
            size = tuple((n - 2 * self._margin) // self.upsampling for n in learned)
            raise DataError(
                f"the image has shape {image.shape}, those learned {size}; bring it to that shape"
            )
        return evidence
