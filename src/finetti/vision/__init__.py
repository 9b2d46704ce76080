"""Recognise shapes, and say what explains them, by generative models of images."""

from finetti.vision.rcn import RCN, Explanation, Sight

__all__ = ["RCN", "Explanation", "Sight"]
