"""Recognise shapes, and say what explains them, by generative models of images."""

from finetti.vision.rcn import RCN, Covered, Explanation, Reader, Reading, Sight, ink

__all__ = ["RCN", "Covered", "Explanation", "Reader", "Reading", "Sight", "ink"]
