"""Recognise shapes from a few examples of each, by the Recursive Cortical Network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.agreeing import Shape, agreement, by_label
from finetti.vision.rcn.checking import (
    as_labels,
    as_mask,
    checked,
    refuse_strangers,
    right,
    warn_of_ties,
)
from finetti.vision.rcn.covering import Covered, believed, covers
from finetti.vision.rcn.evidence import Evidence, see
from finetti.vision.rcn.explanation import Explanation, explain, likeliest
from finetti.vision.rcn.many import parsed
from finetti.vision.rcn.matching import Bank, lay
from finetti.vision.rcn.posing import Poses, framed, longer_side
from finetti.vision.rcn.sampling import instances, labelled
from finetti.vision.rcn.scenery import Parse
from finetti.vision.rcn.seeking import Seeker
from finetti.vision.rcn.sureness import FEWEST, Sureness, share
from finetti.vision.rcn.template import learn

FILTER = 10  # pixels that a filter reaches to each side
Hidden = AnyArray | Covered | None


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
    are also tried the second way. `strangers` is the share of images expected to show nothing that
    was learned, and `sureness` how agreements become probabilities; `calibrate` learns it.

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
    strangers: float = 0.1
    sureness: Sureness | None = None
    shapes: tuple[Shape, ...] = field(default=(), repr=False)
    banks: tuple[Bank, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        share("strangers", self.strangers)

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
            evidence = see(image, self.upsampling, self._margin)
            if not len(evidence.points):
                raise DataError(f"image {i} (label {label}) has no contour; leave it out")
            shapes.append(Shape(label, evidence, learn(evidence.points), image))
        banks = lay([s.template for s in shapes], self.pool)
        return replace(self, shapes=tuple(shapes), banks=banks)

    @property
    def classes(self) -> AnyArray:
        """Return the labels that were learned, each once and in order, as columns are."""
        return np.unique(self._labels)

    def calibrate(self, images: AnyArray, labels: AnyArray | Sequence[object]) -> RCN:
        """Return the network with probabilities that suit images it has not learned from.

        Without it they are as digits are recognised, by the number of examples of a class. Give ten
        images or more, labelled; each also stands for a stranger, with its own class left out.
        """
        labels = as_labels(labels, len(checked(images)), self._labels)
        refuse_strangers(labels, self.classes)
        found = self._by_label(images, None)
        seen = np.isfinite(found).any(1)
        if seen.sum() < FEWEST:
            raise DataError(
                f"{seen.sum()} images with contours are too few to calibrate by; give {FEWEST} or "
                "more, none of them learned from"
            )
        truth = np.searchsorted(self.classes, labels)[seen]
        sureness = Sureness.learned(found[seen], truth, self.strangers or 0.1)
        return replace(self, sureness=sureness)

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
        return agreement(evidence, self.shapes, self.banks, self.candidates)

    def predict(
        self,
        images: AnyArray,
        hidden: Hidden = None,
        *,
        reject: float | None = None,
        poses: Poses | None = None,
    ) -> AnyArray:
        """Return the label of each image; `hidden` says which pixels of each are covered.

        With `Covered()` that is inferred, for images of which a part may be covered. An image of
        which no contour is seen, blank or wholly hidden, has the label None, and with `reject` so
        has every one whose label is less probable than that (`predict_proba`). Without, where
        several labels agree equally the first of them is given, and a warning names the images.
        With `Poses()` shapes may be larger or smaller than those learned, and turned; images may
        then have any size, and show nothing else.
        """
        least = 0.0 if reject is None else share("reject", reject)
        found = self._by_label(images, hidden, poses)
        best = found.argmax(1)
        none = ~np.isfinite(found).any(1)
        if reject is not None:
            none |= self._probabilities(found).max(1) < least
        else:
            warn_of_ties(found, stacklevel=3)
        labels = self.classes[best]
        if none.any():
            labels = labels.astype(object)
            labels[none] = None
        return labels

    def predict_proba(
        self, images: AnyArray, hidden: Hidden = None, *, poses: Poses | None = None
    ) -> Float[AnyArray, "image label"]:
        """Return the probability of each label for each image, in the order of `classes`.

        What a row lacks of 1 is the probability that the image shows nothing that was learned:
        `strangers` of all images are expected to. A row of zeros has no contour at all. `hidden`
        and `poses` are as `predict` takes them. Without `calibrate`, probabilities are as digits
        are recognised.

        >>> rcn = RCN().fit(np.stack([255 * np.eye(28), 255 * np.eye(28)[::-1]]), ["\\\\", "/"])
        >>> rcn.predict_proba(255 * np.eye(28)[None]).shape
        (1, 2)
        """
        return self._probabilities(self._by_label(images, hidden, poses))

    def score(self, images: AnyArray, labels: AnyArray | Sequence[object]) -> float:
        """Return the share of images whose label is predicted; `labels` has one an image."""
        labels = as_labels(labels, len(checked(images)), self._labels)
        return float(right(self.predict(images), labels).mean())

    def sample(
        self, label: object, count: int = 1, *, seed: int = 0
    ) -> Float[AnyArray, "image row col"]:
        """Draw new instances of a label, (image, row, col) from 0 to 255.

        Each is one of the label's learned images, any as probable, whose features shift as those
        recognised may: a smooth warp carries its pixels along.

        >>> RCN().fit(255 * np.eye(28)[None], ["line"]).sample("line", 3).shape
        (3, 28, 28)
        """
        self._refuse_unlearned()
        of = labelled(self.shapes, label)
        return instances(of, count, np.random.default_rng(seed), self.upsampling, self._margin)

    def blank(self, image: AnyArray, hidden: Hidden = None) -> bool:
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
        return self._understood(image, covered or Covered(), self._seen(image, None))[0]

    def explain(self, image: AnyArray, hidden: Hidden = None) -> Explanation:
        """Say which features of the best shape, at which shifts, explain which pixels.

        `hidden` is a mask of the pixels that are covered, or `Covered()` where it is to be
        inferred: the explanation's `hidden` is then the inferred one. Raises DataError for an image
        of which no contour is seen.
        """
        evidence = self._seen(image, None if isinstance(hidden, Covered) else hidden)
        if not len(evidence.points):
            raise DataError(
                "the image shows no contour outside what is hidden, so that nothing explains it; "
                "leave it out, or look at `hidden`"
            )
        mask, each = self._understood(image, hidden, evidence)
        shape = likeliest(self.shapes, each, image, mask)
        best = by_label(each, self.shapes, self.classes)
        chances = self._probabilities(best[None])[0]
        order = np.argsort(-best, kind="stable")
        return Explanation(
            np.asarray(image, float), mask, shape.label, self.upsampling, self._margin,
            *explain(shape, self._seen(image, mask), self.pool),
            tuple((self.classes[i], float(chances[i])) for i in order),
        )  # fmt: skip

    def parse(self, image: AnyArray) -> Parse:
        """Find which learned shapes, however many, explain an image together, and where they lie.

        The image, (row, col) from 0 to 255, may have any size; shapes of the size learned may
        overlap and be cut off. Where contours tell, it is said which lies in front. An image that
        no learned shape explains has no parts.

        >>> images = np.zeros((2, 28, 28))
        >>> images[0, 4:24, 12:16] = images[1, 12:16, 4:24] = 255  # an upright and a level stroke
        >>> rcn = RCN().fit(images, ["upright", "level"])
        >>> sorted(rcn.parse(np.hstack([images[1], images[0]])).labels)
        ['level', 'upright']
        """
        self._refuse_unlearned()
        return parsed(np.asarray(image), self._seeker, self._chance)

    def _understood(
        self, image: AnyArray, hidden: Hidden, evidence: Evidence
    ) -> tuple[AnyArray | None, Float[AnyArray, " shape"]]:
        """Return what is hidden, given or inferred, and the agreement with each shape.

        `evidence` is what is seen of the image, under the mask where one is given.
        """
        agreement = self._agreement(evidence)
        if not isinstance(hidden, Covered):
            return hidden, agreement
        masks = covers(hidden, evidence, self.shapes, agreement, self.pool, self.upsampling)
        return believed(hidden, agreement, ((m, self.agreement(image, m)) for m in masks))

    def _by_label(
        self, images: AnyArray, hidden: Hidden, poses: Poses | None = None
    ) -> Float[AnyArray, "image label"]:
        """Return how well each label agrees with each image, minus infinity without a contour."""
        images = checked(images)
        if poses is not None:
            if hidden is not None:
                raise DataError("masks are of images as they are; give `hidden` or `poses`")
            return np.stack([self._posed(image, poses) for image in images])
        classes = self.classes
        found = np.full((len(images), len(classes)), -np.inf)
        masks = [hidden] * len(images) if isinstance(hidden, Covered | None) else list(hidden)
        if len(masks) != len(images):
            raise DataError(f"{len(masks)} masks for {len(images)} images; give one an image")
        for row, image, mask in zip(found, images, masks, strict=True):
            evidence = self._seen(image, None if isinstance(mask, Covered) else mask)
            if len(evidence.points):
                each = self._understood(image, mask, evidence)[1]
                row[:] = by_label(each, self.shapes, classes)
        return found

    def _posed(self, image: AnyArray, poses: Poses) -> Float[AnyArray, " label"]:
        """Return how well each label agrees with an image in the pose that suits it best."""
        self._refuse_unlearned()
        side = float(np.median([longer_side(shape.pixels) for shape in self.shapes]))
        rows, cols = self.shapes[0].pixels.shape
        best = np.full(len(self.classes), -np.inf)
        for turn in poses.turned:
            brought = framed(image, turn, side, (rows, cols), poses)
            if brought is not None:
                best = np.maximum(best, self._by_label(brought[None], None)[0])
        return best

    def _probabilities(self, found: Float[AnyArray, "image label"]) -> AnyArray:
        examples = len(self.shapes) / len(self.classes)
        sureness = self.sureness or Sureness.usual(examples)
        return sureness.probabilities(found, self.strangers)[:, :-1]

    def _chance(self, agreement: Float[AnyArray, " shape"]) -> float:
        """Return the probability of the best label."""
        return float(
            self._probabilities(by_label(agreement, self.shapes, self.classes)[None]).max()
        )

    @cached_property
    def _seeker(self) -> Seeker:
        return Seeker(self.shapes, self.banks, self.pool, self.upsampling, self._margin)

    @property
    def _labels(self) -> AnyArray:
        return np.array([shape.label for shape in self.shapes])

    @property
    def _margin(self) -> int:
        """Return the pixels around an enlarged image that pools and filters may reach into."""
        return self.pool // 2 + 2 * FILTER

    def _seen(self, image: AnyArray, hidden: AnyArray | None) -> Evidence:
        """Find an image's features, or say why it cannot be recognised."""
        self._refuse_unlearned()
        image = checked(np.asarray(image)[None])[0]
        mask = None if hidden is None else as_mask(hidden, image.shape)
        evidence = see(image, self.upsampling, self._margin, mask)
        learned = self.shapes[0].evidence.shape
        if evidence.shape != learned:
            size = tuple((n - 2 * self._margin) // self.upsampling for n in learned)
            raise DataError(
                f"the image has shape {image.shape}, those learned {size}; bring it to that shape"
            )
        return evidence

    def _refuse_unlearned(self) -> None:
        if not self.shapes:
            raise DataError(
                "this RCN has learned nothing; use what `RCN().fit(images, labels)` returns"
            )
