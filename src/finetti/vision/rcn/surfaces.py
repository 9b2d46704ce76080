"""Find an image's surfaces: colours that belong together, textured or not, and what may be a shape.

Ward's clustering (Ward 1963, JASA 58) merges the pixels' colours into surfaces, and surfaces into
larger ones: a texture of two colours is one surface further up the tree, or one of any two that are
taken together. Each, small or large, may be that of a shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from finetti import DataError
from finetti.types import AnyArray, Bool, Float

CLUSTERED = 2500  # pixels at most of which the tree is made
GRAIN = 12.0  # of 255: a deviation that every surface's colours have at least
LEAST, MOST = 0.03, 0.5  # shares of an image that a shape may fill
BLUR = 1.0  # pixels by which figures and learned shapes are blurred to be compared


@dataclass(frozen=True)
class Appearance:
    """State that each shape has a surface of its own, of one colour or textured.

    `surfaces` is how many colours an image is divided among, and `tried` how many of these, or of
    several taken together, are recognised as shapes: those most like learned ones. `smooth` is the
    log odds with which neighbouring pixels belong together where no contour runs between them.

    >>> Appearance(surfaces=12).tried
    4
    """

    surfaces: int = 8
    tried: int = 4
    smooth: float = 1.0

    def __post_init__(self) -> None:
        if self.surfaces < 2 or self.tried < 1 or not 0 <= self.smooth < np.inf:
            raise DataError(
                f"surfaces is {self.surfaces}, tried {self.tried} and smooth {self.smooth}; give "
                "at least 2, 1 and 0"
            )

    def figures(
        self, image: Float[AnyArray, "row col channel"], learned: Sequence[AnyArray]
    ) -> Float[AnyArray, "figure row col"]:
        """Return what of an image may be a shape, as ink from 0 to 255, the likeliest first.

        Surfaces are compared with the `learned` images, (row, col), pixel by pixel.
        """
        found = [np.zeros(image.shape[:2]), *Palette.of(image, self.surfaces).figures()]
        blurred = _directions(found)
        alike = (blurred @ _directions(learned).T).max(1) if len(found) > 1 else np.zeros(1)
        best = np.argsort(-alike, kind="stable")[: self.tried]
        return 255 * np.stack([found[i] for i in best])


@dataclass(frozen=True, eq=False)
class Palette:
    """Hold how probable each pixel's colour is of each surface.

    `weights` are log densities, (surface, row, col), and `shares` how much of the image each
    surface fills. `unions` are surfaces taken together, as truth values of each, the largest first.
    """

    weights: Float[AnyArray, "surface row col"]
    shares: Float[AnyArray, " surface"]
    unions: Bool[AnyArray, "union surface"]

    @staticmethod
    def of(image: Float[AnyArray, "row col channel"], surfaces: int) -> Palette:
        """Divide an image among at most so many surfaces."""
        pixels = image.reshape(-1, image.shape[-1])
        some = pixels[:: -(-len(pixels) // CLUSTERED)]
        sizes = list(range(2, min(surfaces, len(some)) + 1))
        cuts = cut_tree(linkage(some, "ward"), n_clusters=sizes)
        finest = cuts[:, -1]
        members = [some[finest == k] for k in range(sizes[-1])]
        weights = np.stack([_density(pixels, own) for own in members])
        shares = np.array([len(own) for own in members]) / len(some)
        merged = [np.unique(finest[cut == k]) for cut in cuts.T for k in np.unique(cut)]
        pairs = combinations(range(len(members)), 2)
        every = np.arange(len(members))
        unions = {tuple(np.isin(every, one).tolist()) for one in (*merged, *pairs)}
        ordered = sorted(unions, key=lambda u: (-shares[list(u)].sum(), u))
        return Palette(weights.reshape(-1, *image.shape[:2]), shares, np.array(ordered))

    @cached_property
    def joint(self) -> Float[AnyArray, "surface row col"]:
        """Return the log densities of a surface and its colour at each pixel."""
        return self.weights + np.log(self.shares)[:, None, None]

    def figures(self) -> list[Float[AnyArray, "row col"]]:
        """Return for each surface that a shape may have how probably each pixel is of it."""
        total = np.logaddexp.reduce
        return [
            np.asarray(expit(total(self.joint[u]) - total(self.joint[~u])))
            for u in self.unions
            if LEAST <= self.shares[u].sum() <= MOST
        ]


def _directions(images: Sequence[AnyArray]) -> Float[AnyArray, "image pixel"]:
    """Return blurred images as vectors of length 1; 0 where they are dark."""
    flat = np.stack([gaussian_filter(np.asarray(image, float), BLUR).ravel() for image in images])
    return flat / np.linalg.norm(flat, axis=1, keepdims=True).clip(1e-9)


def _density(
    pixels: Float[AnyArray, "pixel channel"], own: Float[AnyArray, "member channel"]
) -> Float[AnyArray, " pixel"]:
    """Return the log density of colours by the normal distribution of a surface's own."""
    centre, channels = own.mean(0), own.shape[1]
    spread = (own - centre).T @ (own - centre) / len(own) + GRAIN**2 * np.eye(channels)
    lower = np.linalg.cholesky(spread)
    away = np.linalg.solve(lower, (pixels - centre).T)
    return -0.5 * (away**2).sum(0) - np.log(np.diag(lower)).sum()
