"""Recognise shapes, say what explains them, and take images apart, by generative models."""

from finetti.vision.rcn import (
    RCN,
    Covered,
    Explanation,
    Letters,
    Poses,
    Reader,
    Reading,
    Sight,
    Words,
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
    "Letters",
    "Patches",
    "Poses",
    "Reader",
    "Reading",
    "Scene",
    "Shading",
    "Sight",
    "Surface",
    "Words",
    "glyphs",
    "ink",
    "picture",
    "retinex",
]
