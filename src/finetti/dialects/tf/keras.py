"""Hold what programs take from `tf.keras`: its optimisers."""

from finetti.dialects.tf import optimizers
from finetti.dialects.tf.surroundings import lacking

__all__ = ["optimizers"]

__getattr__ = lacking("tf.keras")
