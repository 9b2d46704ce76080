"""Recognise shapes from a few examples of each, by the Recursive Cortical Network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Bool, Float
from finetti.vision.rcn.agreeing import Shape
from finetti.vision.rcn.checking import as_labels, checked, refuse_strangers, right, warn_of_ties
from finetti.vision.rcn.covering import Covered
from finetti.vision.rcn.evidence import see
from finetti.vision.rcn.explanation import Explanation, explain, likeliest
from finetti.vision.rcn.many import parsed
from finetti.vision.rcn.matching import Bank, lay
from finetti.vision.rcn.posing import Poses
from finetti.vision.rcn.recognising import Hidden, Recogniser
from finetti.vision.rcn.sampling import instances, labelled
from finetti.vision.rcn.scenery import Parse
from finetti.vision.rcn.seeking import Seeker
from finetti.vision.rcn.sureness import FEWEST, Sureness, share
from finetti.vision.rcn.surfaces import Appearance
from finetti.vision.rcn.template import learn


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
    are also tried the second way; of more than 250 templates only the 250 most alike at a glance
    are tried at all. `strangers` is the share of images expected to show nothing that was learned,
    and `sureness` how agreements become probabilities; `calibrate` learns it.

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
            evidence = see(image, self.upsampling, self._recogniser.margin)
            if not len(evidence.points):
                raise DataError(f"image {i} (label {label}) has no contour; leave it out")
            template = learn(evidence.points)
            bank = Bank.of([template], self.pool)
            shapes.append(Shape(label, evidence, template, bank, image))
        banks = lay([shape.bank for shape in shapes])
        return replace(self, shapes=tuple(shapes), banks=banks)

    @property
    def classes(self) -> AnyArray:
        """Return the labels that were learned, each once and in order, as columns are."""
        return self._recogniser.classes

    def calibrate(self, images: AnyArray, labels: AnyArray | Sequence[object]) -> RCN:
        """Return the network with probabilities that suit images it has not learned from.

        Without it they are as digits are recognised, by the number of examples of a class. Give ten
        images or more, labelled; each also stands for a stranger, with its own class left out.
        """
        labels = as_labels(labels, len(checked(images, colour=True)), self._recogniser.labels)
        refuse_strangers(labels, self.classes)
        found = self._recogniser.by_label(images, None)
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
        return self._recogniser.agreement(self._recogniser.seen(image, hidden))

    def predict(
        self,
        images: AnyArray,
        hidden: Hidden = None,
        *,
        reject: float | None = None,
        poses: Poses | None = None,
        appearance: Appearance | None = None,
    ) -> AnyArray:
        """Return the label of each image; `hidden` says which pixels of each are covered.

        With `Covered()` that is inferred, for images of which a part may be covered. An image of
        which no contour is seen, blank or wholly hidden, has the label None, and with `reject` so
        has every one whose label is less probable than that (`predict_proba`). Without, where
        several labels agree equally the first of them is given, and a warning names the images.
        With `Poses()` shapes may be larger or smaller than those learned, and turned; images may
        then have any size, and show nothing else.

        Images in colour, (image, row, col, channel), show shapes of any surface on any ground:
        which surface is a shape's is inferred with the label. `appearance` says how surfaces are
        sought, and asks for them in grey images too.
        """
        least = 0.0 if reject is None else share("reject", reject)
        found = self._recogniser.by_label(images, hidden, poses, appearance)
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
        self,
        images: AnyArray,
        hidden: Hidden = None,
        *,
        poses: Poses | None = None,
        appearance: Appearance | None = None,
    ) -> Float[AnyArray, "image label"]:
        """Return the probability of each label for each image, in the order of `classes`.

        What a row lacks of 1 is the probability that the image shows nothing that was learned:
        `strangers` of all images are expected to. A row of zeros has no contour at all. `hidden`,
        `poses` and `appearance` are as `predict` takes them. Without `calibrate`, probabilities
        are as digits bright on dark are recognised.

        >>> rcn = RCN().fit(np.stack([255 * np.eye(28), 255 * np.eye(28)[::-1]]), ["\\\\", "/"])
        >>> rcn.predict_proba(255 * np.eye(28)[None]).shape
        (1, 2)
        """
        return self._probabilities(self._recogniser.by_label(images, hidden, poses, appearance))

    def score(self, images: AnyArray, labels: AnyArray | Sequence[object]) -> float:
        """Return the share of images whose label is predicted; `labels` has one an image."""
        labels = as_labels(labels, len(checked(images, colour=True)), self._recogniser.labels)
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
        self._recogniser.refuse_unlearned()
        of, margin = labelled(self.shapes, label), self._recogniser.margin
        return instances(of, count, np.random.default_rng(seed), self.upsampling, margin)

    def blank(self, image: AnyArray, hidden: Hidden = None) -> bool:
        """Tell whether no contour of an image is seen, so that nothing can be recognised.

        >>> RCN().fit(255 * np.eye(28)[None], ["line"]).blank(np.zeros((28, 28)))
        True
        """
        known, mask = self._recogniser, None if isinstance(hidden, Covered) else hidden
        inks = [image] if np.ndim(image) == 2 else known.figures(image, None)
        return not any(len(known.seen(ink, mask).points) for ink in inks)

    def uncover(
        self, image: AnyArray, covered: Covered | None = None
    ) -> Bool[AnyArray, "row col"] | None:
        """Infer which pixels of an image are covered; None where nothing need be.

        `covered` says how covers are sought; without it as `Covered()` does.
        """
        known = self._recogniser
        return known.understood(image, covered or Covered(), known.seen(image, None))[0]

    def explain(
        self, image: AnyArray, hidden: Hidden = None, *, appearance: Appearance | None = None
    ) -> Explanation:
        """Say which features of the best shape, at which shifts, explain which pixels.

        `hidden` is a mask of the pixels that are covered, or `Covered()` where it is to be
        inferred: the explanation's `hidden` is then the inferred one. Of an image in colour, or
        with `appearance`, the explanation's `surface` says which pixels belong to the shape, and
        with what colours. Raises DataError for an image of which no contour is seen.

        >>> strokes = np.zeros((2, 28, 28))
        >>> strokes[0, 4:24, 12:16] = strokes[1, 12:16, 4:24] = 255  # an upright and a level one
        >>> coloured = np.where(strokes[0, :, :, None] > 0, (200, 60, 40), (40, 150, 60))
        >>> found = RCN().fit(strokes, ["upright", "level"]).explain(coloured).surface
        >>> print(found.labels[0], (found.pixels == 0).sum())
        upright 80
        """
        if appearance is None and np.ndim(image) == 2:
            return self._explained(image, hidden)
        found = self._explained(self._recogniser.figure(image, hidden, appearance), hidden)
        return replace(found, surface=found.segment(image, appearance))

    def _explained(self, image: AnyArray, hidden: Hidden) -> Explanation:
        """Explain bright ink by the best shape."""
        known = self._recogniser
        evidence = known.seen(image, None if isinstance(hidden, Covered) else hidden)
        if not len(evidence.points):
            raise DataError(
                "the image shows no contour outside what is hidden, so that nothing explains it; "
                "leave it out, or look at `hidden`"
            )
        mask, each = known.understood(image, hidden, evidence)
        shape = likeliest(self.shapes, each, image, mask)
        best = known.best(each)
        chances = self._probabilities(best[None])[0]
        order = np.argsort(-best, kind="stable")
        return Explanation(
            np.asarray(image, float), mask, shape.label, self.upsampling, known.margin,
            *explain(shape, known.seen(image, mask), self.pool),
            tuple((self.classes[i], float(chances[i])) for i in order), shape.pixels,
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
        self._recogniser.refuse_unlearned()
        return parsed(image, self._seeker, self._chance)

    def _probabilities(self, found: Float[AnyArray, "image label"]) -> AnyArray:
        examples = len(self.shapes) / len(self.classes)
        sureness = self.sureness or Sureness.usual(examples)
        return sureness.probabilities(found, self.strangers)[:, :-1]

    def _chance(self, agreement: Float[AnyArray, " shape"]) -> float:
        """Return the probability of the best label."""
        return float(self._probabilities(self._recogniser.best(agreement)[None]).max())

    @cached_property
    def _seeker(self) -> Seeker:
        return Seeker(self.shapes, self.banks, self.pool, self.upsampling, self._recogniser.margin)

    @cached_property
    def _recogniser(self) -> Recogniser:
        return Recogniser(self.shapes, self.banks, self.pool, self.upsampling, self.candidates)
