"""Offer the Recursive Cortical Network: shapes are graphs of features that shift together."""

from finetti.vision.rcn.explanation import Explanation, Sight
from finetti.vision.rcn.network import RCN

__all__ = ["RCN", "Explanation", "Sight"]
