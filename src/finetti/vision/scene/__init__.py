"""Offer shape and reflectance from an image: what is paint, and what is light on a shape."""

from finetti.vision.scene.decomposition import Decomposition
from finetti.vision.scene.edges import Label
from finetti.vision.scene.freedom import Freedom
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.retinex import retinex
from finetti.vision.scene.scene import Scene
from finetti.vision.scene.shadows import Shadows
from finetti.vision.scene.shapes import Shading, Surface

__all__ = [
    "Decomposition",
    "Freedom",
    "Label",
    "Patches",
    "Scene",
    "Shading",
    "Shadows",
    "Surface",
    "retinex",
]
