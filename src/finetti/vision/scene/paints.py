"""State how reflectance is likely to change from pixel to pixel."""

from __future__ import annotations

from dataclasses import dataclass

from finetti import Distribution
from finetti.vision.scene.shapes import known_or_likely, positive, shares


@dataclass(frozen=True)
class Patches:
    """Take reflectance as patches of nearly one paint each: its steps have heavy tails.

    The log reflectance changes between neighbouring pixels by a normal step of standard deviation
    `texture` (an image's noise counts as texture where none is stated), and of `contrast` times
    that at the share `edges` of neighbours where the paint changes. With `edges=0` reflectance is
    Gaussian: it fades but never jumps. A `texture` of None is inferred, about `usual`.

    In colour that is said of the mean of the log channels, and in each direction of hue, in which
    the channels differ and their mean does not, an abrupt step is `hue` times as wide as one of a
    channel alone would be: paints differ in brightness more than in hue (Ruderman, Cronin & Chiao
    1998). Texture is the same in each channel and independent. One label holds for all channels.

    Raises `ModelError` where a setting makes no sense.

    >>> Patches(edges=0).contrast
    30.0
    """

    edges: float = 0.1
    contrast: float = 30.0
    texture: float | None = None
    usual: float = 0.02
    hue: float = 0.5

    def __post_init__(self) -> None:
        positive(
            self, "contrast", "usual", "hue", *(["texture"] if self.texture is not None else [])
        )
        shares(self, "edges")

    @property
    def scale(self) -> float | Distribution:
        """Return the texture, or the prior on it."""
        return known_or_likely(self.texture, self.usual)
