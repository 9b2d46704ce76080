"""State how light that is cut off steps at a hard shadow's edge."""

from __future__ import annotations

from dataclasses import dataclass

from finetti.vision.scene.grid import Size, wave_count
from finetti.vision.scene.shapes import positive, shares


@dataclass(frozen=True)
class Shadows:
    """Take a part of the shading as cast: even light, but for hard edges of shadows.

    The log of what a shadow lets through is a field of its own, (row, col), common to all channels.
    It steps by a normal of standard deviation `depth` at the share `edges` of neighbours where a
    shadow ends, and elsewhere by one of `fade`, which is next to nothing: so a shadow is as deep
    wherever its edge runs. Where the paint changes too the shares are multiplied.

    Raises `ModelError` where a setting makes no sense.

    >>> Shadows(edges=0.02).depth
    1.0
    """

    edges: float = 0.05
    depth: float = 1.0
    fade: float = 0.005

    def __post_init__(self) -> None:
        positive(self, "depth", "fade")
        shares(self, "edges")

    def waves(self, size: Size) -> int:
        """Return how many waves make the field: one less than pixels."""
        return wave_count(size)
