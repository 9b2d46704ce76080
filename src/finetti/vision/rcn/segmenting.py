"""Infer which pixels belong to which shape, and with what surface, beside the shapes' contours.

The paper's second factor: a conditional random field on pixels. Each pixel belongs to the ground or
to one of the shapes. Its colour speaks for those whose surface has such colours, its distance from
the ink that a shape draws for or against the shape, and neighbours belong together unless a contour
that a shape explains runs between them: there the edge is cut. Beliefs are loopy sum-product's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.special import expit, softmax

from finetti import DataError, MissingExtra
from finetti import factors as fg
from finetti.types import AnyArray, Bool, Float, Int
from finetti.vision.rcn.checking import as_picture
from finetti.vision.rcn.features import ORIENTATIONS
from finetti.vision.rcn.surfaces import Appearance, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BODY = 0.5  # of full ink: where a shape is drawn
STRAY = 1.0  # log odds that a pixel of distance from the edge of the ink adds
SURE = 6.0  # log odds at most that a place alone gives
NEAR = 2.0  # log odds more, with which surfaces are first looked for around the ink
RARE = 0.02  # of a shape's pixels: what a surface that it was not seen with has at least
ACROSS = 0.5  # of an edge of the grid: how far a contour that cuts it runs across
PASSES = fg.BeliefPropagation(damping=0.2, tolerance=1e-3, iterations=100, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Hold which pixels of an image belong to which shape, and in what colours.

    `image` is (row, col, channel) from 0 to 255, and `labels` the shapes'. `chances` are the
    probabilities that a pixel belongs to the ground, the first, and to each shape. `colours` are
    the means of each shape's pixels, (shape, channel), and `grain` their standard deviations, by
    which a texture tells itself from one colour.

    >>> found = rcn.explain(coloured).surface  # doctest: +SKIP
    >>> found.pixels == 0, found.colours[0]  # doctest: +SKIP
    """

    image: Float[AnyArray, "row col channel"] = field(repr=False)
    labels: tuple[object, ...]
    chances: Float[AnyArray, "owner row col"] = field(repr=False)

    @property
    def pixels(self) -> Int[AnyArray, "row col"]:
        """Return for each pixel the number of the shape that it belongs to, -1 for the ground."""
        return self.chances.argmax(0) - 1

    @property
    def colours(self) -> Float[AnyArray, "shape channel"]:
        """Return the mean colour of each shape's pixels, from 0 to 255."""
        return np.einsum("src,rck->sk", self._shares, self.image)

    @property
    def grain(self) -> Float[AnyArray, "shape channel"]:
        """Return by how much each shape's pixels vary about their mean, a standard deviation."""
        away = (self.image - self.colours[:, None, None]) ** 2
        return np.sqrt(np.einsum("src,srck->sk", self._shares, away))

    @property
    def _shares(self) -> Float[AnyArray, "shape row col"]:
        own = self.chances[1:]
        return own / own.sum((1, 2), keepdims=True).clip(1e-9)

    def __str__(self) -> str:
        """Say of each shape how many pixels it has, and of what colour."""
        lines = []
        for i, (label, colour, grain) in enumerate(
            zip(self.labels, self.colours, self.grain, strict=True)
        ):
            named = ", ".join(f"{c:.0f}" for c in colour)
            lines.append(
                f"{i}. {label}: {(self.pixels == i).sum()} of {self.pixels.size} pixels, of the "
                f"mean colour ({named}), varying by {np.sqrt((grain**2).mean()):.0f}."
            )
        return "\n".join(lines) or "All pixels are the ground's."

    def picture(self, axes: Axes | None = None) -> Axes:
        """Draw the shapes' pixels in their own colours, each outlined, and the ground pale."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise MissingExtra.needed("matplotlib", "vision", "a picture") from error
        if axes is None:
            _, axes = plt.subplots(figsize=(4, 4), layout="constrained")
        owned = self.chances[1:].sum(0)[..., None]
        shown = self.image * owned + (255 - 0.15 * (255 - self.image)) * (1 - owned)
        axes.imshow(np.broadcast_to(shown / 255, (*shown.shape[:2], 3)))
        for i in np.unique(self.pixels[self.pixels >= 0]):
            axes.contour(self.pixels == i, levels=[0.5], colors=f"C{i % 10}")
        axes.set_title(", ".join(map(str, self.labels)))
        axes.set_xticks([])
        axes.set_yticks([])
        return axes


@dataclass(frozen=True, eq=False)
class Drawn:
    """Hold shapes as they were found in an image: what the field needs to know of them.

    `figure`, 0 to 1, is what the image shows as ink; `inks` are what each shape draws, 0 to 1 in
    the whole image, and `contour` how and where contours run that shapes explain: (orientation,
    row, col), in pixels.
    """

    labels: tuple[object, ...]
    figure: Float[AnyArray, "row col"]
    inks: Float[AnyArray, "shape row col"]
    contour: Float[AnyArray, "point 3"]

    def segmented(self, image: AnyArray, appearance: Appearance | None = None) -> Segmentation:
        """Infer which pixels of an image, (row, col) or (row, col, channel), are of which shape.

        Raises DataError for an image of other rows and columns than the one that was recognised.
        """
        appearance, image = appearance or Appearance(), as_picture(image)
        if image.shape[:2] != self.figure.shape:
            raise DataError(
                f"the image has {image.shape[:2]} pixels, the one that was recognised "
                f"{self.figure.shape}; give the same, in colour or grey"
            )
        if not self.labels:
            return Segmentation(image, (), np.ones((1, *self.figure.shape)))
        palette = Palette.of(image, appearance.surfaces)
        return Segmentation(image, self.labels, self._owners(palette, appearance.smooth))

    def _owners(self, palette: Palette, smooth: float) -> Float[AnyArray, "owner row col"]:
        """Return how probably each pixel belongs to the ground, the first, and to each shape."""
        odds = np.stack([_odds(ink > BODY) for ink in self.inks])
        first = self.figure * expit(odds + NEAR)
        first = first / first.sum(0).clip(1)
        belief = np.concatenate([1 - first.sum(0, keepdims=True), first])
        weights = np.pad(odds, ((1, 0), (0, 0), (0, 0))) + _seen(palette, belief)
        graph = _field(weights.shape, self._kept(1), self._kept(0), smooth)
        found = PASSES.run(graph, {"owner": np.moveaxis(weights, 0, -1)})
        return np.moveaxis(np.asarray(found.marginals["owner"], float), -1, 0)

    def _kept(self, axis: int) -> Bool[AnyArray, "row col"]:
        """Tell which edges of the grid along an axis no contour cuts."""
        kept = np.ones([n - (a == axis) for a, n in enumerate(self.figure.shape)], bool)
        angle = 2 * np.pi * self.contour[:, 0] / ORIENTATIONS
        across = np.abs(np.sin(angle) if axis == 0 else np.cos(angle)) >= ACROSS
        place = np.rint(self.contour[across, 1:] - 0.5 * (np.arange(2) == axis)).astype(int)
        inside = ((place >= 0) & (place < kept.shape)).all(1)
        kept[tuple(place[inside].T)] = False
        return kept


def _odds(body: Bool[AnyArray, "row col"]) -> Float[AnyArray, "row col"]:
    """Return the log odds of belonging to a shape, by the distance from the edge of its ink."""
    if not body.any():
        return np.full(body.shape, -SURE)
    outside, inside = (np.asarray(distance_transform_edt(m)) for m in (~body, body))
    away = np.where(body, inside - 0.5, 0.5 - outside)
    return np.clip(STRAY * away, -SURE, SURE)


def _seen(
    palette: Palette, belief: Float[AnyArray, "owner row col"]
) -> Float[AnyArray, "owner row col"]:
    """Return the log density of each pixel's colour for each owner, whose surfaces are learned."""
    each = softmax(palette.joint, 0)
    own = np.einsum("orc,src->os", belief, each)
    own = own / own.sum(1, keepdims=True).clip(1e-9) + RARE * palette.shares
    mixing = np.log(own / own.sum(1, keepdims=True))
    return np.logaddexp.reduce(palette.weights + mixing[:, :, None, None], 1)


def _field(shape: tuple[int, ...], right: AnyArray, down: AnyArray, smooth: float) -> fg.Graph:
    """Return the field: neighbours along the edges that were kept prefer one owner."""
    owners, rows, cols = shape
    owner, alike = fg.Variables("owner", {"row": rows, "col": cols}, states=owners), np.eye(owners)
    pairs = ((owner[:, :-1], owner[:, 1:], right), (owner[:-1], owner[1:], down))
    return fg.Graph(
        *(
            fg.Table(one, other, log_potentials=smooth * kept[..., None, None] * alike)
            for one, other, kept in pairs
        )
    )


def whole(
    shape: tuple[int, ...], inks: Sequence[AnyArray], corners: Sequence[tuple[int, int]]
) -> Float[AnyArray, "shape row col"]:
    """Return inks, each drawn in a part of an image that begins at its corner, in all of it."""
    found = np.zeros((len(inks), *shape))
    for one, ink, corner in zip(found, inks, corners, strict=True):
        one[tuple(slice(c, c + n) for c, n in zip(corner, ink.shape, strict=True))] = ink
    return found
