"""Say and draw which shapes explain an image of many, which hides which, and what else would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from finetti import DataError, MissingExtra
from finetti.types import AnyArray, Float, Int
from finetti.vision.rcn.explanation import Sight, strokes
from finetti.vision.rcn.seeking import BODY
from finetti.vision.rcn.segmenting import Drawn, Segmentation, whole
from finetti.vision.rcn.surfaces import Appearance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INKED = 0.3  # of full brightness: what is fainter is no ink to explain


@dataclass(frozen=True, eq=False)
class Part:
    """Hold a shape of an image of many.

    `corner` (row, col) is where the frame that it was learned in lies, in pixels of the image. Its
    features' `orientations` and `places`, (row, col) in pixels, are as they were found; `sights`
    says what the image shows of each, and `behind` which other part hides it, by its number, -1 for
    none. `ink`, 0 to 1, is drawn in the part of the image whose first pixel is `at`. `chance` is
    the probability of the label, given that a shape is there.

    >>> part = rcn.parse(image).parts[0]  # doctest: +SKIP
    >>> part.label, part.count(Sight.HIDDEN), part.middle  # doctest: +SKIP
    (7, 12, (19.5, 30.2))
    """

    label: object
    chance: float
    corner: tuple[float, float]
    orientations: Int[AnyArray, " feature"] = field(repr=False)
    places: Float[AnyArray, "feature 2"] = field(repr=False)
    sights: tuple[Sight, ...] = field(repr=False)
    behind: Int[AnyArray, " feature"] = field(repr=False)
    ink: Float[AnyArray, "row col"] = field(repr=False)
    at: tuple[int, int] = field(repr=False)

    def count(self, sight: Sight) -> int:
        """Return how many features are present, absent or hidden."""
        return self.sights.count(sight)

    @property
    def contour(self) -> Float[AnyArray, "feature 3"]:
        """Return its features that are present, (orientation, row, col) in pixels of the image."""
        present = np.array([sight is Sight.PRESENT for sight in self.sights], bool)
        return np.column_stack([self.orientations, self.places])[present]

    @property
    def middle(self) -> tuple[float, float]:
        """Return the middle of its features, (row, col) in pixels of the image."""
        row, col = ((self.places.min(0) + self.places.max(0)) / 2).tolist()
        return row, col


@dataclass(frozen=True, eq=False)
class Parse:
    """Hold the shapes that explain an image together, the best explained first.

    `order` says of each two parts that overlap, by their numbers (the lower first), whether the
    first is in front: True, False, or None where nothing in the image decides. `explained` says of
    each of the image's `points` of contour, (row, col) in pixels, which part explains it, -1 for
    none. `worth` is how many features the parts explain, less their price, and `others` are the
    labels of other parses with what they are worth, the best first.

    >>> parse = rcn.parse(image)  # doctest: +SKIP
    >>> parse.labels, parse.in_front(0, 1)  # doctest: +SKIP
    ((7, 4), True)
    """

    image: Float[AnyArray, "row col"] = field(repr=False)
    parts: tuple[Part, ...]
    order: Mapping[tuple[int, int], bool | None]
    points: Float[AnyArray, "point 2"] = field(repr=False)
    explained: Int[AnyArray, " point"] = field(repr=False)
    worth: float
    others: tuple[tuple[tuple[object, ...], float], ...] = field(repr=False)

    @property
    def labels(self) -> tuple[object, ...]:
        """Return the labels of the parts."""
        return tuple(part.label for part in self.parts)

    def in_front(self, first: int, second: int) -> bool | None:
        """Tell whether a part lies in front of another; None if they are apart, or nothing decides.

        Raises DataError for a number that no part has.
        """
        for number in (first, second):
            if not 0 <= number < len(self.parts):
                raise DataError(f"part {number} was asked for; there are {len(self.parts)}, from 0")
        found = self.order.get((min(first, second), max(first, second)))
        return found if found is None or first < second else not found

    @property
    def pixels(self) -> Int[AnyArray, "row col"]:
        """Return for each pixel with ink which part explains it, and -1 for none.

        Where several draw ink it is the one in front, or else the one that draws most.
        """
        which, strength = np.full((2, *self.image.shape), -1.0)
        strength[:] = BODY
        for i, part in enumerate(self.parts):
            window = tuple(slice(a, a + n) for a, n in zip(part.at, part.ink.shape, strict=True))
            there = which[window].astype(int)
            front = np.array([self.in_front(i, j) is True for j in range(i)] + [False])
            back = np.array([self.in_front(i, j) is False for j in range(i)] + [False])
            inked = part.ink > BODY
            taken = inked & ~back[there] & (front[there] | (part.ink > strength[window]))
            which[window] = np.where(taken, i, there)
            strength[window] = np.where(taken, part.ink, strength[window])
        return np.where(self.image > INKED * 255, which, -1).astype(int)

    def segment(self, image: AnyArray, appearance: Appearance | None = None) -> Segmentation:
        """Infer which pixels belong to which part, and with what colours, beside their contours.

        `image`, in colour or grey, is the one that was parsed: (row, col) or (row, col, channel).
        """
        inks = whole(self.image.shape, [p.ink for p in self.parts], [p.at for p in self.parts])
        contour = np.concatenate([np.zeros((0, 3)), *(part.contour for part in self.parts)])
        return Drawn(self.labels, self.image / 255, inks, contour).segmented(image, appearance)

    def __repr__(self) -> str:
        left = int((self.explained < 0).sum())
        return f"<parsed as {', '.join(map(str, self.labels)) or 'nothing'}: {left} edges left>"

    def __str__(self) -> str:
        """Say in a few sentences what is seen, what hides what, and what is left over."""
        lines = [] if self.parts else ["No learned shape explains the image."]
        for i, part in enumerate(self.parts):
            row, col = part.middle
            hidden = part.count(Sight.HIDDEN)
            lines.append(
                f"{i}. {part.label} at row {row:.0f}, column {col:.0f}, probability "
                f"{part.chance:.2f}: {part.count(Sight.PRESENT)} of {len(part.sights)} features "
                f"are present, {hidden} hidden, {part.count(Sight.ABSENT)} absent."
            )
        for (i, j), first in self.order.items():
            pair = f"{i} ({self.parts[i].label}) and {j} ({self.parts[j].label})"
            front, back = (i, j) if first else (j, i)
            lines.append(
                f"Nothing tells which of {pair} is in front."
                if first is None
                else f"{front} ({self.parts[front].label}) hides part of {back} "
                f"({self.parts[back].label})."
            )
        lines.append(
            f"{int((self.explained < 0).sum())} of the image's {len(self.points)} edge pixels are "
            "not explained."
        )
        if self.others:
            labels, worth = self.others[0]
            lines.append(
                f"The next parse, {', '.join(map(str, labels))}, explains "
                f"{self.worth - worth:.0f} features less."
            )
        return "\n".join(lines)

    def picture(self, axes: Axes | None = None) -> Axes:
        """Draw each part's pixels and contours in its colour, over the image.

        Thick strokes are features that are present, thin ones with a pale middle those that another
        part hides, and crosses those that the image lacks; dots are edges that nothing explains.
        """
        try:
            import matplotlib.pyplot as plt
            from matplotlib.collections import LineCollection
            from matplotlib.colors import to_rgb
        except ImportError as error:
            raise MissingExtra.needed("matplotlib", "vision", "a picture") from error
        if axes is None:
            _, axes = plt.subplots(figsize=(5, 4), layout="constrained")
        colours = [to_rgb(f"C{i % 10}") for i in range(len(self.parts))]
        paint = np.array([*colours, (0.5, 0.5, 0.5)])[self.pixels]
        axes.imshow(1 - 0.6 * self.image[:, :, None] / 255 * (1 - paint))
        loose = self.points[self.explained < 0, ::-1]
        axes.plot(*loose.T, ".", color="0.3", ms=2)
        for colour, part in zip(colours, self.parts, strict=True):
            places = part.places[:, ::-1]
            drawn = strokes(places, part.orientations, 0.6)
            sights = np.array([sight.value for sight in part.sights])
            for sight, width in ((Sight.PRESENT, 2.4), (Sight.HIDDEN, 1.0)):
                chosen = list(drawn[sights == sight.value])
                axes.add_collection(LineCollection(chosen, colors=[colour], lw=width))
            axes.plot(*places[sights == "absent"].T, "x", color=colour, ms=3, mew=0.8)
            axes.plot(*places[sights == "hidden"].T, "o", color="w", ms=1.6)
            across, down = float(places[:, 0].mean()), float(places[:, 1].min()) - 1.5
            axes.text(
                across,
                down,
                str(part.label),
                color=colour,
                size=18,
                weight="bold",
                ha="center",
                va="bottom",
            )
        axes.set_xticks([])
        axes.set_yticks([])
        return axes
