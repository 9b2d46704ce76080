"""Say and draw which features, at which shifts, explain which pixels of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from finetti import MissingExtra
from finetti.types import AnyArray, Bool, Float, Int
from finetti.vision.rcn.agreeing import Shape
from finetti.vision.rcn.carrying import inked
from finetti.vision.rcn.evidence import Evidence, in_pixels, unaries
from finetti.vision.rcn.features import ORIENTATIONS
from finetti.vision.rcn.loops import Placement, place
from finetti.vision.rcn.segmenting import Drawn, Segmentation, whole
from finetti.vision.rcn.surfaces import Appearance
from finetti.vision.rcn.template import Template

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIM = 6.0  # pixels of the enlarged image within which a feature explains an edge
SHIFT = 3  # pixels by which a shape as a whole may be moved to be compared
ALIKE = 10  # shapes of the best label, of which the visible pixels choose one
HOPE = 1.0  # features: what a hidden place is taken to show, so that none flees from there


class Sight(Enum):
    """Say what the image shows where a feature came to lie.

    >>> [sight.value for sight in Sight]
    ['present', 'absent', 'hidden']
    """

    PRESENT = "present"
    ABSENT = "absent"
    HIDDEN = "hidden"


@dataclass(frozen=True)
class Explanation:
    """Hold an image as the best learned shape explains it.

    `features` are the shape's, (orientation, row, col) where they were learned, and `placement` how
    they shift. `hidden` are the pixels that were given as covered, or inferred to be. `sights` says
    of each feature what the image shows there, and `points` are the image's own features. Places
    are pixels of the enlarged image with its margin; `places` gives them in pixels of the image.
    `contour` is all of the shape's contour, (orientation, row, col), each point moved with the
    feature nearest to it: where the image is hidden, it is the contour reconstructed.
    `chances` are all labels with their probabilities, the best first, and `learned` is the image of
    the shape. Of an image in colour, `surface` says which pixels belong to the shape, and with what
    colours; `image` is then the ink that the surface found in it has.

    >>> explanation = rcn.explain(image)  # doctest: +SKIP
    >>> explanation.label, explanation.count(Sight.PRESENT)  # doctest: +SKIP
    (0, 67)
    """

    image: Float[AnyArray, "row col"]
    hidden: Bool[AnyArray, "row col"] | None
    label: object
    upsampling: int
    margin: int
    template: Template
    placement: Placement
    sights: tuple[Sight, ...]
    points: Int[AnyArray, "point 3"]
    contour: Int[AnyArray, "place 3"]
    chances: tuple[tuple[object, float], ...]
    learned: Float[AnyArray, "row col"]
    surface: Segmentation | None = None

    def __repr__(self) -> str:
        found = sum(sight is Sight.PRESENT for sight in self.sights)
        return f"<explained as {self.label}: {found} of {len(self.sights)} features found>"

    @property
    def places(self) -> Float[AnyArray, "feature 2"]:
        """Return where the features came to lie, (row, col) in pixels of the image."""
        return self._in_image(self.template.features[:, 1:] + self.placement.shifts)

    @property
    def explained(self) -> Int[AnyArray, " point"]:
        """Return for each of the image's features which of the shape's explains it, -1 for none.

        It is the nearest that is present, of the same orientation or one next to it, within
        `CLAIM` pixels of the enlarged image.
        """
        turn, places = self.template.features[:, 0], self._placed
        apart = np.linalg.norm(self.points[:, None, 1:] - places, axis=-1)
        off = np.abs(self.points[:, None, 0] - turn) % ORIENTATIONS
        alike = np.minimum(off, ORIENTATIONS - off) <= 1
        present = np.array([sight is Sight.PRESENT for sight in self.sights], bool)
        apart = np.where(alike & present & (apart <= CLAIM), apart, np.inf)
        nearest = apart.argmin(1)
        return np.where(np.isfinite(apart.min(1)), nearest, -1)

    @property
    def ink(self) -> Float[AnyArray, "row col"]:
        """Return what the shape draws where its features came to lie, from 0 to 1."""
        homes = self._in_image(self.template.features[:, 1:])
        present = np.array([sight is Sight.PRESENT for sight in self.sights], bool)
        shape = self.image.shape
        ink, corner = inked(self.learned / 255, homes, self.places, present, shape)
        return whole(shape, [ink], [corner])[0]

    def segment(
        self, image: AnyArray | None = None, appearance: Appearance | None = None
    ) -> Segmentation:
        """Infer which pixels belong to the shape, and with what colours, beside its contours.

        `image`, in colour or grey, is the one that was recognised; without it the ink is taken.
        """
        own = self.points[self.explained >= 0]
        contour = np.concatenate([own[:, :1], self._in_image(own[:, 1:])], 1)
        drawn = Drawn((self.label,), self.image / 255, self.ink[None], contour)
        return drawn.segmented(self.image if image is None else image, appearance)

    def count(self, sight: Sight) -> int:
        """Return how many features are present, absent or hidden."""
        return self.sights.count(sight)

    def __str__(self) -> str:
        """Say in a few sentences what explains the image, and what is left over."""
        n, shifts = len(self.sights), np.linalg.norm(self.placement.shifts, axis=1)
        left = int((self.explained < 0).sum())
        hidden = self.count(Sight.HIDDEN)
        lines = [
            f"{self.label}: {self.count(Sight.PRESENT)} of {n} features are present"
            + (f", {hidden} hidden" if hidden else "")
            + f"; {self.count(Sight.ABSENT)} absent.",
            f"Features shift by {np.median(shifts) / self.upsampling:.1f} pixels (median), "
            f"{shifts.max() / self.upsampling:.1f} at most.",
            f"{left} of the image's {len(self.points)} edge pixels are not explained.",
        ]
        if self.placement.violated:
            lines.append(
                f"{self.placement.violated} of {len(self.template.edges)} bounds between "
                "neighbours are broken: the messages found no shape that keeps them all."
            )
        (label, most), *others = self.chances
        alike = [str(other) for other, chance in others if chance == most]
        lines.append(
            f"Probability {most:.2f}"
            + (f", as of {', '.join(alike)}: {label} is only the first of them." if alike else "")
            + (f"; next {others[0][0]}, {others[0][1]:.2f}" if others and not alike else "")
            + f"; none of the labels {max(1 - sum(c for _, c in self.chances), 0):.2f}."
        )
        return "\n".join(lines)

    def picture(self, axes: Axes | None = None) -> Axes:
        """Draw the features where they came to lie on the image, with how each has shifted.

        Present ones are green, absent red and hidden ones, the reconstructed contour, blue; edges
        of the graph are thin lines, and a dot marks what no feature explains.
        """
        try:
            import matplotlib.pyplot as plt
            from matplotlib.collections import LineCollection
        except ImportError as error:
            raise MissingExtra.needed("matplotlib", "vision", "a picture") from error
        if axes is None:
            _, axes = plt.subplots(figsize=(5, 5), layout="constrained")
        if self.surface is None:
            axes.imshow(self.image, cmap="gray_r", vmin=0, vmax=255, alpha=0.35)
        else:
            self.surface.picture(axes)
        if self.hidden is not None:
            axes.contourf(self.hidden, levels=[0.5, 1], colors="0.6", alpha=0.5)
        places = self.places[:, ::-1]
        axes.add_collection(LineCollection(list(places[self.template.edges]), colors="0.7", lw=0.6))
        home = self._in_image(self.template.features[:, 1:])[:, ::-1]
        axes.add_collection(LineCollection(list(np.stack([home, places], 1)), colors="C1", lw=0.6))
        loose = self._in_image(self.points[self.explained < 0, 1:])[:, ::-1]
        axes.plot(*loose.T, ".", color="0.4", ms=2)
        drawn = strokes(places, self.template.features[:, 0], 0.7)
        for sight, colour in zip(Sight, ("C2", "C3", "C0"), strict=True):
            chosen = np.array([s is sight for s in self.sights], bool)
            axes.add_collection(LineCollection(list(drawn[chosen]), colors=colour, lw=2))
        axes.set_title(f"{self.label}: {self.count(Sight.PRESENT)} of {len(self.sights)} present")
        axes.set_xticks([])
        axes.set_yticks([])
        return axes

    @property
    def _placed(self) -> Int[AnyArray, "feature 2"]:
        return self.template.features[:, 1:] + self.placement.shifts

    def _in_image(self, places: AnyArray) -> Float[AnyArray, "place 2"]:
        return in_pixels(places, self.upsampling, self.margin)


def strokes(
    places: Float[AnyArray, "feature 2"], orientations: Int[AnyArray, " feature"], reach: float
) -> Float[AnyArray, "feature 2 2"]:
    """Return the ends of a stroke through each place, (across, down), along the edge there."""
    angle = 2 * np.pi * orientations / ORIENTATIONS
    along = reach * np.stack([-np.sin(angle), np.cos(angle)], -1)
    return np.stack([places - along, places + along], 1)


def likeliest(
    shapes: Sequence[Shape],
    agreement: Float[AnyArray, " shape"],
    image: AnyArray,
    hidden: AnyArray | None,
) -> Shape:
    """Return the shape that agrees best, or where parts are hidden one of its label like it.

    Agreement leaves how a hidden part looks open; of the label's best shapes that is taken whose
    pixels differ least from the visible ones, moved by up to `SHIFT` pixels.
    """
    best = shapes[int(agreement.argmax())]
    if hidden is None or not np.any(hidden):
        return best
    order = (shapes[i] for i in np.argsort(-agreement, kind="stable") if np.isfinite(agreement[i]))
    alike = list(islice((s for s in order if s.label == best.label), ALIKE))
    seen = np.pad(~np.asarray(hidden, bool), SHIFT, constant_values=True)
    target = np.pad(np.asarray(image, float), SHIFT)

    def apart(shape: Shape) -> float:
        rows, cols = shape.pixels.shape
        steps = range(2 * SHIFT + 1)
        windows = (np.s_[r : r + rows, c : c + cols] for r in steps for c in steps)
        return min(float(((shape.pixels - target[w])[seen[w]] ** 2).sum()) for w in windows)

    return min(alike, key=apart)


def explain(
    shape: Shape, evidence: Evidence, pool: int
) -> tuple[
    Template, Placement, tuple[Sight, ...], Int[AnyArray, "point 3"], Int[AnyArray, "place 3"]
]:
    """Place a shape's features in an image, and say what the image shows there."""
    template = shape.template
    seen = evidence.field()
    hoped = seen.astype(np.float32) / evidence.unit
    if evidence.hidden is not None:
        hoped[:, evidence.hidden] = HOPE
    placement = place(template, unaries(hoped, template.features, pool))
    places = template.features.copy()
    places[:, 1:] += placement.shifts
    at = seen[tuple(places.T)]
    shown = [Sight.PRESENT if value == evidence.unit else Sight.ABSENT for value in at]
    if evidence.hidden is not None:
        for i in np.flatnonzero(evidence.hidden[tuple(places[:, 1:].T)]):
            shown[i] = Sight.HIDDEN
    contour = shape.evidence.points.copy()
    apart = ((contour[:, None, 1:] - template.features[:, 1:]) ** 2).sum(-1)
    contour[:, 1:] += placement.shifts[apart.argmin(1)]
    return template, placement, tuple(shown), evidence.points, contour
