"""Offer the Recursive Cortical Network: shapes are graphs of features that shift together."""

from finetti.vision.rcn.covering import Covered
from finetti.vision.rcn.expecting import Letters, Words
from finetti.vision.rcn.explanation import Explanation, Sight
from finetti.vision.rcn.fonts import glyphs, picture
from finetti.vision.rcn.ink import ink
from finetti.vision.rcn.network import RCN
from finetti.vision.rcn.posing import Poses
from finetti.vision.rcn.reading import Reader, Reading
from finetti.vision.rcn.scenery import Parse, Part
from finetti.vision.rcn.segmenting import Segmentation
from finetti.vision.rcn.surfaces import Appearance

__all__ = [
    "RCN",
    "Appearance",
    "Covered",
    "Explanation",
    "Letters",
    "Parse",
    "Part",
    "Poses",
    "Reader",
    "Reading",
    "Segmentation",
    "Sight",
    "Words",
    "glyphs",
    "ink",
    "picture",
]
