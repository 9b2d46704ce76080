"""Turn an image into evidence: how much each place speaks for each orientation's feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from finetti.types import AnyArray, Bool, Float, Int
from finetti.vision.rcn.features import ORIENTATIONS, features, upsample

UNSEEN = 6  # pixels around a hidden one where a filter sees too much of it


@dataclass(frozen=True)
class Evidence:
    """Hold an image's features, sparsely, in an enlarged image with a margin around it.

    `points` are (orientation, row, col). `hidden` says of each pixel whether it is covered, if
    anything is.
    """

    points: Int[AnyArray, "point 3"]
    shape: tuple[int, int]
    hidden: Bool[AnyArray, "row col"] | None = None

    @property
    def unit(self) -> int:
        """Return what a feature that is present counts in the field: 2 if others are hidden."""
        return 1 if self.hidden is None else 2

    def field(self) -> Int[AnyArray, "orientation row col"]:
        """Return `unit` where a feature is, of an orientation or one next to it, -`unit` elsewhere.

        Two orientations off, 0 speaks neither for nor against; where the image is hidden, a feature
        counts half, since it is more likely there than not.
        """
        dense = np.full((ORIENTATIONS, *self.shape), -1, np.int8)
        orientation, row, col = self.points.T
        for off, value in ((2, 0), (1, 1), (0, 1)):
            for way in (off, -off):
                dense[(orientation + way) % ORIENTATIONS, row, col] = np.maximum(
                    dense[(orientation + way) % ORIENTATIONS, row, col], value
                )
        if self.hidden is not None:
            dense *= self.unit
            dense[:, self.hidden] = 1
        return dense


def see(
    image: AnyArray, upsampling: int, margin: int, hidden: Bool[AnyArray, "row col"] | None = None
) -> Evidence:
    """Find the features of an image, (row, col) from 0 to 255, except those that a mask hides."""
    large = np.pad(upsample(np.asarray(image, float), upsampling), margin)
    covered: np.ndarray | None = None
    if hidden is not None and hidden.any():
        covered = np.pad(np.kron(hidden, np.ones((upsampling, upsampling), bool)), margin)
        covered = np.asarray(maximum_filter(covered, 2 * UNSEEN + 1), bool)
    found = features(large) > 0
    if covered is not None:
        found &= ~covered
    return Evidence(np.argwhere(found), (large.shape[0], large.shape[1]), covered)


def in_pixels(places: AnyArray, upsampling: int, margin: int) -> Float[AnyArray, "place 2"]:
    """Return where places in the enlarged image with its margin lie in pixels of the image."""
    return (places - margin + 0.5) / upsampling - 0.5


def unaries(field: AnyArray, template: Int[AnyArray, "feature 3"], pool: int) -> AnyArray:
    """Return what the evidence says of each feature's shifts: the window of `pool` around it.

    `field` is (orientation, row, col), what is returned (feature, row, col).
    """
    views = np.lib.stride_tricks.sliding_window_view(field, (pool, pool), axis=(1, 2))
    orientation, row, col = template.T
    return views[orientation, row - pool // 2, col - pool // 2]
