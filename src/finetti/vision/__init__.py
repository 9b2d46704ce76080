"""Recognise shapes, say what explains them, and take images apart, by generative models."""

from finetti.vision.rcn import (
    RCN,
    Covered,
    Explanation,
    Reader,
    Reading,
    Sight,
    glyphs,
    ink,
    picture,
)
from finetti.vision.scene import (
    Decomposition,
    Freedom,
    Label,
    Patches,
    Scene,
    Shading,
    Surface,
    retinex,
)

__all__ = [
    "RCN",
    "Covered",
    "Decomposition",
    "Explanation",
    "Freedom",
    "Label",
    "Patches",
    "Reader",
    "Reading",
    "Scene",
    "Shading",
    "Sight",
    "Surface",
    "glyphs",
    "ink",
    "picture",
    "retinex",
]
